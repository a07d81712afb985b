//! Changes to bodies, and the treatment of bodies that cannot be changed.

use crate::changes::Filled;
use crate::members::Members;
use crate::parameters::Parameters;
use crate::parts::Parts;
use exchange::{Media, Opaque, Query};

/// The reason why a body cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A new value would break out of its place.
    Value,
    /// The body does not have the type that it declares, or servers read it differently.
    Malformed,
    /// The fields of a body with this type, character set or encoding cannot be found.
    Unsupported,
}

impl From<Opaque> for Trouble {
    fn from(opaque: Opaque) -> Self {
        match opaque {
            Opaque::Malformed => Self::Malformed,
            Opaque::OtherType | Opaque::OtherCharacters | Opaque::Encoded => Self::Unsupported,
        }
    }
}

/// Applies `changes` to `body`. Returns `None` if it stays as it is.
///
/// # Errors
/// The reason why the body cannot be changed.
pub(crate) fn changed(
    media: &Media,
    body: &[u8],
    changes: &Filled,
) -> Result<Option<Vec<u8>>, Trouble> {
    let (made, is_empty) = match media {
        Media::Json => {
            let members =
                if body.is_empty() { Some(Members::default()) } else { Members::parse(body) };
            let mut members = members.ok_or(Trouble::Malformed)?;
            changes.apply(&mut members);
            (members.text(), members.is_empty())
        }
        Media::Form => {
            if changes.concern_any(Query::new(body).disputed()) {
                return Err(Trouble::Malformed);
            }
            let mut parameters = Parameters::parse(body);
            changes.apply(&mut parameters);
            let text = parameters.text();
            let is_empty = text.is_empty();
            (text, is_empty)
        }
        Media::Multipart(boundary) => {
            let mut parts = Parts::parse(body, boundary).ok_or(Trouble::Malformed)?;
            changes.apply(&mut parts);
            (parts.text().ok_or(Trouble::Value)?, parts.is_empty())
        }
    };
    // An empty body stays empty, and does not become an empty object.
    let stays = made == body || (body.is_empty() && is_empty);
    Ok((!stays).then_some(made))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::tests::filled;

    fn multipart() -> Media {
        Media::Multipart(b"XX".to_vec())
    }

    #[test]
    fn a_body_that_is_not_what_its_type_says_is_no_body_to_change() {
        let changes = filled([&["role"], &[], &[], &["b:1"], &[]]);
        for (media, body) in [
            (Media::Json, &b"malformed json body"[..]),
            (Media::Json, b"[{\"role\":1}]"),
            (Media::Json, b"{\"role\":1,}"),
            (Media::Json, b"{\"role\":\"\xff\"}"),
            (Media::Form, b"a=1;role=admin"),
            (Media::Form, b"a=1&+role=admin"),
            (multipart(), b"a=1"),
            (
                multipart(),
                b"--XX\r\nContent-Disposition: form-data; name=a; name=role\r\n\r\n1\r\n--XX--",
            ),
        ] {
            let told = String::from_utf8_lossy(body);
            assert_eq!(changed(&media, body, &changes), Err(Trouble::Malformed), "{told}");
        }
    }

    #[test]
    fn a_field_cannot_be_hidden_by_its_spelling() {
        let changes = filled([&["role"], &[], &[], &[], &[]]);
        let json =
            changed(&Media::Json, b"\xef\xbb\xbf{\"role\":1,\"a\":2,\"\\u0072ole\":3}", &changes);
        assert_eq!(json, Ok(Some(br#"{"a":2}"#.to_vec())));
        let form = changed(&Media::Form, b"ro%6ce=admin&a=1;b=2", &changes);
        assert_eq!(form, Ok(Some(b"a=1;b=2".to_vec())), "a `;` before what nobody names");
        for head in ["form-data; filename=\"a; name=x\"; name=\"role\"", "form-data;\r\n name=role"]
        {
            let body = format!("--XX\r\nContent-Disposition: {head}\r\n\r\n1\r\n--XX--\r\n");
            let made = changed(&multipart(), body.as_bytes(), &changes);
            assert_eq!(made, Ok(Some(b"--XX--\r\n".to_vec())), "{head}");
        }
    }

    #[test]
    fn an_empty_body_becomes_what_is_added_and_nothing_else() {
        let changes = filled([&["a"], &["c:d"], &["e:f"], &["b:1"], &[]]);
        assert_eq!(changed(&Media::Json, b"", &changes), Ok(Some(br#"{"b":"1"}"#.to_vec())));
        assert_eq!(changed(&Media::Form, b"", &changes), Ok(Some(b"b=1".to_vec())));
        let nothing = filled([&["a"], &["c:d"], &["e:f"], &[], &[]]);
        for media in [Media::Json, Media::Form, multipart()] {
            assert_eq!(changed(&media, b"", &nothing), Ok(None), "{media:?}");
        }
    }

    #[test]
    fn a_body_without_a_change_is_not_written_again() {
        let changes = filled([&["x"], &[], &[], &[], &[]]);
        assert_eq!(changed(&Media::Form, b"a=%41&&b", &changes), Ok(Some(b"a=%41&b".to_vec())));
        assert_eq!(changed(&Media::Form, b"a=%41&b", &changes), Ok(None));
        assert_eq!(changed(&Media::Json, br#"{"a":[]}"#, &changes), Ok(None));
    }
}
