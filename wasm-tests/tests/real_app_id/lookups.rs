//! Lookups of App IDs: what is cached, outages, changes, waiting requests.

use super::{filters, request};
use serde_json::{Value, json};
use wasm_tests::real::{Admin, Connection, Filter, Gateway, Mode, RawRequest, eventually};
use wasm_tests::{INVALID_APP_ID, NO_APP_ID, kept_for_a_day, merged, refused_with};

/// Settings under which nothing expires during a test, so that only `/changes` has an effect.
fn remembering() -> Value {
    json!({"cache": kept_for_a_day()})
}

#[test]
fn a_cached_answer_makes_no_callout() {
    let prepare = |admin: &Admin| {
        admin.consumer("ana", "key-of-ana", &["portal"]);
        admin.consumer("eve", "key-of-eve", &[]);
    };
    let gateway = Gateway::with(1, prepare, |admin| filters(admin, remembering()));
    let [ana, other, eve] = [("ana", "portal"), ("ana", "other"), ("eve", "portal")]
        .map(|(who, app_id)| request(&format!("key-of-{who}"), app_id));
    gateway.settle(&[ana.clone(), eve.clone()]);
    let known = gateway.lookups();

    for _ in 0..20 {
        gateway.passed(&ana);
        assert_eq!(gateway.refused(&other), refused_with(403, INVALID_APP_ID));
        assert_eq!(gateway.refused(&eve), refused_with(403, NO_APP_ID));
    }

    assert_eq!(gateway.lookups(), known);
}

#[test]
fn two_hundred_cold_requests_make_one_callout_for_each_vm() {
    let workers = 2;
    let gateway = Gateway::with(workers, |_| (), |admin| filters(admin, remembering()));
    gateway.consumer("ana", "key-of-ana", &["portal"]);
    gateway.faulty_admin.set(Mode::Hold);
    let address = gateway.envoy.address("main");

    let clients: Vec<_> = (0..200)
        .map(|_| std::thread::spawn(move || request("key-of-ana", "portal").send(address).status()))
        .collect();
    eventually("200 requests that wait", || {
        (gateway.envoy.stat("http.main.downstream_rq_active") == 200).then_some(())
    });
    assert_eq!(gateway.echo.count(), 0);
    gateway.faulty_admin.set(Mode::Pass);
    let answers: Vec<u16> = clients.into_iter().filter_map(|client| client.join().ok()).collect();

    assert_eq!(answers, [200; 200]);
    for lookup in ["/identities/key-auth/", "/appids"] {
        let asked = gateway.faulty_admin.count(lookup);
        assert!((1..=workers as usize).contains(&asked), "{lookup}: {asked} for {workers} VMs");
    }
}

#[test]
fn a_cold_consumer_is_refused_while_the_admin_service_cannot_be_asked() {
    let mut gateway = Gateway::start(|admin| {
        let impatient = merged(admin.clone(), json!({"timeout": 300}));
        vec![
            Filter::new(
                "key_auth",
                &json!({"consumers": [
                    {"username": "ana", "keyauth_credentials": [{"key": "key-of-ana"}]},
                ]}),
            ),
            Filter::new("app_id", &json!({"admin": impatient, "cache": {"negative_ttl": 0}})),
        ]
    });
    let unavailable = refused_with(503, "Service unavailable");

    for broken in [
        Mode::Hold,
        Mode::HangUp,
        Mode::Truncate,
        Mode::Garbage,
        Mode::Stranger,
        Mode::Status(500),
        Mode::Status(404),
        Mode::Status(401),
        Mode::Status(302),
    ] {
        gateway.faulty_admin.set(broken);
        let answer = gateway.refused(&request("key-of-ana", "portal"));
        assert_eq!(answer.0, unavailable.0, "{broken:?}: {answer:?}");
    }
    gateway.faulty_admin.stop();
    assert_eq!(gateway.refused(&request("key-of-ana", "portal")).0, 503);

    gateway.faulty_admin.resume();
    let id = gateway.faulty_admin.requests().iter().find_map(|request| {
        let rest = request.path().strip_prefix("/consumers/")?;
        rest.strip_suffix("/appids").map(str::to_owned)
    });
    // gatehouse-admin gets the inline consumer, under the id that the filter asked for.
    let id = id.expect("a lookup of App IDs");
    gateway.admin.create("/consumers", &json!({"username": "ana", "id": id}));
    gateway.admin.create("/consumers/ana/appids", &json!({"appid": "portal"}));
    eventually("request that passes once the service is back", || {
        (gateway.send(&request("key-of-ana", "portal")).status() == 200).then_some(())
    });
}

