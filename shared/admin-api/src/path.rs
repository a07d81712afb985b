//! The paths that a gateway requests, as unencoded segments.
//!
//! Names come from clients and may hold `/`, `..`, CR or LF. The code that sends callouts encodes
//! the segments of every path in one place.

/// The log of changes. Parameters: `since`, `epoch` and `limit`.
#[must_use]
pub const fn changes() -> [&'static str; 1] {
    ["changes"]
}

/// The App IDs of all consumers. Parameters: `size`, `offset`, and the filters `id`, `appid` and
/// `consumer_id`.
#[must_use]
pub const fn app_ids() -> [&'static str; 1] {
    ["appids"]
}

/// The App IDs of one consumer, which is named by its id, username or custom id.
#[must_use]
pub const fn consumer_app_ids(consumer: &str) -> [&str; 3] {
    ["consumers", consumer, "appids"]
}

/// The consumer of an API key, which is named by its SHA-256 digest in lower-case hex.
#[must_use]
pub const fn key_identity(digest: &str) -> [&str; 3] {
    ["identities", "key-auth", digest]
}

/// The list of all API keys. Parameters: `size` and `offset`.
#[must_use]
pub const fn key_identities() -> [&'static str; 2] {
    ["identities", "key-auth"]
}

/// The consumer with a name. Parameter: `by`, which is `id`, `username` or `custom_id`.
#[must_use]
pub const fn consumer_identity(consumer: &str) -> [&str; 3] {
    ["identities", "consumers", consumer]
}

/// The session with an id.
#[must_use]
pub const fn session(id: &str) -> [&str; 2] {
    ["sessions", id]
}

/// The revocation of the session with an id.
#[must_use]
pub const fn revocation(id: &str) -> [&str; 2] {
    ["revocations", id]
}

/// The shared counters, for `POST`.
#[must_use]
pub const fn counters() -> [&'static str; 1] {
    ["counters"]
}
