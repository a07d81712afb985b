//! Planted secrets, and a search for them in all that the parts of Gatehouse write.
//!
//! `docs/secrets.md` says what is promised, and names the places that hold a secret on purpose.

mod envoy;
mod memory;
mod places;
mod planted;
mod service;
mod sources;
