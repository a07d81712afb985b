//! The parts of a multipart body (RFC 2046, RFC 7578).

use crate::Parameterised;
use memchr::memmem::find;

/// One part of a multipart body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// The `name` of the part's `content-disposition`: the name of a form's field.
    pub name: Option<Vec<u8>>,
    /// The bytes after the part's headers.
    pub content: &'a [u8],
    /// The part's headers and content together.
    pub raw: &'a [u8],
}

/// Returns the parts of `body` between the delimiters of `boundary`. Returns `None` if the body is
/// malformed, or if a server would find other parts that accepts a lone line feed as the end of a
/// line.
#[must_use]
pub fn parts<'a>(body: &'a [u8], boundary: &[u8]) -> Option<Vec<Part<'a>>> {
    let delimiter = [b"\r\n--", boundary].concat();
    let (first, loose) = (delimiter.get(2..)?, delimiter.get(1..)?);
    // RFC 2046 allows a preamble, which has no meaning.
    let start = if body.starts_with(first) {
        first.len()
    } else {
        let preamble = find(body, &delimiter)?;
        if find(body.get(..preamble)?, loose).is_some() {
            return None;
        }
        preamble.checked_add(delimiter.len())?
    };
    let mut rest = body.get(start..)?;
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let line = find(rest, b"\r\n")?;
        // Only white space may follow a delimiter on its line.
        if !rest.get(..line)?.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            return None;
        }
        let after = rest.get(line.checked_add(2)?..)?;
        // A part without headers and content has no line of its own before the next delimiter.
        let end = find(after, &delimiter)?;
        let raw = after.get(..end)?;
        if find(raw, loose).is_some() || raw.starts_with(first) {
            return None;
        }
        parts.push(part(raw)?);
        rest = after.get(end.checked_add(delimiter.len())?..)?;
    }
    // The text after the last delimiter has no meaning either. It must not look like more parts.
    find(rest, loose).is_none().then_some(parts)
}

/// Writes a body of the parts `raw`.
pub fn join<'a>(raw: impl IntoIterator<Item = &'a [u8]>, boundary: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in raw {
        for piece in [b"--", boundary, b"\r\n", part, b"\r\n"] {
            out.extend_from_slice(piece);
        }
    }
    for piece in [b"--", boundary, b"--\r\n"] {
        out.extend_from_slice(piece);
    }
    out
}

fn part(raw: &[u8]) -> Option<Part<'_>> {
    // A part without headers begins with the empty line.
    let (head, content) = match raw.strip_prefix(b"\r\n") {
        Some(content) => (&b""[..], content),
        None => {
            let end = find(raw, b"\r\n\r\n")?;
            (raw.get(..end)?, raw.get(end.checked_add(4)?..)?)
        }
    };
    Some(Part { name: name(head)?, content, raw })
}

/// Finds the `name` of a `Content-Disposition: form-data; name="..."` among the headers of a part.
/// Returns `Some(None)` for a part without a name, and `None` for headers that servers read
/// differently.
fn name(head: &[u8]) -> Option<Option<Vec<u8>>> {
    let mut found = None;
    for line in lines(head)? {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (field, value) = line.split_at(colon);
        if !field.trim_ascii().eq_ignore_ascii_case(b"content-disposition") {
            continue;
        }
        let read = Parameterised::read(value.get(1..)?)?;
        let name = read.get("name").ok()?.map(<[u8]>::to_vec);
        // With two of these headers it is undefined which one counts.
        if found.replace(name).is_some() {
            return None;
        }
    }
    Some(found.flatten())
}

/// Splits a header block into lines. A line that begins with white space continues the one before
/// it (RFC 5322, section 2.2.3). Returns `None` if some server could end a line elsewhere.
fn lines(head: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut rest = head;
    while !rest.is_empty() {
        let end = find(rest, b"\r\n").unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.get(2..).unwrap_or_default();
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return None;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            let folded = lines.last_mut()?;
            folded.push(b' ');
            folded.extend_from_slice(line.trim_ascii());
        } else {
            lines.push(line.to_vec());
        }
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_taken_apart() {
        let body = b"preamble\r\n--x \r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\n\r\n2\r\n--x--";
        let parts = parts(body, b"x").unwrap();
        let told: Vec<_> = parts.iter().map(|part| (part.name.as_deref(), part.content)).collect();
        assert_eq!(told, [(Some(&b"a"[..]), &b"1"[..]), (None, &b"2"[..])]);
        assert!(parts[0].raw.ends_with(b"\"a\"\r\n\r\n1"));
        assert_eq!(super::parts(b"--x--", b"x"), Some(vec![]));
    }

    fn named(head: &str) -> Option<Option<String>> {
        let body = format!("--x\r\n{head}\r\n\r\n1\r\n--x--\r\n");
        let mut parts = parts(body.as_bytes(), b"x")?;
        Some(parts.remove(0).name.map(|name| String::from_utf8(name).unwrap()))
    }

    #[test]
    fn a_name_is_found_behind_quotes_and_folds() {
        for head in [
            "Content-Disposition: form-data; name=\"role\"",
            "content-disposition:form-data; filename=\"a; name=x\"; name=role",
            "X: y\r\nContent-Disposition: form-data;\r\n name=\"role\"",
            "Content-Disposition:\r\n\tform-data\r\n ; filename=\"a\\\"; name=x\"\r\n ; name=role",
        ] {
            assert_eq!(named(head), Some(Some("role".into())), "{head}");
        }
        assert_eq!(named("Content-Type: a/b"), Some(None));
    }

    #[test]
    fn headers_that_servers_read_differently_make_no_part() {
        for head in [
            "Content-Disposition: form-data; name=a; name=role",
            "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=role",
            "Content-Disposition: form-data; name=a; name*=utf-8''role",
            "Content-Disposition: form-data; name=\"role",
            "Content-Type: a/b\nContent-Disposition: form-data; name=role",
            " Content-Disposition: form-data; name=role",
            "Content-Disposition form-data; name=role",
        ] {
            assert_eq!(named(head), None, "{head:?}");
        }
    }

    #[test]
    fn a_delimiter_behind_a_line_feed_alone_makes_no_form() {
        let field = "Content-Disposition: form-data; name=";
        for body in [
            format!("--x\r\n{field}a\r\n\r\n1\n--x\n{field}role\n\nadmin\r\n--x--\r\n"),
            format!("p\n--x\n{field}role\n\nadmin\r\n--x\r\n{field}a\r\n\r\n1\r\n--x--\r\n"),
            format!(
                "--x\r\n{field}a\r\n\r\n1\r\n--x--\r\n--x\r\n{field}role\r\n\r\nadmin\r\n--x--\r\n"
            ),
        ] {
            assert_eq!(parts(body.as_bytes(), b"x"), None, "{body:?}");
        }
    }

    #[test]
    fn a_form_that_was_taken_apart_is_put_together_unchanged() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\n\r\n2\r\n--x--\r\n";
        let parts = parts(body, b"x").unwrap();
        assert_eq!(join(parts.iter().map(|part| part.raw), b"x"), body);
        assert_eq!(join([], b"x"), b"--x--\r\n");
    }

    #[test]
    fn a_body_without_an_end_or_a_head_is_no_form() {
        for body in
            ["", "a=1", "--x", "--x\r\n", "--x\r\nno head\r\n--x--", "--xy\r\n\r\n1\r\n--x--"]
        {
            assert_eq!(parts(body.as_bytes(), b"x"), None, "{body:?}");
        }
    }
}
