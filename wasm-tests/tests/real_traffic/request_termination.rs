//! request_termination on a real Envoy.

use super::Gateway;
use serde_json::{Value, json};
use wasm_tests::real::{Admin, Echo, Filter, Proxy, RawRequest, Setup};
use wasm_tests::{merged, refused_with};

#[test]
fn each_status_ends_the_request_with_its_message() {
    let echo = Echo::start();
    let cases = [
        ("default", json!({}), 503, r#"{"message":"Service unavailable"}"#),
        (
            "message",
            json!({"status_code": 406, "message": "Invalid"}),
            406,
            r#"{"message":"Invalid"}"#,
        ),
        ("empty", json!({"status_code": 418}), 418, ""),
        ("nothing", json!({"status_code": 204}), 204, ""),
        ("body", json!({"body": "<h1>down</h1>"}), 503, "<h1>down</h1>"),
        (
            "typed",
            json!({"status_code": 451, "body": "<h1>no</h1>", "content_type": "text/html"}),
            451,
            "<h1>no</h1>",
        ),
    ];
    let mut setup = Setup::new(echo.address(), Vec::new());
    for (name, settings, _, _) in &cases {
        setup = setup.listener(name, vec![Filter::new("request_termination", settings)]);
    }
    let envoy = Proxy::start(&setup);
    for (name, _, status, body) in cases {
        let answer = RawRequest::get("/status/200").send(envoy.address(name));
        assert_eq!((answer.status(), answer.text().as_str()), (status, body), "{name}");
        let kind = match name {
            "default" | "message" => Some("application/json; charset=utf-8"),
            "typed" => Some("text/html"),
            _ => None,
        };
        assert_eq!(answer.header("content-type").as_deref(), kind, "{name}");
        let length = answer.header("content-length");
        assert_eq!(length.is_none(), status == 204, "{name}: {length:?}");
    }
    assert_eq!(echo.count(), 0);
}

#[test]
fn an_echo_shows_the_request_behind_its_trigger() {
    let settings = json!({"status_code": 404, "echo": true, "trigger": "Gimme-An-Echo", "allow_on_headers_stop_iteration": true});
    let gateway =
        Gateway::with(vec![Filter::new("request_termination", &settings).holding_headers(true)]);
    assert_eq!(gateway.passed(&RawRequest::get("/status/200")).path(), "/status/200");
    for request in [
        RawRequest::post("/status/200?hello=there", "cool body")
            .header("Gimme-An-Echo", "anything will do"),
        RawRequest::post("/status/200?hello=there&Gimme-An-Echo=anything%20will%20do", "cool body"),
    ] {
        let answer = gateway.send(&request);
        let echo = answer.json();
        assert_eq!((answer.status(), &echo["message"]), (404, &json!("Not found")));
        let shown = &echo["request"];
        assert_eq!(shown["query"]["hello"], "there", "{echo}");
        assert_eq!((&shown["method"], &shown["path"]), (&json!("POST"), &json!("/status/200")));
        assert_eq!(
            (&shown["raw_body"], &shown["headers"]["content-length"]),
            (&json!("cool body"), &json!("9"))
        );
        assert_eq!(shown["headers"]["host"], "gateway.test");
        assert_eq!(echo["matched_route"], json!({"name": "everything"}));
    }
}

#[test]
fn a_client_that_speaks_grpc_gets_a_grpc_status() {
    let gateway = Gateway::start("request_termination", json!({}));
    let answer = gateway.send(
        &RawRequest::post("/hello.HelloService/SayHello", "")
            .header("content-type", "application/grpc"),
    );
    assert_eq!(
        (answer.status(), answer.header("grpc-status").as_deref()),
        (200, Some("14")),
        "UNAVAILABLE"
    );
    assert_eq!(answer.header("content-type").as_deref(), Some("application/grpc"));
    assert_eq!(answer.header("grpc-message").as_deref(), Some("Service unavailable"));
    assert_eq!(answer.text(), "");
}

#[test]
fn the_anonymous_consumer_is_turned_away_and_fiona_comes_in() {
    let key_auth = json!({"anonymous": "anonymous_users", "consumers": [
        {"username": "anonymous_users"},
        {"username": "fiona", "keyauth_credentials": [{"key": "open_sesame"}]},
    ]});
    let termination = json!({"match": {"consumers": ["anonymous_users"]}, "status_code": 403,
        "message": "So long and thanks for all the fish!"});
    let gateway = Gateway::with(vec![
        Filter::new("key_auth", &key_auth),
        Filter::new("request_termination", &termination),
    ]);
    let farewell = refused_with(403, "So long and thanks for all the fish!");
    assert_eq!(gateway.refused(&RawRequest::get("/sessions-test")), farewell);
    let forged = RawRequest::get("/sessions-test").header("X-Consumer-Username", "fiona");
    assert_eq!(gateway.refused(&forged), farewell);
    let known = gateway.passed(&RawRequest::get("/sessions-test?apikey=open_sesame"));
    assert_eq!(known.header("x-consumer-username").as_deref(), Some("fiona"));
}

/// The walk through the document of Kong's session plugin, with the names that the document uses.
#[test]
fn the_session_document_is_walked_through() {
    let (echo, admin) = (Echo::start(), Admin::start());
    let form = |path: &str, data: &str| {
        let kind = "application/x-www-form-urlencoded";
        let answer = admin.send(RawRequest::post(path, data).header("content-type", kind));
        assert_eq!(answer.status(), 201, "{path}: {}", answer.text());
    };
    form("/consumers/", "username=anonymous_users");
    form("/consumers/", "username=fiona");
    form("/consumers/fiona/key-auth/", "key=open_sesame");

    let service = json!({"upstream": "admin", "authority": admin.address().to_string()});
    let key_auth = |more: Value| Filter::new("key_auth", &merged(json!({"admin": service}), more));
    let session = json!({"admin": service, "storage": "kong", "cookie_secure": false, "secret": "of all nodes"});
    let termination = json!({"status_code": 403, "message": "So long and thanks for all the fish!",
        "match": {"consumers": ["anonymous_users"]}});
    let all = vec![
        Filter::new("session", &session),
        key_auth(json!({"anonymous": "anonymous_users"})),
        Filter::new("request_termination", &termination),
    ];
    let setup = Setup::new(echo.address(), all)
        .listener("only_keys", vec![key_auth(json!({}))])
        .cluster("admin", admin.address());
    let envoy = Proxy::start(&setup);

    // "Verify that the key-auth plugin is properly configured"
    let stranger = RawRequest::get("/sessions-test");
    assert_eq!(stranger.send(envoy.address("only_keys")).status(), 401);

    // "Anonymous requests now will return status 403."
    let refused = envoy.send(&stranger);
    let farewell = refused_with(403, "So long and thanks for all the fish!");
    let message = refused.json()["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!((refused.status(), message), farewell, "{}", envoy.log());
    assert!(refused.all("set-cookie").is_empty(), "nobody has no session");

    // "The response should now have the Set-Cookie header."
    let entered = envoy.send(&RawRequest::get("/sessions-test?apikey=open_sesame"));
    assert_eq!(entered.status(), 200, "{}\n{}", entered.text(), envoy.log());
    let cookie = entered.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("session=") && !cookie.contains("Secure"), "{cookie}");

    // "This request should succeed, and Set-Cookie response header will not appear"
    let pair = cookie.split(';').next().unwrap_or_default();
    let again = envoy.send(&RawRequest::get("/sessions-test").header("cookie", pair));
    assert_eq!((again.status(), again.all("set-cookie").len()), (200, 0), "{}", envoy.log());
    assert_eq!(echo.last().header("x-consumer-username").as_deref(), Some("fiona"));

    let forged = pair.replace("session=", "session=x");
    assert_eq!(
        envoy.send(&RawRequest::get("/sessions-test").header("cookie", forged)).status(),
        403
    );
}
