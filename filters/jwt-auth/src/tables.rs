//! The tables of the cache that this filter uses, and the keys of their entries.
//!
//! | table                | name of an entry           | source        | value                    |
//! |----------------------|----------------------------|---------------|--------------------------|
//! | `BY_KEY`             | key claim of a token       | admin service | consumer with credential |
//! | [`consumer::lookup`] | id or name of a consumer   | admin service | consumer, or its id      |
//! | `DISCOVERY`          | number of a provider       | provider      | path of its key set      |
//! | `JWKS`               | number of a provider, path | provider      | usable keys of a set     |

use exchange::Key;

/// The table of consumers with a JWT credential.
pub(crate) const BY_KEY: u8 = 1;
/// The table of the paths of key sets that were discovered.
pub(crate) const DISCOVERY: u8 = 3;
/// The table of key sets.
pub(crate) const JWKS: u8 = 4;

/// Returns the key of the consumer whose credential has this `key`.
pub(crate) fn by_key(key: &str) -> Key {
    Key::new(BY_KEY, key)
}

/// Returns the key of the path of a provider's key set.
pub(crate) fn discovery(provider: usize) -> Key {
    Key::new(DISCOVERY, provider.to_string())
}

/// Returns the key of a provider's key set at `path`.
pub(crate) fn key_set(provider: usize, path: &str) -> Key {
    // The path itself may be too long for the name of an entry.
    let digest = jose::hash::sha256_hex(path.as_bytes());
    Key::new(JWKS, format!("{provider} {digest}"))
}

/// Returns the number of the provider in the name of a key of `DISCOVERY` or `JWKS`.
pub(crate) fn provider_of(key: &Key) -> Option<usize> {
    std::str::from_utf8(&key.name).ok()?.split(' ').next()?.parse().ok()
}
