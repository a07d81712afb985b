//! The fields of a body that conditions examine.

use crate::body::opened;
use crate::json::scalars_at;
use exchange::json::without_mark;
use exchange::multipart::parts;
use exchange::{Head, Media, Opaque, Query};
use std::collections::{HashMap, HashSet};

/// The fields of a body, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// All values of each path that a condition names.
    Fields(HashMap<String, Vec<String>>),
    /// The body's fields cannot be read.
    Unreadable(Unreadable),
}

/// The reason why a part of a request cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Servers read the path differently.
    Path,
    /// The body is not the JSON or the form that it seems to be.
    Malformed,
    /// The body has an encoding that is not supported.
    Encoded,
    /// The body is longer than the limit.
    TooLarge,
    /// The gateway does not show the body.
    Hidden,
}

impl Unreadable {
    /// Returns status and message of the response to a request that cannot be judged for this
    /// reason.
    pub(crate) fn answer(self) -> (u16, &'static str) {
        match self {
            Self::Path => (400, "Bad request path"),
            Self::Malformed => (400, "Bad request body"),
            Self::Encoded => (415, "Unsupported media type"),
            Self::TooLarge => (413, "Payload too large"),
            Self::Hidden => (500, "An unexpected error occurred"),
        }
    }
}

/// The default is the content of a request without a body.
impl Default for Content {
    fn default() -> Self {
        Self::Fields(HashMap::new())
    }
}

impl Content {
    /// Reads the values of `body` at the `wanted` paths. At most `limit` bytes of a compressed body
    /// are read.
    pub(crate) fn read(head: &Head, body: &[u8], wanted: &HashSet<&str>, limit: usize) -> Self {
        if body.is_empty() {
            return Self::default();
        }
        let Some(body) = opened(body, head, limit) else {
            return Self::Unreadable(Unreadable::Encoded);
        };
        let body = without_mark(&body);
        let media = match head.first("content-type").map(Media::of) {
            Some(Err(Opaque::OtherCharacters)) => return Self::Unreadable(Unreadable::Encoded),
            media => media.and_then(Result::ok),
        };
        let json = std::str::from_utf8(body).ok().and_then(|text| scalars_at(text, wanted).ok());
        match (json, media) {
            (Some(mut fields), Some(Media::Form)) => {
                form(body, wanted, &mut fields);
                Self::Fields(fields)
            }
            (Some(fields), _) => Self::Fields(fields),
            (None, Some(Media::Form)) => {
                let mut fields = HashMap::new();
                form(body, wanted, &mut fields);
                Self::Fields(fields)
            }
            (None, Some(Media::Multipart(boundary))) => match parts(body, &boundary) {
                Some(parts) => {
                    let mut fields = HashMap::new();
                    for part in parts {
                        let name = part.name.unwrap_or_default();
                        keep(&name, part.content, wanted, &mut fields);
                    }
                    Self::Fields(fields)
                }
                None => Self::Unreadable(Unreadable::Malformed),
            },
            (None, _) if may_be_json(head, body) => Self::Unreadable(Unreadable::Malformed),
            // A body of another type has no such fields.
            (None, _) => Self::default(),
        }
    }
}

/// Reads the values of a form, both for servers that end a field at `&` only and for those that
/// also end it at `;`.
fn form(body: &[u8], wanted: &HashSet<&str>, fields: &mut HashMap<String, Vec<String>>) {
    for piece in body.split(|byte| *byte == b'&') {
        let whole = std::iter::once(piece);
        let parts = piece.split(|byte| *byte == b';').filter(|part| part.len() < piece.len());
        for (name, value) in whole.chain(parts).flat_map(|part| Query::new(part).pairs()) {
            keep(&name, &value.unwrap_or_default(), wanted, fields);
        }
    }
}

/// Records a value. `user[name]` is `user.name`. Some servers ignore white space before a name, and
/// everything from a NUL on.
fn keep(
    name: &[u8],
    value: &[u8],
    wanted: &HashSet<&str>,
    fields: &mut HashMap<String, Vec<String>>,
) {
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = String::from_utf8_lossy(name.trim_ascii()).replace('[', ".").replace(']', "");
    let name = name.trim_end_matches('.');
    if wanted.contains(name) {
        fields
            .entry(name.to_owned())
            .or_default()
            .push(String::from_utf8_lossy(value).into_owned());
    }
}

