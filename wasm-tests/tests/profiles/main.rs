//! The two profiles, each held against the facts by tiny probe filters, so that a wrong profile
//! fails here and not in the gateway.

mod bodies;
mod callouts;
mod chain;
mod headers;
mod loading;
mod metrics;
mod parking;
mod probe;
mod properties;
mod replies;
mod shared_data;
mod ticks;
mod traps;
