//! A gateway tells the service how often its cache has answered.

use serde_json::json;
use wasm_tests::kept_for_a_day;
use wasm_tests::real::{Filter, Gateway, Mode, RawRequest, eventually};

#[test]
fn the_service_learns_what_the_cache_of_a_gateway_has_served() {
    let settings = kept_for_a_day();
    let gateway = Gateway::with(
        2,
        |_| (),
        |admin| {
            let settings = json!({"admin": admin, "cache": settings});
            let filter = |name| Filter::new(name, &settings).vm_id("one-memory");
            vec![filter("key_auth"), filter("app_id")]
        },
    );
    gateway.consumer("ana", "the-key-of-ana", &["portal"]);
    let request = RawRequest::get("/").header("apikey", "the-key-of-ana");
    let request = request.header("x-app-id", "portal");
    for _ in 0..30 {
        gateway.passed(&request);
    }
    // While the service cannot be asked, the gateway keeps what it has to tell.
    gateway.faulty_admin.set(Mode::Status(500));
    let before = gateway.faulty_admin.count("/changes");
    // One of them may have been under way.
    eventually("a poll that fails", || {
        (gateway.faulty_admin.count("/changes") >= before + 2).then_some(())
    });
    let unknown = RawRequest::get("/").header("apikey", "unknown");
    assert_eq!(gateway.send(&unknown).status(), 503);
    gateway.faulty_admin.set(Mode::Pass);

    eventually("a gateway that tells of all its lookups", || {
        let list = gateway.admin.send(RawRequest::get("/gateways")).json();
        let [node] = &list["data"].as_array().expect("a list")[..] else { return None };
        let sum = |name: &str| -> u64 {
            let minutes = node["minutes"].as_array().expect("minutes");
            minutes.iter().map(|minute| minute[name].as_u64().expect("a number")).sum()
        };
        let lookups: u64 = ["hits", "stale", "misses"].map(sum).iter().sum();
        assert!(lookups <= 61, "a lookup counts once: {list}");
        let known = node["filters"] == json!(["app_id", "key_auth"]) && node["id"].is_string();
        // Each of the two workers may have to ask once for each of the two filters.
        (known && lookups == 61 && sum("hits") >= 56 && sum("failures") >= 2).then_some(())
    });
}
