//! The tables of the cache that this filter uses, and the keys of their entries.
//!
//! | table                | name of an entry         | source        | value                    |
//! |----------------------|--------------------------|---------------|--------------------------|
//! | `BY_KEY`             | key claim of a token     | admin service | consumer with credential |
//! | [`consumer::lookup`] | id or name of a consumer | admin service | consumer, or its id      |
//! | `DISCOVERY`          | name of a place          | provider      | path of its key set      |
//! | `JWKS`               | name of a place, path    | provider      | usable keys of a set     |
//!
//! Other configurations may read and write the same tables. So the name of a place says all that
//! its documents depend on, and never which of its own providers a configuration means.

use crate::provider::Uri;
use exchange::{Key, Target};

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

/// Returns the key of the path of the key set that the document at `place` names.
pub(crate) fn discovery(place: &str) -> Key {
    Key::new(DISCOVERY, place)
}

/// Returns the key of the key set at `path` of the server of `place`.
pub(crate) fn key_set(place: &str, path: &str) -> Key {
    // The path itself may be too long for the name of an entry.
    let digest = jose::hash::sha256_hex(path.as_bytes());
    Key::new(JWKS, format!("{place} {digest}"))
}

/// Returns the name of the place in the name of a key of `DISCOVERY` or `JWKS`.
pub(crate) fn place_of(key: &Key) -> &[u8] {
    key.name.split(|byte| *byte == b' ').next().unwrap_or_default()
}

/// Returns the name of the place of an issuer's documents: the digest of everything that they
/// depend on. The token is left out, because a name is no secret; the seal has it
/// ([`crate::config::Config::depends`]).
pub(crate) fn place_name(issuer: &str, uri: &Uri, target: &Target) -> String {
    let Target { upstream, authority, tls, prefix, timeout: _, token: _ } = target;
    let flags = format!("{}{}", u8::from(uri.https), u8::from(*tls));
    let mut hash = jose::hash::Hasher::default();
    let parts = [issuer, &uri.authority, &uri.path, upstream, authority, &flags];
    for part in parts.into_iter().chain(prefix.iter().map(String::as_str)) {
        // With its length before it, no part can be taken for two.
        hash.update(format!("{} ", part.len()).as_bytes());
        hash.update(part.as_bytes());
    }
    hash.hex()
}
