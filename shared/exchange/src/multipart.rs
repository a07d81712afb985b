//! The parts of a multipart body (RFC 2046, RFC 7578).

use memchr::memmem::find;

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// The name of a form's field.
    pub name: Option<Vec<u8>>,
    /// What comes after the headers.
    pub content: &'a [u8],
    /// Headers and content.
    pub raw: &'a [u8],
}

/// The parts of `body` between delimiters of `boundary`. `None` if it is malformed.
#[must_use]
pub fn parts<'a>(body: &'a [u8], boundary: &[u8]) -> Option<Vec<Part<'a>>> {
    let delimiter = [b"\r\n--", boundary].concat();
    let first = delimiter.get(2..)?;
    // A preamble is allowed, and of no meaning.
    let start = if body.starts_with(first) {
        first.len()
    } else {
        find(body, &delimiter)?.checked_add(delimiter.len())?
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
        parts.push(part(after.get(..end)?)?);
        rest = after.get(end.checked_add(delimiter.len())?..)?;
    }
    Some(parts)
}

/// The body that `raw` parts make.
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

/// The boundary among the parameters of a `content-type`.
pub fn boundary<'a>(mut parameters: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let boundary = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"'))
    })?;
    (1..=70).contains(&boundary.len()).then_some(boundary)
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
    Some(Part { name: field_name(head), content, raw })
}

/// The `name` of a `Content-Disposition: form-data; name="..."` among the headers of a part.
#[must_use]
pub fn field_name(head: &[u8]) -> Option<Vec<u8>> {
    let head = String::from_utf8_lossy(head);
    head.split("\r\n").find_map(|line| {
        let (field, value) = line.split_once(':')?;
        if !field.trim().eq_ignore_ascii_case("content-disposition") {
            return None;
        }
        value.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("name")
                .then(|| value.trim().trim_matches('"').as_bytes().to_vec())
        })
    })
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

    #[test]
    fn what_was_taken_apart_is_put_together_again() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\n\r\n2\r\n--x--\r\n";
        let parts = parts(body, b"x").unwrap();
        assert_eq!(join(parts.iter().map(|part| part.raw), b"x"), body);
        assert_eq!(join([], b"x"), b"--x--\r\n");
    }

    #[test]
    fn a_boundary_has_from_1_to_70_characters() {
        let said = |text: &'static str| boundary(text.split(';'));
        assert_eq!(said("charset=x;Boundary=\"a b\""), Some("a b"));
        assert_eq!((said("charset=x"), said("boundary="), said("boundary")), (None, None, None));
        for (len, is_one) in [(1, true), (70, true), (71, false)] {
            let (value, parameter) = ("x".repeat(len), format!("boundary={}", "x".repeat(len)));
            let found = boundary(std::iter::once(parameter.as_str()));
            assert_eq!(found, is_one.then_some(value.as_str()), "{len}");
        }
    }

    #[test]
    fn what_does_not_end_or_has_no_head_is_no_form() {
        for body in
            ["", "a=1", "--x", "--x\r\n", "--x\r\nno head\r\n--x--", "--xy\r\n\r\n1\r\n--x--"]
        {
            assert_eq!(parts(body.as_bytes(), b"x"), None, "{body:?}");
        }
    }
}
