//! The compiled filters on a pretend proxy, and on a real Envoy.

pub mod real;
