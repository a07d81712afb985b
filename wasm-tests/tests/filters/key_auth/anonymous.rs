//! Several authenticating filters in one chain, and an anonymous consumer.

use super::keys::inline;
use crate::admin::Admin;
use crate::gateways::{Gateway, asking, refusal, taken_out};
use crate::identity_probe::{identity_probe, probed_identity};
use serde_json::{Value, json};
use wasm_tests::{Answer, KongVersion, Proxy, Request, refused_with};

/// The settings of a second filter with a key of its own, and the anonymous consumer `guest`.
fn partner(more: Value) -> Value {
    let consumers = json!([
        {"id": "2", "username": "bob", "keyauth_credentials": [{"id": "cred-2", "key": "other"}]},
        {"id": "9", "username": "guest", "groups": ["guests"]},
    ]);
    let settings = json!({"consumers": consumers, "key_names": ["second"]});
    wasm_tests::merged(settings, more)
}

/// The settings of the first filter, also with `guest`.
fn leader(more: Value) -> Value {
    let consumers = json!([
        {"id": "1", "username": "ana", "keyauth_credentials": [{"id": "cred", "key": "right"}]},
        {"id": "9", "username": "guest", "groups": ["guests"]},
    ]);
    wasm_tests::merged(json!({"consumers": consumers}), more)
}

fn both_keys() -> Request {
    Request::get("/").header("apikey", "right").header("second", "other")
}

#[test]
fn the_anonymous_consumer_stands_in_for_every_failure() {
    for gateway in Gateway::all() {
        for name in ["guest", "9"] {
            let settings = leader(json!({"anonymous": name}));
            let filters = [gateway.filter("key_auth", settings), identity_probe(&gateway)];
            let proxy = Proxy::new(gateway.profile.clone(), filters);
            for request in [
                Request::get("/"),
                Request::get("/").header("apikey", ""),
                Request::get("/").header("apikey", "wrong"),
                Request::get("/?apikey=right&apikey=right"),
            ] {
                let stream = proxy.send(request.header("X-Credential-Identifier", "forged"));
                let forwarded = stream.forwarded();
                assert_eq!(forwarded.header("x-consumer-id").as_deref(), Some("9"));
                assert_eq!(forwarded.header("x-consumer-username").as_deref(), Some("guest"));
                assert_eq!(forwarded.header("x-anonymous-consumer").as_deref(), Some("true"));
                taken_out(&gateway, &stream, "x-credential-identifier");
                let identity = probed_identity(&proxy);
                assert_eq!(
                    (&identity["anonymous"], &identity["credential"]),
                    (&json!(true), &Value::Null)
                );
                assert_eq!(identity["groups"], json!(["guests"]));
            }
            let known = proxy.send(Request::get("/").header("apikey", "right")).forwarded();
            assert_eq!(known.header("x-consumer-id").as_deref(), Some("1"));
            assert_eq!(known.header("x-anonymous-consumer"), None);
        }
    }
}

#[test]
fn an_anonymous_consumer_that_does_not_exist_is_the_operators_mistake() {
    for gateway in Gateway::all() {
        let admin = Admin::default();
        let proxy = gateway.serving(&admin, &[("key_auth", asking(json!({"anonymous": "guest"})))]);
        let stream = proxy.send(Request::get("/"));
        assert_eq!(
            refusal(&stream),
            refused_with(500, "anonymous consumer guest is configured but doesn't exist")
        );
        admin.consumer("guest");
        let asked = ["/identities/consumers/guest?by=username"];
        assert_eq!(admin.lookups(), asked, "{}", gateway.name);
    }
}

#[test]
fn the_anonymous_consumer_may_come_from_the_admin_service() {
    for gateway in Gateway::all() {
        let admin = Admin::default();
        let id = admin.consumer("guest");
        admin.group(&id, "guests");
        let settings = asking(json!({"anonymous": "guest"}));
        let filters = [gateway.filter("key_auth", settings), identity_probe(&gateway)];
        let proxy = Proxy::new(gateway.profile.clone(), filters);
        admin.serve(&proxy);
        for request in [Request::get("/"), Request::get("/").header("apikey", "unknown")] {
            let forwarded = proxy.send(request).forwarded();
            assert_eq!(forwarded.header("x-consumer-id"), Some(id.clone()), "{}", gateway.name);
            assert_eq!(probed_identity(&proxy)["groups"], json!(["guests"]));
        }
    }
}

