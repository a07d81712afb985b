//! App IDs on a real Envoy with a real gatehouse-admin.

use serde_json::{Value, json};
use wasm_tests::real::{
    Admin, Connection, Echo, Filter, Gateway, Mode, Proxy, Request, Setup, eventually,
};
use wasm_tests::refused_with;

const MAPPING: &str = "Consumer and X-APP-ID mapping doesn't exist";

/// key_auth and app_id, each with gatehouse-admin, and app_id with these settings.
fn filters(admin: &Value, app_id: Value) -> Vec<Filter> {
    vec![
        Filter::new("key_auth", &json!({"admin": admin})),
        Filter::new("app_id", &with(json!({"admin": admin}), app_id)),
    ]
}

fn with(mut settings: Value, more: Value) -> Value {
    let members = more.as_object().cloned().unwrap_or_default();
    settings.as_object_mut().expect("an object").extend(members);
    settings
}

/// Settings under which nothing expires during a test, so that only `/changes` has an effect.
fn remembering() -> Value {
    json!({"cache": {"ttl": 86_400, "negative_ttl": 86_400}})
}

fn request(key: &str, app_id: impl AsRef<[u8]>) -> Request {
    Request::get("/orders").header("apikey", key).header("X-APP-ID", app_id)
}

#[test]
fn only_one_of_the_consumers_own_app_ids_is_let_through() {
    let gateway = Gateway::start(|admin| filters(admin, json!({})));
    let id = gateway.consumer("ana", "key-of-ana", &["portal", "mobile_app"]);
    gateway.consumer("bob", "key-of-bob", &["bobs.app"]);
    gateway.consumer("eve", "key-of-eve", &[]);

    for app_id in ["portal", "mobile_app"] {
        let received = gateway.passed(&request("key-of-ana", app_id));
        assert_eq!(received.header("x-consumer-id"), Some(id.clone()));
        assert_eq!(received.header("x-app-id").as_deref(), Some(app_id));
    }

    let blank = refused_with(403, "X-APP-ID can't be blank");
    let invalid = refused_with(403, "Invalid X-APP-ID");
    assert_eq!(gateway.refused(&Request::get("/").header("apikey", "key-of-ana")), blank);
    for (app_id, expected) in [
        (&b""[..], &blank),
        (b" \t ", &blank),
        (b"bobs.app", &invalid),
        (b"PORTAL", &invalid),
        (b"porta", &invalid),
        (b"portal,mobile_app", &invalid),
        (b"\xff\xfe", &invalid),
        (b"portal\xff", &invalid),
        (b"../portal", &invalid),
        (&[b'a'; 64 * 1024], &invalid),
    ] {
        let shown = String::from_utf8_lossy(app_id.get(..20).unwrap_or(app_id));
        assert_eq!(&gateway.refused(&request("key-of-ana", app_id)), expected, "{shown:?}");
    }
    let twice = request("key-of-ana", "portal").header("x-app-id", "mobile_app");
    assert_eq!(gateway.refused(&twice), invalid);
    assert_eq!(gateway.refused(&request("key-of-eve", "portal")), refused_with(403, MAPPING));
}

#[test]
fn a_request_that_nobody_has_authenticated_is_refused() {
    let gateway = Gateway::start(|admin| vec![Filter::new("app_id", &json!({"admin": admin}))]);
    let id = gateway.consumer("ana", "key-of-ana", &["portal"]);

    let forged = request("key-of-ana", "portal").header("X-Consumer-ID", id);

    assert_eq!(gateway.refused(&forged), refused_with(401, "Unauthorized"));
    assert_eq!(gateway.faulty_admin.count("/appids"), 0);
}

#[test]
fn another_header_has_its_name_in_the_answers_and_can_be_hidden_from_the_upstream() {
    let settings = json!({"header_name": "X-Client-App", "hide_app_id": true});
    let gateway = Gateway::start(|admin| filters(admin, settings));
    gateway.consumer("ana", "key-of-ana", &["portal"]);
    let request =
        |app: &str| Request::get("/").header("apikey", "key-of-ana").header("x-client-app", app);

    assert_eq!(gateway.refused(&request("")), refused_with(403, "X-Client-App can't be blank"));
    assert_eq!(gateway.refused(&request("no")), refused_with(403, "Invalid X-Client-App"));
    assert_eq!(gateway.passed(&request("portal")).header("x-client-app"), None);
}

