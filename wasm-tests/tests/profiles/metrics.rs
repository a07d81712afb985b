//! Metrics and foreign functions.

use crate::probe::{Do, Probe, said};
use wasm_tests::{Callback, KongVersion, Profile, Proxy, Request};

fn run(profile: Profile, doing: &[Do]) -> Proxy {
    let proxy = Proxy::new(profile, [Probe::on(Callback::RequestHeaders, doing).filter()]);
    proxy.send(Request::get("/"));
    proxy
}

#[test]
fn metrics_trap_before_kong_3_8() {
    for version in KongVersion::ALL {
        let proxy = run(Profile::kong(version), &[Do::Define(0, "hits"), Do::Increment(2)]);
        let trapped = version < KongVersion::V3_8;
        assert_eq!(proxy.faults().len(), usize::from(trapped), "{version:?}");
        assert_eq!(proxy.metric("hits"), (!trapped).then_some(2));
    }
}

#[test]
fn misuse_is_a_status_on_envoy_and_a_trap_on_kong() {
    for (misuse, label, on_envoy) in [
        (vec![Do::Define(0, "m"), Do::Record(5)], "record", "status 0"),
        (vec![Do::Define(1, "m"), Do::Increment(5)], "increment", "status 0"),
        (vec![Do::Define(2, "m"), Do::Increment(5)], "increment", "status 2"),
        (vec![Do::Define(2, "m"), Do::Metric], "metric", "status 2"),
        (vec![Do::Increment(1)], "increment", "status 1"),
    ] {
        let proxy = run(Profile::envoy(), &misuse);
        assert_eq!(said(&proxy, label), [on_envoy]);
        let proxy = run(Profile::kong(KongVersion::V3_9), &misuse);
        assert_eq!(proxy.faults().len(), 1, "{label}");
    }
}

#[test]
fn a_long_name_traps_on_kong() {
    let name = Box::leak("n".repeat(256 - "pw:probe:".len() + 1).into_boxed_str());
    let proxy = run(Profile::kong(KongVersion::V3_9), &[Do::Define(0, name)]);
    assert_eq!(proxy.faults().len(), 1);
    let proxy = run(Profile::kong(KongVersion::V3_9), &[Do::Define(0, &name[1..])]);
    assert_eq!(proxy.faults(), []);
}

#[test]
fn counters_gauges_and_histograms_count_on_envoy() {
    let proxy = run(
        Profile::envoy(),
        &[
            Do::Define(0, "c"),
            Do::Increment(2),
            Do::Increment(0),
            Do::Define(1, "g"),
            Do::Increment(5),
            Do::Increment(-2),
            Do::Define(2, "h"),
            Do::Record(7),
        ],
    );
    assert_eq!((proxy.metric("c"), proxy.metric("g")), (Some(2), Some(3)));
    assert_eq!(proxy.histogram("h"), [7]);
    assert_eq!(said(&proxy, "increment"), ["status 0", "status 2", "status 0", "status 0"]);
}

#[test]
fn foreign_functions_are_there_on_envoy_and_trap_on_kong() {
    let call = [
        Do::Foreign("sign", "text"),
        Do::Foreign("nosuch", ""),
        Do::Foreign("clear_route_cache", ""),
    ];
    let proxy = Proxy::new(Profile::envoy(), [Probe::on(Callback::RequestHeaders, &call).filter()]);
    proxy.foreign_function("sign", |text| Some([b"signed ", text].concat()));
    proxy.send(Request::get("/"));
    assert_eq!(said(&proxy, "foreign")[..2], ["signed text", "status 1"]);
    assert_eq!(run(Profile::kong(KongVersion::V3_9), &call).faults().len(), 1);
}

#[test]
fn functions_that_kong_has_not_built_yet_trap() {
    let proxy = run(Profile::kong(KongVersion::V3_9), &[Do::Call0("proxy_done")]);
    assert_eq!(proxy.faults().len(), 1);
}
