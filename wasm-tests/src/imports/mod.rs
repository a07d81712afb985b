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

use crate::abi::Status;
use crate::artifact::engine;
use crate::guest::{Guest, GuestState, trap};
use std::sync::OnceLock;
use wasmtime::{Linker, Result};

type Functions = Linker<GuestState>;

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
