//! Masks: they remove members of JSON and form bodies, query parameters and headers from what
//! leaves the gateway.
//!
//! Names are compared without case, and `_` equals `-`, as for many servers. A body is read once,
//! whatever the number of masks and the depth.

use crate::json::{NotJson, Scanner, Token};
use exchange::Query;
use std::borrow::Cow;

/// Replaces the value of a masked query parameter.
pub(crate) const MASKED: &[u8] = b"*****";

/// A set of masked names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Masks {
    /// The names in lower case, sorted.
    names: Vec<String>,
    /// A bit for each length that occurs; the last bit stands for all greater lengths. This rules
    /// out most names.
    lengths: u128,
}

impl Masks {
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut names: Vec<String> =
            names.into_iter().map(|name| folded(&name).into_owned()).collect();
        names.sort_unstable();
        names.dedup();
        let lengths = names.iter().fold(0, |lengths, name| lengths | length_bit(name));
        Self { names, lengths }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns `true` if `name` is masked.
    pub(crate) fn cover(&self, name: &str) -> bool {
        if name.is_ascii() && self.lengths & length_bit(name) == 0 {
            return false;
        }
        let name = folded(name);
        self.names.binary_search_by(|known| known.as_str().cmp(&name)).is_ok()
    }

    /// Returns `true` if a field of a form or query is masked. `password` masks `user[password]`
    /// and `user.password` too.
    fn cover_field(&self, name: &[u8]) -> bool {
        // Some servers ignore white space before a name, and everything from a NUL on.
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name.trim_ascii());
        self.cover(&name) || name.split(['[', ']', '.']).any(|part| self.cover(part))
    }

    /// Returns a JSON text without its masked members, at any depth. The rest is unchanged.
    ///
    /// # Errors
    /// [`NotJson`], if the text is not JSON. Its members are then unknown.
    pub(crate) fn json<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, NotJson> {
        let mut cut = Cut { text, out: String::new(), taken: 0 };
        let mut scanner = Scanner::new(text);
        // For each open object: `true` if a member stayed, and `true` if one was removed.
        let mut open: Vec<(bool, bool)> = Vec::new();
        while let Some(piece) = scanner.next_mark()? {
            match piece.token {
                Token::Open => open.push((false, false)),
                Token::Close => {
                    open.pop();
                }
                _ => {
                    let quoted = text.get(piece.place.clone()).unwrap_or_default();
                    let (stayed, went) = open.last().copied().unwrap_or_default();
                    if self.cover(&crate::json::unescaped(quoted)) {
                        // The comma before the member goes with it. If no member stayed before, the
                        // next one to stay loses its comma.
                        cut.keep_up_to(scanner.end());
                        cut.resume_at(scanner.skip_value()?.end);
                        set_last(&mut open, (stayed, true));
                        continue;
                    }
                    if went && !stayed {
                        cut.resume_at(piece.place.start);
                    }
                    set_last(&mut open, (true, went));
                }
            }
        }
        Ok(cut.finish())
    }

    /// Returns a form without its masked fields, both for servers that end a field at `&` only and
    /// for those that also end it at `;`.
    pub(crate) fn form(&self, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(body.len());
        for piece in body.split(|byte| *byte == b'&') {
            if piece.is_empty() || self.cover_parameter(piece) {
                continue;
            }
            let parts =
                piece.split(|byte| *byte == b';').filter(|part| !self.cover_parameter(part));
            let kept = parts.collect::<Vec<_>>().join(&b';');
            if !kept.is_empty() {
                out.extend_from_slice(if out.is_empty() { b"" } else { b"&" });
                out.extend_from_slice(&kept);
            }
        }
        out
    }

    /// Replaces the values of masked parameters in a URI, or in the target of a request.
    pub(crate) fn query<'t>(&self, uri: &'t [u8]) -> Cow<'t, [u8]> {
        self.parameters(uri, |rest| matches!(rest, [b'&' | b';' | b'#', ..]))
    }

    /// Replaces the values of masked parameters in all URIs that are in the value of a header.
    pub(crate) fn queries<'t>(&self, value: &'t [u8]) -> Cow<'t, [u8]> {
        self.parameters(value, |rest| match rest {
            [b'&' | b';' | b'#' | b'>', ..] => true,
            [b',' | b' ' | b'\t', next @ ..] => begins_uri(next),
            _ => false,
        })
    }

    /// Replaces the values of masked parameters. A parameter follows the first `?` or `#`, and each
    /// `?`, `#`, `&` and `;` after it. A masked value goes on to where `ends` is true of the rest.
    fn parameters<'t>(&self, text: &'t [u8], ends: fn(&[u8]) -> bool) -> Cow<'t, [u8]> {
        let first = text.iter().position(|byte| matches!(byte, b'?' | b'#'));
        let Some(first) = first.filter(|_| !self.names.is_empty()) else {
            return Cow::Borrowed(text);
        };
        let (path, mut rest) = text.split_at(first);
        let mut out = path.to_vec();
        while let Some((separator, tail)) = rest.split_first() {
            out.push(*separator);
            let end = tail.iter().position(|byte| matches!(byte, b'?' | b'#' | b'&' | b';'));
            let (parameter, after) = tail.split_at(end.unwrap_or(tail.len()));
            let equals = parameter.iter().position(|byte| *byte == b'=');
            let name = equals.and_then(|at| parameter.get(..at));
            if let Some(name) = name.filter(|name| self.cover_parameter(name)) {
                out.extend_from_slice(name);
                out.push(b'=');
                out.extend_from_slice(MASKED);
                let value = tail.get(name.len()..).unwrap_or_default();
                let end = (0..value.len()).find(|at| value.get(*at..).is_some_and(ends));
                rest = end.and_then(|at| value.get(at..)).unwrap_or_default();
            } else {
                out.extend_from_slice(parameter);
                rest = after;
            }
        }
        Cow::Owned(out)
    }

    fn cover_parameter(&self, raw: &[u8]) -> bool {
        Query::new(raw).pairs().next().is_some_and(|(name, _)| self.cover_field(&name))
    }
}

