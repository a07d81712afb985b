//! An independent implementation of the cookie format, in Python: each side opens the cookies of
//! the other.

use super::browser::{Browser, SECRET, browse, login, one_instance, session};
use crate::gateways::Gateway;
use serde_json::{Value, json};
use wasm_tests::{merged, python};

fn opened(browser: &Browser, name: &str, remember: bool, bound: Value) -> Value {
    let question = json!({
        "do": "open", "secret": SECRET, "name": name, "cookies": browser.cookies, "remember": remember,
        "bound": bound,
    });
    python("session_cookie.py", &question)
}

/// A browser with a session that the Python implementation made.
fn sealed(more: Value) -> Browser {
    let question = json!({
        "do": "seal", "secret": SECRET, "name": "session",
        "contents": r#"[[["1","credential-1"],"default","ana"]]"#,
    });
    let answer = python("session_cookie.py", &merged(question, more));
    Browser { cookies: serde_json::from_value(answer["cookies"].clone()).expect("cookies") }
}

fn long_groups() -> Vec<String> {
    // Text that hardly compresses.
    let jumble =
        |n: u64| format!("{:016x}", (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17));
    (0..600).map(jumble).collect()
}

#[test]
fn cookies_of_the_filter_are_read_by_the_python_implementation() {
    for gateway in Gateway::both() {
        let proxy = one_instance(&gateway, session(json!({"remember": true})));
        let mut browser = Browser::default();
        browser.send(&proxy, login());
        let now = proxy.now_ms() / 1000;
        for (name, remember) in [("session", false), ("remember", true)] {
            let session = opened(&browser, name, remember, json!([]));
            assert_eq!(
                session["contents"], r#"[[["1","credential-1"],"default","ana"]]"#,
                "{session}"
            );
            assert_eq!(
                (session["flags"].as_u64(), session["rolling"].as_u64()),
                (Some(0), Some(0))
            );
            assert_eq!(session["created"], now);
        }
        proxy.advance(std::time::Duration::from_secs(100));
        browser.send(&proxy, browse());
        let touched = opened(&browser, "session", false, json!([]));
        assert_eq!(
            (touched["created"].as_u64(), touched["idling"].as_u64()),
            (Some(now), Some(100)),
            "{touched}"
        );
    }
}

#[test]
fn a_long_and_a_bound_session_are_read_elsewhere() {
    for gateway in Gateway::both() {
        let proxy =
            one_instance(&gateway, session(json!({"bind": ["ip", "scheme", "user-agent"]})));
        let mut browser = Browser::default();
        let identity = json!({"id": "1", "username": "ana", "groups": long_groups(), "credential": {"id": "c"}});
        let request = browse()
            .header("user-agent", "curl/8")
            .property(gateway.identity(), identity.to_string());
        browser.send(&proxy, request);
        assert!(browser.cookies.len() > 1, "{}: several cookies", gateway.name);
        let session = opened(&browser, "session", false, json!(["203.0.113.7", "http", "curl/8"]));
        assert_eq!(session["flags"], 0x0710, "deflated and bound: {session}");
        let contents: Value =
            serde_json::from_str(session["contents"].as_str().expect("text")).expect("JSON");
        assert_eq!(contents[0][0][2], json!(long_groups()));
        assert_eq!(opened(&browser, "session", false, json!([]))["error"], "mac");
    }
}

#[test]
fn cookies_of_the_python_implementation_are_read() {
    for gateway in Gateway::both() {
        let proxy = one_instance(
            &gateway,
            session(json!({"remember": true, "request_headers": ["absolute-timeout"]})),
        );
        let now = proxy.now_ms() / 1000;
        let long = json!([[["1", "credential-1", long_groups()], "default", "ana"]]).to_string();
        for (why, more) in [
            ("new", json!({"created": now})),
            ("touched", json!({"created": now - 3000, "rolling": 1000, "idling": 1900})),
            ("long", json!({"created": now, "contents": long})),
            (
                "two audiences",
                json!({"created": now, "contents":
                r#"[[{"x":[]},"other","o"],[["1","credential-1",["agents","doubleagents"]],"default","ana"]]"#}),
            ),
            ("remembered", json!({"created": now - 5000, "remember": true, "name": "remember"})),
            ("a minute ahead", json!({"created": now + 60})),
        ] {
            let visit = sealed(more.clone()).send(&proxy, browse());
            assert_eq!(visit.username().as_deref(), Some("ana"), "{} {why}", gateway.name);
            let groups = visit.forwarded.expect("it went on").header("x-authenticated-groups");
            let expected = (why == "two audiences").then_some("agents, doubleagents");
            assert!(why == "long" || groups.as_deref() == expected, "{} {why}", gateway.name);
        }
        for (why, more) in [
            ("idle too long", json!({"created": now - 901})),
            ("too old", json!({"created": now - 86_401, "rolling": 86_401})),
            ("too far ahead", json!({"created": now + 61})),
            ("stored", json!({"created": now, "flags": 1})),
            ("another secret", json!({"created": now, "secret": "other"})),
            ("bound to somebody", json!({"created": now, "flags": 0x100, "bound": ["192.0.2.1"]})),
            ("remembered as a session", json!({"created": now, "remember": true})),
            ("a session as remembered", json!({"created": now, "name": "remember"})),
        ] {
            let visit = sealed(more).send(&proxy, browse());
            assert_eq!(visit.reply.status, 403, "{} {why}", gateway.name);
        }
    }
}

#[test]
fn a_session_from_elsewhere_is_renewed_and_still_read_there() {
    for gateway in Gateway::both() {
        let proxy = one_instance(&gateway, session(json!({})));
        let now = proxy.now_ms() / 1000;
        let mut browser = sealed(json!({"created": now - 2701, "idling": 2600}));
        let before = browser.cookies.clone();
        assert_eq!(browser.send(&proxy, browse()).set_cookies().len(), 1, "{}", gateway.name);
        assert_ne!(browser.cookies, before);
        let renewed = opened(&browser, "session", false, json!([]));
        assert_eq!(
            (renewed["created"].as_u64(), renewed["rolling"].as_u64()),
            (Some(now - 2701), Some(2701))
        );
    }
}
