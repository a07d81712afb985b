//! All filters in one chain, over HTTP/1.1 and HTTP/2.

use crate::fixture::Fixture;
use serde_json::json;
use std::time::Instant;
use wasm_tests::torture::{Plan, Run, Tally};

/// The number of requests, unless `GATEHOUSE_TORTURE_REQUESTS` sets another one.
const REQUESTS: u64 = 20_000;
/// The parts into which the random requests are divided, with a look at the memory after each.
const PARTS: u64 = 5;

#[test]
fn no_request_traps_passes_without_credentials_or_gets_an_undocumented_5xx() {
    let wanted = std::env::var("GATEHOUSE_TORTURE_REQUESTS").ok();
    let wanted = wanted.map_or(REQUESTS, |text| text.parse().expect("a number of requests"));
    let fixture = Fixture::start();
    fixture.assert_normal();
    let plan = Plan::new(&fixture.credentials, wanted, true);
    let run = Run { target: fixture.target(), plan: &plan, http2: true };
    let (begun, mut memory) = (Instant::now(), vec![fixture.memory()]);
    let mut tally = run.go(0..plan.known());
    memory.push(fixture.memory());
    let rest = plan.requests() - plan.known();
    for part in 0..PARTS {
        let at = |part: u64| plan.known() + rest * part / PARTS;
        tally.add(run.go(at(part)..at(part + 1)));
        memory.push(fixture.memory());
        fixture.assert_normal();
    }
    let seconds = begun.elapsed().as_secs_f64();
    report(&tally, &memory, seconds);
    let findings = [tally.findings.clone(), fixture.upstream.findings()].concat();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
    fixture.assert_alive();
    // All cases and the first part have warmed the VMs up.
    let (warm, end) = (memory[2].vms_kb, memory[memory.len() - 1].vms_kb);
    assert!(end <= warm + warm / 8, "the VMs grow: {memory:?}");
}

fn report(tally: &Tally, memory: &[crate::fixture::Memory], seconds: f64) {
    println!("{} requests in {seconds:.0} s\n{}", tally.requests(), tally.table("Envoy"));
    for ((family, seen), count) in &tally.seen {
        println!("{family}: {seen:?} {count} times");
    }
    println!("{memory:?}");
    let Ok(out) = std::env::var("GATEHOUSE_TORTURE_OUT") else { return };
    let memory: Vec<_> =
        memory.iter().map(|m| json!({"vms_kb": m.vms_kb, "resident_kb": m.resident_kb})).collect();
    let document = json!({
        "gateway": "Envoy", "requests": tally.requests(), "seconds": seconds,
        "lines": tally.json("Envoy"), "memory": memory,
    });
    std::fs::write(&out, document.to_string()).unwrap_or_else(|e| panic!("{out}: {e}"));
}
