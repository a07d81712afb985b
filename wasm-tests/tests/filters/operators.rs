//! The filters let an operator see a request's course: the cause of a refusal, the report of each
//! filter, and the trace that callouts belong to.

use crate::admin::Admin;
use crate::every_filter::{names, working};
use crate::gateways::{Gateway, asking, with_key};
use serde_json::{Value, json};
use wasm_tests::{Answer, Filter, Level, Proxy, Request, Response, Stream, merged};

const TOKEN: &str = "sixteen-or-more-characters";
const HEADER: &str = "x-gatehouse-debug";

/// The cause of a refusal as the gateway's access log shows it.
#[track_caller]
fn cause(gateway: &Gateway, stream: &Stream) -> String {
    match gateway.is_kong() {
        true => stream.property("ngx.gatehouse_refusal").expect("a cause"),
        false => stream.outcome().details,
    }
}

fn debugging(settings: Value) -> Value {
    merged(settings, json!({"debug_token": TOKEN}))
}

/// The chain of a report: key_auth asks the admin service, and app_id knows its own list.
fn chain(gateway: &Gateway, admin: &Admin) -> Proxy {
    let app_id = merged(working("app_id"), json!({"metrics": false}));
    gateway.serving(
        admin,
        &[("key_auth", debugging(asking(json!({})))), ("app_id", debugging(app_id))],
    )
}

// === Causes ===

#[test]
fn the_access_log_gets_the_filter_and_the_cause_of_a_refusal() {
    for gateway in Gateway::all() {
        let admin = Admin::default();
        admin.holder("ana", "key-of-ana");
        let mapped = json!({"mappings": {"ana": ["portal"]}});
        let proxy =
            gateway.serving(&admin, &[("key_auth", asking(json!({}))), ("app_id", mapped.clone())]);
        for (request, expected) in [
            (Request::get("/"), "gatehouse.key_auth.no_key"),
            (with_key("wrong"), "gatehouse.key_auth.unknown_key"),
            (with_key("a").header("apikey", "b"), "gatehouse.key_auth.duplicate_key"),
            (with_key("key-of-ana"), "gatehouse.app_id.no_app_id"),
            (with_key("key-of-ana").header("x-app-id", "x"), "gatehouse.app_id.wrong_app_id"),
        ] {
            assert_eq!(cause(&gateway, &proxy.send(request)), expected, "{}", gateway.name);
        }
        admin.breaks(Answer::Refused);
        let refused = proxy.send(with_key("another"));
        assert_eq!(cause(&gateway, &refused), "gatehouse.key_auth.unavailable");
    }
}

#[test]
fn kong_gets_no_cause_that_it_would_show_to_the_client() {
    for gateway in Gateway::all().into_iter().filter(Gateway::is_kong) {
        let proxy = gateway.serving(&Admin::default(), &[("key_auth", asking(json!({})))]);
        for request in [Request::get("/"), with_key("wrong")] {
            // nginx makes the details the reason in the status line.
            assert_eq!(proxy.send(request).outcome().details, "", "{}", gateway.name);
        }
    }
}

#[test]
fn a_cause_is_one_word_of_lower_case_letters_whatever_the_filter() {
    let unusable = json!({"consumers": [{"username": "ana"}, {"username": "ana"}], "unknown": 1});
    for name in names() {
        let gateway = Gateway::kong();
        let proxy = gateway.start(&[(&name, unusable.clone())]);
        let cause = cause(&gateway, &proxy.send(Request::get("/")));
        assert_eq!(cause, format!("gatehouse.{name}.misconfigured"));
    }
}

#[test]
fn a_kong_without_the_variable_for_causes_refuses_all_the_same() {
    let gateway = Gateway::kong();
    let profile = gateway.profile.clone().variables(&["gatehouse_consumer"]);
    let settings = working("key_auth").to_string();
    let proxy = Proxy::new(profile, [Filter::built("key_auth").config(settings)]);
    assert_eq!(proxy.send(Request::get("/")).refused().status, 401);
    assert_eq!(proxy.log_text(Level::Error), "");
}

// === Reports ===

