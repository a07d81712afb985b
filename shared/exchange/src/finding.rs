//! The names of entries in the cache, and the results of looking them up.

/// The name of something that a flow can look up in the cache.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The number of one of the filter's tables.
    pub table: u8,
    /// The name in the table. It is never a secret: a secret is looked up by its digest.
    pub name: Vec<u8>,
}

impl Key {
    /// Makes the key of `name` in the table `table`.
    #[must_use]
    pub fn new(table: u8, name: impl Into<Vec<u8>>) -> Self {
        Self { table, name: name.into() }
    }
}

impl std::fmt::Debug for Key {
    /// Prints the table only, because a name may be the digest of a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.table)
    }
}

/// The result of looking up a [`Key`].
#[derive(Clone, PartialEq, Eq)]
pub enum Finding {
    /// There is certainly nothing of this name.
    Nothing,
    /// The value, in the form that the filter's source gave it.
    Value(Vec<u8>),
}

impl std::fmt::Debug for Finding {
    /// Leaves the value out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Value(_) => "Value",
        })
    }
}

/// The error of something that could not be found out. It does not mean that there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

/// The reason why something was not looked up, although nothing that is cached serves. While the
/// service is away, it is [`Unavailable`] instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unasked {
    /// This gateway lets no request wait. It is looked up later.
    CannotWait,
    /// Requests have used up what there is for look-ups, or for waiting.
    TooMany,
}
