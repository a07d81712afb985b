//! What the protocol torture set on a real Kong has found, on pretend ones.

use crate::gateways::Gateway;
use serde_json::{Value, json};
use wasm_tests::{Filter, KongVersion, Proxy, Request};

fn chain(filters: &[(&str, Value)]) -> Vec<Filter> {
    let one = |(name, settings): &(&str, Value)| Filter::built(name).config(settings.to_string());
    filters.iter().map(one).collect()
}

/// Of a stranger with an unknown key a lookup makes a visitor, whom the next filter refuses.
fn strangers(admin: &str) -> Vec<(&'static str, Value)> {
    let admin = json!({"upstream": admin});
    let visitor = json!([{"username": "visitor"}]);
    vec![
        ("moesif", json!({"application_id": "a", "upstream": "127.0.0.1:9"})),
        ("key_auth", json!({"admin": admin, "anonymous": "visitor", "consumers": visitor})),
        ("request_termination", json!({"match": {"consumers": ["visitor"]}, "status_code": 401})),
        ("app_id", json!({"mappings": {"ana": ["portal"]}})),
        ("rate_limiting", json!({"hour": 1000})),
    ]
}

#[test]
fn a_refusal_behind_a_filter_that_has_waited_is_the_only_one() {
    for version in [KongVersion::V3_6, KongVersion::V3_7, KongVersion::V3_9] {
        let gateway = Gateway::kong_of(version);
        let identity = gateway.identity();
        let proxy = Proxy::new(gateway.profile, chain(&strangers("127.0.0.1:8001")));
        let stream = proxy.send(Request::get("/orders").header("apikey", "unknown"));
        let call = stream.call();
        call.json(404, r#"{"message":"Not found","seq":0}"#);
        assert_eq!(stream.refused().status, 401, "{version:?}");
        let known = stream.property(identity).unwrap_or_default();
        assert!(known.contains(r#""refused":true"#), "{version:?}: {known}");
        assert!(known.contains(r#""username":"visitor""#), "the caller stays known: {known}");
        assert_eq!(proxy.faults(), [], "{version:?}");
    }
}

#[test]
fn a_request_without_a_version_is_refused_before_a_header_is_set() {
    for version in KongVersion::ALL {
        for (name, settings) in [
            ("moesif", json!({"application_id": "a", "upstream": "127.0.0.1:9"})),
            ("request_transformer", json!({"add": {"headers": ["x-a:b"]}})),
            ("bot_detection", json!({"action": "tag"})),
        ] {
            let profile = Gateway::kong_of(version).profile;
            let proxy = Proxy::new(profile, chain(&[(name, settings)]));
            let stream = proxy.send(Request::get("/orders").without_version());
            assert_eq!(stream.refused().status, 400, "{name} on {version:?}");
            assert_eq!(proxy.faults(), [], "{name} on {version:?}");
            // HTTP/1.0 has no headers either, and Kong has a list for them.
            assert!(proxy.send(Request::get("/orders")).forwarded().path.starts_with("/orders"));
        }
    }
}
