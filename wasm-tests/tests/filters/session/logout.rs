//! Every way to end a session.

use super::browser::{Browser, browse, log_out, login, one_instance, session};
use crate::gateways::{Gateway, asking};
use serde_json::json;
use wasm_tests::{Request, Response};

#[test]
fn a_logout_may_stand_in_the_body() {
    for gateway in Gateway::giving_bodies() {
        let settings =
            session(json!({"read_body_for_logout": true, "allow_on_headers_stop_iteration": true}));
        let proxy = one_instance(&gateway, settings);
        let form = |body: &str| {
            Request::post("/", body).header("content-type", "application/x-www-form-urlencoded")
        };
        let mut browser = Browser::default();
        browser.send(&proxy, login());
        let visit = browser.send(&proxy, form("a=b"));
        assert_eq!(visit.forwarded.expect("it went on").text(), "a=b", "{}", gateway.name);
        let out = browser.send(&proxy, form("a=b&session_logout=1"));
        assert_eq!((out.reply.status, out.reply.text()), (200, String::new()), "{}", gateway.name);
        assert!(browser.cookies.is_empty());
        assert_eq!(browser.send(&proxy, form("session_logout=1")).reply.status, 403);
    }
}

#[test]
fn a_body_that_comes_while_the_session_is_looked_up_is_read_all_the_same() {
    for gateway in Gateway::giving_bodies() {
        let settings = asking(session(json!({
            "read_body_for_logout": true, "allow_on_headers_stop_iteration": true, "check_consumer": true,
        })));
        let proxy = one_instance(&gateway, settings);
        let mut browser = Browser::default();
        browser.send(&proxy, login());
        let consumer = r#"{"consumer":{"id":"1","username":"ana"},"groups":[],"seq":1}"#;
        for (body, status) in [("a=b", 200), ("session_logout=1", 200)] {
            let request = Request::post("/", body)
                .header("content-type", "application/x-www-form-urlencoded");
            let stream = proxy.send(browser.with_cookies(request));
            let lookup =
                proxy.calls().into_iter().find(|call| call.path().contains("/consumers/1"));
            if let Some(call) = lookup {
                call.json(200, consumer);
            }
            if body == "a=b" {
                assert_eq!(stream.forwarded().text(), body, "{}", gateway.name);
                stream.respond(Response::new(200));
            }
            let reply = stream.reply();
            assert_eq!(reply.status, status, "{}", gateway.name);
            let cookies = reply.headers_named("set-cookie").len();
            assert_eq!(cookies, usize::from(body != "a=b"), "{}", gateway.name);
        }
    }
}

#[test]
fn a_body_that_kong_wrote_to_a_file_asks_for_nothing() {
    let gateway = Gateway::kong();
    let proxy = one_instance(&gateway, session(json!({"read_body_for_logout": true})));
    let mut browser = Browser::default();
    browser.send(&proxy, login());
    let body = format!("session_logout=1&a={}", "x".repeat(100_000));
    let request =
        Request::post("/", body).header("content-type", "application/x-www-form-urlencoded");
    let visit = browser.send(&proxy, request);
    assert_eq!((visit.reply.status, visit.username().as_deref()), (200, Some("ana")));
}

#[test]
fn a_logout_can_lead_somewhere_and_needs_its_method() {
    for gateway in Gateway::both() {
        let settings = session(
            json!({"logout_methods": ["GET"], "logout_redirect_uri": "/bye", "logout_query_arg": "out"}),
        );
        let proxy = one_instance(&gateway, settings);
        let mut browser = Browser::default();
        browser.send(&proxy, login());
        assert!(browser.send(&proxy, log_out()).forwarded.is_some(), "{}", gateway.name);
        let out = browser.send(&proxy, Request::get("/a?out"));
        assert_eq!(
            (out.reply.status, out.reply.header("location").as_deref()),
            (302, Some("/bye"))
        );
        assert!(browser.cookies.is_empty());
        assert_eq!(browser.send(&proxy, browse()).reply.status, 403);
    }
}
