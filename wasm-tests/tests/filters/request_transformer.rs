//! request_transformer on the pretend gateways: the requests at the upstream.

use crate::gateways::{Gateway, identified, refusal, taken_out};
use serde_json::{Value, json};
use wasm_tests::{KongVersion, Proxy, Request, merged, refused_with};

fn start(gateway: &Gateway, settings: Value) -> Proxy {
    let holds = gateway.name == Gateway::envoy_holding().name;
    let holds = json!({"allow_on_headers_stop_iteration": holds});
    gateway.start(&[("request_transformer", merged(settings, holds))])
}

/// The request at the upstream: method, path, body.
#[track_caller]
fn arrives(gateway: &Gateway, settings: Value, request: Request) -> (String, String, String) {
    let stream = start(gateway, settings).send(request);
    let forwarded = stream.forwarded();
    assert!(forwarded.complete, "{}", gateway.name);
    (forwarded.method.clone(), forwarded.path.clone(), forwarded.text())
}

fn line(method: &str, path: &str, body: &str) -> (String, String, String) {
    (method.to_owned(), path.to_owned(), body.to_owned())
}

fn form(body: &str) -> Request {
    Request::post("/request", body).header("content-type", "application/x-www-form-urlencoded")
}

fn json_body(body: &str) -> Request {
    Request::post("/request", body).header("content-type", "application/json")
}

#[test]
fn headers_change_in_kongs_order() {
    let settings = json!({
        "remove": {"headers": ["x-to-remove", "Authorization"]},
        "rename": {"headers": ["x-to-rename:x-is-renamed"]},
        "replace": {"headers": ["x-to-replace:false", "x-absent:1"]},
        "add": {"headers": ["x-added:a1", "x-added2:b1", "x-added3:c2", "h2:value:2", "Authorization:Basic test"]},
        "append": {"headers": ["x-added:a2", "X-aDDed:a3"]},
    });
    for gateway in Gateway::all() {
        let request = Request::get("/request")
            .header("X-To-Remove", "true")
            .header("x-another-header", "true")
            .header("x-to-rename", "new-result")
            .header("X-Is-Renamed", "old-result")
            .header("x-to-replace", "true")
            .header("x-added3", "c1")
            .header("Authorization", "Basic dGVzdDp0ZXN0");
        let stream = start(&gateway, settings.clone()).send(request);
        let got = stream.forwarded();
        for (name, values) in [
            ("x-another-header", &["true"][..]),
            ("x-is-renamed", &["new-result"]),
            ("x-to-replace", &["false"]),
            ("x-absent", &[]),
            ("x-added", &["a1", "a2", "a3"]),
            ("x-added2", &["b1"]),
            ("x-added3", &["c1"]),
            ("h2", &["value:2"]),
            ("authorization", &["Basic test"]),
        ] {
            assert_eq!(got.headers_named(name), values, "{}: {name}", gateway.name);
        }
        taken_out(&gateway, &stream, "x-to-remove");
        taken_out(&gateway, &stream, "x-to-rename");
    }
}

#[test]
fn the_query_changes_in_kongs_order_and_the_rest_of_it_stays() {
    let settings = json!({
        "remove": {"querystring": ["toremovequery"]},
        "rename": {"querystring": ["originalparam:renamedparam"]},
        "replace": {"querystring": ["toreplacequery:no", "absent:1"]},
        "add": {"querystring": ["query-added:newvalue", "p1:anything:1"]},
        "append": {"querystring": ["p1:a2", "q1:30"]},
    });
    let sent = "/request?toremovequery=yes&nottoremove=%7e&toreplacequery=yes&q1=20&originalparam=true&x=$+,/:;";
    let kongs = KongVersion::ALL.map(Gateway::kong_of);
    for gateway in Gateway::all().into_iter().chain(kongs) {
        let expected = "/request?nottoremove=%7e&toreplacequery=no&q1=20&renamedparam=true&x=$+,/:;\
                        &query-added=newvalue&p1=anything%3A1&p1=a2&q1=30";
        let arrived = arrives(&gateway, settings.clone(), Request::get(sent));
        assert_eq!(arrived, line("GET", expected, ""), "{}", gateway.name);
    }
}

#[test]
fn nothing_that_is_not_named_changes() {
    for gateway in Gateway::all() {
        let query = "/request?expected=$&+,/:;?@&&a=%20+";
        for settings in [json!({}), json!({"remove": {"querystring": ["x"], "headers": ["x"]}})] {
            assert_eq!(arrives(&gateway, settings, Request::get(query)), line("GET", query, ""));
        }
    }
}

#[test]
fn method_and_path_change() {
    let users = r"/requests/user1/(?P<user1>\w+)/user2/(?P<user2>\S+)";
    for gateway in Gateway::all() {
        for (settings, request, expected) in [
            (
                json!({"http_method": "POST"}),
                Request::get("/request?hello=world"),
                line("POST", "/request?hello=world", ""),
            ),
            (
                json!({"http_method": "GET"}),
                form("name=marco").header("x", "y"),
                line("GET", "/request?name=marco", "name=marco"),
            ),
            (
                json!({"uri_pattern": users,
                    "replace": {"uri": "/requests/user2/$(uri_captures.user2)/user1/$(uri_captures.user1)"}}),
                Request::get("/requests/user1/foo/user2/bar?q=1"),
                line("GET", "/requests/user2/bar/user1/foo?q=1", ""),
            ),
            (
                json!({"uri_pattern": "/(gw/)?api/(?<subpath>htest)$",
                    "replace": {"uri": "/api/v2/$(uri_captures[\"subpath\"])"}}),
                Request::get("/gw/api/htest"),
                line("GET", "/api/v2/htest", ""),
            ),
            (
                json!({"uri_pattern": users, "add": {"querystring":
                    ["uri_param1:$(uri_captures.user1)", "uri_param2[some_index][1]:$(uri_captures.user2)"]}}),
                Request::get("/requests/user1/foo/user2/bar?q1=20"),
                line(
                    "GET",
                    "/requests/user1/foo/user2/bar?q1=20&uri_param1=foo&uri_param2%5Bsome_index%5D%5B1%5D=bar",
                    "",
                ),
            ),
            (
                json!({"uri_pattern": users,
                    "add": {"querystring": ["p:$(uri_captures.user1 or 'default1')"]}}),
                Request::get("/requests/"),
                line("GET", "/requests/?p=default1", ""),
            ),
        ] {
            assert_eq!(
                arrives(&gateway, settings.clone(), request),
                match gateway.name == Gateway::envoy().name {
                    // Without the option Envoy shows no body, and a form stays where it is.
                    true if settings == json!({"http_method": "GET"}) =>
                        line("GET", "/request", "name=marco"),
                    _ => expected,
                },
                "{} {settings}",
                gateway.name
            );
        }
    }
}

