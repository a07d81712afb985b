//! `gatehouse.wasm`, the module that holds all filters, whose filters Kong cannot choose among.

use crate::fixture::{Fixture, filter};
use serde_json::json;
use wasm_tests::real::RawRequest;

#[test]
#[ignore = "needs a real Kong"]
fn the_module_that_holds_all_filters_refuses_everything_and_says_why() {
    // Kong takes the settings of a module without a description as a string.
    let module = || filter("cors", &json!({})).of_all().raw_config("");
    let fixture = Fixture::start(|_| vec![module()]);
    for request in [RawRequest::get("/"), RawRequest::post("/", "body"), RawRequest::get("/x")] {
        assert_eq!(fixture.refused(&request).0, 500);
    }
    let log = fixture.kong.log();
    assert!(log.contains("found Kong, expected Envoy"), "{log}");
    assert!(log.contains("gatehouse_key_auth.wasm"), "{log}");
}