#[test]
fn a_cached_answer_serves_while_the_admin_service_is_away() {
    let short = json!({"cache": {"ttl": 5, "stale_ttl": 86_400}});
    let prepare = |admin: &Admin| {
        admin.consumer("ana", "key-of-ana", &["portal"]);
    };
    let mut gateway = Gateway::with(1, prepare, |admin| {
        let settings = merged(json!({"admin": admin}), short);
        vec![Filter::new("key_auth", &settings), Filter::new("app_id", &settings)]
    });
    gateway.settle(&[request("key-of-ana", "portal")]);

    gateway.faulty_admin.stop();
    let started = std::time::Instant::now();
    while started.elapsed().as_secs() < 7 {
        gateway.passed(&request("key-of-ana", "portal"));
    }
    assert_eq!(gateway.refused(&request("key-of-ana", "other")).0, 403);
}

#[test]
fn a_change_at_the_admin_service_reaches_what_is_remembered() {
    let gateway = Gateway::with(
        2,
        |_| (),
        |admin| {
            let settings = merged(json!({"admin": admin}), remembering());
            vec![Filter::new("key_auth", &settings), Filter::new("app_id", &settings)]
        },
    );
    gateway.consumer("ana", "key-of-ana", &["portal"]);
    gateway.consumer("bob", "key-of-bob", &[]);
    let until = |what: &str, request: &RawRequest, status: u16| {
        // The request is sent several times in a row, because each of the two workers must know the
        // change.
        eventually(what, || (0..8).all(|_| gateway.send(request).status() == status).then_some(()));
    };
    let ana = request("key-of-ana", "portal");
    let bob = request("key-of-bob", "portal");
    gateway.passed(&ana);
    assert_eq!(gateway.refused(&bob), refused_with(403, NO_APP_ID));

    gateway.admin.create("/consumers/bob/appids", &json!({"appid": "portal"}));
    until("effect of a creation", &bob, 200);

    gateway.admin.delete("/consumers/ana/appids/portal");
    until("effect of a deletion", &ana, 403);
    assert_eq!(gateway.refused(&ana), refused_with(403, NO_APP_ID));

    let renamed = RawRequest::new("PATCH", "/consumers/bob/appids/portal")
        .header("content-type", "application/json")
        .body(r#"{"appid":"mobile"}"#);
    assert_eq!(gateway.admin.send(renamed).status(), 200);
    until("effect of a change", &bob, 403);
    assert_eq!(gateway.refused(&bob), refused_with(403, INVALID_APP_ID));
    gateway.passed(&request("key-of-bob", "mobile"));

    gateway.admin.delete("/consumers/bob");
    until("effect of a consumer's deletion", &bob, 401);
}

#[test]
fn an_older_database_put_back_is_noticed() {
    let mut gateway = Gateway::start(|admin| filters(admin, remembering()));
    gateway.consumer("ana", "key-of-ana", &[]);
    gateway.admin.backup();
    gateway.admin.create("/consumers/ana/appids", &json!({"appid": "portal"}));
    let request = request("key-of-ana", "portal");
    gateway.passed(&request);

    gateway.admin.put_back();

    eventually("refusal of what the older database does not have", || {
        (gateway.send(&request).status() == 403).then_some(())
    });
}

#[test]
fn a_body_does_not_slip_through_while_its_head_waits() {
    for holds_headers in [false, true] {
        let gateway = Gateway::start(|admin| {
            let both = filters(admin, remembering());
            both.into_iter().map(|filter| filter.holding_headers(holds_headers)).collect()
        });
        gateway.consumer("ana", "key-of-ana", &["portal"]);
        gateway.consumer("eve", "key-of-eve", &[]);

        for (key, expected) in [("key-of-eve", 403), ("key-of-ana", 200)] {
            let before = gateway.echo.count();
            gateway.faulty_admin.set(Mode::Hold);
            let asked = gateway.faulty_admin.requests().len();
            let mut client = Connection::open(gateway.envoy.address("main")).expect("a connection");
            let received = || gateway.envoy.stat("http.main.downstream_cx_rx_bytes_total");
            let before_the_body = received();
            let head = request(key, "portal").header("content-length", "20000").head();
            client.write(&head).expect("the head");
            client.write(&[b'b'; 10_000]).expect("half of the body");
            eventually("callout", || (gateway.faulty_admin.requests().len() > asked).then_some(()));
            client.write(&[b'b'; 10_000]).expect("the rest of the body");
            eventually("body that has arrived", || {
                (received() - before_the_body >= 20_000).then_some(())
            });
            assert_eq!(gateway.echo.count(), before, "holding: {holds_headers}");

            gateway.faulty_admin.set(Mode::Pass);

            assert_eq!(client.answer().expect("an answer").status(), expected);
            assert_eq!(gateway.echo.count(), before + usize::from(expected == 200));
        }
        assert_eq!(gateway.echo.last().body.len(), 20_000, "holding: {holds_headers}");
    }
}

#[test]
fn a_client_that_leaves_while_its_request_waits_does_no_harm() {
    let gateway = Gateway::start(|admin| filters(admin, remembering()));
    gateway.consumer("ana", "key-of-ana", &["portal"]);
    gateway.faulty_admin.set(Mode::Hold);

    for _ in 0..20 {
        let mut client = Connection::open(gateway.envoy.address("main")).expect("a connection");
        client.write(&request("key-of-ana", "portal").head()).expect("the head");
    }
    eventually("clients that have left", || {
        let gone = gateway.envoy.stat("http.main.downstream_cx_destroy_remote_active_rq") == 20;
        gone.then_some(())
    });
    gateway.faulty_admin.set(Mode::Pass);

    eventually("request that passes", || {
        (gateway.send(&request("key-of-ana", "portal")).status() == 200).then_some(())
    });
}

#[test]
fn the_name_of_a_consumer_reaches_the_admin_service_encoded() {
    let odd = "a/../b?c#d e%2F HTTP/1.1";
    let gateway = Gateway::start(|admin| {
        vec![
            Filter::new(
                "key_auth",
                &json!({"consumers": [
                    {"id": odd, "username": "odd", "keyauth_credentials": [{"key": "key-of-odd"}]},
                ]}),
            ),
            Filter::new("app_id", &json!({"admin": admin})),
        ]
    });

    gateway.refused(&request("key-of-odd", "portal"));

    let asked = gateway.faulty_admin.requests();
    let paths: Vec<&str> =
        asked.iter().map(|r| r.path()).filter(|p| p.contains("appids")).collect();
    let encoded = "/consumers/a%2F%2E%2E%2Fb%3Fc%23d%20e%252F%20HTTP%2F1%2E1/appids";
    assert!(paths.iter().all(|path| path.split('?').next() == Some(encoded)), "{paths:?}");
    assert!(!paths.is_empty());
}

#[test]
fn the_whole_table_can_be_fetched_before_anybody_asks() {
    let full = json!({"cache": {"mode": "full", "ttl": 86_400, "negative_ttl": 86_400}});
    let gateway = Gateway::start(|admin| filters(admin, full));
    gateway.consumer("ana", "key-of-ana", &["portal"]);
    gateway.consumer("eve", "key-of-eve", &[]);
    // The first request wakes the filter, which from then on keeps the table.
    gateway.send(&request("key-of-ana", "portal"));
    eventually("snapshot", || {
        let whole = |path: &str| path.split('?').next() == Some("/appids");
        gateway.faulty_admin.requests().iter().any(|r| whole(r.path())).then_some(())
    });
    let lookups = || gateway.faulty_admin.count("/consumers/");
    eventually("decisions without a lookup", || {
        let before = lookups();
        let passes = gateway.send(&request("key-of-ana", "portal")).status() == 200;
        let fails = gateway.send(&request("key-of-eve", "portal")).status() == 403;
        (passes && fails && lookups() == before).then_some(())
    });
}