#[test]
fn the_host_is_changed_by_replace_alone() {
    for gateway in Gateway::all() {
        let sent = |settings: Value| {
            let stream = start(&gateway, settings).send(Request::get("/").host("came.test"));
            let got = stream.forwarded();
            got.header("host").or(got.header(":authority"))
        };
        let other = json!({"remove": {"headers": ["host"]}, "add": {"headers": ["Host:mark"]}, "append": {"headers": ["host:mark"]}});
        assert_eq!(sent(other), sent(json!({})), "{}", gateway.name);
        let replaced = sent(json!({"replace": {"headers": ["Host:other.$(headers.host)"]}}));
        assert_eq!(replaced.as_deref(), Some("other.came.test"), "{}", gateway.name);
    }
}

#[test]
fn templates_see_the_request_as_it_came() {
    let settings = json!({
        "remove": {"headers": ["x-remove-header"]},
        "replace": {"headers": ["x-replace-header:the new value"], "querystring": ["q2:$(headers['x-replace-header'])"]},
        "add": {"headers": ["x-test-header:$(headers['x-remove-header'])", "x-host:$(headers.host)",
                            "x-q:$(query_params.q2)", "x-literal:$('$(headers.host)')"]},
    });
    for gateway in Gateway::all() {
        let request = Request::get("/?q2=20")
            .host("test15.test")
            .header("x-remove-header", "its a test")
            .header("x-replace-header", "the old value");
        let stream = start(&gateway, settings.clone()).send(request);
        let got = stream.forwarded();
        assert_eq!(got.path, "/?q2=the%20old%20value", "{}", gateway.name);
        for (name, value) in [
            ("x-test-header", "its a test"),
            ("x-replace-header", "the new value"),
            ("x-host", "test15.test"),
            ("x-q", "20"),
            ("x-literal", "$(headers.host)"),
        ] {
            assert_eq!(got.headers_named(name), [value], "{}: {name}", gateway.name);
        }
        taken_out(&gateway, &stream, "x-remove-header");
    }
}

#[test]
fn who_is_calling_comes_from_the_gateway() {
    let settings = json!({"add": {"headers": ["X-Caller:$(consumer.id or 'nobody')"]}});
    for gateway in Gateway::all() {
        let proxy = start(&gateway, settings.clone());
        let caller = |request: Request| proxy.send(request).forwarded().header("x-caller");
        let forged = Request::get("/").header("X-Consumer-ID", "root");
        assert_eq!(caller(forged).as_deref(), Some("nobody"));
        assert_eq!(caller(identified(&gateway, "ana")).as_deref(), Some("ana"));
    }
}

#[test]
fn a_value_stays_in_its_place() {
    let settings = json!({
        "add": {"headers": ["x-a:$(query_params.v)"], "querystring": ["b:$(query_params.v)"]},
    });
    for gateway in Gateway::all() {
        let stream = start(&gateway, settings.clone())
            .send(Request::get("/?v=1%0d%0aX-Admin:%20true%26admin=1%23%00"));
        let got = stream.forwarded();
        assert_eq!(got.header("x-a").as_deref(), Some("1%0D%0AX-Admin: true&admin=1#%00"));
        assert_eq!(got.header("x-admin"), None);
        assert!(
            got.path.ends_with("&b=1%0D%0AX-Admin%3A%20true%26admin%3D1%23%00"),
            "{}",
            got.path
        );
        let path = json!({"replace": {"uri": "/tenants/$(headers.tenant)/orders"}});
        let proxy = start(&gateway, path);
        for tenant in ["../admin", "..", "a/b", "."] {
            let stream = proxy.send(Request::get("/").header("tenant", tenant));
            assert_eq!(refusal(&stream), refused_with(400, "Bad request path"), "{tenant}");
        }
        let stream = proxy.send(Request::get("/").header("tenant", "a?b#c"));
        assert_eq!(stream.forwarded().path, "/tenants/a%3Fb%23c/orders");
    }
}

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
fn a_copy_that_kong_would_forward_is_refused_there() {
    let twice = || Request::get("/").header("X-A", "1").header("x-a", "2");
    let settings = json!({"remove": {"headers": ["x-a"]}});
    let envoy = Gateway::envoy();
    taken_out(&envoy, &start(&envoy, settings.clone()).send(twice()), "x-a");
    let kong = Gateway::kong();
    let stream = start(&kong, settings).send(twice());
    assert_eq!(refusal(&stream), refused_with(400, "Header x-a must not be sent more than once"));
}

#[test]
fn the_signature_behind_it_is_of_what_it_has_made() {
    let key = include_str!("../../../filters/upstream-jwt/test-keys/rsa.pem");
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
