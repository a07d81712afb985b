//! The forms of a body that the headers of a request declare.

use super::Unreadable;
use exchange::{Head, Media, Opaque};

/// The forms of a body, as any server may understand its content types.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Declared {
    /// `true` if JSON is declared.
    pub(super) is_json: bool,
    /// The boundary of a multipart form.
    pub(super) boundary: Option<Vec<u8>>,
    /// The reason if servers may understand the content types differently.
    pub(super) disputed: Option<Unreadable>,
}

impl Declared {
    /// Reads every content type, in every spelling of the header's name. Kong passes all of them
    /// on, and servers differ in which one counts.
    pub(super) fn of(head: &Head) -> Self {
        let mut declared = Self::default();
        let mut first = None;
        for (_, content_type) in head.spellings("content-type") {
            let content_type = content_type.trim_ascii();
            if *first.get_or_insert(content_type) != content_type {
                declared.disputed.get_or_insert(Unreadable::Malformed);
            }
            match media(content_type) {
                Ok(Media::Json) => declared.is_json = true,
                Ok(Media::Multipart(boundary)) => {
                    declared.boundary.get_or_insert(boundary);
                }
                Ok(Media::Form) | Err(Opaque::OtherType) => {}
                Err(Opaque::OtherCharacters | Opaque::Encoded) => {
                    declared.disputed.get_or_insert(Unreadable::Encoded);
                }
                Err(Opaque::Malformed) => {
                    declared.disputed.get_or_insert(Unreadable::Malformed);
                }
            }
        }
        declared
    }
}

/// Reads a content type. Rack and FileUpload read every kind of multipart body as a form.
fn media(content_type: &[u8]) -> Result<Media, Opaque> {
    let form = match Media::of(content_type) {
        Err(Opaque::OtherType) if is_multipart(content_type) => {
            let parameters = content_type.iter().position(|byte| *byte == b';');
            let parameters = parameters.and_then(|at| content_type.get(at..)).unwrap_or_default();
            Media::of(&[b"multipart/form-data", parameters].concat())
        }
        read => read,
    };
    match form {
        Ok(Media::Multipart(boundary)) if !is_undisputed(content_type, &boundary) => {
            Err(Opaque::Malformed)
        }
        form => form,
    }
}

fn is_multipart(content_type: &[u8]) -> bool {
    let start = b"multipart/";
    content_type.get(..start.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(start))
}

/// Returns `true` if every server finds this boundary in the content type. PHP looks for the first
/// text `boundary`, wherever it stands, and ignores neither white space nor escapes.
fn is_undisputed(content_type: &[u8], boundary: &[u8]) -> bool {
    let name = b"boundary";
    let mut windows = content_type.windows(name.len());
    let Some(at) = windows.position(|window| window.eq_ignore_ascii_case(name)) else {
        return false;
    };
    let (before, after) = content_type.split_at(at);
    let Some(written) = after.get(name.len()..).and_then(|rest| rest.strip_prefix(b"=")) else {
        return false;
    };
    let quoted = [b"\"", boundary, b"\""].concat();
    let rest = written.strip_prefix(quoted.as_slice()).or_else(|| written.strip_prefix(boundary));
    let is_usual = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
    before.trim_ascii_end().ends_with(b";")
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b";"))
        && boundary.iter().all(is_usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(types: &[&str]) -> Declared {
        Declared::of(&types.iter().map(|value| ("Content-Type", *value)).collect())
    }

    fn boundary(content_type: &str) -> Option<String> {
        let Declared { boundary, disputed, .. } = declared(&[content_type]);
        let boundary = boundary.map(|boundary| String::from_utf8(boundary).unwrap());
        assert_eq!(boundary.is_none(), disputed.is_some(), "{content_type}");
        boundary
    }

    #[test]
    fn every_kind_of_multipart_body_has_a_boundary() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=X", "X"),
            ("MULTIPART/Form-Data;Boundary=\"a b\"; charset=utf-8", "a b"),
            ("multipart/mixed; boundary=----WebKitFormBoundaryA1", "----WebKitFormBoundaryA1"),
            ("multipart/related; type=\"a/b\"; boundary=X", "X"),
        ] {
            assert_eq!(boundary(content_type).as_deref(), Some(expected), "{content_type}");
        }
    }

    #[test]
    fn a_boundary_that_servers_read_differently_is_none() {
        for content_type in [
            "multipart/form-data",
            "multipart/form-data; boundary=X; y",
            "multipart/form-data; xboundary=Y; boundary=X",
            "multipart/form-data; a=\"; boundary=Y\"; boundary=X",
            "multipart/form-data; boundary= X",
            "multipart/form-data; boundary=X ; a=b",
            "multipart/form-data; boundary=\"X\\Y\"",
            "multipart/form-data; boundary=\"X;Y\"",
            "multipart/form-data, boundary=X",
            "multipart/mixed",
            "multipart/form-data boundary=X",
        ] {
            assert_eq!(boundary(content_type), None, "{content_type}");
        }
    }

    #[test]
    fn two_different_content_types_are_disputed_in_every_spelling_of_their_name() {
        let json = "application/json";
        let only = Declared { is_json: true, ..Declared::default() };
        assert_eq!((declared(&[json]), declared(&[json, json])), (only.clone(), only));
        let malformed = Some(Unreadable::Malformed);
        for others in ["text/plain", "", "application/x-www-form-urlencoded"] {
            assert_eq!(declared(&[json, others]).disputed, malformed, "{others}");
        }
        let head = Head::from_iter([("content-type", json), ("Content_Type", "a/b")]);
        assert_eq!(Declared::of(&head).disputed, malformed);
        for (other, why) in [
            ("application/json; charset=utf-16", Some(Unreadable::Encoded)),
            ("text/plain", None),
            ("", None),
        ] {
            let expected = Declared { disputed: why, ..Declared::default() };
            assert_eq!(declared(&[other]), expected, "{other}");
        }
        assert_eq!(declared(&[]), Declared::default());
    }
}
