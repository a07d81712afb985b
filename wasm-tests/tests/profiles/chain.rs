//! Chains of several filters, with a filter that stands in several places, routes and workers.

use crate::probe::{Do, Probe, lines};
use wasm_tests::{Callback, KongVersion, Profile, Proxy, Request, Response};

fn kong() -> Profile {
    Profile::kong(KongVersion::V3_9)
}

fn named(name: &'static str) -> wasm_tests::Filter {
    let say = |what| [Do::Log(Box::leak(format!("{name} {what}").into_boxed_str()))];
    Probe::on(Callback::RequestHeaders, &say("request"))
        .and(Callback::ResponseHeaders, &say("response"))
        .and(Callback::ResponseBody, &say("body"))
        .named(name)
}

#[test]
fn responses_meet_the_filters_in_reverse_on_envoy_and_in_order_on_kong() {
    let order = |profile| {
        let proxy = Proxy::new(profile, [named("a"), named("b")]);
        let stream = proxy.send(Request::get("/"));
        stream.respond_head(Response::new(200).with("Content-Length", "1"));
        stream.respond_body("x", true);
        lines(&proxy)
    };
    let request = ["a request", "b request"];
    assert_eq!(
        order(Profile::envoy()),
        [&request[..], &["b response", "a response", "b body", "a body"]].concat()
    );
    assert_eq!(
        order(kong()),
        [&request[..], &["a response", "b response", "a body", "b body"]].concat()
    );
}

/// Logs the number of starts of this instance, and a line for each configuration.
fn counting() -> Probe {
    Probe::on(Callback::Start, &[Do::Log("start")])
        .and(Callback::VmStart, &[Do::Log("vm start")])
        .and(Callback::Configure, &[Do::Log("configure")])
}

fn count(proxy: &Proxy, what: &str) -> usize {
    lines(proxy).iter().filter(|line| *line == what).count()
}

#[test]
fn the_same_filter_twice_is_one_instance_with_two_roots() {
    for profile in [Profile::envoy(), kong()] {
        let twice = [counting().filter().config("1"), counting().filter().config("2")];
        let proxy = Proxy::new(profile, twice);
        assert_eq!((count(&proxy, "start"), count(&proxy, "configure")), (1, 2));
        assert_eq!(count(&proxy, "vm start"), 2, "once for each root");
    }
}

#[test]
fn another_route_has_its_own_instance_on_kong_only() {
    for (profile, instances) in [(Profile::envoy(), 1), (kong(), 2)] {
        let proxy = Proxy::new(profile, [counting().filter()]);
        let _other = proxy.route([counting().filter()]);
        assert_eq!((count(&proxy, "start"), count(&proxy, "configure")), (instances, 2));
    }
}

#[test]
fn another_vm_id_is_another_vm_on_envoy() {
    let filters = [counting().filter().vm_id("a"), counting().filter().vm_id("b")];
    assert_eq!(count(&Proxy::new(Profile::envoy(), filters), "start"), 2);
}

#[test]
fn each_worker_has_its_own_instances() {
    for profile in [Profile::envoy(), kong()] {
        let proxy = Proxy::new(profile, [counting().filter()]);
        let _other = proxy.worker();
        assert_eq!((count(&proxy, "start"), count(&proxy, "configure")), (2, 2));
    }
}

#[test]
fn host_calls_are_counted_by_request_callback_and_name() {
    for profile in [Profile::envoy(), kong()] {
        let probe =
            Probe::on(Callback::RequestHeaders, &[Do::Property("request/path"), Do::Log("x")])
                .and(Callback::ResponseHeaders, &[Do::Log("y")]);
        let proxy = Proxy::new(profile, [probe.filter()]);
        let stream = proxy.send(Request::get("/"));
        stream.respond(Response::new(200));
        let calls = stream.outcome().host_calls;
        assert_eq!(calls.total(), 4);
        assert_eq!((calls.named("proxy_log"), calls.named("proxy_get_property")), (3, 1));
        assert_eq!(calls.during(Callback::ResponseHeaders), 1);
        assert_eq!(proxy.root_host_calls().total(), 0);
    }
}
