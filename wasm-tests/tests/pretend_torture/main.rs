//! Requests that a careful client never sends, through the compiled filters on pretend gateways
//! (docs/hostile-input.md, Protocol).

mod names;

use wasm_tests::KongVersion;
use wasm_tests::torture::{Pretend, Tally, alone, mixed, shapes};

/// The number of random requests after those of the families.
const MIXED: u64 = 500;

/// What Kong itself does: it makes the upstream's X-Forwarded-For of a client's X_Forwarded_For,
/// too, which no filter reads (docs/hosts.md).
const KONGS_OWN: [&str; 1] = ["an address that was to be refused"];

/// Sends every request of every family, and random ones, through the chain of all filters. Normal
/// requests must get the right answers before and afterwards, and no memory may grow.
#[track_caller]
fn chain(kong: bool, name: &str, known: &[&str]) {
    let mut pretend = Pretend::chain(kong);
    let mut tally = Tally::default();
    let credentials = pretend.credentials();
    pretend.assert_normal(&credentials);
    pretend.count(shapes(&credentials), &mut tally);
    pretend.count((0..MIXED / 5).map(mixed), &mut tally);
    let warm = pretend.proxy().memory();
    pretend.count((MIXED / 5..MIXED).map(mixed), &mut tally);
    pretend.assert_normal(&credentials);
    assert_none(&pretend.report(name, &tally, known, 1500));
    let end = pretend.proxy().memory();
    assert!(end <= warm + warm / 8, "{name}: the VMs grow from {warm} to {end} bytes");
}

#[track_caller]
fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn no_request_traps_or_passes_without_credentials_on_a_pretend_envoy() {
    chain(false, "pretend Envoy", &[]);
}

#[test]
fn no_request_traps_or_passes_without_credentials_on_a_pretend_kong() {
    chain(true, "pretend Kong", &KONGS_OWN);
}

#[test]
fn no_request_traps_or_passes_without_credentials_on_an_older_kong() {
    for (number, version) in KongVersion::ALL.into_iter().enumerate() {
        let mut pretend = Pretend::chain_of(version);
        let mut tally = Tally::default();
        let credentials = pretend.credentials();
        pretend.assert_normal(&credentials);
        // Each version gets other requests of the families.
        pretend.count(shapes(&credentials).into_iter().skip(number).step_by(7), &mut tally);
        pretend.assert_normal(&credentials);
        assert_none(&pretend.report(&format!("pretend {version:?}"), &tally, &KONGS_OWN, 200));
    }
}

#[test]
fn a_filter_by_itself_keeps_its_rules_on_a_pretend_envoy() {
    assert_none(&alone().iter().flat_map(|alone| alone.on_pretend(false)).collect::<Vec<_>>());
}

#[test]
fn a_filter_by_itself_keeps_its_rules_on_a_pretend_kong() {
    assert_none(&alone().iter().flat_map(|alone| alone.on_pretend(true)).collect::<Vec<_>>());
}

#[test]
fn every_filter_is_tried_by_itself() {
    let tried: Vec<&str> = alone().iter().map(|alone| alone.filter).collect();
    for entry in all_filters::FILTERS {
        assert!(tried.contains(&entry.name), "{} has no settings in alone()", entry.name);
    }
}
