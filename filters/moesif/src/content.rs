//! The fields of a body that conditions examine.

mod declared;

use crate::body::opened;
use crate::json::scalars_at;
use declared::Declared;
use exchange::json::without_mark;
use exchange::multipart::parts;
use exchange::{Head, Query};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// The fields of a body, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Content {
    /// All values of each path that a condition names.
    fields: HashMap<String, Vec<String>>,
    /// The reason if some server may find more than these fields. `None` for a request without a
    /// body.
    hidden: Option<Unreadable>,
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

impl Content {
    /// Returns the content of a body of which nothing is known.
    pub(crate) fn unreadable(why: Unreadable) -> Self {
        Self { fields: HashMap::new(), hidden: Some(why) }
    }

    /// Reads the values of `body` at the `wanted` paths, as every server that may get it would. At
    /// most `limit` bytes of a compressed body are read.
    pub(crate) fn read(head: &Head, body: &[u8], wanted: &HashSet<&str>, limit: usize) -> Self {
        if body.is_empty() {
            return Self::default();
        }
        let Some(body) = opened(body, head, limit) else {
            return Self::unreadable(Unreadable::Encoded);
        };
        let body = without_mark(&body);
        let Declared { is_json, boundary, disputed } = Declared::of(head);
        let json = std::str::from_utf8(body).ok().and_then(|text| scalars_at(text, wanted).ok());
        let parts = boundary.as_ref().and_then(|boundary| parts(body, boundary));
        // No body is JSON and a multipart form at once.
        let broken = json.is_none() && parts.is_none();
        let as_declared = disputed.is_none() && (parts.is_some() || (is_json && json.is_some()));
        let mut content = Self { fields: json.unwrap_or_default(), hidden: disputed };
        if broken && (boundary.is_some() || may_be_json(head, body)) {
            content.hidden.get_or_insert(Unreadable::Malformed);
        }
        for part in parts.into_iter().flatten() {
            content.keep(&part.name.unwrap_or_default(), part.content, wanted);
        }
        // No server reads a form in a body that is what its one content type says.
        if !as_declared {
            content.read_form(body, wanted);
        }
        content
    }

    /// Returns the values at `path`, and the reason if there may be more that cannot be read.
    pub(crate) fn values(&self, path: &str) -> (Vec<Cow<'_, str>>, Option<Unreadable>) {
        let values = self.fields.get(path).into_iter().flatten();
        (values.map(|value| value.as_str().into()).collect(), self.hidden)
    }

    /// Reads the values of a form, both for servers that end a field at `&` only and for those that
    /// also end it at `;`.
    fn read_form(&mut self, body: &[u8], wanted: &HashSet<&str>) {
        for piece in body.split(|byte| *byte == b'&') {
            let whole = std::iter::once(piece);
            let parts = piece.split(|byte| *byte == b';').filter(|part| part.len() < piece.len());
            for (name, value) in whole.chain(parts).flat_map(|part| Query::new(part).pairs()) {
                self.keep(&name, &value.unwrap_or_default(), wanted);
            }
        }
    }

    /// Records a value. `user[name]` is `user.name`. Some servers ignore white space before a name,
    /// and everything from a NUL on.
    fn keep(&mut self, name: &[u8], value: &[u8], wanted: &HashSet<&str>) {
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let mut name = String::from_utf8_lossy(name.trim_ascii());
        if name.contains(['[', ']']) {
            name = name.replace('[', ".").replace(']', "").into();
        }
        let name = name.trim_end_matches('.');
        if wanted.contains(name) {
            let value = String::from_utf8_lossy(value).into_owned();
            self.fields.entry(name.to_owned()).or_default().push(value);
        }
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
#[path = "content_tests.rs"]
mod tests;
