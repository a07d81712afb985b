//! `kong reload` while requests are being served.

use crate::fixture::{Fixture, filter};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use wasm_tests::real::{Filter, KongFiles, RawRequest, Setup, eventually};

fn chain(admin: &Value) -> Vec<Filter> {
    let moesif = json!({"application_id_env": "GATEHOUSE_MOESIF_APPLICATION_ID",
        "collector": {"upstream": "collector", "scheme": "http"}, "batch_max_wait": 200});
    vec![
        filter("moesif", &moesif),
        filter("key_auth", &json!({"admin": admin})),
        filter("app_id", &json!({"admin": admin})),
    ]
}

#[test]
#[ignore = "needs a real Kong"]
fn a_reload_under_traffic_ends_no_worker_and_no_request() {
    let mut again = None;
    let fixture = Fixture::with(
        |setup| {
            let setup: Setup = setup.concurrency(2);
            again = Some(setup.clone());
            setup
        },
        chain,
    );
    fixture.admin.consumer("ana", "key-of-ana", &["portal"]);
    let files = KongFiles::of(&again.expect("the setup"));
    let (sent, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let address = fixture.kong.address("main");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let ana = RawRequest::get("/").header("apikey", "key-of-ana");
                while !over.load(Ordering::Relaxed) {
                    // Each request has its own connection: nginx closes idle ones of workers that
                    // end.
                    let right = ana.clone().header("x-app-id", "portal").send(address).status();
                    let wrong = ana.clone().header("x-app-id", "other").send(address).status();
                    // A new worker with an empty cache may need more lookups than it is allowed at
                    // once.
                    assert!(
                        [200, 503].contains(&right) && [403, 503].contains(&wrong),
                        "{right} {wrong}"
                    );
                    sent.fetch_add(2, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..3 {
            let before = sent.load(Ordering::Relaxed);
            eventually("requests", || (sent.load(Ordering::Relaxed) > before + 100).then_some(()));
            let old = fixture.kong.workers();
            fixture.kong.reload(&files);
            fixture.kong.until_ended(&old);
        }
        over.store(true, Ordering::Relaxed);
    });
    let ana = RawRequest::get("/").header("apikey", "key-of-ana").header("x-app-id", "portal");
    eventually("a known consumer", || (fixture.send(&ana).status() == 200).then_some(()));
}

#[test]
#[ignore = "needs a real Kong"]
fn after_a_reload_the_new_settings_count() {
    let mut first = None;
    let with = |code: u16| vec![filter("request_termination", &json!({"status_code": code}))];
    let fixture = Fixture::with(
        |setup| {
            first = Some(setup.clone());
            setup
        },
        |_| with(410),
    );
    assert_eq!(fixture.refused(&RawRequest::get("/")).0, 410);
    let mut setup = first.expect("the setup");
    setup.listeners[0].filters = with(451);
    let old = fixture.kong.workers();
    fixture.kong.reload(&KongFiles::of(&setup));
    fixture.kong.until_ended(&old);
    assert_eq!(fixture.refused(&RawRequest::get("/")).0, 451);
}
