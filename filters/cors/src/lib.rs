//! Tells browsers which other origins may use an API, as Kong's cors plugin does.
//!
//! | module       | contents                                                    |
//! |--------------|-------------------------------------------------------------|
//! | `config.rs`  | the settings                                                |
//! | `flow.rs`    | the decision about a request, and the edits of its response |
//! | `policy.rs`  | the headers of a response                                   |
//! | `origins.rs` | the allowed origins                                         |
//! | `origin.rs`  | one origin: scheme, host and port                           |
//! | `filter.rs`  | the description of the filter for the runtime               |

#![warn(missing_docs)]

mod config;
mod filter;
mod flow;
mod origin;
mod origins;
mod policy;

pub use filter::Cors;

proxy_wasm::filter!(filter::Cors);
