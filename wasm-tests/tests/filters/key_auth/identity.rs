//! The identity that the upstream and later filters get, and that no client can forge.

use super::keys::inline;
use crate::admin::Admin;
use crate::gateways::{Gateway, asking, refusal, taken_out};
use crate::identity_probe::{identity_probe, probed_identity};
use serde_json::json;
use wasm_tests::{KongVersion, Proxy, Request, refused_with};

const IDENTITY: [&str; 7] = [
    "X-Consumer-ID",
    "X-Consumer-Username",
    "X-Consumer-Custom-ID",
    "X-Credential-Identifier",
    "X-Authenticated-Groups",
    "X-Consumer-Groups",
    "X-Anonymous-Consumer",
];

#[test]
fn later_filters_read_the_whole_identity_and_no_key() {
    for gateway in Gateway::all() {
        let filters = [gateway.filter("key_auth", inline(json!({}))), identity_probe(&gateway)];
        let proxy = Proxy::new(gateway.profile.clone(), filters);
        proxy.send(Request::get("/").header("apikey", "right")).forwarded();
        assert_eq!(
            probed_identity(&proxy),
            json!({
                "id": "1", "username": "ana", "custom_id": "c7", "groups": ["a"],
                "credential": {"id": "cred", "type": "key-auth", "identifier": "cred"},
                "anonymous": false,
            }),
            "{}",
            gateway.name
        );
    }
}

#[test]
fn the_key_is_in_the_identity_only_where_the_operator_asked_for_it() {
    for gateway in Gateway::both() {
        let admin = Admin::default();
        admin.holder("bob", "key-of-bob");
        for settings in
            [inline(asking(json!({"expose_key": true}))), asking(json!({"expose_key": true}))]
        {
            let inline_too = settings.get("consumers").is_some();
            let filters = [gateway.filter("key_auth", settings), identity_probe(&gateway)];
            let proxy = Proxy::new(gateway.profile.clone(), filters);
            admin.serve(&proxy);
            // The second answer comes from the cache, which holds no key.
            for _ in 0..2 {
                proxy.send(Request::get("/").header("apikey", "key-of-bob")).forwarded();
                assert_eq!(
                    probed_identity(&proxy)["credential"]["key"],
                    "key-of-bob",
                    "{}",
                    gateway.name
                );
            }
            if inline_too {
                proxy.send(Request::get("/").header("apikey", "right")).forwarded();
                assert_eq!(probed_identity(&proxy)["credential"]["key"], "right");
            }
        }
    }
}

#[test]
fn identity_headers_of_a_client_reach_neither_upstream_nor_later_filters() {
    for gateway in Gateway::all() {
        // The identity headers are removed from requests in and out of the filter's scope.
        for settings in [
            inline(json!({})),
            inline(json!({"match": {"paths": ["/elsewhere"]}})),
            inline(json!({"match": {"methods": ["DELETE"]}})),
        ] {
            let skipped = settings.get("match").is_some();
            let proxy = gateway.start(&[("key_auth", settings)]);
            for spelled in [|name: &str| name.to_owned(), |name: &str| name.replace('-', "_")] {
                let mut request = Request::get("/orders").header("apikey", "right");
                for name in IDENTITY {
                    request = request.header(&spelled(name), "forged");
                }
                let stream = proxy.send(request);
                let forwarded = stream.forwarded();
                let seen: Vec<String> = forwarded
                    .headers
                    .iter()
                    .map(|(_, v)| String::from_utf8_lossy(v).into_owned())
                    .collect();
                assert!(
                    !seen.iter().any(|value| value == "forged"),
                    "{}: {forwarded:#?}",
                    gateway.name
                );
                if skipped || spelled("x-y") == "x_y" {
                    taken_out(&gateway, &stream, &spelled("X-Consumer-Groups"));
                }
                if skipped {
                    taken_out(&gateway, &stream, &spelled("X-Consumer-ID"));
                } else {
                    assert_eq!(forwarded.headers_named("x-consumer-id"), ["1"], "{}", gateway.name);
                }
            }
        }
    }
}

#[test]
fn a_header_of_ours_that_came_twice_is_refused_where_it_cannot_be_taken_out() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[("key_auth", inline(json!({})))]);
        for name in IDENTITY {
            let request = Request::get("/").header("apikey", "right").header(name, "one");
            let stream = proxy.send(request.header(&name.to_lowercase(), "two"));
            if gateway.is_kong() {
                let message =
                    format!("Header {} must not be sent more than once", name.to_lowercase());
                assert_eq!(refusal(&stream), refused_with(400, &message));
            } else {
                let headers = stream.forwarded().headers;
                assert!(!headers.iter().any(|(_, v)| v == b"one" || v == b"two"), "{headers:#?}");
            }
        }
    }
}

