//! Bad input: the answer is a clear 4xx that names the field, and nothing is stored.

use serde_json::{Value, json};

use crate::client::{exchange, request};
use crate::on_both_databases;
use crate::program::Program;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

/// The collections and items that accept a body.
const TARGETS: [(&str, &str); 12] = [
    ("POST", "/consumers"),
    ("PUT", "/consumers/ana"),
    ("PATCH", "/consumers/fiona"),
    ("POST", "/consumers/fiona/appids"),
    ("PUT", "/consumers/fiona/appids"),
    ("PATCH", "/consumers/fiona/appids/Portal"),
    ("POST", "/consumers/fiona/acls"),
    ("PATCH", "/consumers/fiona/acls/gold"),
    ("POST", "/consumers/fiona/key-auth"),
    ("PATCH", "/consumers/fiona/key-auth/open_sesame"),
    ("POST", "/appids"),
    ("POST", "/key-auths"),
];

/// The state that bad input must not change.
fn state(program: &Program) -> Value {
    let lists = ["/consumers", "/appids", "/acls", "/key-auths"];
    json!(lists.map(|path| program.get(path).expect(200)))
}

fn furnished(program: &Program) -> Value {
    program.consumer("fiona");
    program.app_id("fiona", "Portal");
    program.group("fiona", "gold");
    program.key("fiona", "open_sesame");
    state(program)
}

fn a_body_that_cannot_be_parsed_is_400(program: &Program) {
    let before = furnished(program);
    let deep = "[".repeat(100_000);
    let nested = format!("{{\"username\":{}}}", "[".repeat(200));
    for (kind, body) in [
        (JSON, &b"{"[..]),
        (JSON, b"[]"),
        (JSON, b"null"),
        (JSON, b"\"text\""),
        (JSON, b"{} {}"),
        (JSON, b"{\"username\":\"a\",}"),
        (JSON, b"{\"username\":\"\xff\"}"),
        (JSON, b"{\"username\":\"\\ud800\"}"),
        (JSON, deep.as_bytes()),
        (JSON, nested.as_bytes()),
        (FORM, b"username=%"),
        (FORM, b"username=%zz"),
        (FORM, b"username=%ff"),
        (FORM, b"\xff=a"),
        (("content-type", "multipart/form-data"), b"--x"),
        (("content-type", "multipart/form-data; boundary=x"), b"--x\r\nnonsense"),
        (("content-type", "multipart/form-data; boundary=x"), b"nonsense"),
    ] {
        for (method, target) in TARGETS {
            let refused = program.send(method, target, &[kind], body).expect(400);
            assert!(refused["message"].is_string(), "{method} {target} {body:?}");
        }
    }
    assert_eq!(state(program), before);
}

fn the_field_that_is_wrong_is_named(program: &Program) {
    let before = furnished(program);
    for (method, target) in TARGETS {
        let refused = program.json(method, target, &json!({ "colour": "red" })).expect(400);
        assert_eq!(refused["fields"]["colour"], "unknown field", "{method} {target}");
        for wrong in [json!(1), json!(true), json!([]), json!({}), json!("x".repeat(1000))] {
            for field in ["username", "appid", "group", "key", "id"] {
                let refused = program.json(method, target, &json!({ field: wrong })).expect(400);
                assert!(
                    refused["fields"][field].is_string(),
                    "{method} {target} {field} {refused}"
                );
            }
        }
        let refused = program.form(method, target, "id=x&id=y").expect(400);
        assert_eq!(refused["fields"]["id"], "given more than once");
        let refused = program.send(method, target, &[JSON], b"{\"id\":1,\"id\":2}").expect(400);
        assert_eq!(refused["fields"]["id"], "given more than once");
    }
    assert_eq!(state(program), before);
}

fn every_field_that_is_wrong_is_named_at_once(program: &Program) {
    let body = json!({ "username": 1, "custom_id": "a\n", "tags": 2, "colour": 3, "id": "x" });
    let refused = program.json("POST", "/consumers", &body).expect(400);
    let names: Vec<_> = refused["fields"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["colour", "custom_id", "id", "tags", "username"]);
}

fn an_answer_does_not_grow_with_what_was_sent(program: &Program) {
    let many: Vec<String> = (0..50_000).map(|number| format!("field{number}=x")).collect();
    let long = format!("{}=x", "f".repeat(400_000));
    for body in [many.join("&"), long.clone(), format!("{long}&{long}")] {
        let refused = program.form("POST", "/consumers", &body);
        assert!(refused.text().len() < 4000, "{}", refused.text().len());
        refused.expect(400);
    }
}

