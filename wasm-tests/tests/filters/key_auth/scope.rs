//! `match`: the requests that a filter applies to, by the properties that each gateway provides.

use super::keys::inline;
use crate::gateways::{Gateway, refusal, taken_out};
use serde_json::{Value, json};
use wasm_tests::{KongVersion, Proxy, Request, refused_with};

fn start(gateway: &Gateway, matching: Value) -> Proxy {
    gateway.start(&[("key_auth", inline(json!({"match": matching})))])
}

/// Returns `true` if the filter applies to the request, which has no key and is then refused.
#[track_caller]
fn judged(proxy: &Proxy, request: Request) -> bool {
    let stream = proxy.send(request);
    match stream.outcome().local {
        true => {
            assert_eq!(refusal(&stream), refused_with(401, "No API key found in request"));
            true
        }
        false => {
            stream.forwarded();
            false
        }
    }
}

#[test]
fn paths_hosts_and_methods_say_which_requests_need_a_key() {
    for gateway in Gateway::all() {
        let proxy = start(&gateway, json!({"paths": ["/orders", "/a/b"]}));
        for (path, expected) in [
            ("/orders", true),
            ("/orders/", true),
            ("/orders/7?x=/y", true),
            ("/%6frders", true),
            ("/x/../orders", true),
            ("//orders", true),
            ("/./a//b/c", true),
            ("/ordersx", false),
            ("/Orders", false),
            ("/a", false),
            ("/", false),
            ("/other?path=/orders", false),
        ] {
            assert_eq!(judged(&proxy, Request::get(path)), expected, "{}: {path}", gateway.name);
        }

        let proxy = start(&gateway, json!({"hosts": ["api.example.com", "*.example.org"]}));
        for (host, expected) in [
            ("api.example.com", true),
            ("API.Example.com:8443", true),
            ("x.y.example.org", true),
            ("example.org", false),
            ("example.com", false),
            ("api.example.com.evil", false),
        ] {
            let request = Request::get("/").host(host);
            assert_eq!(judged(&proxy, request), expected, "{}: {host}", gateway.name);
        }

        let proxy = start(&gateway, json!({"methods": ["POST"], "paths": ["/orders"]}));
        assert!(judged(&proxy, Request::post("/orders", "x")));
        assert!(!judged(&proxy, Request::get("/orders")));
        assert!(!judged(&proxy, Request::post("/", "x")));
    }
}

#[test]
fn a_path_that_servers_read_differently_is_refused() {
    for gateway in Gateway::all() {
        let proxy = start(&gateway, json!({"paths": ["/orders"]}));
        for path in
            ["/orders%2f7", "/%zz", "/orders%5C", "/..%2forders", "/%", "/x%00", "/../orders"]
        {
            let stream = proxy.send(Request::get(path).header("apikey", "right"));
            assert_eq!(
                refusal(&stream),
                refused_with(400, "Bad request path"),
                "{}: {path}",
                gateway.name
            );
        }
    }
}

#[test]
fn routes_and_services_match_by_what_the_gateway_calls_them() {
    let names = [
        (Gateway::envoy(), vec!["route"], vec!["service"]),
        (
            Gateway::kong(),
            vec!["route", "aaaaaaaa-0000-4000-8000-000000000001"],
            vec!["service", "bbbbbbbb-0000-4000-8000-000000000001"],
        ),
        (
            Gateway::kong_of(KongVersion::V3_4),
            vec!["aaaaaaaa-0000-4000-8000-000000000001"],
            vec!["bbbbbbbb-0000-4000-8000-000000000001"],
        ),
    ];
    for (gateway, routes, services) in names {
        for route in routes {
            assert!(judged(&start(&gateway, json!({"routes": [route, "x"]})), Request::get("/")));
        }
        for service in services {
            assert!(judged(&start(&gateway, json!({"services": [service]})), Request::get("/")));
        }
        for elsewhere in [json!({"routes": ["x"]}), json!({"services": ["x"]})] {
            let proxy = start(&gateway, elsewhere);
            assert!(!judged(&proxy, Request::get("/")), "{}", gateway.name);
            let stream = proxy.send(Request::get("/").header("X-Consumer-ID", "forged"));
            taken_out(&gateway, &stream, "x-consumer-id");
        }
    }
}

#[test]
fn from_kong_3_6_to_3_8_the_name_of_a_route_is_in_the_route_itself() {
    for version in [KongVersion::V3_6, KongVersion::V3_7, KongVersion::V3_8] {
        let proxy = start(&Gateway::kong_of(version), json!({"routes": ["orders"]}));
        let named = |name: &str| {
            Request::get("/").property("kong.router.route", json!({"name": name}).to_string())
        };
        assert!(judged(&proxy, named("orders")));
        assert!(!judged(&proxy, named("others")));
    }
}

#[test]
fn a_route_that_cannot_be_named_lets_nothing_through() {
    let gateway = Gateway::envoy().with(|profile| profile.route_name(None).cluster_name(None));
    for unknown in [json!({"routes": ["route"]}), json!({"services": ["service"]})] {
        let proxy = start(&gateway, unknown);
        let stream = proxy.send(Request::get("/").header("apikey", "right"));
        assert_eq!(refusal(&stream), refused_with(500, "An unexpected error occurred"));
    }
}
