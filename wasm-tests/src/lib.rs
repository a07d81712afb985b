//! The compiled filters on a pretend gateway, and on a real Envoy and a real Kong.
//!
//! The pretend gateway keeps state instead of a list of expected calls, so that a filter may read
//! its headers in any order and as often as it likes. A test observes only what a client, an
//! upstream or an operator would see. Two profiles reproduce the traps of Envoy and of Kong.

mod abi;
mod artifact;
mod callouts;
mod chain;
mod client_view;
mod crc32;
mod envoy;
mod envoy_end;
mod envoy_out;
mod events;
mod everywhere;
mod guest;
mod headers;
mod imports;
mod kong;
mod kong_callouts;
mod kong_upstream;
pub mod memory;
mod message;
mod metrics;
mod node;
mod outcome;
mod pairs;
mod path;
mod profile;
mod properties;
mod proxy;
mod python;
mod random;
pub mod real;
mod shared_data;
mod state;
mod stream;
pub mod tokens;
pub mod torture;
mod values;
mod vm;
mod wasi;
mod worker;

pub use abi::{Callback, Level};
pub use artifact::{
    Filter, built_filters, exports, filters_directory, imports, imports_not_everywhere,
    module_of_all, sdk_module,
};
pub use callouts::{Answer, Callout};
pub use client_view::Stream;
pub use headers::Headers;
pub use message::{Forwarded, Request, Response};
pub use node::{Fault, LogLine};
pub use outcome::{HostCalls, Outcome, Standing};
pub use profile::{KongVersion, Profile};
pub use proxy::Proxy;
pub use python::python;
pub use values::{
    BLANK_APP_ID, INVALID_APP_ID, NO_APP_ID, kept_for_a_day, merged, percent_encoded, refused_with,
};
