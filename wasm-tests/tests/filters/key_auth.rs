//! key_auth: Kong's key authentication, on both kinds of gateway.

mod admin_side;
mod anonymous;
mod bodies;
mod identity;
mod keys;
mod scope;

pub use admin_side::failures;
