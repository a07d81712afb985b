//! Browser sessions: a signed-in consumer's cookie, interchangeable with Kong's session plugin.
//!
//! | room             | what is in it                                                    | proxy? |
//! |------------------|------------------------------------------------------------------|--------|
//! | `config.rs`      | the settings, read once and checked                              | no     |
//! | `flow.rs`, `flow/` | what to do, from a request's headers to its response: a session opened, kept, ended, begun | no |
//! | `save_flow.rs`   | the same for an instance that only saves                         | no     |
//! | `sessions.rs`    | sessions opened, saved, touched and ended                        | no     |
//! | `header.rs`      | the 82 octets that a cookie begins with                          | no     |
//! | `secret.rs`      | the keys that follow from the secret and a session's id          | no     |
//! | `keyring.rs`     | sealing and opening, with the secret and with older ones         | no     |
//! | `client.rs`      | what a session can be bound to                                   | no     |
//! | `contents.rs`    | what a session holds, for each audience                          | no     |
//! | `times.rs`       | how long a session lasts, and when it is renewed                 | no     |
//! | `jar.rs`         | the cookies of a request                                         | no     |
//! | `set_cookie.rs`  | the cookies of a response                                        | no     |
//! | `logout.rs`      | whether a request asks for its session to end                    | no     |
//! | `properties.rs`  | what upstream and client are told of a session                   | no     |
//! | `rows.rs`        | what the admin service keeps                                     | no     |
//! | `metadata.rs`    | what it may read of a session: for whom it is                    | no     |
//! | `source.rs`      | what is looked up at the admin service                           | no     |
//! | `mark.rs`        | what the opening instance tells the saving one                   | no     |
//! | `fuzzing.rs`     | what a fuzzer is let at                                          | no     |
//! | `filter.rs`      | what the host has to know of this filter                         | yes    |

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