#[test]
fn many_headers_and_long_ones_do_no_harm() {
    let gateway = Gateway::start(|admin| filters(admin, json!({})));
    gateway.consumer("ana", "key-of-ana", &["portal"]);
    let mut many = request("key-of-ana", "portal").header("x-long", "l".repeat(64 * 1024));
    for number in 0..120 {
        many = many.header(format!("x-many-{number}"), b"\xc3\x28");
    }

    let received = gateway.passed(&many);

    assert_eq!(received.all("x-many-119").len(), 1);
    assert_eq!(received.header("x-long").map(|long| long.len()), Some(64 * 1024));
}

#[test]
fn what_is_known_is_not_asked_for_again() {
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
        assert_eq!(gateway.refused(&other), refused_with(403, "Invalid X-APP-ID"));
        assert_eq!(gateway.refused(&eve), refused_with(403, MAPPING));
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
        let impatient = with(admin.clone(), json!({"timeout": 300}));
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
fn what_is_known_serves_while_the_admin_service_is_away() {
    let short = json!({"cache": {"ttl": 5, "stale_ttl": 86_400}});
    let prepare = |admin: &Admin| {
        admin.consumer("ana", "key-of-ana", &["portal"]);
    };
    let mut gateway = Gateway::with(1, prepare, |admin| {
        let settings = with(json!({"admin": admin}), short);
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
            let settings = with(json!({"admin": admin}), remembering());
            vec![Filter::new("key_auth", &settings), Filter::new("app_id", &settings)]
        },
    );
    gateway.consumer("ana", "key-of-ana", &["portal"]);
    gateway.consumer("bob", "key-of-bob", &[]);
    let until = |what: &str, request: &Request, status: u16| {
        // The request is sent several times in a row, because each of the two workers must know the
        // change.
        eventually(what, || (0..8).all(|_| gateway.send(request).status() == status).then_some(()));
    };
    let ana = request("key-of-ana", "portal");
    let bob = request("key-of-bob", "portal");
    gateway.passed(&ana);
    assert_eq!(gateway.refused(&bob), refused_with(403, MAPPING));

    gateway.admin.create("/consumers/bob/appids", &json!({"appid": "portal"}));
    until("effect of a creation", &bob, 200);

    gateway.admin.delete("/consumers/ana/appids/portal");
    until("effect of a deletion", &ana, 403);
    assert_eq!(gateway.refused(&ana), refused_with(403, MAPPING));

    let renamed = Request::new("PATCH", "/consumers/bob/appids/portal")
        .header("content-type", "application/json")
        .body(r#"{"appid":"mobile"}"#);
    assert_eq!(gateway.admin.send(renamed).status(), 200);
    until("effect of a change", &bob, 403);
    assert_eq!(gateway.refused(&bob), refused_with(403, "Invalid X-APP-ID"));
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
fn what_a_consumer_is_called_reaches_the_admin_service_encoded() {
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
fn a_wrong_configuration_is_refused_with_the_path_of_every_error() {
    let echo = Echo::start();
    let wrong = json!({"header_name": "X APP", "cache": {"ttl": "soon"}, "colour": "red"});
    let setup = Setup::new(echo.address(), vec![Filter::new("app_id", &wrong)]);

    let log = Proxy::try_start(&setup).err().expect("Envoy refuses the configuration");

    for path in ["header_name", "cache.ttl", "colour"] {
        assert!(log.contains(path), "{path} is not in:\n{log}");
    }
}

#[test]
fn with_a_wrong_configuration_and_no_named_host_every_request_is_refused() {
    let echo = Echo::start();
    for wrong in [r#"{"colour": "red"}"#, "{", "[]", "\"\\ud800\""] {
        let filter = Filter::new("app_id", &Value::Null).raw_config(wrong).without_host_name();
        match Proxy::try_start(&Setup::new(echo.address(), vec![filter])) {
            Ok(envoy) => {
                let answer = envoy.send(&request("any", "portal"));
                assert_eq!(answer.status(), 500, "{wrong}: {}", answer.text());
                assert_eq!(answer.json()["message"], "app_id is misconfigured", "{wrong}");
            }
            Err(log) => panic!("it could not know that the host may be told: {log}"),
        }
    }
    assert_eq!(echo.count(), 0);
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

#[test]
fn a_body_in_pieces_reaches_the_upstream_whole() {
    let gateway = Gateway::start(|admin| filters(admin, json!({})));
    gateway.consumer("ana", "key-of-ana", &["portal"]);
    let body = "b".repeat(200_000);

    let received = gateway.passed(&request("key-of-ana", "portal").body(&body).chunked());

    assert_eq!(received.body.len(), body.len());
}
