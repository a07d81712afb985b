//! Properties: names, values, phases, and what one filter leaves for another.

use crate::probe::{Do, Map, Probe, said};
use wasm_tests::{Callback, KongVersion, Profile, Proxy, Request, Response};

/// A Kong that declares the variable of the identity.
fn declaring() -> Profile {
    kong().variables(&["gatehouse_consumer"])
}

fn kong() -> Profile {
    Profile::kong(KongVersion::V3_9)
}

fn read(profile: Profile, request: Request, path: &'static str) -> String {
    let proxy =
        Proxy::new(profile, [Probe::on(Callback::RequestHeaders, &[Do::Property(path)]).filter()]);
    proxy.send(request);
    said(&proxy, path).remove(0)
}

#[test]
fn a_property_passes_to_a_later_filter_in_another_vm() {
    for (profile, path) in
        [(Profile::envoy(), "gatehouse_consumer"), (declaring(), "ngx/gatehouse_consumer")]
    {
        let set = Probe::on(Callback::RequestHeaders, &[Do::SetProperty(path, "ana")]);
        let get = Probe::on(Callback::ResponseHeaders, &[Do::Property(path)])
            .and(Callback::RequestHeaders, &[Do::Property(path)]);
        let chain = [set.named("set").vm_id("one"), get.named("get").vm_id("two")];
        let proxy = Proxy::new(profile, chain);
        let stream = proxy.send(Request::get("/"));
        stream.respond(Response::new(200));
        assert_eq!(said(&proxy, path), ["ana", "ana"]);
        // The value does not reach the next request.
        let other = Probe::on(Callback::RequestHeaders, &[Do::Property(path)]);
        let proxy = proxy.route([other.named("other")]);
        proxy.send(Request::get("/"));
        let unset = if path.starts_with("ngx") { "" } else { "status 1" };
        assert_eq!(said(&proxy, path).last().map(String::as_str), Some(unset));
    }
}

#[test]
fn several_segments_cannot_be_read_back_on_envoy() {
    let doing = [Do::SetProperty("a/b", "1"), Do::Property("a/b")];
    let proxy =
        Proxy::new(Profile::envoy(), [Probe::on(Callback::RequestHeaders, &doing).filter()]);
    proxy.send(Request::get("/"));
    assert_eq!(said(&proxy, "set a/b"), ["status 0"]);
    assert_eq!(said(&proxy, "a/b"), ["status 1"]);
}

#[test]
fn a_property_behind_lua_is_a_fault_outside_of_the_request_headers() {
    for doing in [
        Do::SetProperty("kong/ctx/shared/x", "1"),
        Do::Property("kong/ctx/shared/x"),
        Do::Property("kong/version"),
        Do::Property("kong.route_name"),
    ] {
        let faults = |callback| {
            let probe = Probe::on(callback, std::slice::from_ref(&doing));
            let proxy = Proxy::new(kong(), [probe.filter()]);
            let stream = proxy.send(Request::post("/", "abc"));
            stream.respond(Response::new(200).with_body("x"));
            proxy.faults().len()
        };
        assert_eq!(faults(Callback::RequestHeaders), 0);
        for callback in [
            Callback::RequestBody,
            Callback::ResponseHeaders,
            Callback::ResponseBody,
            Callback::Done,
            Callback::Log,
        ] {
            assert_eq!(faults(callback), 1, "{callback:?}");
        }
        let asks =
            Probe::on(Callback::RequestHeaders, &[Do::Call("127.0.0.1:1", "/", 1000), Do::Pause]);
        let proxy = Proxy::new(
            kong(),
            [asks.and(Callback::CallResponse, std::slice::from_ref(&doing)).filter()],
        );
        proxy.send(Request::get("/")).call().answer(Response::new(200));
        assert_eq!(proxy.faults().len(), 1);
    }
}

#[test]
fn kongs_shared_context_cannot_be_set_before_3_6() {
    let probe = Probe::on(Callback::RequestHeaders, &[Do::SetProperty("kong/ctx/shared/x", "1")]);
    let proxy = Proxy::new(Profile::kong(KongVersion::V3_5), [probe.filter()]);
    proxy.send(Request::get("/"));
    assert_eq!(proxy.faults().len(), 1);
}

