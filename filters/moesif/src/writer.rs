//! Writes a JSON object, member by member.

/// An object that is being written.
#[must_use = "an object has to be closed"]
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    /// Begins an object at the end of `out`.
    pub(crate) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    pub(crate) fn close(self) {
        self.out.push(b'}');
    }

    /// Writes the name of a member. Its value must follow.
    pub(crate) fn name(&mut self, name: &[u8]) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        text(self.out, name);
        self.out.push(b':');
        self.out
    }

    pub(crate) fn text(&mut self, name: &str, value: impl AsRef<[u8]>) {
        text(self.name(name.as_bytes()), value.as_ref());
    }

    pub(crate) fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// Writes a member whose value is JSON already, such as a number or a list.
    pub(crate) fn json(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.name(name.as_bytes()).extend_from_slice(value.as_ref());
    }

    pub(crate) fn object(&mut self, name: &str) -> Object<'_> {
        Object::open(self.name(name.as_bytes()))
    }
}

/// Writes bytes as a JSON string. Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    // Most texts are printable ASCII without anything to escape.
    if bytes.iter().all(|b| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\')) {
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    for chunk in bytes.utf8_chunks() {
        escape(out, chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, mut rest: &[u8]) {
    while let Some(at) = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f)) {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, after)) = from.split_first() else { return };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn members_stand_in_the_order_in_which_they_were_written() {
        let mut out = Vec::new();
        let mut object = Object::open(&mut out);
        object.text("z", "a\"\\\n\u{1}ä");
        object.optional("none", None);
        object.json("n", "1.50");
        let mut inner = object.object("o");
        inner.text("x", b"\xff\xfea");
        inner.close();
        object.object("e").close();
        object.close();
        let expected = r#"{"z":"a\"\\\n\u0001ä","n":1.50,"o":{"x":"��a"},"e":{}}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn any_bytes_become_a_text(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut out = Vec::new();
            text(&mut out, &bytes);
            let read: String = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(read, String::from_utf8_lossy(&bytes));
        }
    }
}
