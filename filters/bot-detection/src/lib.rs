//! Refuses, marks or counts bots by their User-Agent, as Kong's bot-detection plugin does.
//!
//! | room        | what is in it                                          | proxy? |
//! |-------------|--------------------------------------------------------|--------|
//! | `config.rs` | the settings, read once and checked                    | no     |
//! | `flow.rs`   | what to do, from headers to a decision                 | no     |
//! | `agents.rs` | which rule a User-Agent falls under                    | no     |
//! | `rules.rs`  | the rules that the filter brings                       | no     |
//! | `filter.rs` | what the host has to know of this filter               | yes    |

#![warn(missing_docs)]

mod agents;
mod config;
mod filter;
mod flow;
mod rules;

pub use filter::BotDetection;

proxy_wasm::filter!(filter::BotDetection);
