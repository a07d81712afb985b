//! The places of keys, the accepted keys, and the form of a refusal.

use crate::gateways::{Gateway, asking, message, refusal, taken_out};
use serde_json::{Value, json};
use wasm_tests::{KongVersion, Request, Stream, refused_with};

/// Settings with one consumer and one key.
pub fn inline(more: Value) -> Value {
    let consumers = json!([{
        "id": "1", "username": "ana", "custom_id": "c7", "groups": ["a"],
        "keyauth_credentials": [{"id": "cred", "key": "right"}],
    }]);
    wasm_tests::merged(json!({"consumers": consumers}), more)
}

fn send(gateway: &Gateway, settings: Value, request: Request) -> Stream {
    gateway.start(&[("key_auth", settings)]).send(request)
}

#[test]
fn a_right_key_is_let_through_wherever_it_may_be() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[("key_auth", inline(json!({})))]);
        for request in [
            Request::get("/orders").header("apikey", "right"),
            Request::get("/orders").header("ApiKey", "right"),
            Request::get("/orders?apikey=right"),
            Request::get("/orders?a=b&api%6bey=r%69ght&c"),
            Request::new("OPTIONS", "/orders").header("apikey", "right"),
        ] {
            let stream = proxy.send(request);
            let forwarded = stream.forwarded();
            assert_eq!(forwarded.header("x-consumer-id").as_deref(), Some("1"), "{}", gateway.name);
            assert_eq!(forwarded.header("x-consumer-username").as_deref(), Some("ana"));
            assert_eq!(forwarded.header("x-consumer-custom-id").as_deref(), Some("c7"));
            assert_eq!(forwarded.header("x-credential-identifier").as_deref(), Some("cred"));
            assert_eq!(forwarded.header("x-anonymous-consumer"), None);
            assert_eq!(stream.outcome().callouts, 0);
        }
    }
}

#[test]
fn every_refusal_says_what_kong_says() {
    let long = "x".repeat(64 * 1024);
    let no_key = refused_with(401, "No API key found in request");
    let twice = refused_with(401, "Duplicate API key found");
    let unknown = refused_with(401, "Unauthorized");
    let get = Request::get;
    let cases: Vec<(&str, Request, &(u16, String))> = vec![
        ("none", get("/"), &no_key),
        ("empty header", get("/").header("apikey", ""), &no_key),
        ("empty parameter", get("/?apikey="), &no_key),
        ("flag", get("/?apikey"), &no_key),
        ("list", get("/?apikey[]=right&apikey%5B1%5D=right"), &no_key),
        ("another name", get("/?api_key=right").header("key", "right"), &no_key),
        ("two headers", get("/").header("apikey", "right").header("apikey", "right"), &twice),
        ("two parameters", get("/?apikey=right&apikey=right"), &twice),
        ("parameter and flag", get("/?apikey&apikey=right"), &twice),
        ("wrong", get("/").header("apikey", "wrong"), &unknown),
        ("wrong parameter", get("/?apikey=wrong"), &unknown),
        ("no fall-through", get("/?apikey=right").header("apikey", "wrong"), &unknown),
        ("longer", get("/").header("apikey", "right "), &unknown),
        ("other case", get("/").header("apikey", "Right"), &unknown),
        ("comma", get("/").header("apikey", "right,right"), &unknown),
        ("not text", get("/").header("apikey", b"\xff\xfe"), &unknown),
        ("not text after", get("/").header("apikey", b"right\xff"), &unknown),
        ("64 KiB", get("/").header("apikey", &long), &unknown),
    ];
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[("key_auth", inline(json!({})))]);
        for (what, request, expected) in &cases {
            let stream = proxy.send(request.clone());
            assert_eq!(&refusal(&stream), *expected, "{}: {what}", gateway.name);
            let challenge = stream.refused().header("www-authenticate");
            assert_eq!(challenge.as_deref(), Some("Key"), "{what}");
            assert_eq!(
                stream.refused().header("content-type").as_deref(),
                Some("application/json; charset=utf-8")
            );
        }
    }
}

