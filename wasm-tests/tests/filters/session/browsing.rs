//! A login with a key, followed by requests with the cookie alone.

use super::browser::{
    Browser, browse, keys, log_out, login, no_strangers, one_instance, session, two_instances,
};
use crate::gateways::{Gateway, refusal};
use crate::identity_probe::{identity_probe, probed_identity};
use serde_json::json;
use std::time::Duration;
use wasm_tests::{KongVersion, Proxy, Request, Response, merged, refused_with};

#[test]
fn after_a_login_the_cookie_alone_is_enough_until_the_logout() {
    for gateway in Gateway::all() {
        for proxy in [
            one_instance(&gateway, session(json!({}))),
            two_instances(&gateway, session(json!({}))),
        ] {
            let mut browser = Browser::default();
            assert_eq!(browser.send(&proxy, browse()).reply.status, 403, "{}", gateway.name);
            let entered = browser.send(&proxy, login());
            assert_eq!((entered.reply.status, entered.username().as_deref()), (200, Some("ana")));
            let cookies = entered.set_cookies();
            assert_eq!(cookies.len(), 1, "{} {cookies:?}", gateway.name);
            assert!(
                cookies[0].ends_with("; Path=/; SameSite=Strict; Secure; HttpOnly"),
                "{cookies:?}"
            );
            let again = browser.send(&proxy, browse());
            assert_eq!((again.reply.status, again.username().as_deref()), (200, Some("ana")));
            assert_eq!(again.set_cookies(), [""; 0]);
            let forwarded = again.forwarded.expect("it reached the upstream");
            assert_eq!(forwarded.header("x-consumer-id").as_deref(), Some("1"));
            assert_eq!(
                forwarded.header("x-credential-identifier").as_deref(),
                Some("credential-1")
            );
            assert_eq!(forwarded.header("x-anonymous-consumer").unwrap_or_default(), "");
            let stolen = browser.clone();
            let out = browser.send(&proxy, log_out());
            assert_eq!(
                (out.reply.status, out.reply.text(), out.forwarded.is_none()),
                (200, String::new(), true)
            );
            assert_eq!(out.set_cookies().len(), 1);
            assert!(browser.cookies.is_empty());
            assert_eq!(browser.send(&proxy, browse()).reply.status, 403);
            // A session in the cookie alone cannot be revoked; `logout_revokes` exists for that.
            assert_eq!(stolen.clone().send(&proxy, browse()).reply.status, 200);
        }
    }
}

#[test]
fn later_filters_know_the_identity_of_a_session() {
    for gateway in Gateway::all() {
        let filters = [
            gateway.filter("session", session(json!({}))),
            gateway.filter("key_auth", keys()),
            identity_probe(&gateway),
        ];
        let proxy = Proxy::new(gateway.profile.clone(), filters);
        let mut browser = Browser::default();
        browser.send(&proxy, login());
        browser.send(&proxy, browse());
        let identity = probed_identity(&proxy);
        assert_eq!(
            (&identity["id"], &identity["username"]),
            (&json!("1"), &json!("ana")),
            "{}",
            gateway.name
        );
        assert_eq!(
            identity["credential"],
            json!({"id": "credential-1", "type": "session", "identifier": "credential-1"})
        );
    }
}

#[test]
fn without_anonymous_a_session_is_not_enough_and_a_new_login_replaces_it() {
    for gateway in Gateway::both() {
        let mut strict = keys();
        strict.as_object_mut().expect("an object").remove("anonymous");
        let proxy = gateway.start(&[("session", session(json!({}))), ("key_auth", strict)]);
        let mut browser = Browser::default();
        browser.send(&proxy, login());
        let first = browser.cookies.clone();
        assert_eq!(browser.send(&proxy, browse()).reply.status, 401, "{}", gateway.name);
        assert_eq!(browser.send(&proxy, login()).set_cookies(), [""; 0], "it is the same session");
        let other = browser.send(&proxy, Request::get("/").header("apikey", "other"));
        assert_eq!((other.username().as_deref(), other.set_cookies().len()), (Some("bob"), 1));
        assert_ne!(browser.cookies, first);
    }
}

