//! A filter that is written with the crate `proxy-wasm`, between two of ours on a real Envoy.

use serde_json::json;
use wasm_tests::real::{Filter, Gateway, RawRequest};
use wasm_tests::{INVALID_APP_ID, sdk_module};

const HEADER: &str = "x-sdk-consumer";

#[test]
fn a_filter_of_the_sdk_between_two_of_ours_learns_whom_key_auth_has_found() {
    let gateway = Gateway::start(|admin| {
        vec![
            Filter::new("key_auth", &json!({"admin": admin})),
            Filter::module("sdk_filter", &sdk_module("sdk_filter")),
            Filter::new("app_id", &json!({"admin": admin})),
        ]
    });
    gateway.consumer("ana", "key-of-ana", &["portal"]);
    let request = |key: &str, app_id: &str| {
        let forged = RawRequest::get("/orders").header(HEADER, "forged");
        forged.header("apikey", key).header("x-app-id", app_id)
    };
    // The first request waits for the admin service, the second one does not.
    for _ in 0..2 {
        let received = gateway.passed(&request("key-of-ana", "portal"));
        for name in [HEADER, "x-consumer-username"] {
            assert_eq!(received.header(name).as_deref(), Some("ana"), "{name}");
        }
    }
    let (status, _) = gateway.refused(&request("unknown", "portal"));
    assert_eq!(status, 401);
    let (status, message) = gateway.refused(&request("key-of-ana", "stranger"));
    assert_eq!((status, message.as_str()), (403, INVALID_APP_ID));
    let log = gateway.envoy.log();
    assert!(!log.contains("panicked") && !log.contains("Wasm VM failed"), "{log}");
}

/// As `docs/adr/0001-own-abi-layer.md` says of the SDK.
#[test]
fn one_byte_that_is_not_utf_8_traps_in_the_getters_of_the_sdk() {
    let gateway = Gateway::start(|_| {
        vec![Filter::module("sdk_asking", &sdk_module("sdk_asking")).raw_config("nowhere")]
    });
    let (status, _) = gateway.refused(&RawRequest::get("/").header("x-key", b"\xff"));
    assert_eq!(status, 503);
    let log = gateway.envoy.log();
    assert!(log.contains("panicked") && log.contains("FromUtf8Error"), "{log}");
}