#[test]
fn a_refusal_has_kongs_bytes_and_the_requests_own_id() {
    for gateway in Gateway::both() {
        let stream = send(&gateway, inline(json!({"realm": "my api"})), Request::get("/"));
        let reply = stream.refused();
        assert_eq!(reply.header("www-authenticate").as_deref(), Some(r#"Key realm="my api""#));
        let document = reply.document();
        let id = document["request_id"].as_str().unwrap();
        assert!(id.len() >= 32, "{id}");
        assert_eq!(
            reply.text().trim_end(),
            format!(
                "{{\n  \"message\":\"No API key found in request\",\n  \"request_id\":\"{id}\"\n}}"
            )
        );
    }
}

#[test]
fn a_refusal_takes_the_form_that_the_client_prefers() {
    for gateway in Gateway::both() {
        let proxy = gateway.start(&[("key_auth", inline(json!({})))]);
        for (accept, content_type) in [
            ("text/html", "text/html; charset=utf-8"),
            ("text/plain;q=0.5, application/xml", "application/xml; charset=utf-8"),
            ("text/plain", "text/plain; charset=utf-8"),
            ("image/png", "application/json; charset=utf-8"),
        ] {
            let reply = proxy.send(Request::get("/").header("accept", accept)).refused();
            assert_eq!(reply.header("content-type").as_deref(), Some(content_type), "{accept}");
            assert!(reply.text().contains("No API key found in request"));
        }
    }
}

#[test]
fn an_underscore_is_a_dash_in_a_headers_name_only() {
    for gateway in Gateway::both() {
        let proxy =
            gateway.start(&[("key_auth", inline(json!({"key_names": ["api-key", "k_2"]})))]);
        for name in ["api-key", "api_key", "API_Key", "k-2", "K_2"] {
            proxy.send(Request::get("/").header(name, "right")).forwarded();
        }
        let both = Request::get("/").header("api-key", "right").header("api_key", "right");
        assert_eq!(refusal(&proxy.send(both)), refused_with(401, "Duplicate API key found"));
        let none = refused_with(401, "No API key found in request");
        assert_eq!(refusal(&proxy.send(Request::get("/?api_key=right"))), none);
    }
}

#[test]
fn names_are_tried_in_order_and_the_first_value_decides() {
    for gateway in Gateway::both() {
        let proxy = gateway.start(&[("key_auth", inline(json!({"key_names": ["one", "two"]})))]);
        proxy.send(Request::get("/?two=right")).forwarded();
        proxy.send(Request::get("/?one=right").header("two", "wrong")).forwarded();
        let wrong_first = Request::get("/?two=right").header("one", "wrong");
        assert_eq!(refusal(&proxy.send(wrong_first)), refused_with(401, "Unauthorized"));
        let empty_first = Request::get("/?two=right").header("one", "");
        assert_eq!(
            refusal(&proxy.send(empty_first)),
            refused_with(401, "No API key found in request")
        );
    }
}

/// The content of one place of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Nothing,
    Right,
    Wrong,
}

#[test]
fn the_first_allowed_place_that_holds_a_key_decides() {
    use Given::{Nothing, Right, Wrong};
    let configurations = ["ttt", "ttf", "tff", "fff", "fft", "tft", "ftf"];
    let values = [Nothing, Right, Wrong];
    let key = |given| if given == Right { "right" } else { "wrong" };
    let mut rows = 0;
    for gateway in Gateway::giving_bodies() {
        for places in configurations {
            let allowed: Vec<bool> = places.chars().map(|c| c == 't').collect();
            let proxy = gateway.start(&[(
                "key_auth",
                inline(json!({
                    "key_in_header": allowed[0], "key_in_query": allowed[1], "key_in_body": allowed[2],
                    "allow_on_headers_stop_iteration": !gateway.is_kong(),
                })),
            )]);
            for header in values {
                for query in values {
                    for body in values {
                        let path = match query {
                            Nothing => "/orders".to_owned(),
                            given => format!("/orders?apikey={}", key(given)),
                        };
                        let text = match body {
                            Nothing => "a=b".to_owned(),
                            given => format!("a=b&apikey={}", key(given)),
                        };
                        let mut request = Request::post(&path, &text)
                            .header("content-type", "application/x-www-form-urlencoded");
                        if header != Nothing {
                            request = request.header("apikey", key(header));
                        }
                        let stream = proxy.send(request);
                        let what = format!(
                            "{} /{places}: header {header:?}, query {query:?}, body {body:?}",
                            gateway.name
                        );
                        let decides = [header, query, body]
                            .into_iter()
                            .zip(&allowed)
                            .find(|(given, allowed)| **allowed && *given != Nothing);
                        match decides {
                            Some((Right, _)) => {
                                let forwarded = stream.forwarded();
                                assert_eq!(forwarded.text(), text, "{what}");
                                assert!(forwarded.complete, "{what}");
                            }
                            Some((_, _)) => {
                                assert_eq!(
                                    refusal(&stream),
                                    refused_with(401, "Unauthorized"),
                                    "{what}"
                                );
                            }
                            None => assert_eq!(
                                refusal(&stream),
                                refused_with(401, "No API key found in request"),
                                "{what}"
                            ),
                        }
                        rows += 1;
                    }
                }
            }
        }
    }
    assert_eq!(rows, 2 * 7 * 27);
}

#[test]
fn a_hidden_key_reaches_nobody_and_the_query_keeps_its_order_and_spelling() {
    for gateway in Gateway::all().into_iter().chain(KongVersion::ALL.map(Gateway::kong_of)) {
        let proxy = gateway.start(&[("key_auth", inline(json!({"hide_credentials": true})))]);

        let stream = proxy.send(Request::get("/a%20b?z=%7e&a=1").header("ApiKey", "right"));
        taken_out(&gateway, &stream, "apikey");
        assert_eq!(stream.forwarded().path, "/a%20b?z=%7e&a=1");

        for (given, left) in [
            ("/a%20b?z=%7e&api%6bey=right&a=1&b", "/a%20b?z=%7e&a=1&b"),
            ("/a%20b?apikey=right", "/a%20b"),
            ("/?b=2&apikey=right&a=1", "/?b=2&a=1"),
        ] {
            let stream = proxy.send(Request::get(given));
            assert_eq!(stream.forwarded().path, left, "{}", gateway.name);
        }

        // The key is found in the header, and the query loses its key as well.
        let stream = proxy.send(Request::get("/?apikey=other&x").header("apikey", "right"));
        taken_out(&gateway, &stream, "apikey");
        assert_eq!(stream.forwarded().path, "/?x");
    }
}

#[test]
fn a_key_is_not_hidden_unless_asked() {
    for gateway in Gateway::both() {
        let stream = send(&gateway, inline(json!({})), Request::get("/?apikey=right"));
        assert_eq!(stream.forwarded().path, "/?apikey=right");
        let stream = send(&gateway, inline(json!({})), Request::get("/").header("apikey", "right"));
        assert_eq!(stream.forwarded().header("apikey").as_deref(), Some("right"));
    }
}

#[test]
fn a_preflight_is_let_through_only_where_the_operator_says_so() {
    for gateway in Gateway::both() {
        let preflight = Request::new("OPTIONS", "/").header("X-Consumer-ID", "forged");
        let stream = send(&gateway, inline(json!({"run_on_preflight": false})), preflight.clone());
        taken_out(&gateway, &stream, "x-consumer-id");
        let stream = send(&gateway, inline(json!({})), preflight);
        assert_eq!(stream.refused().status, 401);
    }
}

#[test]
fn inline_keys_and_the_admin_service_work_side_by_side() {
    for gateway in Gateway::all() {
        let admin = crate::admin::Admin::default();
        admin.holder("bob", "key-of-bob");
        let proxy = gateway.serving(&admin, &[("key_auth", inline(asking(json!({}))))]);
        let ana = proxy.send(Request::get("/").header("apikey", "right"));
        assert_eq!(ana.forwarded().header("x-consumer-username").as_deref(), Some("ana"));
        assert!(admin.lookups().is_empty(), "an inline key needs no lookup");
        let bob = proxy.send(Request::get("/").header("apikey", "key-of-bob"));
        assert_eq!(bob.forwarded().header("x-consumer-username").as_deref(), Some("bob"));
        let nobody = proxy.send(Request::get("/").header("apikey", "nobodys"));
        assert_eq!(message(&nobody.refused()), "Unauthorized");
    }
}
