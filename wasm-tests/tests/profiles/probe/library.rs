//! The parts of a probe's module that do not depend on its acts: imports, exports, functions.

use wasm_tests::Callback;

/// The callbacks that a probe exports even if it does nothing in them.
pub const EXPORTED: [Callback; 14] = [
    Callback::ContextCreate,
    Callback::VmStart,
    Callback::Configure,
    Callback::Tick,
    Callback::QueueReady,
    Callback::RequestHeaders,
    Callback::RequestBody,
    Callback::RequestTrailers,
    Callback::ResponseHeaders,
    Callback::ResponseBody,
    Callback::CallResponse,
    Callback::Done,
    Callback::Log,
    Callback::Delete,
];

/// The export's name, the number of its parameters, and `true` if it returns a value.
pub fn signature(callback: Callback) -> (&'static str, usize, bool) {
    match callback {
        Callback::Start => ("_initialize", 0, false),
        Callback::ContextCreate => ("proxy_on_context_create", 2, false),
        Callback::VmStart => ("proxy_on_vm_start", 2, true),
        Callback::Configure => ("proxy_on_configure", 2, true),
        Callback::Tick => ("proxy_on_tick", 1, false),
        Callback::QueueReady => ("proxy_on_queue_ready", 2, false),
        Callback::RequestHeaders => ("proxy_on_request_headers", 3, true),
        Callback::RequestBody => ("proxy_on_request_body", 3, true),
        Callback::RequestTrailers => ("proxy_on_request_trailers", 2, true),
        Callback::ResponseHeaders => ("proxy_on_response_headers", 3, true),
        Callback::ResponseBody => ("proxy_on_response_body", 3, true),
        Callback::CallResponse => ("proxy_on_http_call_response", 5, false),
        Callback::Done => ("proxy_on_done", 1, true),
        Callback::Log => ("proxy_on_log", 1, false),
        Callback::Delete => ("proxy_on_delete", 1, false),
    }
}

pub const IMPORTS: &str = r#"
(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
(import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_get_header_map_pairs" (func $get_pairs (param i32 i32 i32) (result i32)))
(import "env" "proxy_replace_header_map_value" (func $set_header (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_remove_header_map_value" (func $remove_header (param i32 i32 i32) (result i32)))
(import "env" "proxy_get_property" (func $get_property (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_get_buffer_bytes" (func $get_buffer (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_buffer_bytes" (func $set_buffer (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_http_call" (func $http_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
(import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
(import "env" "proxy_get_shared_data" (func $get_shared (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_shared_data" (func $set_shared (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_tick_period_milliseconds" (func $tick_period (param i32) (result i32)))
(import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
(import "env" "proxy_record_metric" (func $record (param i32 i64) (result i32)))
(import "env" "proxy_get_metric" (func $metric (param i32 i32) (result i32)))
(import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_done" (func $proxy_done (result i32)))
(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
"#;

/// Functions that every probe has. Memory: 12 a token, 16 and 20 address and length of a result, 24
/// a version, 28 a metric, 32 its value, from 64 digits, from 1024 lines.
pub const LIBRARY: &str = r#"
(global $context (mut i32) (i32.const 0))
(func (export "proxy_abi_version_0_2_1"))
(func $allocate (export "proxy_on_memory_allocate") (param $len i32) (result i32)
  ;; nothing
  (global.get $heap)
  (global.set $heap (i32.and (i32.const -8)
    (i32.add (i32.const 8) (i32.add (global.get $heap) (local.get $len))))))
(func $log_line (param $at i32) (param $len i32)
  (drop (call $log (i32.const 2) (local.get $at) (local.get $len))))
(func $log_two (param $a i32) (param $al i32) (param $b i32) (param $bl i32) (local $line i32)
  (local.set $line (call $allocate (i32.add (local.get $al) (local.get $bl))))
  (memory.copy (local.get $line) (local.get $a) (local.get $al))
  (memory.copy (i32.add (local.get $line) (local.get $al)) (local.get $b) (local.get $bl))
  (call $log_line (local.get $line) (i32.add (local.get $al) (local.get $bl))))
(func $log_number (param $a i32) (param $al i32) (param $n i32) (local $at i32)
  (local.set $at (i32.const 96))
  (loop $digit
    (local.set $at (i32.sub (local.get $at) (i32.const 1)))
    (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
    (local.set $n (i32.div_u (local.get $n) (i32.const 10)))
    (br_if $digit (local.get $n)))
  (call $log_two (local.get $a) (local.get $al) (local.get $at) (i32.sub (i32.const 96) (local.get $at))))
(data (i32.const 128) "status ")
(func $log_status (param $a i32) (param $al i32) (param $status i32) (local $line i32)
  (local.set $line (call $allocate (i32.add (local.get $al) (i32.const 7))))
  (memory.copy (local.get $line) (local.get $a) (local.get $al))
  (memory.copy (i32.add (local.get $line) (local.get $al)) (i32.const 128) (i32.const 7))
  (call $log_number (local.get $line) (i32.add (local.get $al) (i32.const 7)) (local.get $status)))
(func $show (param $a i32) (param $al i32) (param $status i32)
  (if (local.get $status)
    (then (call $log_status (local.get $a) (local.get $al) (local.get $status)))
    (else (call $log_two (local.get $a) (local.get $al)
      (i32.load (i32.const 16)) (i32.load (i32.const 20))))))
(func $show_pairs (param $a i32) (param $al i32) (param $status i32)
  (local $at i32) (local $left i32) (local $n i32) (local $need i32) (local $base i32)
  (if (local.get $status)
    (then (call $log_status (local.get $a) (local.get $al) (local.get $status)) (return)))
  (if (i32.eqz (i32.load (i32.const 20)))
    (then (call $log_number (local.get $a) (local.get $al) (i32.const 0)) (return)))
  (local.set $base (i32.load (i32.const 16)))
  (local.set $n (i32.load (local.get $base)))
  (local.set $left (local.get $n))
  (local.set $at (i32.add (local.get $base) (i32.const 4)))
  (local.set $need (i32.const 4))
  (block $counted (loop $next
    (br_if $counted (i32.eqz (local.get $left)))
    (local.set $need (i32.add (local.get $need) (i32.add (i32.const 10)
      (i32.add (i32.load (local.get $at)) (i32.load offset=4 (local.get $at))))))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br $next)))
  (if (i32.gt_u (local.get $need) (i32.load (i32.const 20))) (then unreachable))
  (call $log_number (local.get $a) (local.get $al) (local.get $n)))
(func $show_random (param $a i32) (param $al i32) (param $len i32) (local $at i32) (local $status i32)
  (local.set $at (call $allocate (local.get $len)))
  (local.set $status (call $random (local.get $at) (local.get $len)))
  (if (local.get $status)
    (then (call $log_status (local.get $a) (local.get $al) (local.get $status)))
    (else (call $log_number (local.get $a) (local.get $al) (i32.load (local.get $at))))))
(func $show_environment (param $a i32) (param $al i32) (local $at i32) (local $list i32)
  (drop (call $env_sizes (i32.const 16) (i32.const 20)))
  (local.set $list (call $allocate (i32.mul (i32.const 4) (i32.load (i32.const 16)))))
  (local.set $at (call $allocate (i32.load (i32.const 20))))
  (drop (call $env (local.get $list) (local.get $at)))
  (call $log_two (local.get $a) (local.get $al) (local.get $at) (i32.load (i32.const 20))))
"#;
