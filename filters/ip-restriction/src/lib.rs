//! Lets requests through by the client's address, as Kong's ip-restriction plugin does.
//!
//! | module         | contents                                               |
//! |----------------|--------------------------------------------------------|
//! | `config.rs`    | the settings                                           |
//! | `flow.rs`      | the decision about a request                           |
//! | `networks.rs`  | a set of networks, and the search for an address in it |
//! | `prefix.rs`    | one network                                            |
//! | `client.rs`    | the address of the client behind trusted proxies       |
//! | `forwarded.rs` | the headers in which proxies report their clients      |
//! | `filter.rs`    | the description of the filter for the runtime          |

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
