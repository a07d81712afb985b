//! Limits how many requests a consumer, an address or anything else may send in a period.
//!
//! | room          | what is in it                                              | proxy? |
//! |---------------|------------------------------------------------------------|--------|
//! | `config.rs`   | the settings, read once and checked                        | no     |
//! | `flow.rs`     | what to do, from headers to a decision                     | no     |
//! | `caller.rs`   | whom a request is counted for                              | no     |
//! | `period.rs`   | the periods of the calendar                                | no     |
//! | `usage.rs`    | the room that a limit has: the algorithms                  | no     |
//! | `verdict.rs`  | several limits together                                    | no     |
//! | `headers.rs`  | what a client is told                                      | no     |
//! | `limiter.rs`  | what is counted in this VM                                 | no     |
//! | `table.rs`    | the counters of a node, exact among its workers            | no     |
//! | `bucket.rs`   | what one slot of shared data holds                         | no     |
//! | `lease.rs`    | what a worker takes in advance                             | no     |
//! | `ask.rs`      | asking gatehouse-admin before each request                 | no     |
//! | `ledger.rs`   | deciding alone and comparing with other nodes              | no     |
//! | `syncer.rs`   | the comparison, sent and answered                          | no     |
//! | `filter.rs`   | what the host has to know of this filter                   | yes    |

#![warn(missing_docs)]

mod ask;
mod bucket;
mod caller;
mod config;
mod filter;
mod flow;
mod headers;
mod lease;
mod ledger;
mod limiter;
mod period;
mod syncer;
mod table;
mod usage;
mod verdict;

pub use filter::RateLimiting;

proxy_wasm::filter!(filter::RateLimiting);
