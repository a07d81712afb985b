//! Requests that a careful client never sends, through all filters on Kong, over HTTP/1.1 and
//! HTTP/2 (docs/hostile-input.md, Protocol).

use wasm_tests::memory::memory;
use wasm_tests::real::Kong;
use wasm_tests::torture::{Memory, Services, Target, requests};

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
    let target = Target { address: kong.address("main"), clients: 8, own_5xx: &[500, 501, 505] };
    let trial = services.trial(target, requests(20_000), true, look);
    kong.assert_sound();
    // A trap would be a 500 of Kong's, too.
    assert!(!kong.log().contains("host trap"), "{}", kong.log());
    assert_eq!(kong.workers(), workers, "the same workers as in the beginning");
    // Kong makes the upstream's X-Forwarded-For of a client's X_Forwarded_For, too, which no filter
    // reads (docs/hosts.md).
    trial.report("Kong", &services.upstream, &["an address that was to be refused"]);
}
