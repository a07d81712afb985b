//! Authenticates a consumer by an API key, as Kong's key-auth plugin does.
//!
//! | room         | what is in it                                          | proxy? |
//! |--------------|--------------------------------------------------------|--------|
//! | `config.rs`  | the settings, read once and checked                    | no     |
//! | `flow.rs`    | what to do, from headers to a decision                 | no     |
//! | `api_key.rs` | where a request carries its key                        | no     |
//! | `body.rs`    | a key in a form, a JSON object or a multipart body     | no     |
//! | `source.rs`  | where credentials come from: questions and answers    | no     |
//! | `kong.rs`    | the same from a Kong Admin API, which has only lists   | no     |
//! | `filter.rs`  | what the host has to know of this filter               | yes    |

#![warn(missing_docs)]

mod api_key;
mod body;
mod config;
mod filter;
mod flow;
mod kong;
mod source;

pub use filter::KeyAuth;

proxy_wasm::filter!(filter::KeyAuth);