#[test]
fn each_filter_reports_its_decision_and_its_lookups_to_who_has_the_token() {
    for gateway in Gateway::all() {
        let admin = Admin::default();
        admin.holder("ana", "key-of-ana");
        let proxy = chain(&gateway, &admin);
        let asks = |key: &str| with_key(key).header("x-app-id", "portal").header(HEADER, TOKEN);
        for expected in ["miss", "hit"] {
            let stream = proxy.send(asks("key-of-ana"));
            if stream.outcome().forwarded.is_some() {
                assert_eq!(stream.forwarded().header(HEADER).unwrap_or_default(), "");
                stream.respond(Response::new(200));
            }
            let reports = stream.reply().headers_named(HEADER);
            let mine = format!("key_auth;decision=passed;lookups=\"{expected}\"");
            assert!(reports.contains(&mine), "{}: {reports:?}", gateway.name);
            assert!(reports.iter().any(|report| report.starts_with("app_id;decision=")));
        }
        let refused = proxy.send(asks("wrong")).refused();
        let expected = "key_auth;decision=unknown_key;lookups=\"miss\"";
        assert_eq!(refused.headers_named(HEADER), [expected], "{}", gateway.name);
    }
}

#[test]
fn nobody_else_gets_a_report() {
    for gateway in Gateway::all() {
        let admin = Admin::default();
        admin.holder("ana", "key-of-ana");
        let proxy = chain(&gateway, &admin);
        let key = || with_key("key-of-ana").header("x-app-id", "portal");
        for request in [
            key(),
            key().header(HEADER, ""),
            key().header(HEADER, "1"),
            key().header(HEADER, &TOKEN[1..]),
            key().header(HEADER, format!("{TOKEN} ")),
            key().header("x_gatehouse_debug", TOKEN),
        ] {
            let stream = proxy.send(request);
            if stream.outcome().forwarded.is_some() {
                assert_eq!(stream.forwarded().header(HEADER).unwrap_or_default(), "");
                stream.respond(Response::new(200));
            }
            assert_eq!(stream.reply().headers_named(HEADER), [""; 0], "{}", gateway.name);
        }
    }
}

#[test]
fn without_the_setting_the_header_is_a_header_like_any_other() {
    for gateway in Gateway::both() {
        let proxy = gateway.start(&[("bot_detection", json!({}))]);
        let stream = proxy.send(Request::get("/").header(HEADER, TOKEN));
        assert_eq!(stream.forwarded().header(HEADER).as_deref(), Some(TOKEN));
        stream.respond(Response::new(200));
        assert_eq!(stream.reply().headers_named(HEADER), [""; 0]);
    }
}

#[test]
fn no_event_holds_the_token() {
    let gateway = Gateway::envoy();
    let proxy = gateway.start(&[("moesif", working("moesif"))]);
    proxy.send(Request::get("/").header(HEADER, TOKEN)).respond(Response::new(200));
    proxy.advance(std::time::Duration::from_secs(10));
    let sent: String = proxy.calls().iter().map(|call| call.text()).collect();
    assert!(sent.contains("user_agent") || sent.contains("\"request\""), "{sent}");
    assert!(!sent.contains(TOKEN) && !sent.to_lowercase().contains(HEADER), "{sent}");
}

// === Traces ===

#[test]
fn a_callout_for_a_request_belongs_to_the_trace_of_that_request() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[("key_auth", asking(json!({})))]);
        let traced = |key: &str, parent: &str| {
            with_key(key).header("traceparent", parent).header("tracestate", "a=1")
        };
        for (request, expected) in [
            (traced("one", parent), Some(parent)),
            (traced("two", "00-made-up-01"), None),
            (with_key("three"), None),
        ] {
            let stream = proxy.send(request);
            let calls = proxy.calls();
            let lookup = calls.iter().find(|call| call.path().contains("/identities/")).unwrap();
            assert_eq!(lookup.header("traceparent").as_deref(), expected, "{}", gateway.name);
            assert_eq!(lookup.header("tracestate").is_some(), expected.is_some());
            lookup.json(404, "{}");
            drop(stream);
        }
    }
}
