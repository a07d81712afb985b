//! Lets a consumer's request through only with one of the consumer's own App IDs.
//!
//! | room         | what is in it                                          | proxy? |
//! |--------------|--------------------------------------------------------|--------|
//! | `config.rs`  | the settings, read once and checked                    | no     |
//! | `flow.rs`    | what to do, from headers to a decision                 | no     |
//! | `app_ids.rs` | the App IDs of one consumer, in the form they are kept | no     |
//! | `source.rs`  | where they come from: questions and answers            | no     |
//! | `filter.rs`  | what the host has to know of this filter               | yes    |

#![warn(missing_docs)]

mod app_ids;
mod config;
mod filter;
mod flow;
mod source;

pub use filter::AppId;

proxy_wasm::filter!(filter::AppId);
