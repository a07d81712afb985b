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
            Some(json) if without_mark(json).is_some() => Self::Refused,
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

/// The beginning of the property of a refused request.
const MARK: &[u8] = br#"{"refused":true"#;

/// Returns the value that a filter publishes in [`PROPERTY`] before it refuses a request on Kong,
/// which may run later filters even then, and of which nothing is known.
#[must_use]
pub fn refused() -> &'static [u8] {
    br#"{"refused":true}"#
}

/// Returns the value that a filter publishes in [`PROPERTY`] before it refuses a request whose
/// property was `known`. An identity stays readable for an access log and for [`caller`].
#[must_use]
pub fn refused_as(known: Option<&[u8]>) -> Vec<u8> {
    let known = known.unwrap_or_default();
    if without_mark(known).is_some() {
        return known.to_vec();
    }
    match known.strip_prefix(b"{").filter(|_| Identity::from_json(known).is_some()) {
        Some(rest) => [MARK, b",", rest].concat(),
        None => refused().to_vec(),
    }
}

/// Returns the identity that the property holds, also that of a refused request.
#[must_use]
pub fn caller(property: Option<&[u8]>) -> Option<Identity> {
    let json = property?;
    match without_mark(json) {
        Some(rest) => Identity::from_json(&[b"{", rest.strip_prefix(b",")?].concat()),
        None => Identity::from_json(json),
    }
}

/// Returns what follows the mark of a refusal, or `None` if the property has no such mark.
fn without_mark(json: &[u8]) -> Option<&[u8]> {
    json.strip_prefix(MARK).filter(|rest| matches!(rest.first(), Some(b',' | b'}')))
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
        let identity = br#"{"id":"1","username":"ana"}"#;
        let refusal = refused_as(Some(identity));
        assert_eq!(refusal, br#"{"refused":true,"id":"1","username":"ana"}"#);
        assert_eq!(Known::from_property(Some(&refusal)), Known::Refused);
        assert_eq!(caller(Some(&refusal)), Identity::from_json(identity));
        assert_eq!(refused_as(Some(&refusal)), refusal, "twice");
        assert_eq!((caller(Some(refused())), caller(None)), (None, None));
        assert_eq!(refused_as(Some(b"{")), refused());
        assert_eq!(refused_as(None), refused());
        for odd in ["{", r#"{"refused": true}"#, r#"{"username":"ana"}"#, "\u{ff}"] {
            assert_eq!(Known::from_property(Some(odd.as_bytes())), Known::Malformed, "{odd}");
        }
    }
}
