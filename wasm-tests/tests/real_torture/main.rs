//! Requests that a careful client never sends, through all filters on a real Envoy.
//!
//! | module       | contents                                                    |
//! |--------------|-------------------------------------------------------------|
//! | `fixture.rs` | an Envoy with the chain, and the services around it         |
//! | `chain.rs`   | all filters in one chain, over HTTP/1.1 and HTTP/2          |
//!
//! `GATEHOUSE_TORTURE_REQUESTS` sets the number of requests (`make torture REQUESTS=1000000`).

mod chain;
mod fixture;
