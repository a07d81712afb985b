//! cors on the pretend gateways: the headers for browsers.

use crate::gateways::Gateway;
use serde_json::{Value, json};
use wasm_tests::{Proxy, Request, Response};

const ALL_METHODS: &str = "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT";

fn start(gateway: &Gateway, settings: Value) -> Proxy {
    gateway.start(&[("cors", settings)])
}

fn preflight(origin: &str) -> Request {
    Request::new("OPTIONS", "/")
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "GET")
}

/// The CORS headers of a response: each name without `Access-Control-`, and its value.
fn said(reply: &Response) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = reply
        .headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.to_ascii_lowercase();
            let value = String::from_utf8_lossy(value).into_owned();
            let ours = name.strip_prefix("access-control-").map(str::to_owned);
            Some((ours.or((name == "vary").then_some(name))?, value))
        })
        .collect();
    all.sort();
    all
}

fn of(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all: Vec<_> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    all.sort();
    all
}

#[test]
fn a_preflight_is_answered_by_the_gateway() {
    let full = json!({"origins": ["example.test"], "methods": ["GET"], "headers": ["origin", "type", "accepts"],
        "exposed_headers": ["x-auth-token"], "max_age": 23, "credentials": true});
    for gateway in Gateway::all() {
        for (settings, request, expected) in [
            (
                json!({}),
                preflight("origin1.test"),
                &[("allow-origin", "*"), ("allow-methods", ALL_METHODS)][..],
            ),
            (
                json!({"origins": ["*"], "credentials": true}),
                preflight("origin5.test"),
                &[
                    ("allow-origin", "origin5.test"),
                    ("allow-credentials", "true"),
                    ("allow-methods", ALL_METHODS),
                    ("vary", "Origin"),
                ],
            ),
            (
                full.clone(),
                preflight("origin5.test"),
                &[
                    ("allow-origin", "example.test"),
                    ("allow-credentials", "true"),
                    ("allow-headers", "origin,type,accepts"),
                    ("allow-methods", "GET"),
                    ("max-age", "23"),
                    ("vary", "Origin"),
                ],
            ),
            (
                json!({"origins": ["foo.bar", "*"]}),
                preflight("http://www.example.net")
                    .header("Access-Control-Request-Headers", "origin,accepts"),
                &[
                    ("allow-origin", "*"),
                    ("allow-headers", "origin,accepts"),
                    ("allow-methods", ALL_METHODS),
                    ("vary", "Origin"),
                ],
            ),
            (
                json!({"private_network": true, "origins": ["allowed-domain.test"]}),
                preflight("allowed-domain.test")
                    .header("Access-Control-Request-Private-Network", "true"),
                &[
                    ("allow-origin", "allowed-domain.test"),
                    ("allow-methods", ALL_METHODS),
                    ("allow-private-network", "true"),
                    ("vary", "Origin"),
                ],
            ),
        ] {
            let stream = start(&gateway, settings).send(request);
            let reply = stream.refused();
            assert_eq!((reply.status, reply.text().as_str()), (200, ""), "{}", gateway.name);
            assert_eq!(said(&reply), of(expected), "{}", gateway.name);
            assert!(stream.outcome().forwarded.is_none());
        }
    }
}

