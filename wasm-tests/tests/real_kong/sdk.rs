//! A filter that is written with the crate `proxy-wasm`, between two of ours.

use crate::fixture::{Fixture, filter, header};
use serde_json::{Value, json};
use wasm_tests::real::{Filter, RawRequest, eventually};
use wasm_tests::{INVALID_APP_ID, refused_with, sdk_module};

const HEADER: &str = "x-sdk-consumer";

fn chain(admin: &Value) -> Vec<Filter> {
    // Kong takes the settings of a filter without a description as a string.
    let sdk = Filter::module("sdk_filter", &sdk_module("sdk_filter")).raw_config("");
    let ours = |feature| filter(feature, &json!({"admin": admin}));
    vec![ours("key_auth"), sdk, ours("app_id")]
}

fn request(key: &str, app_id: &str) -> RawRequest {
    let forged = RawRequest::get("/orders").header(HEADER, "forged");
    forged.header("apikey", key).header("x-app-id", app_id)
}

#[test]
#[ignore = "needs a real Kong"]
fn a_filter_of_the_sdk_between_two_of_ours_learns_whom_key_auth_has_found() {
    let fixture = Fixture::start(chain);
    fixture.admin.consumer("ana", "key-of-ana", &["portal"]);
    // The first request waits for the admin service, later ones do not.
    let ana = request("key-of-ana", "portal");
    eventually("a known key", || (fixture.send(&ana).status() == 200).then_some(()));
    let received = fixture.passed(&ana);
    for name in [HEADER, "x-consumer-username"] {
        assert_eq!(header(&received, name).as_deref(), Some("ana"), "{name}");
    }
    let stranger = request("key-of-ana", "stranger");
    assert_eq!(fixture.refused(&stranger), refused_with(403, INVALID_APP_ID));
}

#[test]
#[ignore = "needs a real Kong"]
fn a_filter_of_the_sdk_leaves_a_refusal_from_a_callouts_answer_alone() {
    let fixture = Fixture::start(chain);
    for n in 0..50 {
        // Nobody has asked for this key yet, so that the refusal comes from a callout's answer.
        let unknown = request(&format!("unknown-{n}"), "portal");
        assert_eq!(fixture.refused(&unknown), refused_with(401, "Unauthorized"));
    }
    assert_eq!(fixture.refused(&RawRequest::get("/")).0, 401);
}
