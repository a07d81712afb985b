//! The host functions themselves.

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    pub(super) fn proxy_log(level: i32, message: *const u8, len: usize) -> i32;
    pub(super) fn proxy_get_current_time_nanoseconds(now: *mut u64) -> i32;
    pub(super) fn proxy_get_buffer_bytes(
        buffer: i32,
        start: usize,
        max: usize,
        at: *mut *mut u8,
        len: *mut usize,
    ) -> i32;
    pub(super) fn proxy_set_buffer_bytes(
        buffer: i32,
        start: usize,
        max: usize,
        bytes: *const u8,
        len: usize,
    ) -> i32;
    pub(super) fn proxy_get_header_map_pairs(map: i32, at: *mut *mut u8, len: *mut usize) -> i32;
    pub(super) fn proxy_get_header_map_value(
        map: i32,
        name: *const u8,
        name_len: usize,
        at: *mut *mut u8,
        len: *mut usize,
    ) -> i32;
    pub(super) fn proxy_replace_header_map_value(
        map: i32,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        len: usize,
    ) -> i32;
    pub(super) fn proxy_add_header_map_value(
        map: i32,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        len: usize,
    ) -> i32;
    pub(super) fn proxy_remove_header_map_value(map: i32, name: *const u8, len: usize) -> i32;
    pub(super) fn proxy_get_property(
        path: *const u8,
        path_len: usize,
        at: *mut *mut u8,
        len: *mut usize,
    ) -> i32;
    pub(super) fn proxy_set_property(
        path: *const u8,
        path_len: usize,
        value: *const u8,
        len: usize,
    ) -> i32;
    pub(super) fn proxy_get_shared_data(
        key: *const u8,
        key_len: usize,
        at: *mut *mut u8,
        len: *mut usize,
        cas: *mut u32,
    ) -> i32;
    pub(super) fn proxy_set_shared_data(
        key: *const u8,
        key_len: usize,
        value: *const u8,
        len: usize,
        cas: u32,
    ) -> i32;
    pub(super) fn proxy_http_call(
        upstream: *const u8,
        upstream_len: usize,
        headers: *const u8,
        headers_len: usize,
        body: *const u8,
        body_len: usize,
        trailers: *const u8,
        trailers_len: usize,
        timeout: u32,
        token: *mut u32,
    ) -> i32;
    pub(super) fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_len: usize,
        body: *const u8,
        body_len: usize,
        headers: *const u8,
        headers_len: usize,
        grpc_status: i32,
    ) -> i32;
    pub(super) fn proxy_continue_stream(stream: i32) -> i32;
    pub(super) fn proxy_set_effective_context(context: u32) -> i32;
    pub(super) fn proxy_set_tick_period_milliseconds(period: u32) -> i32;
    pub(super) fn proxy_define_metric(kind: i32, name: *const u8, len: usize, id: *mut u32) -> i32;
    pub(super) fn proxy_call_foreign_function(
        name: *const u8,
        name_len: usize,
        arguments: *const u8,
        arguments_len: usize,
        at: *mut *mut u8,
        len: *mut usize,
    ) -> i32;
    pub(super) fn proxy_increment_metric(id: u32, by: i64) -> i32;
    pub(super) fn proxy_record_metric(id: u32, value: u64) -> i32;
    pub(super) fn proxy_done() -> i32;
}

pub(super) fn random(out: &mut [u8]) {
    // Envoy refuses more than 64 KiB at once; nobody here asks for more than 64 bytes. On failure
    // the bytes stay as they are, and the other sources of entropy have to do.
    let _ = getrandom::fill(out);
}
