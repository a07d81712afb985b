//! Every built filter loads on every supported gateway, and exports every callback that a gateway
//! calls.

use wasm_tests::{
    Filter, KongVersion, Profile, Proxy, built_filters, exports, imports_not_everywhere,
    module_of_all,
};

/// Every module that we build: the filters' own, and the one that holds them all.
fn modules() -> Vec<(String, Vec<u8>)> {
    let mut modules = built_filters();
    modules.push(("all".to_owned(), module_of_all()));
    modules
}

#[test]
fn a_filter_imports_only_what_every_gateway_has() {
    for (feature, wasm) in modules() {
        assert_eq!(imports_not_everywhere(&wasm), [], "{feature}");
    }
}

#[test]
fn a_filter_starts_on_both_hosts_even_without_a_configuration() {
    for (feature, wasm) in modules() {
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

/// The exports of the Rust SDK for ABI 0.2.1, and the export that names the version.
const CALLBACKS: [&str; 28] = [
    "_initialize",
    "proxy_abi_version_0_2_1",
    "proxy_on_memory_allocate",
    "proxy_on_context_create",
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_queue_ready",
    "proxy_on_foreign_function",
    "proxy_on_request_headers",
    "proxy_on_request_body",
    "proxy_on_request_trailers",
    "proxy_on_response_headers",
    "proxy_on_response_body",
    "proxy_on_response_trailers",
    "proxy_on_http_call_response",
    "proxy_on_grpc_receive_initial_metadata",
    "proxy_on_grpc_receive",
    "proxy_on_grpc_receive_trailing_metadata",
    "proxy_on_grpc_close",
    "proxy_on_new_connection",
    "proxy_on_downstream_data",
    "proxy_on_downstream_connection_close",
    "proxy_on_upstream_data",
    "proxy_on_upstream_connection_close",
    "proxy_on_done",
    "proxy_on_log",
    "proxy_on_delete",
];

#[test]
fn a_filter_exports_every_callback_since_kong_dies_of_a_missing_one() {
    for (feature, wasm) in modules() {
        let exports = exports(&wasm);
        let missing: Vec<_> =
            CALLBACKS.iter().filter(|name| !exports.iter().any(|e| e == *name)).collect();
        assert!(missing.is_empty(), "{feature} does not export {missing:?}");
    }
}
