//! Every callback of ABI 0.2.1, whether a filter needs it or not.
//!
//! Kong (ngx_wasm_module) calls a callback that a module does not export through a null pointer,
//! which ends the worker. When it loads a module it checks `context_create`, `vm_start` and
//! `configure` alone. So this file exports the whole set that the Rust SDK exports; a callback
//! without work answers "go on". A test compares the exports of each built filter with that set.

use super::*;
use crate::abi::in_request_headers;

/// The answer of a callback that has no work: the message goes on.
const GO_ON: i32 = Action::Continue as i32;

// === Start ===

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    abi::allocate(size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(id: u32, parent: u32) {
    match (parent, held()) {
        (0, [only]) => create_instance(id, *only),
        // Which of several filters it is can be asked only once the VM is started.
        (0, _) => {}
        (root, _) => create_stream(id, root),
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, size: usize) -> i32 {
    let configuration = match size {
        0 => Vec::new(),
        _ => abi::buffer(Buffer::VmConfiguration).unwrap_or_default(),
    };
    start(&configuration);
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(id: u32, _size: usize) -> i32 {
    // After a trap Kong configures without having started the VM.
    if host() == Host::Unknown {
        start(&[]);
    }
    let document = abi::buffer(Buffer::PluginConfiguration).unwrap_or_default();
    i32::from(configure(id, document))
}

// === Root contexts ===

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(id: u32) {
    let Some(instance) = instance(id) else { return };
    let (sent, woken) = instance.tick(&guest(id, id));
    remember(id, sent);
    wake(id, woken);
    let_go(&instance);
}

/// No filter registers a queue.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_queue_ready(_id: u32, _queue: u32) {}

/// No filter asks the host for a function that calls back.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_foreign_function(_id: u32, _function: u32, _size: usize) {}

// === Requests ===

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(id: u32, count: usize, end: i32) -> i32 {
    in_request_headers(|phase| request_headers(phase, id, count, end != 0)) as i32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(id: u32, size: usize, end: i32) -> i32 {
    with_stream(id, |stream, guest| stream.request_body(guest, size, end != 0)) as i32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(id: u32, _count: usize) -> i32 {
    with_stream(id, |stream, guest| stream.request_trailers(guest)) as i32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    id: u32,
    token: u32,
    headers: usize,
    body: usize,
    _trailers: usize,
) {
    call_answered(id, token, headers, body);
}

// === Responses ===

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(id: u32, count: usize, end: i32) -> i32 {
    with_response(id, |stream, guest| stream.response_headers(guest, count, end != 0)) as i32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(id: u32, size: usize, end: i32) -> i32 {
    with_response(id, |stream, guest| (stream.response_body(guest, size, end != 0), Asked::Nothing))
        as i32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(_id: u32, _count: usize) -> i32 {
    GO_ON
}

// === The end ===

#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(id: u32) -> i32 {
    i32::from(done(id))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(id: u32) {
    logged(id);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(id: u32) {
    gone(id);
}

// === gRPC callouts, of which no filter makes any ===

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_receive_initial_metadata(_id: u32, _token: u32, _headers: u32) {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_receive(_id: u32, _token: u32, _size: usize) {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_receive_trailing_metadata(_id: u32, _token: u32, _trailers: u32) {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_close(_id: u32, _token: u32, _status: u32) {}

// === TCP connections, in whose filter chains no filter stands ===

#[unsafe(no_mangle)]
extern "C" fn proxy_on_new_connection(_id: u32) -> i32 {
    GO_ON
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_downstream_data(_id: u32, _size: usize, _end: i32) -> i32 {
    GO_ON
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_downstream_connection_close(_id: u32, _peer: u32) {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_upstream_data(_id: u32, _size: usize, _end: i32) -> i32 {
    GO_ON
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_upstream_connection_close(_id: u32, _peer: u32) {}
