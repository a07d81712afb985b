//! App IDs that are fetched in advance (`cache.mode: full`): the time until all of them are there,
//! and what they take, with the fixture's gatehouse-admin.

use super::series::key;
use super::{crowd, is_wanted};
use crate::case::plain;
use crate::fixture::Fixture;
use crate::link::Link;
use crate::run::clusters;
use serde_json::{Value, json};
use std::time::Instant;
use wasm_tests::memory::{memory, vm_memory};
use wasm_tests::real::{Envoy, Setup, eventually};

/// The numbers of App IDs, and how many of them `cache.max_entries` admits.
const SNAPSHOTS: [(usize, usize); 4] =
    [(10_000, 10_000), (100_000, 100_000), (1_000_000, 1_000_000), (100_000, 10_000)];

/// Returns the figures of each snapshot.
pub(super) fn measure() -> Vec<Value> {
    let wanted = SNAPSHOTS.into_iter().filter(|(size, _)| is_wanted(*size));
    wanted.map(|(size, most)| one_snapshot(size, most)).collect()
}

fn one_snapshot(size: usize, most: usize) -> Value {
    let fixture = Fixture::among(|admin| crowd::add(admin, size));
    // A snapshot is made anew before `ttl` ends, here soon: the second one shows what both take.
    let mut full = json!({"cache": {"mode": "full", "max_entries": most, "ttl": 8}});
    full["admin"] = fixture.admin();
    let key_auth = Link::ours("key_auth", json!({"admin": fixture.admin()}));
    let filters = [key_auth, Link::ours("app_id", full)];
    let filters = filters.iter().filter_map(Link::real).collect();
    let setup = clusters(Setup::new(fixture.upstream(), filters), &fixture);
    let begun = Instant::now();
    let envoy = Envoy::start(&setup);
    let send = |number: usize| {
        let request = plain().header("apikey", key(number));
        let answer = envoy.send(&request.header("x-app-id", crowd::app_id(number)));
        assert_eq!(answer.status(), 200, "{number}: {}", answer.text());
    };
    send(1);
    let serves = begun.elapsed().as_secs_f64();
    let taken = || envoy.stat("wasmcustom.gatehouse_app_id_snapshots");
    let until = |count: u64| {
        eventually("a complete snapshot", || {
            // Without requests for a minute nobody fetches anything.
            send(1);
            (taken() >= count).then_some(())
        });
    };
    until(1);
    let (complete, processor) = (begun.elapsed().as_secs_f64(), envoy.processor_time() / 1e6);
    let (vm, all) = (vm_memory(envoy.id()).largest_kb, memory(envoy.id()).resident_kb);
    let asked = envoy.stat("wasmcustom.gatehouse_app_id_lookups");
    send(size);
    let looked_up = envoy.stat("wasmcustom.gatehouse_app_id_lookups") - asked;
    until(2);
    let (vm_later, all_later) = (vm_memory(envoy.id()).largest_kb, memory(envoy.id()).resident_kb);
    let figures = json!({
        "most": most, "serves_s": serves, "complete_s": complete, "processor_s": processor,
        "vm_kb": vm, "rss_kb": all, "vm_kb_later": vm_later, "rss_kb_later": all_later,
        "last_is_looked_up": looked_up > 0,
    });
    println!("snapshot of {size}: {figures}");
    json!({"series": "snapshot", "size": size, "figures": figures})
}
