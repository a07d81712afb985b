//! The request headers that a filter owns.

use crate::headers::IDENTITY_HEADERS;
use exchange::same_name;

/// The request headers that a filter owns. A client's header under one of these names, in any
/// spelling that an upstream may take for it, is removed or replaced on every request that the
/// filter sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owned {
    identity: bool,
    names: Vec<String>,
    /// The headers that the filter does not own, and whose trailers it keeps out all the same.
    answered_for: Vec<String>,
}

impl Owned {
    /// For a filter that owns no request header.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// For a filter that owns these headers.
    #[must_use]
    pub fn headers<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::nothing().and(names)
    }

    /// For a filter that authenticates: it owns all of [`IDENTITY_HEADERS`].
    #[must_use]
    pub fn identity() -> Self {
        Self { identity: true, ..Self::default() }
    }

    /// Adds these headers.
    #[must_use]
    pub fn and<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.names.extend(names.into_iter().map(|name| name.as_ref().to_ascii_lowercase()));
        self
    }

    /// Adds headers that the filter has checked or takes a credential out of, and otherwise leaves as
    /// the client sent them. The upstream relies on that, so that no trailer goes on under one of
    /// these names.
    #[must_use]
    pub fn answering_for<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.answered_for.extend(names.into_iter().map(|name| name.as_ref().to_ascii_lowercase()));
        self
    }

    /// Returns `true` if the filter owns headers of this name or answers for them, in any spelling.
    #[must_use]
    pub fn answers_for(&self, name: &[u8]) -> bool {
        self.has(name) || self.answered_for.iter().any(|known| same_name(known.as_bytes(), name))
    }

    /// Returns `true` if the filter owns the identity headers.
    #[must_use]
    pub fn has_identity(&self) -> bool {
        self.identity
    }

    /// Returns `true` if the filter owns no header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.identity && self.names.is_empty()
    }

    /// Returns `true` if the filter owns headers of this name, in any spelling.
    #[must_use]
    pub fn has(&self, name: &[u8]) -> bool {
        self.identity && is_identity(name)
            || self.names.iter().any(|owned| same_name(owned.as_bytes(), name))
    }
}

/// Returns `true` if `name` is one of [`IDENTITY_HEADERS`], in any spelling.
pub(crate) fn is_identity(name: &[u8]) -> bool {
    // Every one of these names begins like this, and few headers of a request do.
    matches!(name.first(), Some(b'x' | b'X'))
        && IDENTITY_HEADERS.iter().any(|header| same_name(header.as_bytes(), name))
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
