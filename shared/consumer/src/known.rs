//! The result of earlier filters, as the identity's property states it.

use crate::identity::Identity;
use std::rc::Rc;

/// The property that carries the identity. On Envoy this is the whole path of the property, on Kong
/// the name of a variable of nginx.
pub const PROPERTY: &str = "gatehouse_consumer";

/// The property that carries the verified claims of a token, as JSON.
pub const CLAIMS: &str = "gatehouse_claims";

/// The content of the identity's property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// No filter has established an identity.
    Nobody,
    /// An earlier filter has refused the request. Kong runs later filters all the same; they let
    /// the request pass unchanged.
    Refused,
    /// An earlier filter has established this identity.
    Identity(Rc<Identity>),
    /// The property is not in the form of the contract. The request has to be refused.
    Malformed,
}

impl Known {
    /// Reads the property; `None` and an empty value mean [`Known::Nobody`].
    ///
    /// ```
    /// # use consumer::Known;
    /// let known = Known::from_property(Some(br#"{"id":"1","username":"ana"}"#));
    /// assert_eq!(known.identity().map(|identity| identity.id.as_str()), Some("1"));
    /// assert_eq!(Known::from_property(None), Known::Nobody);
    /// assert_eq!(Known::from_property(Some(b"ana")), Known::Malformed);
    /// ```
    #[must_use]
    pub fn from_property(value: Option<&[u8]>) -> Self {
        match value {
            None | Some(b"") => Self::Nobody,
            Some(json) if json == refused() => Self::Refused,
            Some(json) => {
                Identity::from_json(json).map_or(Self::Malformed, |i| Self::Identity(Rc::new(i)))
            }
        }
    }

    /// Returns the identity, if there is one.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Identity(identity) => Some(identity),
            Self::Nobody | Self::Refused | Self::Malformed => None,
        }
    }
}

/// Returns the value that a filter publishes in [`PROPERTY`] before it refuses a request from the
/// answer to a callout on Kong, which runs later filters even then.
#[must_use]
pub fn refused() -> &'static [u8] {
    br#"{"refused":true}"#
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_property_holds_an_identity_or_a_refusal() {
        assert_eq!(Known::from_property(None), Known::Nobody);
        assert_eq!(Known::from_property(Some(b"")), Known::Nobody);
        assert_eq!(Known::from_property(Some(br#"{"refused":true}"#)), Known::Refused);
        assert_eq!(Known::from_property(Some(br#"{"id":"1"}"#)).identity().unwrap().id, "1");
        for odd in ["{", r#"{"refused": true}"#, r#"{"username":"ana"}"#, "\u{ff}"] {
            assert_eq!(Known::from_property(Some(odd.as_bytes())), Known::Malformed, "{odd}");
        }
    }
}
