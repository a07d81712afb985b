//! request_transformer on a real Envoy.

use super::Gateway;
use serde_json::json;
use wasm_tests::real::{Echo, Filter, Proxy, RawRequest, Setup};
use wasm_tests::refused_with;

#[test]
fn envoy_chooses_the_route_of_the_new_path() {
    let gateway = Gateway::start("request_transformer", json!({"replace": {"uri": "/elsewhere"}}));
    assert_eq!(gateway.refused(&RawRequest::get("/")).0, 418);
}

#[test]
fn headers_query_path_and_method_change() {
    let gateway = Gateway::start(
        "request_transformer",
        json!({
            "http_method": "PUT",
            "uri_pattern": r"/requests/user1/(?<user1>\w+)/user2/(?<user2>\S+)",
            "remove": {"headers": ["x-to-remove"], "querystring": ["q1"]},
            "rename": {"headers": ["x-to-rename:x-is-renamed"], "querystring": ["old:new"]},
            "replace": {"headers": ["Host:other.test", "h1:v1"], "uri": "/user2/$(uri_captures.user2)/user1/$(uri_captures.user1)"},
            "add": {"headers": ["x-q1:$(query_params.q1)"], "querystring": ["host:$(headers.host)"]},
            "append": {"headers": ["x-added:a1", "X-aDDed:a2"]},
        }),
    );
    let request = RawRequest::get("/requests/user1/foo/user2/bar?q1=20&old=%7e&x=$&+,")
        .header("x-to-remove", "1")
        .header("X-To-Remove", "2")
        .header("x-to-rename", "new-result")
        .header("x-is-renamed", "old-result")
        .header("h1", "V");
    let got = gateway.passed(&request);
    assert_eq!(got.method(), "PUT");
    assert_eq!(got.path(), "/user2/bar/user1/foo?new=%7e&x=$&+,&host=gateway.test");
    for (name, values) in [
        ("x-to-remove", &[][..]),
        ("x-to-rename", &[]),
        ("x-is-renamed", &["new-result"]),
        ("h1", &["v1"]),
        ("host", &["other.test"]),
        ("x-q1", &["20"]),
        ("x-added", &["a1", "a2"]),
    ] {
        assert_eq!(got.all(name), values, "{name}");
    }
}

#[test]
fn a_value_stays_in_its_place() {
    let gateway = Gateway::start(
        "request_transformer",
        json!({
            "add": {"headers": ["x-a:$(query_params.v)"], "querystring": ["b:$(query_params.v)"]},
            "replace": {"uri": "/tenants/$(headers.tenant or 'none')"},
        }),
    );
    let got = gateway.passed(
        &RawRequest::get("/?v=1%0d%0aX-Admin:%20true%26admin=1%23").header("tenant", "a?b"),
    );
    assert_eq!(
        (got.header("x-admin"), got.header("x-a").as_deref()),
        (None, Some("1%0D%0AX-Admin: true&admin=1#"))
    );
    assert_eq!(
        got.path(),
        "/tenants/a%3Fb?v=1%0d%0aX-Admin:%20true%26admin=1%23&b=1%0D%0AX-Admin%3A%20true%26admin%3D1%23"
    );
    let climbing = RawRequest::get("/").header("tenant", "../admin");
    assert_eq!(gateway.refused(&climbing), refused_with(400, "Bad request path"));
}

#[test]
fn bodies_change_where_envoy_holds_the_headers() {
    let settings = json!({"allow_on_headers_stop_iteration": true, "remove": {"body": ["secret"]},
        "rename": {"body": ["old:new"]}, "add": {"body": ["p1:v1"], "headers": ["x-early:1"]}, "append": {"body": ["p1:v2"]}});
    let gateway =
        Gateway::with(vec![Filter::new("request_transformer", &settings).holding_headers(true)]);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let json_type = ("content-type", "application/json");
    let large = format!("{{\"old\":\"{}\"}}", "x".repeat(200_000));
    for ((name, value), sent, arrives) in [
        (form, "secret=1&old=%7e&a=b", "new=%7e&a=b&p1=v1&p1=v2".to_owned()),
        (
            json_type,
            r#"{"secret":1,"old":[],"n":1.10}"#,
            r#"{"new":[],"n":1.10,"p1":["v1","v2"]}"#.into(),
        ),
        (
            json_type,
            &large,
            large.replace("old", "new").replace("\"}", "\",\"p1\":[\"v1\",\"v2\"]}"),
        ),
    ] {
        for chunked in [false, true] {
            let request = RawRequest::post("/", sent).header(name, value);
            let got = gateway.passed(&if chunked { request.chunked() } else { request });
            assert_eq!(got.text(), arrives, "{value}");
            assert_eq!(got.header("x-early").as_deref(), Some("1"));
        }
    }
    // A value to be removed from a body that cannot be read does not pass.
    for ((name, value), sent, status) in
        [(json_type, "malformed", 400), (("content-type", "text/plain"), "old=1", 415)]
    {
        let answer = gateway.send(&RawRequest::post("/", sent).header(name, value));
        assert_eq!(answer.status(), status, "{value}: {}", answer.text());
    }
    let multipart =
        "--XX\r\nContent-Disposition: form-data; name=\"secret\"\r\n\r\n1\r\n--XX--\r\n";
    let got = gateway.passed(
        &RawRequest::post("/", multipart)
            .header("content-type", "multipart/form-data; boundary=XX"),
    );
    assert_eq!(
        got.text(),
        "--XX\r\nContent-Disposition: form-data; name=\"p1\"\r\n\r\nv1\r\n--XX--\r\n"
    );

    let too_much =
        RawRequest::post("/", format!("a={}", "x".repeat(3 << 20))).header(form.0, form.1);
    let before = gateway.echo.count();
    assert_eq!((gateway.send(&too_much).status(), gateway.echo.count()), (413, before));
    // There is no body, and none can be made.
    assert_eq!(gateway.passed(&RawRequest::get("/").header(form.0, form.1)).text(), "");
}

#[test]
fn a_form_becomes_a_part_of_the_query() {
    let settings = json!({"allow_on_headers_stop_iteration": true, "http_method": "GET"});
    let gateway =
        Gateway::with(vec![Filter::new("request_transformer", &settings).holding_headers(true)]);
    let got = gateway.passed(
        &RawRequest::post("/request?hello=world", "name=marco")
            .header("content-type", "application/x-www-form-urlencoded"),
    );
    assert_eq!((got.method(), got.path()), ("GET", "/request?hello=world&name=marco"));
}

#[test]
fn without_the_option_changes_to_bodies_are_rejected() {
    let filter = Filter::new("request_transformer", &json!({"add": {"body": ["a:b"]}}));
    let log = Proxy::try_start(&Setup::new(Echo::start().address(), vec![filter]))
        .err()
        .expect("a refusal");
    assert!(log.contains("add.body: found without `allow_on_headers_stop_iteration`"), "{log}");
}
