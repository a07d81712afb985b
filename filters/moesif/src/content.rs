//! The fields of a body, as conditions ask for them.

use crate::body::opened;
use crate::json::scalars_at;
use exchange::json::without_mark;
use exchange::multipart::parts;
use exchange::{Head, Media, Opaque, Query};
use std::collections::{HashMap, HashSet};

/// What is known of the fields of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// All values of each path that somebody asks for.
    Fields(HashMap<String, Vec<String>>),
    /// There is a body, and its fields cannot be read.
    Unreadable(Unreadable),
}

/// Why something of a request that a condition asks for cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Servers read the path differently.
    Path,
    /// The body is no JSON or no form, although it looks like one.
    Malformed,
    /// It is compressed or encoded in a way that is not known here.
    Encoded,
    /// It is longer than the limit.
    TooLarge,
    /// The host does not show it.
    Hidden,
}

impl Unreadable {
    /// The answer to a request that cannot be judged for this reason.
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

/// There is no body.
impl Default for Content {
    fn default() -> Self {
        Self::Fields(HashMap::new())
    }
}

impl Content {
    /// What `body` has at the `wanted` paths. When it is compressed, up to `limit` bytes of it are read.
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
            // Whatever it is, it has no such fields.
            (None, _) => Self::default(),
        }
    }
}

/// The values of a form's fields, for servers that end one at `&` alone and for those that do so at `;` too.
fn form(body: &[u8], wanted: &HashSet<&str>, fields: &mut HashMap<String, Vec<String>>) {
    for piece in body.split(|byte| *byte == b'&') {
        let whole = std::iter::once(piece);
        let parts = piece.split(|byte| *byte == b';').filter(|part| part.len() < piece.len());
        for (name, value) in whole.chain(parts).flat_map(|part| Query::new(part).pairs()) {
            keep(&name, &value.unwrap_or_default(), wanted, fields);
        }
    }
}

/// `user[name]` is `user.name`. Some servers pass over white space before a name, and over all from a NUL on.
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

/// Whether a reader less strict than ours might find fields in it.
fn may_be_json(head: &Head, body: &[u8]) -> bool {
    let said = head.values("content-type").any(|value| {
        value.to_ascii_lowercase().windows(4).any(|part| part == b"json" || part == b"grap")
    });
    let mut visible = body.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != 0);
    // Also behind the byte order marks of UTF-16.
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
    fn what_a_less_strict_reader_could_read_is_unreadable_and_not_empty() {
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
    fn what_has_no_fields_for_anybody_has_none() {
        for body in [&b""[..], b"<action>transfer</action>", b"\x89PNG", b"action"] {
            assert_eq!(read(&[("content-type", "a/b")], body), Content::default());
        }
    }
}