#[test]
fn a_session_is_touched_renewed_and_ends() {
    for gateway in Gateway::both() {
        let proxy = one_instance(&gateway, session(json!({})));
        let mut browser = Browser::default();
        browser.send(&proxy, login());
        let mut passes = |seconds: u64| {
            proxy.advance(Duration::from_secs(seconds));
            let visit = browser.send(&proxy, browse());
            (visit.reply.status, visit.set_cookies().len())
        };
        assert_eq!(passes(60), (200, 0), "{}", gateway.name);
        assert_eq!(passes(1), (200, 1), "touched");
        assert_eq!([passes(880), passes(880), passes(878)], [(200, 1); 3]);
        assert_eq!(passes(2), (200, 1), "renewed after 2701 s");
        assert_eq!(passes(900), (200, 1), "at exactly the idling limit");
        assert_eq!(passes(901), (403, 0), "beyond it");
    }
}

#[test]
fn the_upstreams_cookies_survive_beside_ours() {
    for gateway in Gateway::all() {
        let proxy = one_instance(&gateway, session(json!({"remember": true})));
        let mut browser = Browser::default();
        let upstream = || {
            let response = Response::new(200)
                .with("Set-Cookie", "theme=dark")
                .with("Set-Cookie", "session=fake");
            response.with("set-cookie", "lang=en").with_body("hello")
        };
        let entered = browser.send_to(&proxy, login(), upstream());
        let names: Vec<String> = entered
            .set_cookies()
            .iter()
            .map(|c| c.split('=').next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(names, ["theme", "lang", "session", "remember"], "{}", gateway.name);
        let out = browser.send(&proxy, log_out());
        assert_eq!(out.set_cookies().len(), 2, "{}: {:?}", gateway.name, out.set_cookies());
        assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["lang", "theme"]);
    }
}

#[test]
fn an_answer_of_an_error_begins_a_session_too_and_a_refusal_for_a_stranger_does_not() {
    for gateway in Gateway::both() {
        let proxy = one_instance(&gateway, session(json!({})));
        let mut browser = Browser::default();
        assert_eq!(browser.send(&proxy, browse()).set_cookies(), [""; 0]);
        let failed = browser.send_to(&proxy, login(), Response::new(500).with_body("oh"));
        assert_eq!((failed.reply.status, failed.set_cookies().len()), (500, 1), "{}", gateway.name);
    }
}

#[test]
fn a_remembered_client_comes_back_without_a_login() {
    for gateway in Gateway::both() {
        let proxy = one_instance(&gateway, session(json!({"remember": true})));
        let mut browser = Browser::default();
        browser.send(&proxy, login());
        proxy.advance(Duration::from_secs(7200));
        let back = browser.send(&proxy, browse());
        assert_eq!(
            (back.username().as_deref(), back.set_cookies().len()),
            (Some("ana"), 2),
            "{}",
            gateway.name
        );
        assert_eq!(browser.send(&proxy, browse()).set_cookies(), [""; 0]);
    }
}

#[test]
fn headers_tell_upstream_and_client_and_the_cookie_is_hidden() {
    for gateway in Gateway::all() {
        let told = json!(["id", "subject", "timeout"]);
        let settings = session(
            json!({"request_headers": told, "response_headers": told, "hide_cookie": true}),
        );
        let proxy = one_instance(&gateway, settings);
        let mut browser = Browser::default();
        let entered = browser.send(&proxy, login());
        let id = browser.cookies["session"][4..47].to_owned();
        assert_eq!(entered.reply.header("session-id"), Some(id.clone()), "{}", gateway.name);
        browser.cookies.insert("other".into(), "1".into());
        let visit = browser.send(&proxy, browse().header("Session-Audience", "forged"));
        let forwarded = visit.forwarded.expect("it reached the upstream");
        assert_eq!(forwarded.header("session-id"), Some(id));
        assert_eq!(forwarded.header("session-subject").as_deref(), Some("ana"));
        assert_eq!(forwarded.header("cookie").as_deref(), Some("other=1"));
        assert_eq!(visit.reply.header("session-timeout").as_deref(), Some("900"));
        browser.cookies.clear();
        let stranger = gateway.start(&[("session", session(json!({"request_headers": told})))]);
        let visit = browser.send(&stranger, browse().header("Session-Id", "forged"));
        let forged = visit.forwarded.expect("it reached the upstream").header("session-id");
        assert_eq!(forged.unwrap_or_default(), "", "{}", gateway.name);
    }
}

