//! Changes of request bodies by request_transformer.

use super::{arrives, form, json_body, line, start};
use crate::gateways::{Gateway, refusal};
use serde_json::{Value, json};
use wasm_tests::{Request, merged, refused_with};

#[test]
fn bodies_change_as_their_type_says() {
    let multipart = |fields: &[(&str, &str)]| {
        let part = |(name, value): &(&str, &str)| {
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        format!("{}--XX--\r\n", fields.iter().map(part).collect::<String>())
    };
    let parts = |fields: &[(&str, &str)]| {
        Request::post("/request", multipart(fields))
            .header("content-type", "multipart/form-data; boundary=XX")
    };
    let remove = json!({"remove": {"body": ["toremoveform"]}});
    let rename = json!({"rename": {"body": ["originalparam:renamedparam"]}});
    let replace = json!({"replace": {"body": ["p1:v1"]}});
    let add = json!({"add": {"body": ["p1:v1"]}});
    let append = json!({"append": {"body": ["p1:v1", "p1:v2", "p2:value:1"]}});
    for gateway in Gateway::giving_bodies() {
        for (settings, request, expected) in [
            (&remove, form("toremoveform=yes&nottoremove=yes"), "nottoremove=yes".to_owned()),
            (
                &remove,
                json_body(r#"{"toremoveform":"yes","nottoremove":"yes"}"#),
                r#"{"nottoremove":"yes"}"#.into(),
            ),
            (
                &remove,
                parts(&[("toremoveform", "yes"), ("nottoremove", "yes")]),
                multipart(&[("nottoremove", "yes")]),
            ),
            (&add, json_body("malformed json body"), "malformed json body".into()),
            (&remove, json_body(r#"{"emptyarray":[]}"#), r#"{"emptyarray":[]}"#.into()),
            (&rename, form("originalparam=yes"), "renamedparam=yes".into()),
            (&rename, form("x-a-header=true"), "x-a-header=true".into()),
            (
                &rename,
                json_body(r#"{"originalparam":"yes","n":1.0}"#),
                r#"{"renamedparam":"yes","n":1.0}"#.into(),
            ),
            (
                &rename,
                parts(&[("originalparam", "yes"), ("n", "1")]),
                multipart(&[("renamedparam", "yes"), ("n", "1")]),
            ),
            (&replace, form("p1=v&p2=v1"), "p1=v1&p2=v1".into()),
            (&replace, form("p2=v1"), "p2=v1".into()),
            (&replace, json_body(r#"{"p1":"v","p2":"v1"}"#), r#"{"p1":"v1","p2":"v1"}"#.into()),
            (
                &replace,
                parts(&[("p1", "v"), ("p2", "v1")]),
                multipart(&[("p1", "v1"), ("p2", "v1")]),
            ),
            (&add, form("hello=world"), "hello=world&p1=v1".into()),
            (&add, form("p1=stays"), "p1=stays".into()),
            (&add, json_body(r#"{"p1":"stays"}"#), r#"{"p1":"stays"}"#.into()),
            (&add, json_body("{}"), r#"{"p1":"v1"}"#.into()),
            (&add, parts(&[]), multipart(&[("p1", "v1")])),
            (&append, form("p1=v0"), "p1=v0&p1=v1&p1=v2&p2=value%3A1".into()),
            (
                &append,
                json_body(r#"{"p1":"v0"}"#),
                r#"{"p1":["v0","v1","v2"],"p2":["value:1"]}"#.into(),
            ),
            (
                &append,
                parts(&[("p1", "This should not change")]),
                multipart(&[("p1", "This should not change")]),
            ),
            (
                &add,
                Request::post("/request", "text").header("content-type", "text/plain"),
                "text".into(),
            ),
        ] {
            let stream = start(&gateway, settings.clone()).send(request.clone());
            let got = stream.forwarded();
            assert!(got.complete);
            assert_eq!(got.text(), expected, "{} {settings} {request:?}", gateway.name);
            assert_eq!(
                got.header("content-length"),
                Some(expected.len().to_string()),
                "{}",
                gateway.name
            );
        }
    }
}

#[test]
fn a_body_of_unknown_length_is_changed_too() {
    for gateway in Gateway::giving_bodies() {
        let request = form("").chunks(&[b"hello=", b"wor", b"ld"]);
        let stream = start(&gateway, json!({"add": {"body": ["p1:v1"]}})).send(request);
        assert_eq!(stream.forwarded().text(), "hello=world&p1=v1", "{}", gateway.name);
    }
}

#[test]
fn kong_makes_a_body_where_there_was_none() {
    let settings = json!({"http_method": "POST", "add": {"headers": ["Content-Type:application/json"], "body": ["body:somecontent"]}});
    let arrived = arrives(&Gateway::kong(), settings.clone(), Request::get("/request"));
    assert_eq!(arrived, line("POST", "/request", r#"{"body":"somecontent"}"#));
    let arrived = arrives(&Gateway::envoy_holding(), settings, Request::get("/request"));
    assert_eq!(arrived, line("POST", "/request", ""));
}

#[test]
fn a_body_that_kong_put_into_a_file_is_refused_and_nothing_else_is() {
    let large = format!("a={}", "x".repeat(20_000));
    let kong = Gateway::kong();
    let stream = start(&kong, json!({"add": {"body": ["p1:v1"]}})).send(form(&large));
    assert_eq!(stream.refused().status, 413);
    let arrived = arrives(&kong, json!({"add": {"querystring": ["p1:v1"]}}), form(&large));
    assert_eq!(arrived, line("POST", "/request?p1=v1", &large));
}

#[test]
fn envoy_is_told_that_bodies_need_its_option() {
    let said = Gateway::envoy().with(|profile| profile.environment("GATEHOUSE_HOST", "envoy"));
    let proxy = said.start(&[("request_transformer", json!({"append": {"body": ["a:b"]}}))]);
    assert!(
        proxy.rejected().is_some_and(|log| log.contains("append.body: found without")),
        "{:?}",
        proxy.rejected()
    );
}

#[test]
fn the_signature_behind_it_is_of_what_it_has_made() {
    let key = include_str!("../../../../filters/upstream-jwt/test-keys/rsa.pem");
    for gateway in Gateway::both() {
        let proxy = gateway.start(&[
            (
                "request_transformer",
                json!({"add": {"querystring": ["a:1"]}, "remove": {"querystring": ["b"]}}),
            ),
            ("upstream_jwt", json!({"private_key": key, "query_hash": true})),
        ]);
        let stream = proxy.send(Request::get("/?b=2"));
        let token = stream.forwarded().header("authorization").unwrap();
        let token = jose::Token::parse(token.strip_prefix("Bearer ").unwrap().as_bytes()).unwrap();
        let hash = &token.claims()["kong"]["request"]["queryhash"];
        assert_eq!(hash, &json!(jose::hash::sha256_hex(b"a=1")), "{}", gateway.name);
    }
}

/// Settings that remove a body field.
fn without_role() -> Value {
    json!({"remove": {"body": ["role"]}})
}

#[test]
fn a_body_that_cannot_be_changed_does_not_pass_as_it_is() {
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice();
    for gateway in Gateway::giving_bodies() {
        let typed = |body: &[u8], content_type: &str| {
            Request::post("/request", body).header("content-type", content_type)
        };
        for (request, status, message) in [
            (
                typed(gzip, "application/json").header("content-encoding", "gzip"),
                415,
                "Unsupported media type",
            ),
            (typed(b"role=admin", "text/plain"), 415, "Unsupported media type"),
            (Request::post("/request", "role=admin"), 415, "Unsupported media type"),
            (json_body(r#"{"role":"admin",}"#), 400, "Bad request body"),
            (json_body(r#"[{"role":"admin"}]"#), 400, "Bad request body"),
            (typed(b"{\"role\":\"\xff\"}", "application/json"), 400, "Bad request body"),
            (form("a=1;role=admin"), 400, "Bad request body"),
            (form("a=1&+role=admin"), 400, "Bad request body"),
        ] {
            let told = format!("{} {request:?}", gateway.name);
            let stream = start(&gateway, without_role()).send(request.clone());
            assert_eq!(refusal(&stream), refused_with(status, message), "{told}");
            let open = merged(without_role(), json!({"unreadable_body": "pass"}));
            assert!(start(&gateway, open).send(request).forwarded().complete, "{told}");
        }
        for (content_type, body, left) in [
            ("application/json", "\u{feff}{\"role\":1,\"a\":2}", "{\"a\":2}"),
            ("application/vnd.api+json", r#"{"role":1,"role":2}"#, "{}"),
            (
                "multipart/form-data; boundary=\"X X\"",
                "--X X\r\nContent-Disposition: form-data; filename=\"a;b\";\r\n name=\"role\"\r\n\r\n1\r\n--X X--\r\n",
                "--X X--\r\n",
            ),
        ] {
            let request = typed(body.as_bytes(), content_type);
            let (_, _, arrived) = arrives(&gateway, without_role(), request);
            assert_eq!(arrived, left, "{} {content_type}", gateway.name);
        }
    }
}

#[test]
fn an_empty_body_stays_empty_where_nothing_is_added() {
    let settings = json!({"remove": {"body": ["a"]}, "rename": {"body": ["b:c"]}, "replace": {"body": ["d:e"]}});
    for gateway in Gateway::giving_bodies() {
        for content_type in [
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=X",
        ] {
            let request = Request::new("POST", "/request").header("content-type", content_type);
            let empty = request.clone().chunks(&[b""]);
            for request in [request, empty] {
                let arrived = arrives(&gateway, settings.clone(), request);
                assert_eq!(
                    arrived,
                    line("POST", "/request", ""),
                    "{} {content_type}",
                    gateway.name
                );
            }
        }
    }
}

#[test]
fn a_get_that_becomes_a_post_has_a_body_where_the_gateway_can_make_one() {
    let settings = json!({"http_method": "POST", "add": {"body": ["a:1"]}});
    let kong = Gateway::kong();
    let stream = start(&kong, settings.clone()).send(Request::get("/request"));
    let got = stream.forwarded();
    assert_eq!((got.method.as_str(), got.text().as_str()), ("POST", "a=1"));
    assert_eq!(got.headers_named("content-type"), ["application/x-www-form-urlencoded"]);
    let envoy = Gateway::envoy_holding();
    assert_eq!(arrives(&envoy, settings, Request::get("/request")), line("POST", "/request", ""));
}
