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
    /// Removes the parameters with these decoded names from the query that the upstream would get
    /// by now. What earlier filters, and Lua plugins of Kong, have made of the query stays.
    DropParameters(Vec<String>),
    /// Replaces the query `from`, which the same filter has left at the headers, by the query `to`.
    /// Parameters that later filters have removed or added since then stay removed or added.
    Requery {
        /// The raw query at the headers.
        from: Vec<u8>,
        /// The raw query now.
        to: Vec<u8>,
    },
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

    /// Returns `true` if no part of this edit can end the line of the message in which it will
    /// stand. Then it can add neither a header nor a request. A value has no CR, LF or NUL (RFC
    /// 9110, section 5.5); a name, a method and a target have no control character and no space
    /// (RFC 9112, section 3).
    #[must_use]
    pub fn stays_in_its_line(&self) -> bool {
        match self {
            Self::Set(name, value) | Self::Add(name, value) => {
                is_one_word(name.as_bytes()) && is_one_line(value)
            }
            Self::Remove(name) => is_one_word(name.as_bytes()),
            Self::Method(text)
            | Self::Target(text)
            | Self::Query(text)
            | Self::Requery { to: text, .. } => is_one_word(text),
            // The carrier checks the query that it makes, since only it knows the present one.
            Self::DropParameters(_) | Self::Body(_) | Self::Publish(..) => true,
        }
    }
}

/// Returns `true` if `value` ends no line: it has no CR, LF or NUL.
#[must_use]
pub fn is_one_line(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

fn is_one_word(text: &[u8]) -> bool {
    !text.iter().any(|byte| *byte == b' ' || byte.is_ascii_control())
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
            Self::DropParameters(_) => f.write_str("DropParameters"),
            Self::Requery { .. } => f.write_str("Requery"),
            Self::Body(_) => f.write_str("Body"),
            Self::Publish(name, _) => write!(f, "Publish({name})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_edit_adds_a_line_to_a_message() {
        for byte in [b'\r', b'\n', 0] {
            let text = [b"a".as_slice(), &[byte], b"b"].concat();
            let name = String::from_utf8(text.clone()).unwrap();
            for edit in [
                Edit::set("x", text.clone()),
                Edit::set(name.clone(), "1"),
                Edit::Add("x".into(), text.clone()),
                Edit::remove(name.clone()),
                Edit::Method(text.clone()),
                Edit::Target(text.clone()),
                Edit::Query(text.clone()),
            ] {
                assert!(!edit.stays_in_its_line(), "{edit:?}");
            }
        }
        for edit in [
            Edit::Method(b"GET /".to_vec()),
            Edit::Target(b"/a b".to_vec()),
            Edit::Query(b"a\x7f".to_vec()),
            Edit::set("x y", "1"),
        ] {
            assert!(!edit.stays_in_its_line(), "{edit:?}");
        }
    }

    #[test]
    fn spaces_and_bytes_that_are_no_text_may_stand_in_a_value() {
        for edit in [
            Edit::set("x", b"a b\tc\xff".to_vec()),
            Edit::Target(b"/a%0A?b=\xc3\xa9".to_vec()),
            Edit::Body(b"a\r\n".to_vec()),
        ] {
            assert!(edit.stays_in_its_line(), "{edit:?}");
        }
    }
}
