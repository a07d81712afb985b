//! Ticks, the clock, and randomness.

use crate::probe::{Do, Probe, lines, said};
use std::time::Duration;
use wasm_tests::{Callback, KongVersion, Profile, Proxy, Request};

fn kong() -> Profile {
    Profile::kong(KongVersion::V3_9)
}

#[test]
fn a_tick_comes_after_each_period() {
    let probe = Probe::on(Callback::Configure, &[Do::TickPeriod(1000)])
        .and(Callback::Tick, &[Do::Log("tick")]);
    for profile in [Profile::envoy(), kong()] {
        let proxy = Proxy::new(profile, [probe.filter()]);
        let ticks = || lines(&proxy).iter().filter(|line| *line == "tick").count();
        proxy.advance(Duration::from_millis(999));
        assert_eq!(ticks(), 0);
        proxy.advance(Duration::from_millis(1));
        assert_eq!(ticks(), 1);
        proxy.advance(Duration::from_secs(3));
        assert_eq!(ticks(), 4);
        // Each worker runs its own ticks.
        let _other = proxy.worker();
        proxy.advance(Duration::from_secs(1));
        assert_eq!(ticks(), 6);
    }
}

#[test]
fn a_second_period_traps_on_kong() {
    let probe = Probe::on(Callback::Configure, &[Do::TickPeriod(1000)])
        .and(Callback::Tick, &[Do::TickPeriod(5000)]);
    let proxy = Proxy::new(Profile::envoy(), [probe.filter()]);
    proxy.advance(Duration::from_secs(1));
    assert_eq!(proxy.tick_periods(), [Duration::from_secs(5)]);

    let proxy = Proxy::new(kong(), [probe.filter()]);
    proxy.advance(Duration::from_secs(1));
    assert_eq!(proxy.faults().len(), 1);
    // The next instance does so again.
    proxy.advance(Duration::from_secs(1));
    assert_eq!(proxy.faults().len(), 1);
}

#[test]
fn a_period_can_be_taken_back_and_set_anew_from_kong_3_8_on() {
    let probe = Probe::on(
        Callback::Configure,
        &[Do::TickPeriod(1000), Do::TickPeriod(0), Do::TickPeriod(2000)],
    );
    for (version, faults) in [(KongVersion::V3_7, 1), (KongVersion::V3_8, 0)] {
        let proxy = Proxy::new(Profile::kong(version), [probe.filter()]);
        assert_eq!(proxy.faults().len(), faults, "{version:?}");
    }
}

#[test]
fn a_request_cannot_set_a_period_on_kong() {
    let probe = Probe::on(Callback::RequestHeaders, &[Do::TickPeriod(1000)]);
    let proxy = Proxy::new(kong(), [probe.filter()]);
    proxy.send(Request::get("/"));
    assert_eq!(proxy.faults().len(), 1);
    let proxy = Proxy::new(Profile::envoy(), [probe.filter()]);
    proxy.send(Request::get("/"));
    assert_eq!(said(&proxy, "tick period"), ["status 0"]);
}

#[test]
fn a_reload_asks_envoys_root_contexts_and_waits_for_those_that_are_not_done() {
    let probe = Probe::on(Callback::Configure, &[Do::TickPeriod(1000)])
        .and(Callback::Done, &[Do::Log("done"), Do::Return(0)])
        .and(Callback::Tick, &[Do::Log("tick"), Do::Call0("proxy_done")])
        .and(Callback::Delete, &[Do::Log("delete")]);
    let proxy = Proxy::new(Profile::envoy(), [probe.filter()]);
    proxy.drain();
    assert_eq!(lines(&proxy).last().map(String::as_str), Some("done"));
    proxy.advance(Duration::from_secs(3));
    let after = lines(&proxy).into_iter().skip_while(|line| line != "done").collect::<Vec<_>>();
    assert_eq!(after, ["done", "tick", "proxy_done: status 0", "delete"]);

    let proxy = Proxy::new(kong(), [probe.filter()]);
    proxy.drain();
    assert!(!lines(&proxy).contains(&"done".to_owned()));
}

#[test]
fn kongs_randomness_follows_from_process_and_time_and_envoys_does_not() {
    let probe = Probe::on(Callback::RequestHeaders, &[Do::Random(16)]);
    let draw = |profile: Profile| {
        let proxy = Proxy::new(profile, [probe.filter()]);
        proxy.send(Request::get("/"));
        let first = said(&proxy, "random")[0].clone();
        let other = proxy.worker();
        other.send(Request::get("/"));
        (first, said(&proxy, "random")[1].clone())
    };
    // Two containers have equal process ids and start in one millisecond.
    assert_eq!(draw(kong()).0, draw(kong()).0);
    assert_ne!(draw(kong()).0, draw(kong().pid(101)).0);
    assert_ne!(draw(kong()).0, draw(kong()).1);
    assert_ne!(draw(Profile::envoy()).0, draw(Profile::envoy()).0);
}

#[test]
fn envoy_gives_no_more_than_64_kib_of_randomness_at_once() {
    let probe = Probe::on(Callback::RequestHeaders, &[Do::Random(65_537)]);
    let proxy = Proxy::new(Profile::envoy(), [probe.filter()]);
    proxy.send(Request::get("/"));
    assert_eq!(said(&proxy, "random"), ["status 28"]);
}
