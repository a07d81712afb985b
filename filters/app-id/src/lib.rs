//! Lets a consumer's request through only with one of the consumer's own App IDs.
//!
//! | module       | contents                                          |
//! |--------------|---------------------------------------------------|
//! | `config.rs`  | the settings                                      |
//! | `flow.rs`    | the decision about a request                      |
//! | `app_ids.rs` | the App IDs of one consumer, in their cached form |
//! | `source.rs`  | lookups at the admin service: calls and answers   |
//! | `filter.rs`  | the description of the filter for the runtime     |

#![warn(missing_docs)]

mod app_ids;
mod config;
mod filter;
mod flow;
mod source;

pub use filter::AppId;

proxy_wasm::filter!(filter::AppId);
