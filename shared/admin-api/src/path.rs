//! The paths that a gateway asks for, as unencoded segments.
//!
//! Names come from outside and may hold `/`, `..`, CR or LF. Segments leave the encoding to the one
//! place that does it for every callout.

/// What changed; takes `since`, `epoch` and `limit`.
#[must_use]
pub const fn changes() -> [&'static str; 1] {
    ["changes"]
}

/// Everybody's App IDs; takes `size`, `offset` and filters.
#[must_use]
pub const fn app_ids() -> [&'static str; 1] {
    ["appids"]
}

/// The App IDs of one consumer, named by id, username or custom id.
#[must_use]
pub const fn consumer_app_ids(consumer: &str) -> [&str; 3] {
    ["consumers", consumer, "appids"]
}

/// Whose API key it is, by its SHA-256 digest in lower-case hex.
#[must_use]
pub const fn key_identity(digest: &str) -> [&str; 3] {
    ["identities", "key-auth", digest]
}

/// All API keys by digest, page by page; takes `size` and `offset`.
#[must_use]
pub const fn key_identities() -> [&'static str; 2] {
    ["identities", "key-auth"]
}

/// Who is called this: an id, a username or a custom id.
#[must_use]
pub const fn consumer_identity(consumer: &str) -> [&str; 3] {
    ["identities", "consumers", consumer]
}

/// A session, by its id.
#[must_use]
pub const fn session(id: &str) -> [&str; 2] {
    ["sessions", id]
}

/// Whether a session was revoked, by its id.
#[must_use]
pub const fn revocation(id: &str) -> [&str; 2] {
    ["revocations", id]
}

/// Where increments are counted.
#[must_use]
pub const fn counters() -> [&'static str; 1] {
    ["counters"]
}
