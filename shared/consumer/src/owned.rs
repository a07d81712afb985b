//! Which request headers are a filter's own.

use crate::headers::IDENTITY_HEADERS;
use exchange::same_name;

/// The request headers that a filter owns. Whatever arrives under one of these names, in any spelling that an
/// upstream may take for it, is removed or replaced on every request that the filter sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owned {
    identity: bool,
    names: Vec<String>,
}

impl Owned {
    /// The filter owns no request header.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// The filter owns these headers.
    #[must_use]
    pub fn headers<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::nothing().and(names)
    }

    /// The filter establishes who is calling, so it owns all of [`IDENTITY_HEADERS`].
    #[must_use]
    pub fn identity() -> Self {
        Self { identity: true, names: Vec::new() }
    }

    /// The same, and these headers.
    #[must_use]
    pub fn and<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.names.extend(names.into_iter().map(|name| name.as_ref().to_ascii_lowercase()));
        self
    }

    /// Whether the identity headers are among them.
    #[must_use]
    pub fn has_identity(&self) -> bool {
        self.identity
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.identity && self.names.is_empty()
    }

    /// Whether a field of this name is one of them.
    #[must_use]
    pub fn has(&self, field: &[u8]) -> bool {
        self.identity && is_identity(field)
            || self.names.iter().any(|name| same_name(name.as_bytes(), field))
    }
}

/// Whether a field of this name tells the upstream who is calling.
pub(crate) fn is_identity(field: &[u8]) -> bool {
    IDENTITY_HEADERS.iter().any(|name| same_name(name.as_bytes(), field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_owned_in_every_spelling() {
        let owned = Owned::identity().and(["X-Role"]);
        for name in ["x-role", "X_ROLE", "x_consumer-ID", "X-Authenticated_Groups"] {
            assert!(owned.has(name.as_bytes()), "{name}");
        }
        assert!(!owned.has(b"x-roles"));
        assert!(!Owned::headers(["x-role"]).has(b"x-consumer-id"));
        assert!(Owned::nothing().is_empty() && !owned.is_empty());
    }
}