/// Returns `true` if a less strict reader might find fields in the body.
fn may_be_json(head: &Head, body: &[u8]) -> bool {
    let said = head.values("content-type").any(|value| {
        value.to_ascii_lowercase().windows(4).any(|part| part == b"json" || part == b"grap")
    });
    let mut visible = body.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != 0);
    // A byte order mark of UTF-16 may come first.
    let first = visible.find(|byte| !matches!(byte, 0xfe | 0xff));
    said || matches!(first, Some(b'{' | b'['))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gzip;

    fn read(fields: &[(&str, &str)], body: &[u8]) -> Content {
        let head = fields.iter().copied().collect();
        Content::read(&head, body, &HashSet::from(["action", "user.name"]), 1000)
    }

    fn actions(fields: &[(&str, &str)], body: &[u8]) -> Vec<String> {
        match read(fields, body) {
            Content::Fields(mut found) => found.remove("action").unwrap_or_default(),
            unreadable => panic!("{unreadable:?}"),
        }
    }

    const JSON: (&str, &str) = ("content-type", "application/json");
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

    #[test]
    fn every_value_of_a_field_is_found_in_whatever_a_server_may_read() {
        let twice = br#"{"action":"ok","action":"transfer"}"#;
        assert_eq!(actions(&[JSON], twice), ["ok", "transfer"]);
        assert_eq!(actions(&[], twice), ["ok", "transfer"]);
        assert_eq!(actions(&[JSON], b"\xef\xbb\xbf{\"action\":\"transfer\"}"), ["transfer"]);
        let packed = gzip::gzip(twice);
        assert_eq!(actions(&[JSON, ("content-encoding", "gzip")], &packed), ["ok", "transfer"]);
        assert_eq!(actions(&[FORM], b"action=ok&a=1;+acti%6fn=transfer"), ["ok", "transfer"]);
        assert_eq!(actions(&[FORM], b"action=a;action=b"), ["a;action=b", "a", "b"]);
        let multipart = ("content-type", "multipart/form-data; boundary=X");
        let body = b"--X\r\nContent-Disposition: form-data; filename=\"a;b\"; name=action\r\n\r\n1\r\n--X--";
        assert_eq!(actions(&[multipart], body), ["1"]);
        let Content::Fields(found) = read(&[FORM], b"user[name]=ana") else { panic!() };
        assert_eq!(found["user.name"], ["ana"]);
    }

    #[test]
    fn a_body_with_fields_for_a_less_strict_reader_is_unreadable_and_not_empty() {
        let unreadable = |fields: &[(&str, &str)], body: &[u8]| match read(fields, body) {
            Content::Unreadable(why) => why,
            fields => panic!("{fields:?}"),
        };
        let malformed = Unreadable::Malformed;
        assert_eq!(unreadable(&[JSON], br#"{"action":"transfer",}"#), malformed);
        assert_eq!(unreadable(&[], b" {\"action\":\"\xff\"}"), malformed);
        assert_eq!(unreadable(&[], b"\xff\xfe{\0\"\0"), malformed);
        assert_eq!(
            unreadable(&[("content-type", "multipart/form-data; boundary=X")], b"a"),
            malformed
        );
        assert_eq!(unreadable(&[JSON, ("content-encoding", "br")], b"x"), Unreadable::Encoded);
        let bomb = gzip::gzip(&[b' '; 1001]);
        assert_eq!(unreadable(&[JSON, ("content-encoding", "gzip")], &bomb), Unreadable::Encoded);
        let utf16 = ("content-type", "application/json; charset=utf-16");
        assert_eq!(unreadable(&[utf16], b"{}"), Unreadable::Encoded);
    }

    #[test]
    fn a_body_without_fields_for_any_reader_has_none() {
        for body in [&b""[..], b"<action>transfer</action>", b"\x89PNG", b"action"] {
            assert_eq!(read(&[("content-type", "a/b")], body), Content::default());
        }
    }
}
