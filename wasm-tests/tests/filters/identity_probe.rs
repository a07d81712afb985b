//! A filter that logs the identity which earlier filters published.

use crate::gateways::Gateway;
use serde_json::Value;
use wasm_tests::{Filter, Level, Proxy};

/// A filter that logs the property `gatehouse_consumer` of each request.
pub fn identity_probe(gateway: &Gateway) -> Filter {
    let path = if gateway.is_kong() { r"ngx\00gatehouse_consumer" } else { "gatehouse_consumer" };
    let len = path.replace(r"\00", "0").len();
    Filter::wat(
        "identity_probe",
        &format!(
            r#"(module
            (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
            (memory (export "memory") 16)
            (global $heap (mut i32) (i32.const 4096))
            (data (i32.const 1024) "{path}")
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "proxy_on_memory_allocate") (param $len i32) (result i32)
                (global.get $heap)
                (global.set $heap (i32.add (global.get $heap) (local.get $len))))
            (func (export "proxy_on_context_create") (param i32 i32))
            (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
            (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (if (i32.eqz (call $get (i32.const 1024) (i32.const {len}) (i32.const 16) (i32.const 20)))
                    (then (drop (call $log (i32.const 2) (i32.load (i32.const 16)) (i32.load (i32.const 20))))))
                (i32.const 0))
            (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (i32.const 0))
            (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))
            (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (i32.const 0))
            (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
            (func (export "proxy_on_log") (param i32))
            (func (export "proxy_on_delete") (param i32)))"#
        ),
    )
}

/// The identity that the probe logged last.
#[track_caller]
pub fn probed_identity(proxy: &Proxy) -> Value {
    let log = proxy.log();
    let said =
        log.iter().rev().find(|line| line.level == Level::Info && line.text.starts_with('{'));
    let said = said.unwrap_or_else(|| panic!("the probe read nothing: {log:#?}"));
    serde_json::from_str(&said.text).expect("an identity")
}