/// Returns `true` for a text that begins with another URI of a header. After a comma or white space,
/// anything else may be a part of a value.
fn begins_uri(text: &[u8]) -> bool {
    let begins = |scheme: &[u8]| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    text.starts_with(b"<") || begins(b"http://") || begins(b"https://")
}

/// Returns a name in lower case, with `-` for `_`.
fn folded(name: &str) -> Cow<'_, str> {
    let is_folded = |b: u8| b.is_ascii() && !b.is_ascii_uppercase() && b != b'_';
    match name.bytes().all(is_folded) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(name.to_lowercase().replace('_', "-")),
    }
}

fn length_bit(name: &str) -> u128 {
    1_u128.checked_shl(u32::try_from(name.len().min(127)).unwrap_or(127)).unwrap_or_default()
}

fn set_last<T>(list: &mut [T], value: T) {
    if let Some(last) = list.last_mut() {
        *last = value;
    }
}

/// A text from which pieces are cut.
struct Cut<'t> {
    text: &'t str,
    out: String,
    /// The length of the text that is in `out` or was cut.
    taken: usize,
}

impl<'t> Cut<'t> {
    fn keep_up_to(&mut self, to: usize) {
        self.out.push_str(self.text.get(self.taken..to).unwrap_or_default());
        self.taken = self.taken.max(to);
    }

    fn resume_at(&mut self, at: usize) {
        self.taken = at;
    }

    fn finish(mut self) -> Cow<'t, str> {
        if self.taken == 0 {
            return Cow::Borrowed(self.text);
        }
        self.keep_up_to(self.text.len());
        Cow::Owned(self.out)
    }
}

#[cfg(test)]
#[path = "mask_tests.rs"]
mod tests;