#[test]
fn a_declared_variable_of_nginx_is_read_and_set_in_every_callback_of_a_request() {
    for version in KongVersion::ALL {
        let path = "ngx/gatehouse_consumer";
        let append = [Do::Property(path), Do::SetProperty(path, "x"), Do::Property(path)];
        let callbacks = [
            Callback::RequestHeaders,
            Callback::RequestBody,
            Callback::ResponseHeaders,
            Callback::ResponseBody,
            Callback::Log,
        ];
        let probe = callbacks
            .into_iter()
            .fold(Probe::default(), |probe, callback| probe.and(callback, &append));
        let profile = Profile::kong(version).variables(&["gatehouse_consumer"]);
        let proxy = Proxy::new(profile, [probe.filter()]);
        let stream = proxy.send(Request::post("/", "abc"));
        stream.respond(Response::new(200).with_body("x"));
        let read = said(&proxy, path);
        assert_eq!(read[..2], ["", "x"], "{version:?}");
        assert!(read.len() == 10 && read[2..].iter().all(|value| value == "x"), "{read:?}");
    }
}

#[test]
fn an_undeclared_variable_of_nginx_is_not_found_and_cannot_be_set() {
    let path = "ngx/gatehouse_consumer";
    let doing = [Do::Property(path), Do::SetProperty(path, "x"), Do::Property(path)];
    let proxy = Proxy::new(kong(), [Probe::on(Callback::RequestHeaders, &doing).filter()]);
    proxy.send(Request::get("/"));
    assert_eq!(said(&proxy, path), ["status 1", "status 1"]);
    assert_eq!(said(&proxy, "set ngx/gatehouse_consumer"), ["status 1"]);
}

#[test]
fn kongs_names_appear_with_their_versions() {
    for (path, since) in [
        ("kong/route_id", KongVersion::V3_4),
        ("kong/version", KongVersion::V3_6),
        ("kong/client/protocol", KongVersion::V3_6),
        ("kong/route_name", KongVersion::V3_9),
    ] {
        for version in KongVersion::ALL {
            let found = read(Profile::kong(version), Request::get("/"), path) != "status 1";
            assert_eq!(found, version >= since, "{path} on {version:?}");
        }
    }
    assert_eq!(read(kong(), Request::get("/"), "kong/version"), "3.9.3");
    assert_eq!(read(kong(), Request::get("/"), "kong/nosuch"), "status 1");
}