#[test]
fn a_hidden_key_header_that_came_twice_is_never_let_through_with_a_copy() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[(
            "key_auth",
            inline(json!({"hide_credentials": true, "key_names": ["api-key"]})),
        )]);
        let twice = Request::get("/?x=1").header("api-key", "right").header("api_key", "right");
        assert_eq!(refusal(&proxy.send(twice)), refused_with(401, "Duplicate API key found"));
    }
}

#[test]
fn one_hundred_and_twenty_headers_are_fine_on_envoy_and_too_many_on_kong() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[("key_auth", inline(json!({})))]);
        let mut request = Request::get("/").header("apikey", "right");
        for n in 0..120 {
            request = request.header(&format!("x-header-{n}"), "value");
        }
        let stream = proxy.send(request);
        if gateway.is_kong() {
            assert_eq!(refusal(&stream), refused_with(431, "Request header fields too large"));
        } else {
            assert_eq!(stream.forwarded().header("x-header-119").as_deref(), Some("value"));
        }
        assert!(proxy.faults().is_empty());
    }
}

#[test]
fn a_name_of_a_consumer_cannot_end_its_header() {
    for gateway in Gateway::both() {
        let admin = Admin::default();
        let id = admin.consumer("eve\r\nX-Admin: 1\0");
        admin.key(&id, "key-of-eve");
        let proxy = gateway.serving(&admin, &[("key_auth", asking(json!({})))]);
        let forwarded = proxy.send(Request::get("/").header("apikey", "key-of-eve")).forwarded();
        let username = forwarded.header("x-consumer-username");
        assert_eq!(username.as_deref(), Some("eve%0D%0AX-Admin: 1%00"), "{}", gateway.name);
        assert_eq!(forwarded.header("x-admin"), None);
    }
}

#[test]
fn trusted_consumer_headers_count_on_kong_only() {
    let gateway = Gateway::kong();
    let settings = inline(json!({
        "anonymous": "ana", "trust_consumer_headers": true,
    }));
    let proxy = gateway.start(&[("key_auth", settings.clone())]);
    let announced = Request::get("/")
        .header("X-Consumer-ID", "42")
        .header("X-Consumer-Username", "lua")
        .header("X-Credential-Identifier", "basic");
    // An earlier filter has authenticated the caller, which is enough with `anonymous`.
    let forwarded = proxy.send(announced.clone()).forwarded();
    assert_eq!(forwarded.header("x-consumer-username").as_deref(), Some("lua"));
    let twice = announced.header("x-consumer-id", "43");
    assert_eq!(proxy.send(twice).refused().status, 400);

    let known = Gateway::envoy().with(|profile| profile.vm_configuration(r#"{"host":"envoy"}"#));
    let proxy = known.start(&[("key_auth", settings.clone())]);
    let reason = proxy.rejected().expect("refused");
    assert!(reason.contains("trust_consumer_headers: found true on Envoy"), "{reason}");
    let proxy = Gateway::envoy().start(&[("key_auth", settings)]);
    let stream = proxy.send(Request::get("/").header("apikey", "right"));
    assert_eq!(refusal(&stream), refused_with(500, "key_auth is misconfigured"));
}

#[test]
fn an_identity_from_lua_counts_on_every_kong() {
    for version in KongVersion::ALL {
        let gateway = Gateway::kong_of(version);
        let proxy = gateway.start(&[("key_auth", inline(json!({"anonymous": "ana"})))]);
        let published = Request::get("/")
            .header("X-Consumer-ID", "42")
            .property(gateway.identity(), r#"{"id":"42","groups":{},"credential":{"id":"x"}}"#);
        let forwarded = proxy.send(published).forwarded();
        assert_eq!(forwarded.header("x-consumer-id").as_deref(), Some("42"), "{}", gateway.name);
    }
}

#[test]
fn an_identity_that_is_none_lets_nobody_through() {
    for gateway in Gateway::both() {
        let path = gateway.identity();
        let proxy = gateway.start(&[("key_auth", inline(json!({})))]);
        for odd in [&b"{"[..], b"\xff", b"{\"username\":\"ana\"}", b"[]", b"{\"id\":\"\"}"] {
            let request = Request::get("/").header("apikey", "right").property(path, odd);
            assert_eq!(proxy.send(request).refused().status, 500, "{}", gateway.name);
        }
    }
}
