//! Limits how many requests a consumer, an address or anything else may send in a period.
//!
//! | module       | contents                                        |
//! |--------------|-------------------------------------------------|
//! | `config.rs`  | the settings                                    |
//! | `flow.rs`    | the decision about a request                    |
//! | `caller.rs`  | the identifier that a request is counted for    |
//! | `period.rs`  | the periods of the calendar                     |
//! | `usage.rs`   | the use of a limit under each algorithm         |
//! | `records.rs` | the records of one identifier                   |
//! | `verdict.rs` | the decision under several limits               |
//! | `headers.rs` | the headers that tell a client its limits       |
//! | `limiter.rs` | the counters of one configuration               |
//! | `table.rs`   | the counters of a node, exact among its workers |
//! | `bucket.rs`  | the content of one slot of shared data          |
//! | `lease.rs`   | requests that a worker counts in advance        |
//! | `ask.rs`     | counting at gatehouse-admin before each request |
//! | `ledger.rs`  | counts that are compared with other nodes       |
//! | `syncer.rs`  | the worker that compares counts                 |
//! | `filter.rs`  | the description of the filter for the runtime   |

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
mod records;
mod syncer;
mod table;
mod usage;
mod verdict;

pub use filter::RateLimiting;

proxy_wasm::filter!(filter::RateLimiting);