#[test]
fn segments_and_dots_are_the_same_on_kong() {
    let request = Request::get("/").property("kong.router.route", r#"{"id":"r"}"#);
    assert_eq!(read(kong(), request.clone(), "kong/router/route"), r#"{"id":"r"}"#);
    assert_eq!(read(kong(), request, "kong.router.route"), r#"{"id":"r"}"#);
}

#[test]
fn kong_properties_fault_in_the_wrong_place() {
    let faults = |callback, doing: Do| {
        let proxy = Proxy::new(kong(), [Probe::on(callback, &[doing]).filter()]);
        let stream = proxy.send(Request::get("/"));
        if stream.outcome().forwarded.is_some() {
            stream.respond(Response::new(200));
        }
        proxy.faults().len()
    };
    assert_eq!(faults(Callback::RequestHeaders, Do::SetProperty("kong/nosuch", "1")), 1);
    assert_eq!(faults(Callback::RequestHeaders, Do::Property("kong/response/source")), 1);
    assert_eq!(faults(Callback::Log, Do::Property("kong/router/route")), 1);
    assert_eq!(faults(Callback::Log, Do::Property("kong/route_name")), 1);
    assert_eq!(faults(Callback::Log, Do::Property("response/code")), 0);
}

#[test]
fn a_root_context_must_not_read_properties_on_kong() {
    let probe = Probe::on(Callback::Configure, &[Do::Property("plugin_name")]);
    let proxy = Proxy::new(kong(), [probe.filter()]);
    assert_eq!(said(&proxy, "plugin_name"), ["status 10"]);
    assert_eq!(proxy.faults().len(), 1);
    let proxy = Proxy::new(Profile::envoy(), [probe.filter()]);
    assert_eq!(said(&proxy, "plugin_name"), ["probe"]);
}

#[test]
fn values_are_text_on_kong_and_bytes_on_envoy() {
    let request = || Request::get("/").client("198.51.100.9", 16_705);
    assert_eq!(read(Profile::envoy(), request(), "source/address"), "198.51.100.9:16705");
    assert_eq!(read(kong(), request(), "source/address"), "198.51.100.9");
    assert_eq!(read(kong(), request(), "source/port"), "16705");
    // A number is eight bytes, the lowest first.
    assert_eq!(read(Profile::envoy(), request(), "source/port"), "AA\0\0\0\0\0\0");
    assert_eq!(read(Profile::envoy(), request(), "connection/mtls"), "\0");
    assert_eq!(read(kong(), request(), "connection/mtls"), "false");
}

#[test]
fn route_and_cluster_have_their_own_names() {
    let profile = || Profile::envoy().route_name(Some("orders")).cluster_name(Some("shop"));
    assert_eq!(read(profile(), Request::get("/"), "xds/route_name"), "orders");
    assert_eq!(read(profile(), Request::get("/"), "xds/cluster_name"), "shop");
    assert_eq!(read(profile(), Request::get("/"), "route_name"), "status 1");
    assert_eq!(read(kong(), Request::get("/"), "xds/route_name"), "status 1");
}

#[test]
fn the_query_is_raw_and_absent_without_one_on_envoy() {
    assert_eq!(read(Profile::envoy(), Request::get("/?q=%20"), "request/query"), "q=%20");
    assert_eq!(read(Profile::envoy(), Request::get("/"), "request/query"), "status 1");
    assert_eq!(read(kong(), Request::get("/?q=%20"), "request/query"), "q=%20");
}

#[test]
fn the_host_of_the_request_is_the_machine_on_kong() {
    assert_ne!(read(kong(), Request::get("/").host("shop.test"), "request/host"), "shop.test");
    assert_eq!(
        read(Profile::envoy(), Request::get("/").host("shop.test"), "request/host"),
        "shop.test"
    );
}

#[test]
fn only_some_nginx_variables_can_be_set() {
    let doing = [
        Do::SetProperty("ngx/remote_addr", "1.2.3.4"),
        Do::SetProperty("gatehouse_consumer", "x"),
        Do::Property("ngx/kong_proxy_mode"),
    ];
    let proxy = Proxy::new(kong(), [Probe::on(Callback::RequestHeaders, &doing).filter()]);
    proxy.send(Request::get("/"));
    assert_eq!(said(&proxy, "set ngx/remote_addr"), ["status 10"]);
    assert_eq!(said(&proxy, "set gatehouse_consumer"), ["status 1"]);
    assert_eq!(said(&proxy, "ngx/kong_proxy_mode"), ["http"]);
}

#[test]
fn an_empty_value_needs_memory_on_kong_and_none_on_envoy() {
    let read = |profile: Profile, probe: Probe| {
        let proxy = Proxy::new(profile, [probe.filter()]);
        proxy.send(Request::get("/").header("x-empty", ""));
        (said(&proxy, "x-empty"), said(&proxy, "ngx/gatehouse_consumer"))
    };
    let doing = [Do::Get(Map::Request, "x-empty"), Do::Property("ngx/gatehouse_consumer")];
    let probe = Probe::on(Callback::RequestHeaders, &doing);
    let stingy = probe.clone().without_memory_for_nothing();
    assert_eq!(read(Profile::envoy(), stingy.clone()).0, [""]);
    assert_eq!(read(declaring(), probe), (vec![String::new()], vec![String::new()]));
    let failed = || vec!["status 10".to_owned()];
    assert_eq!(read(declaring(), stingy), (failed(), failed()));
}
