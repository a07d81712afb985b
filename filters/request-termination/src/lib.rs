//! Ends requests with an answer of the operator's, as Kong's request-termination plugin does.
//!
//! | module      | contents                                      |
//! |-------------|-----------------------------------------------|
//! | `config.rs` | the settings                                  |
//! | `flow.rs`   | the response to a request                     |
//! | `echo.rs`   | the request as a JSON document, for `echo`    |
//! | `filter.rs` | the description of the filter for the runtime |

#![warn(missing_docs)]

mod config;
mod echo;
mod filter;
mod flow;

pub use filter::RequestTermination;

proxy_wasm::filter!(filter::RequestTermination);