fn an_answer_does_not_repeat_what_was_sent(program: &Program) {
    program.consumer("fiona");
    let target = "/consumers/fiona/key-auth";
    for body in [
        &b"{\"key\":\"very secret\n\"}"[..],
        b"{\"key\":[\"very secret\"]}",
        b"{\"key\":\"very secret\",\"ttl\":\"very secret\"}",
        b"{\"key\":\"very secret\" very secret}",
    ] {
        let refused = program.send("POST", target, &[JSON], body).expect(400);
        assert!(!refused.to_string().contains("very secret"), "{refused}");
    }
}

fn another_content_type_is_415(program: &Program) {
    let before = furnished(program);
    for (method, target) in TARGETS {
        for kind in ["text/plain", "application/xml", "application/jsonx", "", "text/html; json"] {
            program.send(method, target, &[("content-type", kind)], b"username=x").expect(415);
        }
        program.send(method, target, &[], b"username=x").expect(415);
    }
    assert_eq!(state(program), before);
    let kind = [("content-type", "Application/JSON; charset=utf-8")];
    program.send("POST", "/consumers", &kind, b"{\"username\":\"x\"}").expect(201);
}

fn a_body_over_one_mebibyte_is_413(program: &Program) {
    let before = furnished(program);
    let body = format!("username={}", "x".repeat(1024 * 1024));
    for (method, target) in TARGETS {
        program.form(method, target, &body).expect(413);
    }
    // Without a Content-Length, the service counts the bytes as they arrive.
    let head = "POST /consumers HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let sent = [head.to_owned(), chunk.repeat(17), "0\r\n\r\n".to_owned()].concat();
    exchange(program.address, sent.as_bytes()).unwrap().expect(413);
    // A body of exactly the maximum size is read, and refused for its content.
    let body = format!("username={}", "x".repeat(1024 * 1024 - 9));
    let refused = program.form("POST", "/consumers", &body).expect(400);
    assert_eq!(refused["fields"]["username"], "length must be at most 255");
    assert_eq!(state(program), before);
}

fn a_body_that_breaks_off_stores_nothing(program: &Program) {
    let before = furnished(program);
    let whole = request("POST", "/consumers", &[JSON], b"{\"username\":\"ana\"}");
    for missing in 1..17 {
        let mut stream = std::net::TcpStream::connect(program.address).unwrap();
        std::io::Write::write_all(&mut stream, &whole[..whole.len() - missing]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    }
    assert_eq!(state(program), before);
}

fn another_method_is_405(program: &Program) {
    furnished(program);
    for target in ["/consumers", "/consumers/fiona/appids", "/appids", "/changes", "/status"] {
        for method in ["DELETE", "OPTIONS", "TRACE", "BREW"] {
            let refused = program.send(method, target, &[], b"").expect(405);
            assert_eq!(refused, json!({ "message": "Method not allowed" }));
        }
    }
    program.send("POST", "/identities/consumers/fiona", &[], b"").expect(405);
    program.send("PUT", "/consumers", &[], b"").expect(405);
}

fn paths_of_gateway_configuration_point_to_the_gateway(program: &Program) {
    for path in [
        "/services",
        "/services/",
        "/services/a/routes",
        "/routes/x",
        "/plugins",
        "/apis/a/plugins",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let refused = program.send(method, path, &[], b"").expect(404);
            assert!(refused["message"].as_str().unwrap().contains("kong-config/"), "{path}");
        }
    }
    for path in ["/", "/nix", "/servicesx", "/consumers/fiona/nix", "/appids/x/y/z"] {
        assert_eq!(program.get(path).expect(404)["message"], "Not found", "{path}");
    }
}

on_both_databases!(
    a_body_that_cannot_be_parsed_is_400,
    the_field_that_is_wrong_is_named,
    every_field_that_is_wrong_is_named_at_once,
    an_answer_does_not_grow_with_what_was_sent,
    an_answer_does_not_repeat_what_was_sent,
    another_content_type_is_415,
    a_body_over_one_mebibyte_is_413,
    a_body_that_breaks_off_stores_nothing,
    another_method_is_405,
    paths_of_gateway_configuration_point_to_the_gateway,
);
