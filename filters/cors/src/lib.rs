//! Tells browsers which other origins may use an API, as Kong's cors plugin does.
//!
//! | room         | what is in it                                        | proxy? |
//! |--------------|------------------------------------------------------|--------|
//! | `config.rs`  | the settings, read once and checked                  | no     |
//! | `flow.rs`    | what to do, from headers to the response             | no     |
//! | `policy.rs`  | the headers that a response gets                     | no     |
//! | `origins.rs` | which origins may, and what they are told            | no     |
//! | `origin.rs`  | what an origin is                                    | no     |
//! | `filter.rs`  | what the host has to know of this filter             | yes    |

#![warn(missing_docs)]

mod config;
mod filter;
mod flow;
mod origin;
mod origins;
mod policy;

pub use filter::Cors;

proxy_wasm::filter!(filter::Cors);
