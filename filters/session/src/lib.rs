//! Browser sessions: a signed-in consumer's cookie, interchangeable with Kong's session plugin.
//!
//! | module             | contents                                                          |
//! |--------------------|-------------------------------------------------------------------|
//! | `config.rs`        | the settings                                                      |
//! | `flow.rs`          | the flow of an instance that opens sessions                       |
//! | `flow/keeping.rs`  | a session that continues                                          |
//! | `flow/ending.rs`   | the end of a session                                              |
//! | `flow/response.rs` | the cookies of the response                                       |
//! | `save_flow.rs`     | the flow of an instance that saves sessions only                  |
//! | `sessions.rs`      | sessions opened, saved, touched and ended                         |
//! | `header.rs`        | the header of a cookie: its first 82 bytes                        |
//! | `secret.rs`        | the keys derived from a secret and the id of a session            |
//! | `keyring.rs`       | sealing and opening, with the current and former secrets          |
//! | `client.rs`        | the properties of a client that a session is bound to             |
//! | `contents.rs`      | the contents of a session, for each audience                      |
//! | `holder.rs`        | the consumer that a session is for                                |
//! | `times.rs`         | the lifetime of sessions                                          |
//! | `jar.rs`           | the cookies of a request                                          |
//! | `set_cookie.rs`    | the cookies of a response                                         |
//! | `logout.rs`        | the recognition of a logout                                       |
//! | `properties.rs`    | the headers that tell the properties of a session                 |
//! | `rows.rs`          | sessions as the admin service stores them                         |
//! | `metadata.rs`      | the subjects of a session that the admin service reads            |
//! | `source.rs`        | lookups at the admin service: calls and answers                   |
//! | `mark.rs`          | the property by which the opening instance informs the saving one |
//! | `fuzzing.rs`       | the entry for the fuzzer                                          |
//! | `filter.rs`        | the description of the filter for the runtime                     |

#![warn(missing_docs)]

mod client;
mod config;
mod contents;
mod filter;
#[cfg(test)]
mod fixture;
mod flow;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod header;
mod holder;
mod jar;
mod keyring;
mod logout;
mod mark;
mod metadata;
mod properties;
mod rows;
mod save_flow;
mod secret;
mod sessions;
mod set_cookie;
mod source;
mod times;

pub use filter::Session;

proxy_wasm::filter!(filter::Session);
