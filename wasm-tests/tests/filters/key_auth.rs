//! key_auth on the pretend gateways.

mod admin_side;
mod anonymous;
mod bodies;
mod identity;
mod keys;
mod scope;

pub use admin_side::failures;
