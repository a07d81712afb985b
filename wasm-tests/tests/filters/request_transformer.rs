//! request_transformer on the pretend gateways: the requests at the upstream.

mod bodies;

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
fn the_identity_comes_from_the_gateway() {
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
fn a_copy_that_kong_would_forward_is_refused_there() {
    let twice = || Request::get("/").header("X-A", "1").header("x-a", "2");
    let settings = json!({"remove": {"headers": ["x-a"]}});
    let envoy = Gateway::envoy();
    taken_out(&envoy, &start(&envoy, settings.clone()).send(twice()), "x-a");
    let kong = Gateway::kong();
    let stream = start(&kong, settings).send(twice());
    assert_eq!(refusal(&stream), refused_with(400, "Header x-a must not be sent more than once"));
}
