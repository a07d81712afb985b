//! A change to a message, as data.

use std::borrow::Cow;

/// One change to a message on its way.
#[derive(Clone, PartialEq, Eq)]
pub enum Edit {
    /// The field has this value and no other.
    Set(Cow<'static, str>, Vec<u8>),
    /// One more field of this name.
    Add(Cow<'static, str>, Vec<u8>),
    /// The field does not reach the receiver. On Kong, which cannot remove a request field, it arrives empty.
    Remove(Cow<'static, str>),
    /// The request goes on with this method, upper case.
    Method(Vec<u8>),
    /// The request goes on to this raw target: path and query.
    Target(Vec<u8>),
    /// The raw query goes on as this; empty for none.
    Query(Vec<u8>),
    /// The whole body.
    Body(Vec<u8>),
    /// A property of the request that later filters read.
    Publish(&'static str, Vec<u8>),
}

impl Edit {
    /// [`Edit::Set`] from text.
    pub fn set(name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) -> Self {
        Self::Set(name.into(), value.into())
    }

    /// [`Edit::Remove`].
    pub fn remove(name: impl Into<Cow<'static, str>>) -> Self {
        Self::Remove(name.into())
    }
}

impl std::fmt::Debug for Edit {
    /// Names only: values hold credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Set(name, _) => write!(f, "Set({name})"),
            Self::Add(name, _) => write!(f, "Add({name})"),
            Self::Remove(name) => write!(f, "Remove({name})"),
            Self::Method(_) => f.write_str("Method"),
            Self::Target(_) => f.write_str("Target"),
            Self::Query(_) => f.write_str("Query"),
            Self::Body(_) => f.write_str("Body"),
            Self::Publish(name, _) => write!(f, "Publish({name})"),
        }
    }
}
