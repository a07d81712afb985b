//! Which bodies can be changed.

use crate::changes::Filled;
use crate::members::Members;
use crate::parameters::Parameters;
use crate::parts::Parts;

/// A kind of body with fields in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    Form,
    Multipart(Vec<u8>),
}

/// The body that the changes would make is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadBody;

impl Kind {
    /// What a `content-type` says; Kong looks for these words anywhere in it.
    pub(crate) fn of(content_type: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content_type).ok()?;
        let lower = text.to_ascii_lowercase();
        if lower.contains("application/json") {
            Some(Self::Json)
        } else if lower.contains("multipart/form-data") {
            let boundary = text.split(';').find_map(|part| {
                let (name, value) = part.split_once('=')?;
                let named = name.trim().eq_ignore_ascii_case("boundary");
                named.then(|| value.trim().trim_matches('"'))
            })?;
            (1..=70).contains(&boundary.len()).then(|| Self::Multipart(boundary.into()))
        } else if lower.contains("application/x-www-form-urlencoded") {
            Some(Self::Form)
        } else {
            None
        }
    }

    /// `body` after `changes`; `None` where it stays as it is, because it is not what its type says.
    ///
    /// # Errors
    /// When a value would break out of its place.
    pub(crate) fn changed(
        &self,
        body: &[u8],
        changes: &Filled,
    ) -> Result<Option<Vec<u8>>, BadBody> {
        let made = match self {
            Self::Json => {
                let members =
                    if body.is_empty() { Some(Members::default()) } else { Members::parse(body) };
                members.map(|mut members| {
                    changes.apply(&mut members);
                    members.text()
                })
            }
            Self::Form => {
                let mut parameters = Parameters::parse(body);
                changes.apply(&mut parameters);
                Some(parameters.text())
            }
            Self::Multipart(boundary) => match Parts::parse(body, boundary) {
                Some(mut parts) => {
                    changes.apply(&mut parts);
                    Some(parts.text().ok_or(BadBody)?)
                }
                None => None,
            },
        };
        Ok(made.filter(|made| made != body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::tests::filled;

    #[test]
    fn the_type_says_what_a_body_is() {
        for (content_type, kind) in [
            ("application/json", Some(Kind::Json)),
            ("Application/JSON; charset=utf-8", Some(Kind::Json)),
            ("application/x-www-form-urlencoded", Some(Kind::Form)),
            ("multipart/form-data; boundary=XX", Some(Kind::Multipart(b"XX".to_vec()))),
            (
                "multipart/form-data; charset=x; Boundary=\"X X\"",
                Some(Kind::Multipart(b"X X".to_vec())),
            ),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("text/plain", None),
            ("", None),
        ] {
            assert_eq!(Kind::of(content_type.as_bytes()), kind, "{content_type}");
        }
        assert_eq!(Kind::of(b"application/json\xff"), None);
    }

    #[test]
    fn a_body_that_is_not_what_its_type_says_stays_as_it_is() {
        let changes = filled([&["a"], &[], &[], &["b:1"], &[]]);
        for (kind, body) in [
            (Kind::Json, "malformed json body"),
            (Kind::Json, "[1]"),
            (Kind::Multipart(b"XX".to_vec()), "a=1"),
        ] {
            assert_eq!(kind.changed(body.as_bytes(), &changes), Ok(None), "{body}");
        }
    }

    #[test]
    fn an_empty_body_becomes_what_is_added() {
        let changes = filled([&["a"], &["c:d"], &["e:f"], &["b:1"], &[]]);
        assert_eq!(Kind::Json.changed(b"", &changes), Ok(Some(br#"{"b":"1"}"#.to_vec())));
        assert_eq!(Kind::Form.changed(b"", &changes), Ok(Some(b"b=1".to_vec())));
        let nothing = filled([&["a"], &[], &[], &[], &[]]);
        assert_eq!(Kind::Form.changed(b"", &nothing), Ok(None));
    }

    #[test]
    fn a_body_without_a_change_is_not_written_again() {
        let changes = filled([&["x"], &[], &[], &[], &[]]);
        assert_eq!(Kind::Form.changed(b"a=%41&&b", &changes), Ok(Some(b"a=%41&b".to_vec())));
        assert_eq!(Kind::Form.changed(b"a=%41&b", &changes), Ok(None));
        assert_eq!(Kind::Json.changed(br#"{"a":[]}"#, &changes), Ok(None));
    }
}
