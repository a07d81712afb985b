//! Signs a token for the upstream: who is calling, over which route, with which body and query.
//!
//! | room         | what is in it                                          | proxy? |
//! |--------------|--------------------------------------------------------|--------|
//! | `config.rs`  | the settings, read once and checked                    | no     |
//! | `keys.rs`    | the keys in them: one signs, all may be asked for      | no     |
//! | `flow.rs`    | what to do, from headers to a token                    | no     |
//! | `claims.rs`  | what the token says                                    | no     |
//! | `entity.rs`  | what is known of consumer, credential, route, service  | no     |
//! | `members.rs` | a JSON object whose members keep their order           | no     |
//! | `own.rs`     | the token's header, as a client may have sent it       | no     |
//! | `mint.rs`    | makes tokens, and gives equal ones out again           | no     |
//! | `filter.rs`  | what the host has to know of this filter               | yes    |

#![warn(missing_docs)]

mod claims;
mod config;
mod entity;
mod filter;
mod flow;
mod keys;
mod members;
mod mint;

pub use filter::UpstreamJwt;

proxy_wasm::filter!(filter::UpstreamJwt);
