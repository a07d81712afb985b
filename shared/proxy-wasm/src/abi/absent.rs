//! A host without functions, for native tests of the filters.

const UNIMPLEMENTED: i32 = 12;

pub(super) unsafe fn proxy_log(_: i32, _: *const u8, _: usize) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_get_current_time_nanoseconds(_: *mut u64) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_get_buffer_bytes(
    _: i32,
    _: usize,
    _: usize,
    _: *mut *mut u8,
    _: *mut usize,
) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_set_buffer_bytes(
    _: i32,
    _: usize,
    _: usize,
    _: *const u8,
    _: usize,
) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_get_header_map_pairs(_: i32, _: *mut *mut u8, _: *mut usize) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_get_header_map_value(
    _: i32,
    _: *const u8,
    _: usize,
    _: *mut *mut u8,
    _: *mut usize,
) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_replace_header_map_value(
    _: i32,
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_add_header_map_value(
    _: i32,
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_remove_header_map_value(_: i32, _: *const u8, _: usize) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_get_property(
    _: *const u8,
    _: usize,
    _: *mut *mut u8,
    _: *mut usize,
) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_set_property(_: *const u8, _: usize, _: *const u8, _: usize) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_get_shared_data(
    _: *const u8,
    _: usize,
    _: *mut *mut u8,
    _: *mut usize,
    _: *mut u32,
) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_set_shared_data(
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: u32,
) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_http_call(
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: u32,
    _: *mut u32,
) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_send_local_response(
    _: u32,
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: i32,
) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_continue_stream(_: i32) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_set_effective_context(_: u32) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_set_tick_period_milliseconds(_: u32) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_define_metric(_: i32, _: *const u8, _: usize, _: *mut u32) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_call_foreign_function(
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: *mut *mut u8,
    _: *mut usize,
) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_increment_metric(_: u32, _: i64) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_record_metric(_: u32, _: u64) -> i32 {
    UNIMPLEMENTED
}

pub(super) unsafe fn proxy_done() -> i32 {
    UNIMPLEMENTED
}

pub(super) fn random(_: &mut [u8]) {}
