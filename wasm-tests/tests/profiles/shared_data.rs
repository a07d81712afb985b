//! Shared data: versions, deletion, keys, zones.

use crate::probe::{Do, Probe, said};
use wasm_tests::{Callback, KongVersion, Profile, Proxy, Request};

fn kong() -> Profile {
    Profile::kong(KongVersion::V3_9).zone("kv")
}

fn run(profile: Profile, doing: &[Do]) -> Proxy {
    let proxy = Proxy::new(profile, [Probe::on(Callback::RequestHeaders, doing).filter()]);
    proxy.send(Request::get("/"));
    proxy
}

#[test]
fn version_0_overwrites_on_envoy_and_only_creates_on_kong() {
    let doing = [
        Do::SetShared("kv/a", Some("1"), 0),
        Do::SetShared("kv/a", Some("2"), 0),
        Do::Shared("kv/a"),
    ];
    let proxy = run(Profile::envoy(), &doing);
    assert_eq!(said(&proxy, "set shared"), ["status 0", "status 0"]);
    assert_eq!(said(&proxy, "kv/a"), ["2"]);
    let proxy = run(kong(), &doing);
    assert_eq!(said(&proxy, "set shared"), ["status 0", "status 8"]);
    assert_eq!(said(&proxy, "kv/a"), ["1"]);
}

#[test]
fn a_version_that_no_value_has_creates_on_envoy_and_never_overwrites() {
    // A slot can thus be created on both hosts without overwriting another worker's slot.
    let doing = [
        Do::SetShared("kv/a", Some("1"), u32::MAX),
        Do::SetShared("kv/a", Some("2"), u32::MAX),
        Do::Shared("kv/a"),
    ];
    let proxy = run(Profile::envoy(), &doing);
    assert_eq!(said(&proxy, "set shared"), ["status 0", "status 8"]);
    assert_eq!(said(&proxy, "kv/a"), ["1"]);
    let proxy = run(kong(), &doing);
    assert_eq!(said(&proxy, "set shared"), ["status 8", "status 8"]);
    assert_eq!(said(&proxy, "kv/a"), ["status 1"]);
}

#[test]
fn the_version_that_was_read_swaps_on_both_and_another_does_not() {
    for profile in [Profile::envoy(), kong()] {
        let doing = [
            Do::SetShared("kv/a", Some("1"), 0),
            Do::Shared("kv/a"),
            Do::SwapShared("kv/a", "2"),
            Do::SwapShared("kv/a", "3"),
            Do::Shared("kv/a"),
        ];
        let proxy = run(profile, &doing);
        assert_eq!(said(&proxy, "swap shared"), ["status 0", "status 8"]);
        assert_eq!(said(&proxy, "kv/a"), ["1", "2"]);
    }
}

#[test]
fn nothing_deletes_on_kong_and_is_an_empty_value_on_envoy() {
    for (profile, left) in [(Profile::envoy(), ""), (kong(), "status 1")] {
        let doing = [
            Do::Shared("kv/a"),
            Do::SetShared("kv/a", Some("1"), 0),
            Do::SetShared("kv/a", None, 1),
            Do::Shared("kv/a"),
        ];
        let proxy = run(profile, &doing);
        assert_eq!(said(&proxy, "kv/a"), ["status 1", left]);
    }
}

#[test]
fn a_zone_that_nobody_declared_traps_on_kong() {
    for doing in [Do::Shared("nowhere/a"), Do::SetShared("a", Some("1"), 0)] {
        let proxy = run(kong(), std::slice::from_ref(&doing));
        assert!(proxy.faults()[0].text.contains("could not resolve namespace"));
        // The zone `*` takes every key.
        let proxy = run(kong().zone("*"), &[doing]);
        assert_eq!(proxy.faults(), []);
    }
}

#[test]
fn two_keys_of_one_checksum_are_one_from_kong_3_8_on() {
    let doing = [Do::SetShared("kv/k65858", Some("mine"), 0), Do::Shared("kv/k30600402")];
    for (version, found) in [(KongVersion::V3_7, "status 1"), (KongVersion::V3_8, "mine")] {
        let proxy = run(Profile::kong(version).zone("kv"), &doing);
        assert_eq!(said(&proxy, "kv/k30600402"), [found], "{version:?}");
    }
    let proxy = run(Profile::envoy(), &doing);
    assert_eq!(said(&proxy, "kv/k30600402"), ["status 1"]);
}

#[test]
fn workers_share_and_vm_ids_do_not() {
    let write = Probe::on(Callback::RequestHeaders, &[Do::SetShared("kv/a", Some("1"), 0)]);
    let read = Probe::on(Callback::ResponseHeaders, &[])
        .and(Callback::RequestHeaders, &[Do::Shared("kv/a")]);
    for profile in [Profile::envoy(), kong()] {
        let proxy = Proxy::new(profile, [write.named("write")]);
        proxy.send(Request::get("/"));
        let other = proxy.worker().route([read.named("read")]);
        other.send(Request::get("/"));
        assert_eq!(said(&proxy, "kv/a"), ["1"]);
    }
    let proxy = Proxy::new(Profile::envoy(), [write.named("write").vm_id("one")]);
    proxy.send(Request::get("/"));
    proxy.route([read.named("read").vm_id("two")]).send(Request::get("/"));
    assert_eq!(said(&proxy, "kv/a"), ["status 1"]);
}

#[test]
fn kong_forgets_what_it_evicts_and_all_of_it_when_reloaded() {
    let doing = [Do::SetShared("kv/a", Some("1"), 0), Do::SetShared("kv/b", Some("2"), 0)];
    let proxy = run(kong(), &doing);
    assert_eq!(proxy.shared_entries(), 2);
    assert!(proxy.evict_shared("kv/a"));
    assert_eq!((proxy.shared("", "kv/a"), proxy.shared("", "kv/b")), (None, Some(b"2".to_vec())));
    proxy.clear_shared();
    assert_eq!(proxy.shared_entries(), 0);
}
