//! Ends requests with an answer of the operator's, as Kong's request-termination plugin does.
//!
//! | room        | what is in it                                   | proxy? |
//! |-------------|-------------------------------------------------|--------|
//! | `config.rs` | the settings, read once and checked             | no     |
//! | `flow.rs`   | what to do, from headers to an answer           | no     |
//! | `echo.rs`   | the request as a JSON document, for debugging   | no     |
//! | `filter.rs` | what the host has to know of this filter        | yes    |

#![warn(missing_docs)]

mod config;
mod echo;
mod filter;
mod flow;

pub use filter::RequestTermination;

proxy_wasm::filter!(filter::RequestTermination);
