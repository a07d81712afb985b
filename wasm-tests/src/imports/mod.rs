//! The host functions that a filter may import.

mod buffers;
mod callouts;
mod flow;
mod headers;
mod metrics;
mod misc;
mod properties;
mod queues;
mod shared_data;

pub(crate) use misc::clock;

use crate::abi::Status;
use crate::artifact::engine;
use crate::guest::{Guest, GuestState, trap};
use std::sync::OnceLock;
use wasmtime::{Linker, Result};

type Functions = Linker<GuestState>;

/// The functions that Envoy and every supported Kong have.
pub(crate) const EVERYWHERE: [&str; 37] = [
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_get_log_level",
    "proxy_get_metric",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_get_status",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_register_shared_queue",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_resolve_shared_queue",
    "proxy_send_local_response",
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
];

/// The functions of WASI that Envoy and every supported Kong have.
pub(crate) const WASI_EVERYWHERE: [&str; 15] = [
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_close",
    "fd_fdstat_get",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_read",
    "fd_seek",
    "fd_write",
    "path_open",
    "proc_exit",
    "random_get",
];

/// Every function that this kind of gateway has. A module that imports another one does not load.
pub(crate) fn linker(kong: bool) -> &'static Functions {
    static ENVOY: OnceLock<Functions> = OnceLock::new();
    static KONG: OnceLock<Functions> = OnceLock::new();
    let functions = if kong { &KONG } else { &ENVOY };
    functions.get_or_init(|| {
        let mut functions = Linker::new(engine());
        add_all(&mut functions, kong).expect("no function is defined twice");
        functions
    })
}

fn add_all(functions: &mut Functions, kong: bool) -> Result<()> {
    headers::add(functions)?;
    buffers::add(functions)?;
    properties::add(functions)?;
    flow::add(functions)?;
    callouts::add(functions)?;
    shared_data::add(functions)?;
    queues::add(functions)?;
    metrics::add(functions)?;
    misc::add(functions)?;
    crate::wasi::add(functions, kong)
}

impl Guest<'_> {
    /// Returns `status` on Envoy and traps on Kong, as the hosts do when they cannot do as asked.
    fn refuse(&self, on_envoy: Status, on_kong: &str) -> Result<i32> {
        if self.is_kong() { trap(on_kong) } else { Ok(on_envoy as i32) }
    }

    /// Traps as Kong does for functions that exist only to be imported.
    fn not_yet<T>(&self, name: &str) -> Result<T> {
        trap(format!("NYI - {name}"))
    }

    /// Records a violation: Kong dereferences a request that does not exist.
    fn null_request<T>(&self, what: &str) -> Result<T> {
        let text = format!("{what} in a root context: Kong's worker crashes");
        self.violation(text.clone());
        trap(text)
    }
}
