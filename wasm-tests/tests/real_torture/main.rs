//! Requests that a careful client never sends, through all filters on a real Envoy
//! (docs/hostile-input.md, Protocol).
//!
//! `GATEHOUSE_TORTURE_REQUESTS` sets the number of requests (`make torture REQUESTS=1000000`).

use wasm_tests::memory::{memory, vm_memory};
use wasm_tests::real::Envoy;
use wasm_tests::torture::{Bed, Memory, Pretend, Reading, Services, Target, compare, requests};

#[test]
fn no_request_traps_passes_without_credentials_or_gets_an_undocumented_5xx() {
    let services = Services::start();
    let envoy = Envoy::start(&services.setup(true));
    let vms = || envoy.stat("wasm.envoy.wasm.runtime.v8.active");
    let before = vms();
    let look = || Memory {
        vms_kb: vm_memory(envoy.id()).size_kb,
        resident_kb: memory(envoy.id()).resident_kb,
    };
    // Envoy answers 501 to a transfer coding that it does not know.
    let target = Target {
        address: envoy.address("main"),
        clients: 8,
        own_5xx: &[501],
        reading: Reading::CHAIN,
    };
    let trial = services.trial(target, requests(20_000), true, look);
    assert_sound(&envoy.log());
    trial.report("Envoy", &services.upstream, &[]);
    assert_eq!(vms(), before, "as many VMs as in the beginning");
}

#[test]
fn a_filter_by_itself_keeps_its_rules() {
    let bed = Bed::start();
    let envoy = Envoy::start(&bed.setup(true));
    let vms = || envoy.stat("wasm.envoy.wasm.runtime.v8.active");
    let before = vms();
    bed.trial("Envoy", &[501], |name| envoy.address(name));
    assert_sound(&envoy.log());
    assert_eq!(vms(), before, "as many VMs as in the beginning");
}

#[test]
fn the_pretend_envoy_answers_as_the_real_one() {
    let services = Services::start();
    let envoy = Envoy::start(&services.setup(true));
    services.credentials(envoy.address("main"));
    compare("Envoy", envoy.address("main"), Pretend::chain(false), 10_000);
}

/// Panics if a filter has trapped.
#[track_caller]
fn assert_sound(log: &str) {
    for trace in ["Function: proxy_on", "RuntimeError", "panicked at", "VM failed"] {
        assert!(!log.contains(trace), "{log}");
    }
}