#[test]
fn every_other_response_says_which_origins_may_read_it() {
    let listed = json!({"origins": ["http://my-site.test", "https://my-other-site.test:9000"]});
    for gateway in Gateway::all() {
        for (settings, origin, expected) in [
            (json!({}), None, &[("allow-origin", "*")][..]),
            (
                json!({"origins": ["example.test"], "exposed_headers": ["x-auth-token"], "credentials": true}),
                None,
                &[
                    ("allow-origin", "example.test"),
                    ("allow-credentials", "true"),
                    ("expose-headers", "x-auth-token"),
                    ("vary", "Origin"),
                ],
            ),
            (
                listed.clone(),
                Some("http://my-site.test:80"),
                &[("allow-origin", "http://my-site.test"), ("vary", "Origin")],
            ),
            (listed.clone(), Some("http://my-site.test:8000"), &[("vary", "Origin")]),
            (listed.clone(), Some("https://my-site.test"), &[("vary", "Origin")]),
            (
                json!({"credentials": true}),
                Some("http://www.example.net:3000"),
                &[
                    ("allow-origin", "http://www.example.net:3000"),
                    ("allow-credentials", "true"),
                    ("vary", "Origin"),
                ],
            ),
            (json!({"allow_origin_absent": false}), None, &[("vary", "Origin")]),
        ] {
            let mut request = Request::get("/");
            if let Some(origin) = origin {
                request = request.header("Origin", origin);
            }
            for status in [200, 404, 500] {
                let stream = start(&gateway, settings.clone()).send(request.clone());
                stream.respond(Response::new(status).with_body("hello"));
                let reply = stream.reply();
                assert_eq!((reply.status, reply.text().as_str()), (status, "hello"));
                assert_eq!(said(&reply), of(expected), "{} {settings} {origin:?}", gateway.name);
            }
        }
    }
}

#[test]
fn cors_headers_of_the_upstream_are_replaced_and_vary_grows() {
    for gateway in Gateway::both() {
        let settings =
            json!({"origins": ["a.xxx.test", "allowed-domain.test"], "credentials": true});
        for (origin, allowed) in [("allowed-domain.test", true), ("disallowed-domain.test", false)]
        {
            let stream =
                start(&gateway, settings.clone()).send(Request::get("/").header("origin", origin));
            stream.respond(
                Response::new(200)
                    .with("Access-Control-Allow-Origin", "*")
                    .with("access-control-allow-origin", "http://other")
                    .with("Vary", "Accept-Encoding"),
            );
            let reply = stream.reply();
            let expected: &[&str] = if allowed { &["allowed-domain.test"] } else { &[] };
            assert_eq!(
                reply.headers_named("access-control-allow-origin"),
                expected,
                "{}",
                gateway.name
            );
            assert_eq!(
                reply.headers_named("vary"),
                ["Accept-Encoding", "Origin"],
                "{}",
                gateway.name
            );
        }
    }
}

#[test]
fn a_preflight_goes_on_where_the_upstream_answers_it() {
    for gateway in Gateway::both() {
        let settings = json!({"origins": ["example.test"], "preflight_continue": true});
        let stream = start(&gateway, settings).send(preflight("example.test"));
        stream.respond(Response::new(201).with("Access-Control-Allow-Origin", "upstream"));
        let reply = stream.reply();
        assert_eq!((reply.status, said(&reply)), (201, of(&[("allow-origin", "upstream")])));
        // A request that is no preflight goes to the upstream, whose response gets CORS headers.
        for request in
            [Request::new("OPTIONS", "/"), Request::new("OPTIONS", "/").header("origin", "a")]
        {
            let stream = start(&gateway, json!({})).send(request);
            stream.respond(Response::new(200));
            assert_eq!(said(&stream.reply()), of(&[("allow-origin", "*")]), "{}", gateway.name);
        }
    }
}

#[test]
fn a_refusal_of_a_filter_behind_it_can_be_read_by_browsers_too() {
    let key_auth =
        json!({"consumers": [{"username": "ana", "keyauth_credentials": [{"key": "right"}]}]});
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[("cors", json!({})), ("key_auth", key_auth.clone())]);
        let reply = proxy.send(Request::get("/").header("origin", "http://a.test")).refused();
        assert_eq!(
            (reply.status, said(&reply)),
            (401, of(&[("allow-origin", "*")])),
            "{}",
            gateway.name
        );
        // A preflight carries no key, and needs none.
        assert_eq!(proxy.send(preflight("http://a.test")).refused().status, 200);
    }
}