#[test]
fn not_to_be_able_to_ask_makes_nobody_anonymous() {
    for gateway in Gateway::all() {
        let admin = Admin::default();
        admin.breaks(Answer::Refused);
        let proxy =
            gateway.serving(&admin, &[("key_auth", leader(asking(json!({"anonymous": "guest"}))))]);
        let stream = proxy.send(Request::get("/").header("apikey", "maybe"));
        assert_eq!(refusal(&stream), refused_with(503, "Service unavailable"), "{}", gateway.name);
        // Without a key there is no lookup.
        assert_eq!(
            proxy.send(Request::get("/")).forwarded().header("x-consumer-id").as_deref(),
            Some("9")
        );
    }
}

#[test]
fn without_anonymous_every_filter_must_be_satisfied_and_the_last_one_says_who() {
    for gateway in Gateway::all() {
        let proxy =
            gateway.start(&[("key_auth", leader(json!({}))), ("key_auth", partner(json!({})))]);
        let forwarded = proxy.send(both_keys()).forwarded();
        assert_eq!(forwarded.headers_named("x-consumer-id"), ["2"], "{}", gateway.name);
        assert_eq!(forwarded.headers_named("x-credential-identifier"), ["cred-2"]);
        for request in [
            Request::get("/"),
            Request::get("/").header("apikey", "right"),
            Request::get("/").header("second", "other"),
            Request::get("/").header("apikey", "wrong").header("second", "other"),
            Request::get("/").header("apikey", "right").header("second", "wrong"),
        ] {
            assert_eq!(proxy.send(request).refused().status, 401, "{}", gateway.name);
        }
    }
}

#[test]
fn with_anonymous_one_filter_is_enough() {
    for gateway in Gateway::all() {
        if gateway.is_kong() && gateway.zone.is_some() {
            continue;
        }
        let guest = json!({"anonymous": "guest"});
        let chain = [("key_auth", leader(guest.clone())), ("key_auth", partner(guest))];
        let proxy = gateway.start(&chain);
        for (request, id) in [
            (both_keys(), "1"),
            (Request::get("/").header("apikey", "right"), "1"),
            (Request::get("/").header("apikey", "right").header("second", "wrong"), "1"),
            (Request::get("/").header("second", "other"), "2"),
            (Request::get("/").header("apikey", "wrong").header("second", "other"), "2"),
            (Request::get("/"), "9"),
            (Request::get("/").header("second", "wrong"), "9"),
        ] {
            let stream = proxy.send(request.header("X-Consumer-ID", "forged"));
            let forwarded = stream.forwarded();
            assert_eq!(forwarded.headers_named("x-consumer-id"), [id], "{}", gateway.name);
            match id {
                "9" => assert_eq!(forwarded.headers_named("x-anonymous-consumer"), ["true"]),
                "2" => taken_out(&gateway, &stream, "x-anonymous-consumer"),
                _ => assert_eq!(forwarded.header("x-anonymous-consumer"), None),
            }
        }
    }
}

#[test]
fn one_filter_with_anonymous_does_not_open_the_next_one() {
    for gateway in Gateway::both() {
        let chain =
            [("key_auth", leader(json!({"anonymous": "guest"}))), ("key_auth", partner(json!({})))];
        let proxy = gateway.start(&chain);
        assert_eq!(proxy.send(Request::get("/")).refused().status, 401);
        assert_eq!(proxy.send(Request::get("/").header("apikey", "right")).refused().status, 401);
        let second = proxy.send(Request::get("/").header("second", "other"));
        assert_eq!(second.forwarded().headers_named("x-consumer-id"), ["2"]);
    }
}

#[test]
fn before_kong_3_6_one_filter_still_authenticates_alone() {
    for version in [KongVersion::V3_4, KongVersion::V3_5] {
        let gateway = Gateway::kong_of(version);
        let proxy = gateway.start(&[("key_auth", inline(json!({"anonymous": "ana"})))]);
        let known = proxy.send(Request::get("/").header("apikey", "right")).forwarded();
        assert_eq!(known.header("x-anonymous-consumer"), None);
        let guest = proxy.send(Request::get("/")).forwarded();
        assert_eq!(guest.header("x-anonymous-consumer").as_deref(), Some("true"));
        assert!(proxy.faults().is_empty(), "nothing that traps there is used");
    }
}
