//! Who is calling: consumer, credential, anonymous, and how one filter tells the next.
//!
//! The identity of a request travels in the property [`PROPERTY`] and, for the upstream, in the headers that
//! Kong's authentication plugins set. Nothing that the client sent is ever a source of it.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

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

pub use gate::{Admitted, refuse_duplicate};
pub use guard::Guard;
pub use headers::{Duplicate, IDENTITY_HEADERS, SESSION, reject_duplicate};
pub use identity::{Credential, Identity, folded};
pub use inline::{Directory, JwtSecret, consumers};
pub use known::{CLAIMS, Known, PROPERTY, refused};
pub use kong_lists::KongLists;
pub use owned::Owned;

/// SHA-256 of an API key: what is stored, looked up and compared in its place.
#[must_use]
pub fn key_digest(key: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(key).into()
}
