//! Refuses, marks or counts bots by their User-Agent, as Kong's bot-detection plugin does.
//!
//! | module      | contents                                      |
//! |-------------|-----------------------------------------------|
//! | `config.rs` | the settings                                  |
//! | `flow.rs`   | the decision about a request                  |
//! | `agents.rs` | the rule for a User-Agent                     |
//! | `rules.rs`  | the filter's own rules                        |
//! | `filter.rs` | the description of the filter for the runtime |

#![warn(missing_docs)]

mod agents;
mod config;
mod filter;
mod flow;
mod rules;

pub use filter::BotDetection;

proxy_wasm::filter!(filter::BotDetection);
