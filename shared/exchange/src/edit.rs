//! Changes to a request or a response, as values.

use crate::Property;
use std::borrow::Cow;

/// One change to a request or a response. Only changes of headers have an effect on a response.
#[derive(Clone, PartialEq, Eq)]
pub enum Edit {
    /// Gives the header this value and no other.
    Set(Cow<'static, str>, Vec<u8>),
    /// Adds one more header of this name.
    Add(Cow<'static, str>, Vec<u8>),
    /// Removes the header. On Kong, which cannot remove a request header, it arrives empty.
    Remove(Cow<'static, str>),
    /// Sets the method of the request, in upper case.
    Method(Vec<u8>),
    /// Sets the raw target of the request: path and query.
    Target(Vec<u8>),
    /// Sets the raw query of the request. An empty text removes the query.
    Query(Vec<u8>),
    /// Replaces the whole body of the request.
    Body(Vec<u8>),
    /// Sets the property of the request with this name, which later filters read.
    Publish(&'static str, Property),
}

impl Edit {
    /// Makes an [`Edit::Set`].
    pub fn set(name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) -> Self {
        Self::Set(name.into(), value.into())
    }

    /// Makes an [`Edit::Publish`].
    pub fn publish(name: &'static str, value: impl Into<Property>) -> Self {
        Self::Publish(name, value.into())
    }

    /// Makes an [`Edit::Remove`].
    pub fn remove(name: impl Into<Cow<'static, str>>) -> Self {
        Self::Remove(name.into())
    }
}

impl std::fmt::Debug for Edit {
    /// Prints names only, because values may be credentials.
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
