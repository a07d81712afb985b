//! A browser with its cookies, and the chains of filters that it meets.

use crate::gateways::{Gateway, asking};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wasm_tests::{Forwarded, Proxy, Request, Response, Standing, merged};

pub const SECRET: &str = "ultra top secret session";

/// A browser.
#[derive(Clone, Default)]
pub struct Browser {
    pub cookies: BTreeMap<String, String>,
}

/// The result of a request.
pub struct Visit {
    /// The request at the upstream, if it got there.
    pub forwarded: Option<Forwarded>,
    pub reply: Response,
}

impl Browser {
    /// Sends the request with the browser's cookies. The upstream answers `hello`.
    #[track_caller]
    pub fn send(&mut self, proxy: &Proxy, request: Request) -> Visit {
        self.send_to(proxy, request, Response::new(200).with_body("hello"))
    }

    #[track_caller]
    pub fn send_to(&mut self, proxy: &Proxy, request: Request, upstream: Response) -> Visit {
        let request = self.with_cookies(request);
        let stream = proxy.send(request);
        let forwarded = (stream.standing() == Standing::Forwarded).then(|| stream.forwarded());
        if forwarded.is_some() {
            stream.respond(upstream);
        }
        let visit = Visit { forwarded, reply: stream.reply() };
        self.keep(&visit.reply);
        visit
    }

    pub fn with_cookies(&self, request: Request) -> Request {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) }
    }

    /// Keeps and drops cookies as the response says.
    pub fn keep(&mut self, reply: &Response) {
        for field in reply.headers_named("set-cookie") {
            let (pair, attributes) = field.split_once(';').unwrap_or((&field, ""));
            let (name, value) = pair.split_once('=').expect("a cookie");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

impl Visit {
    /// The consumer that the upstream was told of.
    #[track_caller]
    pub fn username(&self) -> Option<String> {
        self.forwarded.as_ref().and_then(|forwarded| forwarded.header("x-consumer-username"))
    }

    pub fn set_cookies(&self) -> Vec<String> {
        self.reply.headers_named("set-cookie")
    }
}

pub fn login() -> Request {
    Request::get("/").header("apikey", "open_sesame")
}

pub fn browse() -> Request {
    Request::get("/")
}

pub fn log_out() -> Request {
    Request::new("DELETE", "/?session_logout=true")
}

/// The settings of a session filter.
pub fn session(more: Value) -> Value {
    merged(json!({"secret": SECRET}), more)
}

/// The settings of a session filter that stores sessions in gatehouse-admin.
pub fn stored(more: Value) -> Value {
    asking(merged(json!({"secret": SECRET, "storage": "kong", "check_consumer": false}), more))
}

/// Settings of key_auth: `ana` has a key, and a request without a key is the consumer `nobody`.
pub fn keys() -> Value {
    json!({"anonymous": "nobody", "consumers": [
        {"id": "1", "username": "ana", "keyauth_credentials": [{"id": "credential-1", "key": "open_sesame"}]},
        {"id": "2", "username": "bob", "keyauth_credentials": [{"id": "credential-2", "key": "other"}]},
        {"id": "9", "username": "nobody"},
    ]})
}

/// Settings of request_termination that refuse the consumer `nobody`.
pub fn no_strangers() -> Value {
    json!({"match": {"consumers": ["nobody"]}, "status_code": 403, "message": "So long and thanks for all the fish!"})
}

/// A gateway with one instance of the filter, which opens and saves sessions.
pub fn one_instance(gateway: &Gateway, settings: Value) -> Proxy {
    gateway.start(&[
        ("session", settings),
        ("key_auth", keys()),
        ("request_termination", no_strangers()),
    ])
}

/// A gateway with one instance that opens sessions, and one that saves them.
pub fn two_instances(gateway: &Gateway, settings: Value) -> Proxy {
    let phase = |phase: &str| merged(settings.clone(), json!({"phase": phase}));
    gateway.start(&[
        ("session", phase("open")),
        ("key_auth", keys()),
        ("session", phase("save")),
        ("request_termination", no_strangers()),
    ])
}

/// A gateway with the chain that stored sessions need there.
pub fn storing(gateway: &Gateway, settings: Value) -> Proxy {
    match gateway.is_kong() {
        true => two_instances(gateway, settings),
        false => one_instance(gateway, settings),
    }
}
