//! request_termination on the pretend gateways.

use crate::gateways::{Gateway, refusal};
use serde_json::{Value, json};
use wasm_tests::{KongVersion, Proxy, Request, Response, refused_with};

fn start(gateway: &Gateway, settings: Value) -> Proxy {
    gateway.start(&[("request_termination", settings)])
}

#[track_caller]
fn ended(gateway: &Gateway, settings: Value, request: Request) -> Response {
    let stream = start(gateway, settings).send(request);
    let reply = stream.refused();
    assert!(stream.outcome().forwarded.is_none(), "{}", gateway.name);
    reply
}

/// The body on each gateway: Kong adds a line feed to a body that is not empty.
fn body(gateway: &Gateway, text: &str) -> String {
    let end = if gateway.is_kong() && !text.is_empty() { "\n" } else { "" };
    format!("{text}{end}")
}

const JSON: Option<&str> = Some("application/json; charset=utf-8");

#[test]
fn a_status_has_kongs_message_or_the_operators() {
    for gateway in Gateway::all() {
        for (settings, status, kind, text) in [
            (json!({}), 503, JSON, r#"{"message":"Service unavailable"}"#),
            (json!({"status_code": 404}), 404, JSON, r#"{"message":"Not found"}"#),
            (
                json!({"status_code": 406, "message": "Invalid"}),
                406,
                JSON,
                r#"{"message":"Invalid"}"#,
            ),
            (json!({"status_code": 204}), 204, None, ""),
            (json!({"status_code": 418}), 418, None, ""),
        ] {
            let reply = ended(&gateway, settings, Request::get("/status/200"));
            let found = (reply.status, reply.header("content-type"), reply.text());
            let expected = (status, kind.map(str::to_owned), body(&gateway, text));
            assert_eq!(found, expected, "{}", gateway.name);
        }
    }
}

#[test]
fn a_client_that_speaks_grpc_gets_its_status_by_kongs_table_and_no_body() {
    for gateway in Gateway::all() {
        for (status, expected) in [
            (200, "0"),
            (400, "3"),
            (401, "16"),
            (403, "7"),
            (404, "5"),
            (409, "6"),
            (410, "3"),
            (429, "8"),
            (499, "1"),
            (500, "13"),
            (501, "12"),
            (502, "13"),
            (503, "14"),
            (504, "4"),
        ] {
            let settings = json!({"status_code": status, "message": "Go 50 % away"});
            let call = || Request::new("POST", "/hello.HelloService/SayHello");
            let call = |kind: &str| call().header("content-type", kind);
            for kind in ["application/grpc", "application/grpc+proto"] {
                let reply = ended(&gateway, settings.clone(), call(kind));
                let fields = ["content-type", "grpc-status", "grpc-message"];
                let found = fields.map(|name| reply.headers_named(name).join("|"));
                assert_eq!(
                    found,
                    ["application/grpc", expected, "Go 50 %25 away"],
                    "{}",
                    gateway.name
                );
                assert_eq!((reply.status, reply.text().as_str()), (200, ""), "{}", gateway.name);
            }
            let web = ended(&gateway, settings.clone(), call("application/grpc-web"));
            assert_eq!((web.status, web.header("grpc-status")), (status, None), "{}", gateway.name);
        }
    }
}

#[test]
fn a_body_goes_out_as_it_is_with_its_type_or_without_one() {
    let html = "<html><body><h1>Service is down for maintenance</h1></body></html>";
    let code = r#"{"code": 1, "message": "Service unavailable"}"#;
    for gateway in Gateway::all() {
        for (settings, status, kind, text) in [
            (json!({"body": html}), 503, None, html),
            (
                json!({"status_code": 451, "content_type": "text/html", "body": html}),
                451,
                Some("text/html"),
                html,
            ),
            (
                json!({"content_type": "application/json", "body": code}),
                503,
                Some("application/json"),
                code,
            ),
        ] {
            let reply = ended(&gateway, settings, Request::get("/status/200"));
            let found = (reply.status, reply.header("content-type"), reply.text());
            let expected = (status, kind.map(str::to_owned), body(&gateway, text));
            assert_eq!(found, expected, "{}", gateway.name);
        }
    }
}

#[test]
fn the_type_of_the_upstreams_own_body_stays() {
    for gateway in Gateway::both() {
        let stream =
            start(&gateway, json!({"body": "x", "trigger": "x-end"})).send(Request::get("/"));
        stream.respond(Response::json(200, "{}"));
        assert_eq!(stream.reply().header("content-type").as_deref(), Some("application/json"));
    }
}

#[test]
fn without_its_trigger_a_request_reaches_the_upstream() {
    let settings = json!({"status_code": 404, "echo": true, "trigger": "Gimme-An-Echo"});
    for gateway in Gateway::all() {
        let proxy = start(&gateway, settings.clone());
        for (request, ends) in [
            (Request::get("/status/200"), false),
            (Request::get("/status/200").header("Gimme-An-Echo", "anything will do"), true),
            (Request::get("/status/200").header("gimme-an-echo", ""), true),
            (Request::get("/?hello=there&Gimme-An-Echo=anything%20will%20do"), true),
            (Request::get("/?gimme-an-echo"), false),
        ] {
            let stream = proxy.send(request.clone());
            if ends {
                assert_eq!(stream.refused().status, 404, "{}: {request:?}", gateway.name);
            } else {
                stream.forwarded();
            }
        }
    }
}

#[test]
fn an_echo_shows_the_request_as_kong_does() {
    for gateway in Gateway::all() {
        let request = Request::new("GET", "/status/200?hello=there&flag").host("echo.test:8000");
        let request = request.header("X-A", "1").header("x-a", "2").body("cool body");
        let request = match gateway.is_kong() {
            true => request.property("kong.router.route", r#"{"hosts":["echo.test"]}"#),
            false => request,
        };
        let gateway = gateway.with(|profile| match profile.is_kong() {
            true => profile,
            false => profile.route_name(Some("everything")).cluster_name(Some("upstream")),
        });
        let settings = json!({"status_code": 404, "echo": true, "allow_on_headers_stop_iteration":
            gateway.name == Gateway::envoy_holding().name});
        let reply = ended(&gateway, settings, request);
        assert_eq!((reply.status, reply.header("content-type").as_deref()), (404, JSON));
        let echo = reply.document();
        assert_eq!(echo["message"], "Not found");
        let route = match gateway.is_kong() {
            true => json!({"hosts": ["echo.test"]}),
            false => json!({"name": "everything"}),
        };
        assert_eq!(echo["matched_route"], route, "{}", gateway.name);
        let shown = &echo["request"];
        for (name, value) in [
            ("scheme", json!("http")),
            ("method", json!("GET")),
            ("path", json!("/status/200")),
            ("query", json!({"hello": "there", "flag": true})),
            // Envoy without the option shows headers only.
            (
                "raw_body",
                match gateway.name == Gateway::envoy().name {
                    true => Value::Null,
                    false => "cool body".into(),
                },
            ),
        ] {
            assert_eq!(shown[name], value, "{} {name}: {echo}", gateway.name);
        }
        assert_eq!(shown["headers"]["x-a"], json!(["1", "2"]), "{echo}");
        assert_eq!(shown["headers"]["content-length"], "9", "{echo}");
    }
}

#[test]
fn the_anonymous_consumer_is_turned_away_and_fiona_comes_in() {
    let key_auth = json!({"anonymous": "anonymous_users", "consumers": [
        {"username": "anonymous_users"},
        {"username": "fiona", "keyauth_credentials": [{"key": "open_sesame"}]},
    ]});
    let termination = json!({"match": {"consumers": ["anonymous_users"]}, "status_code": 403,
        "message": "So long and thanks for all the fish!"});
    let kongs = [KongVersion::V3_6, KongVersion::V3_7, KongVersion::V3_8].map(Gateway::kong_of);
    for gateway in Gateway::all().into_iter().chain(kongs) {
        let proxy = gateway
            .start(&[("key_auth", key_auth.clone()), ("request_termination", termination.clone())]);
        let farewell = refused_with(403, "So long and thanks for all the fish!");
        assert_eq!(refusal(&proxy.send(Request::get("/sessions-test"))), farewell);
        let wrong = Request::get("/sessions-test").header("apikey", "wrong");
        assert_eq!(refusal(&proxy.send(wrong)), farewell);
        let stream = proxy.send(Request::get("/sessions-test?apikey=open_sesame"));
        assert_eq!(stream.forwarded().header("x-consumer-username").as_deref(), Some("fiona"));
    }
}

#[test]
fn consumers_that_cannot_be_known_are_not_let_through() {
    for gateway in Gateway::both() {
        let settings = json!({"match": {"consumers": ["anonymous_users"]}, "status_code": 403});
        let forged = Request::get("/").header("X-Consumer-Username", "fiona");
        assert_eq!(ended(&gateway, settings, forged).status, 500);
    }
}

#[test]
fn a_status_that_is_no_answer_is_refused_on_envoy() {
    let said = Gateway::envoy().with(|profile| profile.environment("GATEHOUSE_HOST", "envoy"));
    let proxy = start(&said, json!({"status_code": 199}));
    assert!(
        proxy.rejected().is_some_and(|log| log.contains("status_code: found an interim status")),
        "{:?}",
        proxy.rejected()
    );
    assert_eq!(start(&said, json!({"status_code": 200})).rejected(), None);
}

#[test]
fn a_refusal_of_the_gate_keeps_its_content_type_where_the_operators_body_has_none() {
    for gateway in Gateway::all() {
        let settings = json!({"body": "gone", "match": {"paths": ["/a"]}});
        let reply = ended(&gateway, settings.clone(), Request::get("/a"));
        assert_eq!((reply.status, reply.header("content-type")), (503, None), "{}", gateway.name);
        let reply = ended(&gateway, settings, Request::get("/%2f"));
        let found = (reply.status, reply.header("content-type"));
        assert_eq!(found, (400, JSON.map(str::to_owned)), "{}", gateway.name);
    }
}
