//! The identity of a request: its consumer and credential, and their way from filter to filter.
//!
//! The identity travels in the property [`PROPERTY`]. For the upstream it travels in the headers
//! that Kong's authentication plugins set. Nothing that a client sends is a source of the identity.
//!
//! | module          | contents                                                |
//! |-----------------|---------------------------------------------------------|
//! | `anonymous.rs`  | the anonymous consumer, which stands in for a caller    |
//! | `gate.rs`       | the check before every filter                           |
//! | `guard.rs`      | a filter's edits, completed to keep its headers its own |
//! | `headers.rs`    | the identity headers of Kong                            |
//! | `identity.rs`   | a consumer with the credential that proved it           |
//! | `inline.rs`     | consumers in the settings                               |
//! | `known.rs`      | the content of the identity's property                  |
//! | `kong_lists.rs` | the lists of a Kong Admin API                           |
//! | `lookup.rs`     | lookups of consumers at the admin service               |
//! | `owned.rs`      | the request headers that a filter owns                  |
//! | `testing.rs`    | a driver for the tests of filters                       |

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod anonymous;
pub mod gate;
mod guard;
mod headers;
mod identity;
mod inline;
mod known;
mod kong_lists;
pub mod lookup;
mod owned;
#[cfg(feature = "testing")]
pub mod testing;

pub use anonymous::{Anonymous, StandIn};
pub use gate::{Admitted, refuse_duplicate};
pub use guard::Guard;
pub use headers::{Duplicate, IDENTITY_HEADERS, SESSION, reject_duplicate};
pub use identity::{Credential, Identity, folded};
pub use inline::{Directory, JwtSecret, consumers};
pub use known::{CLAIMS, Known, PROPERTY, caller, refused, refused_as};
pub use kong_lists::KongLists;
pub use owned::Owned;

/// Returns the SHA-256 of an API key. It is stored, looked up and compared in place of the key.
#[must_use]
pub fn key_digest(key: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(key).into()
}
