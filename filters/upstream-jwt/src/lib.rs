//! Signs a token for the upstream. The token states the consumer, the credential, the route and the
//! service of a request, and hashes of its body and query.
//!
//! | module       | contents                                               |
//! |--------------|--------------------------------------------------------|
//! | `config.rs`  | the settings                                           |
//! | `keys.rs`    | the keys of the settings: one signs, all are published |
//! | `flow.rs`    | the token for a request                                |
//! | `claims.rs`  | the claims of a token                                  |
//! | `entity.rs`  | consumer, credential, route and service in a token     |
//! | `members.rs` | a JSON object whose members keep their order           |
//! | `mint.rs`    | new tokens, and tokens that are reused                 |
//! | `filter.rs`  | the description of the filter for the runtime          |

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
