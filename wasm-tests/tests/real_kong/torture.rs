//! Requests that a careful client never sends, through all filters on Kong, over HTTP/1.1 and
//! HTTP/2 (docs/hostile-input.md, Protocol).

use wasm_tests::memory::memory;
use wasm_tests::real::Kong;
use wasm_tests::torture::{Bed, Memory, Pretend, Reading, Services, Target, compare, requests};

#[test]
#[ignore = "needs a real Kong"]
fn no_request_ends_a_worker_passes_without_credentials_or_gets_an_undocumented_5xx() {
    let services = Services::start();
    let setup = services.setup(false).kong_conf("proxy_listen", "127.0.0.1:{port:main} http2");
    let kong = Kong::start(&setup);
    let workers = kong.workers();
    let look = || {
        let resident_kb = kong.workers().into_iter().map(|pid| memory(pid).resident_kb).sum();
        Memory { vms_kb: 0, resident_kb }
    };
    // nginx answers 501 to a transfer coding, and 505 to a version, that it does not know. Where a
    // filter refuses a request with malformed chunks, Kong answers 500 in its place.
    let address = kong.address("main");
    let own_5xx = &[500, 501, 505];
    let target = Target { address, clients: 8, own_5xx, reading: Reading::CHAIN };
    let trial = services.trial(target, requests(20_000), true, look);
    kong.assert_sound();
    // A trap would be a 500 of Kong's, too.
    assert!(!kong.log().contains("host trap"), "{}", kong.log());
    assert_eq!(kong.workers(), workers, "the same workers as in the beginning");
    // Kong makes the upstream's X-Forwarded-For of a client's X_Forwarded_For, too, which no filter
    // reads (docs/hosts.md).
    trial.report("Kong", &services.upstream, &["an address that was to be refused"]);
}

#[test]
#[ignore = "needs a real Kong"]
fn torture_of_a_filter_by_itself_keeps_its_rules() {
    let bed = Bed::start();
    let mut setup = bed.setup(false);
    let ports = setup.listeners.iter().map(|l| format!("127.0.0.1:{{port:{}}} http2", l.name));
    let ports = ports.collect::<Vec<_>>().join(", ");
    setup = setup.kong_conf("proxy_listen", &ports);
    let kong = Kong::start(&setup);
    let workers = kong.workers();
    bed.trial("Kong", &[501, 505], |name| kong.address(name));
    kong.assert_sound();
    assert!(!kong.log().contains("host trap"), "{}", kong.log());
    assert_eq!(kong.workers(), workers, "the same workers as in the beginning");
}

#[test]
#[ignore = "needs a real Kong"]
fn torture_of_a_pretend_kong_ends_as_that_of_the_real_one() {
    let services = Services::start();
    let kong = Kong::start(&services.setup(false));
    services.credentials(kong.address("main"));
    compare("Kong", kong.address("main"), Pretend::chain(true), 10_000);
    kong.assert_sound();
}
