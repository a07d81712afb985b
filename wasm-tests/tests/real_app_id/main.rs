//! App IDs on a real Envoy with a real gatehouse-admin.

mod counts;
mod lookups;

use serde_json::{Value, json};
use wasm_tests::real::{Echo, Filter, Gateway, Proxy, RawRequest, Setup};
use wasm_tests::{BLANK_APP_ID, INVALID_APP_ID, NO_APP_ID, merged, refused_with};

/// key_auth and app_id, each with gatehouse-admin, and app_id with these settings.
fn filters(admin: &Value, app_id: Value) -> Vec<Filter> {
    vec![
        Filter::new("key_auth", &json!({"admin": admin})),
        Filter::new("app_id", &merged(json!({"admin": admin}), app_id)),
    ]
}

fn request(key: &str, app_id: impl AsRef<[u8]>) -> RawRequest {
    RawRequest::get("/orders").header("apikey", key).header("X-APP-ID", app_id)
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

    let blank = refused_with(403, BLANK_APP_ID);
    let invalid = refused_with(403, INVALID_APP_ID);
    assert_eq!(gateway.refused(&RawRequest::get("/").header("apikey", "key-of-ana")), blank);
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
    assert_eq!(gateway.refused(&request("key-of-eve", "portal")), refused_with(403, NO_APP_ID));
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
        |app: &str| RawRequest::get("/").header("apikey", "key-of-ana").header("x-client-app", app);

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
fn a_body_in_pieces_reaches_the_upstream_whole() {
    let gateway = Gateway::start(|admin| filters(admin, json!({})));
    gateway.consumer("ana", "key-of-ana", &["portal"]);
    let body = "b".repeat(200_000);

    let received = gateway.passed(&request("key-of-ana", "portal").body(&body).chunked());

    assert_eq!(received.body.len(), body.len());
}
