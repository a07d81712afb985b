//! Authenticates a consumer by an API key, as Kong's key-auth plugin does.
//!
//! | module       | contents                                                      |
//! |--------------|---------------------------------------------------------------|
//! | `config.rs`  | the settings                                                  |
//! | `flow.rs`    | the decision about a request                                  |
//! | `api_key.rs` | the places in which a request carries its key                 |
//! | `body.rs`    | a key in a form, a JSON object or a multipart body            |
//! | `entry.rs`   | the cache's entry for a key                                   |
//! | `source.rs`  | credentials from gatehouse-admin                              |
//! | `kong.rs`    | credentials from a Kong Admin API, which has lists only       |
//! | `filter.rs`  | the description of the filter for the runtime                 |

#![warn(missing_docs)]

mod api_key;
mod body;
mod config;
mod entry;
mod filter;
mod flow;
mod kong;
mod source;

pub use filter::KeyAuth;

proxy_wasm::filter!(filter::KeyAuth);
