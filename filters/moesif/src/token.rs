//! Reads the caller's name from a credential in a request header. Nothing is verified: the name is
//! a label, not a proof.

use crate::json::{Scalar, scalar_at};
use jose::base64url::decode_lenient;

/// A credential, as far as it is readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The user name of `Basic`.
    User(String),
    /// The claims of a token, as JSON text.
    Claims(String),
}

impl Credential {
    /// Reads the value of a header: `Bearer` and a JWT, `Basic` with user name and password, or a
    /// token alone.
    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        let value = std::str::from_utf8(value).ok()?.trim();
        let (scheme, rest) = value.split_once(char::is_whitespace).unwrap_or(("", value));
        let rest = rest.trim_start();
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = String::from_utf8(decode_lenient(rest)?).ok()?;
            // The password may contain a colon, and the user name may not (RFC 7617).
            let (user, _) = decoded.split_once(':')?;
            return Some(user)
                .filter(|user| !user.is_empty())
                .map(|user| Self::User(user.to_owned()));
        }
        if !scheme.is_empty() && !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut parts = rest.split('.');
        let first = parts.next().unwrap_or_default();
        let claims = String::from_utf8(decode_lenient(parts.next().unwrap_or(first))?).ok()?;
        claims.trim_start().starts_with('{').then_some(Self::Claims(claims))
    }

    /// Returns the user, which is in the claim `field` of a token.
    pub(crate) fn user(&self, field: Option<&str>) -> Option<String> {
        match self {
            Self::User(name) => Some(name.clone()),
            Self::Claims(claims) => claim(claims, field?),
        }
    }

    /// Returns the company, which is in the claim `field` of a token. `Basic` has none.
    pub(crate) fn company(&self, field: Option<&str>) -> Option<String> {
        match self {
            Self::User(_) => None,
            Self::Claims(claims) => claim(claims, field?),
        }
    }
}

/// Returns the claim `field`, if it is a text that is not empty, or a number. The claim has this
/// name, or its dots lead into objects, or its name differs in case.
pub(crate) fn claim(claims: &str, field: &str) -> Option<String> {
    let exact: fn(&str, &str) -> bool = |a, b| a == b;
    let path: Vec<&str> = field.split('.').collect();
    let found = scalar_at(claims, &[field], exact)
        .or_else(|| scalar_at(claims, &path, exact))
        .or_else(|| scalar_at(claims, &[field], |a, b| a.to_lowercase() == b));
    match found? {
        Scalar::Text(text) => Some(text).filter(|text| !text.is_empty()),
        Scalar::Number(digits) => Some(digits),
        Scalar::Word(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    fn jwt(payload: &str) -> String {
        let part = |text: &str| jose::base64url::encode(text);
        format!("{}.{}.{}", part(r#"{"alg":"HS256"}"#), part(payload), "c2ln")
    }

    fn user(value: &str) -> Option<String> {
        Credential::read(value.as_bytes())?.user(Some("sub"))
    }

    #[test]
    fn a_bearer_token_names_its_subject_whatever_its_letters() {
        // `?>~` and characters outside of ASCII become `-` and `_` in base64url. The older plugin
        // lost such users.
        for name in ["ana", "j\u{f6}rg?>~\u{ff}\u{3fb}\u{fff}", "a b"] {
            let token = jwt(&format!(r#"{{"sub":"{name}"}}"#));
            for value in [format!("Bearer {token}"), format!("bEARER   {token} "), token.clone()] {
                assert_eq!(user(&value).as_deref(), Some(name), "{value}");
            }
        }
    }

    #[test]
    fn a_token_without_parts_is_json_itself() {
        assert_eq!(user(&STANDARD.encode(r#"{"sub":"x"}"#)).as_deref(), Some("x"));
    }

    #[test]
    fn basic_names_what_is_before_the_first_colon() {
        let basic = |text: &str| user(&format!("bAsic {}", STANDARD.encode(text)));
        assert_eq!(basic("alice:pa:ss").as_deref(), Some("alice"));
        assert_eq!(basic("alice"), None);
        assert_eq!(basic(":x"), None);
        let read = Credential::read(format!("Basic {}", STANDARD.encode("a:b")).as_bytes());
        assert_eq!(read.unwrap().company(Some("sub")), None);
    }

    #[test]
    fn an_unreadable_credential_names_nobody() {
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer a.b.c",
            "Digest x",
            "open_sesame",
            "Basic !!",
            "a.b",
            "Bearer \u{e4}",
        ] {
            assert_eq!(user(value), None, "{value}");
        }
        assert_eq!(Credential::read(b"Bearer \xff"), None);
    }

    #[test]
    fn only_texts_and_numbers_are_ids() {
        let claims = r#"{"n":1234567890123456789,"f":1.50,"t":true,"z":null,"o":{"id":"7"},"l":["x"],"e":"",
            "userId":"u","a.b":"dots"}"#;
        for (field, expected) in [
            ("n", Some("1234567890123456789")),
            ("f", Some("1.50")),
            ("o.id", Some("7")),
            ("a.b", Some("dots")),
            ("userId", Some("u")),
            ("userid", Some("u")),
            ("USERID", None),
            ("t", None),
            ("z", None),
            ("o", None),
            ("l", None),
            ("e", None),
            ("absent", None),
        ] {
            assert_eq!(claim(claims, field).as_deref(), expected, "{field}");
        }
    }
}
