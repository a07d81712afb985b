//! Changes to a multipart form (RFC 7578). Unchanged parts keep their place and their bytes.

use crate::changes::Fields;
use crate::listed::Listed;
use exchange::multipart::{join, parts};
use memchr::memmem::find;
use std::borrow::Cow;

/// The parts of a form with their boundary. Each part has headers and content.
pub(crate) struct Parts<'a> {
    boundary: &'a [u8],
    parts: Listed<Cow<'a, [u8]>>,
}

/// The name for parts without one. No setting can contain it.
const NAMELESS: &[u8] = b":";

impl<'a> Parts<'a> {
    /// Returns `None` if the body is not such a form. An empty body is a form without parts.
    pub(crate) fn parse(body: &'a [u8], boundary: &'a [u8]) -> Option<Self> {
        let mut all = Self { boundary, parts: Listed::default() };
        if body.is_empty() {
            return Some(all);
        }
        for part in parts(body, boundary)? {
            all.parts.push(part.name.as_deref().unwrap_or(NAMELESS), part.raw.into());
        }
        Some(all)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parts.iter().next().is_none()
    }

    /// Returns the whole body. Returns `None` if a value contains the boundary, which would end its
    /// part.
    pub(crate) fn text(&self) -> Option<Vec<u8>> {
        // For some servers a boundary after a lone line feed ends the part.
        let delimiter = [b"\n--", self.boundary].concat();
        let breaks_out = self.parts.iter().any(|part| find(part, &delimiter).is_some());
        (!breaks_out).then(|| join(self.parts.iter().map(|part| &**part), self.boundary))
    }
}

fn written(name: &str, value: &[u8]) -> Vec<u8> {
    let head = format!("Content-Disposition: form-data; name=\"{}\"\r\n\r\n", escaped(name));
    [head.as_bytes(), value].concat()
}

/// Returns the content of a part. In a part without headers it follows the empty line.
fn content(raw: &[u8]) -> &[u8] {
    let head = head(raw).unwrap_or_default();
    let skipped = if head.is_empty() { 2 } else { head.len().saturating_add(4) };
    raw.get(skipped..).unwrap_or_default()
}

/// Returns the headers of a part.
fn head(raw: &[u8]) -> Option<&[u8]> {
    if raw.starts_with(b"\r\n") {
        return Some(b"");
    }
    raw.get(..find(raw, b"\r\n\r\n")?)
}

/// Escapes a name as HTML forms do. It cannot end the quotes or the line, and has no backslash,
/// which would change the meaning of the next character.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_ascii_control() || matches!(letter, '"' | '\\') {
            out.push_str(&exchange::percent_encode(letter.to_string().as_bytes()));
        } else {
            out.push(letter);
        }
    }
    out
}

impl Fields for Parts<'_> {
    fn has(&self, name: &str) -> bool {
        self.parts.has(name.as_bytes())
    }

    fn remove(&mut self, name: &str) {
        self.parts.remove(name.as_bytes());
    }

    /// As in Kong, a part with a file name or a type becomes a plain field.
    fn rename(&mut self, old: &str, new: &str) {
        let change = |raw: &Cow<'_, [u8]>| written(new, content(raw)).into();
        self.parts.rename(old.as_bytes(), new.as_bytes(), change);
    }

    fn replace(&mut self, name: &str, value: &[u8]) {
        self.parts.put(name.as_bytes(), written(name, value).into());
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        self.parts.push(name.as_bytes(), written(name, value).into());
    }

    /// Kong has no such change for these bodies.
    fn append(&mut self, _name: &str, _value: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::tests::filled;
    use proptest::prelude::*;

    fn form(fields: &[(&str, &str)]) -> String {
        let part = |(name, value): &(&str, &str)| {
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        format!("{}--XX--\r\n", fields.iter().map(part).collect::<String>())
    }

    fn changed(body: &str, lists: [&[&str]; 5]) -> Option<String> {
        let mut parts = Parts::parse(body.as_bytes(), b"XX")?;
        filled(lists).apply(&mut parts);
        Some(String::from_utf8(parts.text()?).unwrap())
    }

    #[test]
    fn each_change_does_what_kongs_does() {
        let none: &[&str] = &[];
        for (before, lists, after) in [
            (
                &[("a", "1"), ("b", "2")][..],
                [&["a"][..], none, none, none, none],
                &[("b", "2")][..],
            ),
            (&[("a", "1"), ("c", "2")], [none, &["a:c"], none, none, none], &[("c", "1")]),
            (
                &[("p1", "v"), ("p2", "v1")],
                [none, none, &["p1:v1", "p3:x"], none, none],
                &[("p1", "v1"), ("p2", "v1")],
            ),
            (
                &[("p1", "stays")],
                [none, none, none, &["p1:v1", "p2:a:b"], none],
                &[("p1", "stays"), ("p2", "a:b")],
            ),
            (&[("p1", "stays")], [none, none, none, none, &["p1:v1"]], &[("p1", "stays")]),
        ] {
            assert_eq!(changed(&form(before), lists).unwrap(), form(after), "{lists:?}");
        }
        assert_eq!(
            changed("", [none, none, none, &["p1:v1"], none]).unwrap(),
            form(&[("p1", "v1")])
        );
    }

    #[test]
    fn a_file_that_nobody_names_stays_as_it_is() {
        let file = "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a;b\"\r\nContent-Type: x/y\r\n\r\n\0\r\n\r\n1\r\n";
        let body = format!("{file}--XX--\r\n");
        let more = changed(&body, [&["other"], &[], &[], &["p:v"], &[]]).unwrap();
        assert!(more.starts_with(file) && more.contains("name=\"p\""), "{more}");
    }

    #[test]
    fn a_body_that_is_no_such_form_is_not_changed() {
        for body in
            ["a=1", "--XX", "--XX\r\n", "--XX\r\nno head\r\n--XX--", "--XXY\r\n\r\n1\r\n--XX--\r\n"]
        {
            assert!(Parts::parse(body.as_bytes(), b"XX").is_none(), "{body:?}");
        }
        // The form has a preamble, white space after the boundary, and a part without headers.
        assert!(Parts::parse(b"hello\r\n--XX \r\n\r\n1\r\n--XX--", b"XX").is_some());
    }

    #[test]
    fn a_value_with_the_boundary_in_it_makes_no_form() {
        let evil = "p:x\r\n--XX\r\nContent-Disposition: form-data; name=\"admin\"\r\n\r\n1";
        assert_eq!(changed(&form(&[]), [&[], &[], &[], &[evil], &[]]), None);
    }

    proptest! {
        #[test]
        fn a_value_is_one_part_whatever_is_in_it(name in "[^:]{1,20}", value in ".{0,60}|(\r\n|--|XX|\"|name=){0,8}") {
            let mut parts = Parts::parse(b"--XX--\r\n", b"XX").unwrap();
            parts.add(&name, value.as_bytes());
            if let Some(text) = parts.text() {
                let read = Parts::parse(&text, b"XX").unwrap();
                let all: Vec<_> = read.parts.iter().collect();
                prop_assert_eq!(all.len(), 1);
                prop_assert_eq!(content(all[0]), value.as_bytes());
            }
        }

        #[test]
        fn no_bytes_are_a_surprise(body in proptest::collection::vec(any::<u8>(), 0..100), boundary in "[a-z]{1,3}") {
            let body = [b"--", boundary.as_bytes(), b"\r\n", &body[..], b"\r\n--", boundary.as_bytes(), b"--"].concat();
            if let Some(parts) = Parts::parse(&body, boundary.as_bytes()) {
                parts.text();
            }
        }
    }
}