#[test]
fn a_bound_session_opens_where_it_was_made() {
    for gateway in Gateway::both() {
        let proxy =
            one_instance(&gateway, session(json!({"bind": ["ip", "scheme", "user-agent"]})));
        let mut browser = Browser::default();
        let from =
            |address: &str, agent: &str| browse().client(address, 4000).header("user-agent", agent);
        browser.send(&proxy, from("192.0.2.1", "a").header("apikey", "open_sesame"));
        assert_eq!(
            browser.send(&proxy, from("192.0.2.1", "a")).reply.status,
            200,
            "{}",
            gateway.name
        );
        assert_eq!(browser.send(&proxy, from("192.0.2.2", "a")).reply.status, 403);
        assert_eq!(browser.send(&proxy, from("192.0.2.1", "b")).reply.status, 403);
        assert_eq!(browser.send(&proxy, from("192.0.2.1", "a").scheme("https")).reply.status, 403);
    }
}

#[test]
fn an_identity_from_lua_begins_a_session_and_trusted_headers_do_not() {
    let gateway = Gateway::kong();
    let proxy = gateway.start(&[("session", session(json!({"trust_consumer_headers": true})))]);
    let mut browser = Browser::default();
    let headers = browse().header("X-Consumer-ID", "1").header("X-Credential-Identifier", "c");
    let visit = browser.send(&proxy, headers);
    assert_eq!((visit.reply.status, visit.set_cookies()), (200, vec![]));
    let identity = json!({"id": "1", "username": "ana", "credential": {"id": "c"}}).to_string();
    let visit = browser.send(&proxy, browse().property(gateway.identity(), identity));
    assert_eq!(visit.set_cookies().len(), 1);
    assert_eq!(browser.send(&proxy, browse()).username().as_deref(), Some("ana"));
}

#[test]
fn a_deleted_consumers_session_ends_with_the_next_request() {
    for gateway in Gateway::both() {
        let settings = |consumers| session(merged(json!({"consumers": consumers}), json!({})));
        let known = one_instance(&gateway, settings(json!([{"id": "1", "username": "ana-now"}])));
        let mut browser = Browser::default();
        browser.send(&known, login());
        assert_eq!(browser.send(&known, browse()).username().as_deref(), Some("ana-now"));
        let gone = one_instance(&gateway, settings(json!([{"id": "2", "username": "bob"}])));
        assert_eq!(browser.send(&gone, browse()).reply.status, 403, "{}", gateway.name);
        assert!(browser.cookies.is_empty());
    }
}

#[test]
fn a_session_begins_on_every_kong() {
    for version in KongVersion::ALL {
        let gateway = Gateway::kong_of(version);
        let proxy = gateway.start(&[("session", session(json!({}))), ("key_auth", keys())]);
        let mut browser = Browser::default();
        assert_eq!(browser.send(&proxy, login()).set_cookies().len(), 1, "{}", gateway.name);
    }
}

#[test]
fn a_refused_request_is_refused_once() {
    // key_auth refuses from a callout's response, and Kong still runs the later filters.
    for gateway in Gateway::both() {
        let strict = crate::gateways::asking(json!({}));
        let proxy = gateway.start(&[
            ("session", session(json!({"phase": "open"}))),
            ("key_auth", strict),
            ("session", session(json!({"phase": "save"}))),
            ("request_termination", no_strangers()),
        ]);
        crate::admin::Admin::default().serve(&proxy);
        let stream = proxy.send(Request::get("/").header("apikey", "unknown"));
        assert_eq!(refusal(&stream), refused_with(401, "Unauthorized"), "{}", gateway.name);
    }
}

#[test]
fn an_open_session_costs_a_handful_of_host_calls() {
    for gateway in Gateway::both() {
        let proxy = gateway.start(&[("session", session(json!({})))]);
        let mut browser = Browser::default();
        let identity = json!({"id": "1", "username": "ana", "credential": {"id": "c"}}).to_string();
        browser.send(&proxy, browse().property(gateway.identity(), identity));
        let stream = proxy.send(browser.with_cookies(browse()));
        stream.respond(Response::new(200));
        let calls = stream.outcome().host_calls.total();
        assert!(calls <= 20, "{}: {calls} {:?}", gateway.name, stream.outcome().host_calls);
    }
}
