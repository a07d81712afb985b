//! What the filters before this one found out.

use crate::identity::Identity;

/// The property that carries the identity: this one segment on Envoy, a variable of nginx of this name on Kong.
pub const PROPERTY: &str = "gatehouse_consumer";

/// The property that carries the verified claims of a token, as JSON.
pub const CLAIMS: &str = "gatehouse_claims";

/// What the property says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: no filter has established an identity.
    Nobody,
    /// An earlier filter refused the request; the host may run this one all the same. Leave it alone.
    Refused,
    /// This one.
    Identity(Box<Identity>),
    /// It is there, but it is not what the contract says: nobody is to be let through on it.
    Malformed,
}

impl Known {
    /// Reads the property.
    #[must_use]
    pub fn from_property(value: Option<&[u8]>) -> Self {
        match value {
            None | Some(b"") => Self::Nobody,
            Some(json) if json == refused() => Self::Refused,
            Some(json) => {
                Identity::from_json(json).map_or(Self::Malformed, |i| Self::Identity(Box::new(i)))
            }
        }
    }

    /// The identity, if there is one.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Identity(identity) => Some(identity),
            Self::Nobody | Self::Refused | Self::Malformed => None,
        }
    }
}

/// What a filter publishes before it refuses from a callout's answer on Kong.
#[must_use]
pub fn refused() -> &'static [u8] {
    br#"{"refused":true}"#
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_property_says_who_or_that_it_is_over() {
        assert_eq!(Known::from_property(None), Known::Nobody);
        assert_eq!(Known::from_property(Some(b"")), Known::Nobody);
        assert_eq!(Known::from_property(Some(br#"{"refused":true}"#)), Known::Refused);
        assert_eq!(Known::from_property(Some(br#"{"id":"1"}"#)).identity().unwrap().id, "1");
        for odd in ["{", r#"{"refused": true}"#, r#"{"username":"ana"}"#, "\u{ff}"] {
            assert_eq!(Known::from_property(Some(odd.as_bytes())), Known::Malformed, "{odd}");
        }
    }
}
