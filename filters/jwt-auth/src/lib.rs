//! Authenticates a consumer by a JSON Web Token, as Kong's jwt plugin does, and tokens of OpenID
//! providers.
//!
//! | module                | contents                                                       |
//! |-----------------------|----------------------------------------------------------------|
//! | `config.rs`           | the settings                                                   |
//! | `provider.rs`         | one issuer: its settings and the claims of its tokens          |
//! | `flow.rs`             | the decision about a request                                   |
//! | `flow/credentials.rs` | tokens that a consumer's credential verifies                   |
//! | `flow/providers.rs`   | tokens that a provider's key verifies                          |
//! | `bearer.rs`           | the places in which a request carries its token                |
//! | `cookies.rs`          | the cookies that carry tokens                                  |
//! | `claims.rs`           | times, audiences and headers of claims                         |
//! | `credential.rs`       | the keys of consumers                                          |
//! | `memory.rs`           | a VM's memory of keys, key sets and verified tokens            |
//! | `tables.rs`           | the tables of the cache and the keys of their entries          |
//! | `source.rs`           | credentials from gatehouse-admin, key sets from providers      |
//! | `kong.rs`             | credentials from a Kong Admin API, which has lists only        |
//! | `filter.rs`           | the description of the filter for the runtime                  |

#![warn(missing_docs)]

mod bearer;
mod claims;
mod config;
mod cookies;
mod credential;
mod filter;
mod flow;
mod kong;
mod memory;
mod provider;
mod source;
mod tables;

pub use filter::JwtAuth;

proxy_wasm::filter!(filter::JwtAuth);
