//! Lets requests through by the client's address, as Kong's ip-restriction plugin does.
//!
//! | room           | what is in it                                            | proxy? |
//! |----------------|----------------------------------------------------------|--------|
//! | `config.rs`    | the settings, read once and checked                      | no     |
//! | `flow.rs`      | what to do, from headers to a decision                   | no     |
//! | `networks.rs`  | many networks, and whether an address is in one of them  | no     |
//! | `prefix.rs`    | one network                                              | no     |
//! | `client.rs`    | who the client is, behind how many proxies               | no     |
//! | `forwarded.rs` | what a proxy says of who came to it                      | no     |
//! | `filter.rs`    | what the host has to know of this filter                 | yes    |

#![warn(missing_docs)]

mod client;
mod config;
mod filter;
mod flow;
mod forwarded;
mod networks;
mod prefix;

pub use filter::IpRestriction;
pub use networks::Networks;
pub use prefix::Prefix;

proxy_wasm::filter!(filter::IpRestriction);
