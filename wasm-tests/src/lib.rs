//! The compiled filters on a pretend proxy, and on a real Envoy.
//!
//! The pretend proxy keeps state instead of a list of expected calls, so a filter may read its
//! headers in any order and as often as it likes. A test looks only at what a client, an upstream
//! or an operator would see. Its two profiles reproduce the traps of the real gateways.

mod abi;
mod artifact;
mod callouts;
mod chain;
mod client_view;
mod crc32;
mod envoy;
mod envoy_end;
mod events;
mod guest;
mod headers;
mod imports;
mod kong;
mod kong_callouts;
mod kong_upstream;
mod message;
mod metrics;
mod node;
mod outcome;
mod pairs;
mod path;
mod profile;
mod properties;
mod proxy;
mod random;
pub mod real;
mod shared_data;
mod stream;
mod vm;
mod wasi;
mod worker;

pub use abi::{Callback, Level};
pub use artifact::{
    Filter, built_filters, exports, filters_directory, imports, imports_not_everywhere,
};
pub use callouts::{Answer, Callout};
pub use client_view::Stream;
pub use headers::Headers;
pub use message::{Forwarded, Request, Response};
pub use node::{Fault, LogLine};
pub use outcome::{HostCalls, Outcome, Standing};
pub use profile::{KongVersion, Profile};
pub use proxy::Proxy;
