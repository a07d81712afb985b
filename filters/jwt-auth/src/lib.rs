//! Authenticates a consumer by a JSON Web Token, as Kong's jwt plugin does, and tokens of OpenID providers.
//!
//! | room                  | what is in it                                                      | proxy? |
//! |-----------------------|--------------------------------------------------------------------|--------|
//! | `config.rs`           | the settings, read once and checked                                | no     |
//! | `provider.rs`         | one issuer: its settings, and what its tokens must say             | no     |
//! | `flow.rs`             | what to do, from headers to a decision;                            | no     |
//! | `flow/credentials.rs` | where the token is of a consumer's credential,                     | no     |
//! | `flow/providers.rs`   | and where it is a provider's                                       | no     |
//! | `bearer.rs`           | where a request carries its token                                  | no     |
//! | `claims.rs`           | times, audiences and headers of claims                             | no     |
//! | `credential.rs`       | a consumer's key: kept, compared, made usable                      | no     |
//! | `memory.rs`           | what a VM need not compute twice: keys, key sets, verified tokens  | no     |
//! | `source.rs`           | where credentials and key sets come from: questions and answers    | no     |
//! | `kong.rs`             | credentials from a Kong Admin API, which has only lists            | no     |
//! | `filter.rs`           | what the host has to know of this filter                           | yes    |

#![warn(missing_docs)]

mod bearer;
mod claims;
mod config;
mod credential;
mod filter;
mod flow;
mod kong;
mod memory;
mod provider;
mod source;

pub use filter::JwtAuth;

proxy_wasm::filter!(filter::JwtAuth);
