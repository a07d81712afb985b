//! Every built filter loads on every gateway that we support.

use wasm_tests::{Filter, KongVersion, Profile, Proxy, built_filters, imports_not_everywhere};

#[test]
fn a_filter_imports_only_what_every_gateway_has() {
    for (feature, wasm) in built_filters() {
        assert_eq!(imports_not_everywhere(&wasm), [], "{feature}");
    }
}

#[test]
fn a_filter_starts_on_both_hosts_even_without_a_configuration() {
    for (feature, wasm) in built_filters() {
        for profile in [Profile::envoy(), Profile::kong(KongVersion::V3_4)] {
            let proxy = Proxy::new(profile, [Filter::wasm(&feature, &wasm)]);
            assert_eq!(proxy.faults(), [], "{feature}");
        }
    }
}

#[test]
fn a_filter_that_was_not_built_says_what_to_do() {
    let outcome = std::panic::catch_unwind(|| Filter::built("no_such_feature"));
    let message = outcome.err().and_then(|e| e.downcast_ref::<String>().cloned());
    assert!(message.is_some_and(|text| text.contains("make build")));
}
