//! Callouts to a real gatehouse-admin: lookups, ticks, two workers, and a first stampede.

use crate::fixture::{Fixture, filter, header};
use serde_json::{Value, json};
use wasm_tests::real::{Connection, Filter, RawRequest, Setup, eventually};
use wasm_tests::{kept_for_a_day, refused_with};

/// Settings under which nothing expires, so that only a tick brings changes.
fn remembering(admin: &Value) -> Value {
    json!({"admin": admin, "cache": kept_for_a_day()})
}

fn keys_and_apps(admin: &Value) -> Vec<Filter> {
    ["key_auth", "app_id"].map(|feature| filter(feature, &remembering(admin))).to_vec()
}

fn ana() -> RawRequest {
    RawRequest::get("/").header("apikey", "key-of-ana").header("x-app-id", "portal")
}

fn two_workers(setup: Setup) -> Setup {
    setup.concurrency(2)
}

#[test]
#[ignore = "needs a real Kong"]
fn a_deleted_credential_stops_working_in_every_worker() {
    let fixture = Fixture::with(two_workers, keys_and_apps);
    let id = fixture.admin.consumer("ana", "key-of-ana", &["portal"]);
    fixture.admin.consumer("bob", "key-of-bob", &["bobs"]);
    assert_eq!(fixture.kong.workers().len(), 2);
    let received = fixture.passed(&ana());
    assert_eq!(header(&received, "x-consumer-id"), Some(id));
    let until = |what: &str, request: &RawRequest, status: u16| {
        eventually(what, || {
            (0..16).all(|_| fixture.send(request).status() == status).then_some(())
        });
    };
    until("a known key", &ana(), 200);

    fixture.admin.delete("/consumers/ana/appids/portal");
    until("the end of the App ID", &ana(), 403);
    fixture.admin.create("/consumers/ana/appids", &json!({"appid": "portal"}));
    until("the App ID again", &ana(), 200);
    fixture.admin.delete("/consumers/ana");
    until("the end of the key", &ana(), 401);
    // A consumer whom the workers have never seen has existed all the time.
    let bob = RawRequest::get("/").header("apikey", "key-of-bob").header("x-app-id", "bobs");
    until("somebody else", &bob, 200);
}

#[test]
#[ignore = "needs a real Kong"]
fn a_cluster_wide_limit_is_exact_over_two_workers() {
    let fixture = Fixture::with(two_workers, |admin| {
        let limit = json!({"hour": 40, "policy": "cluster", "limit_by": "ip", "admin": admin});
        vec![filter("rate_limiting", &limit)]
    });
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let address = fixture.kong.address("main");
        let clients: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(move || {
                    let mut connection = Connection::open(address).expect("a connection");
                    let mut send =
                        || connection.exchange(&RawRequest::get("/")).expect("an answer");
                    (0..20).map(|_| send().status()).collect::<Vec<_>>()
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    });
    let admitted = statuses.iter().filter(|status| **status == 200).count();
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    // The end of an hour in between begins another window.
    assert!([40, 80].contains(&admitted), "{admitted}");
}

#[test]
#[ignore = "needs a real Kong"]
fn an_admin_service_that_is_away_makes_503_and_its_return_ends_that() {
    let mut fixture = Fixture::start(|admin| {
        let mut admin = admin.clone();
        admin["timeout"] = json!(2000);
        vec![filter("key_auth", &json!({"admin": admin, "cache": {"negative_ttl": 0}}))]
    });
    fixture.admin.consumer("ana", "key-of-ana", &[]);
    fixture.admin.kill();
    for _ in 0..20 {
        assert_eq!(fixture.refused(&ana()).0, 503);
    }
    fixture.admin.resume();
    eventually("a known key", || (fixture.send(&ana()).status() == 200).then_some(()));
    assert_eq!(
        fixture.refused(&RawRequest::get("/").header("apikey", "wrong")),
        refused_with(401, "Unauthorized")
    );
}

#[test]
#[ignore = "needs a real Kong"]
fn a_stampede_of_one_cold_consumer_is_answered_and_ends_no_worker() {
    let fixture = Fixture::start(keys_and_apps);
    fixture.admin.consumer("ana", "key-of-ana", &["portal"]);
    let address = fixture.kong.address("main");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..100).map(|_| scope.spawn(move || ana().send(address).status())).collect();
        clients.into_iter().map(|client| client.join().expect("a client")).collect()
    });
    // On Kong a response wakes no other request, and the number of concurrent lookups is bounded.
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    eventually("a known consumer", || (fixture.send(&ana()).status() == 200).then_some(()));
    fixture.kong.assert_sound();
}

#[test]
#[ignore = "needs a real Kong"]
fn a_client_that_leaves_while_its_request_waits_ends_no_worker() {
    let fixture = Fixture::start(keys_and_apps);
    for n in 0..200 {
        let mut client = Connection::open(fixture.kong.address("main")).expect("a connection");
        let cold = RawRequest::get("/").header("apikey", format!("unknown-{n}"));
        client.write(&cold.head()).expect("the head");
    }
    fixture.admin.consumer("ana", "key-of-ana", &["portal"]);
    eventually("a known consumer", || (fixture.send(&ana()).status() == 200).then_some(()));
    fixture.kong.assert_sound();
}
