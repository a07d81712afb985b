//! The headers of a message as the proxy delivers them. Names and values are bytes until a filter
//! parses them.

use std::ops::Range;
use std::rc::Rc;

/// The headers of a request or a response, pseudo-headers and duplicates included, in order.
///
/// The head keeps the proxy's wire form in one piece, so it takes three allocations whatever the
/// number of headers. A clone shares this memory.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Head(Rc<Parts>);

#[derive(Default, PartialEq, Eq)]
struct Parts {
    block: Vec<u8>,
    fields: Vec<Field>,
}

#[derive(Clone, PartialEq, Eq)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

/// The number of times that a header occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence<'a> {
    /// The header does not occur.
    None,
    /// The header occurs once, with this value.
    One(&'a [u8]),
    /// The header occurs more than once. This is its first value.
    Many(&'a [u8]),
}

impl Head {
    /// Reads the Proxy-Wasm wire form of a header map: a count, all lengths, then all bytes, in
    /// which a NUL follows each name and each value. Numbers are little-endian and have four bytes.
    /// Returns `None` if the block contradicts itself, as Kong's does for more than 100 headers.
    #[must_use]
    pub fn from_block(block: Vec<u8>) -> Option<Self> {
        if block.is_empty() {
            return Some(Self::default());
        }
        let word = |at: usize| -> Option<usize> {
            let bytes = block.get(at..at.checked_add(4)?)?;
            usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
        };
        let count = word(0)?;
        // Each field needs eight bytes of lengths, so a larger count cannot be true.
        if count > block.len() / 8 {
            return None;
        }
        let mut lengths = 4_usize;
        let mut at = count.checked_mul(8)?.checked_add(4)?;
        let mut fields = Vec::with_capacity(count);
        for _ in 0..count {
            let name = at..at.checked_add(word(lengths)?)?;
            let value_at = name.end.checked_add(1)?;
            let value = value_at..value_at.checked_add(word(lengths.checked_add(4)?)?)?;
            block.get(name.clone())?;
            block.get(value.clone())?;
            at = value.end.checked_add(1)?;
            lengths = lengths.checked_add(8)?;
            fields.push(Field { name, value });
        }
        Some(Self(Rc::new(Parts { block, fields })))
    }

    /// Returns all headers in order. Names have the proxy's spelling: lower case on Envoy, the
    /// client's on Kong.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.fields.iter().map(|field| (self.bytes(&field.name), self.bytes(&field.value)))
    }

    /// Returns the memory that the head takes, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let fields = self.0.fields.len().saturating_mul(size_of::<Field>());
        self.0.block.len().saturating_add(fields)
    }

    /// Returns the number of headers, pseudo-headers included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.fields.len()
    }

    /// Returns `true` if there is no header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.fields.is_empty()
    }

    /// Returns every value of the header `name`, in order. Case does not matter.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.of_length(name.len())
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Returns the first value of the header `name`.
    #[must_use]
    pub fn first<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// Returns every header that an upstream may read as `name` (see [`same_name`]), in order.
    pub fn spellings<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.of_length(name.len()).filter(move |(field, _)| same_name(field, name.as_bytes()))
    }

    /// Counts how often the header `name` occurs, up to two.
    #[must_use]
    pub fn occurrence<'a>(&'a self, name: &'a str) -> Occurrence<'a> {
        let mut values = self.values(name);
        match (values.next(), values.next()) {
            (None, _) => Occurrence::None,
            (Some(value), None) => Occurrence::One(value),
            (Some(value), Some(_)) => Occurrence::Many(value),
        }
    }

    /// Returns the value of the header `name` if it occurs once and is UTF-8.
    #[must_use]
    pub fn text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        match self.occurrence(name) {
            Occurrence::One(value) => std::str::from_utf8(value).ok(),
            Occurrence::None | Occurrence::Many(_) => None,
        }
    }

    /// Returns the host that the client asked for: `host` on Kong, where `:authority` is the
    /// server's own name, and `:authority` on Envoy, which has no `host`. It is empty if there is
    /// none.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        self.first("host").or_else(|| self.first(":authority")).unwrap_or_default()
    }

    /// Returns the headers whose names have `len` bytes. Few names are that long, so that a search
    /// by name looks at few bytes.
    fn of_length(&self, len: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        let fields = self.0.fields.iter().filter(move |field| field.name.len() == len);
        fields.map(|field| (self.bytes(&field.name), self.bytes(&field.value)))
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.0.block.get(range.clone()).unwrap_or_default()
    }
}

/// Returns `true` if an upstream may take two header names for one name. Case does not matter,
/// and CGI, WSGI, Rack and PHP read `_` and `-` as one character. Every filter follows this rule
/// for headers that settings name, that hold a credential, or that a filter owns.
#[must_use]
#[inline]
pub fn same_name(a: &[u8], b: &[u8]) -> bool {
    // Most names differ in length: this is all that a caller's loop costs for them.
    a.len() == b.len() && same_folded(a, b)
}

fn same_folded(a: &[u8], b: &[u8]) -> bool {
    a.iter().map(folded).eq(b.iter().map(folded))
}

/// Returns a header's name in the form that [`same_name`] compares: in lower case, with `-` for
/// `_`.
#[must_use]
pub fn folded_name(name: &[u8]) -> Vec<u8> {
    name.iter().map(folded).collect()
}

fn folded(byte: &u8) -> u8 {
    if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}

impl std::fmt::Debug for Head {
    /// Shows names only, because values contain credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.fields().map(|(name, _)| String::from_utf8_lossy(name)))
            .finish()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Head {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut head = Parts::default();
        for (name, value) in fields {
            let mut push = |bytes: &[u8]| {
                let start = head.block.len();
                head.block.extend_from_slice(bytes);
                start..head.block.len()
            };
            let field = Field { name: push(name.as_ref()), value: push(value.as_ref()) };
            head.fields.push(field);
        }
        Self(Rc::new(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut out = (fields.len() as u32).to_le_bytes().to_vec();
        for (name, value) in fields {
            out.extend((name.len() as u32).to_le_bytes());
            out.extend((value.len() as u32).to_le_bytes());
        }
        for part in fields.iter().flat_map(|(name, value)| [name, value]) {
            out.extend(*part);
            out.push(0);
        }
        out
    }

    #[test]
    fn a_block_keeps_order_duplicates_and_bytes() {
        let head =
            Head::from_block(block(&[(b"A", b"1"), (b"b", b"\xff\0"), (b"a", b"")])).unwrap();
        assert_eq!(head.values("a").collect::<Vec<_>>(), [&b"1"[..], b""]);
        assert_eq!(head.occurrence("B"), Occurrence::One(b"\xff\0"));
        assert_eq!(head.occurrence("a"), Occurrence::Many(b"1"));
        assert_eq!(head.occurrence("c"), Occurrence::None);
        assert_eq!(head.text("b"), None, "not text");
    }

    #[test]
    fn a_block_that_is_cut_anywhere_is_refused() {
        let whole = block(&[(b"name", b"value"), (b"x", b"y")]);
        // The last byte is the closing NUL, which carries nothing.
        for len in 1..whole.len() - 1 {
            assert!(Head::from_block(whole[..len].to_vec()).is_none(), "{len}");
        }
    }

    #[test]
    fn a_count_or_length_beyond_the_block_is_refused() {
        for lie in [[0xff; 4], [0, 0, 0, 0x80]] {
            let mut bytes = block(&[(b"a", b"b")]);
            bytes[..4].copy_from_slice(&lie);
            assert!(Head::from_block(bytes).is_none());
            let mut bytes = block(&[(b"a", b"b")]);
            bytes[4..8].copy_from_slice(&lie);
            assert!(Head::from_block(bytes).is_none());
        }
    }

    #[test]
    fn names_that_an_upstream_folds_together_are_the_same() {
        assert!(same_name(b"X_Consumer-ID", b"x-consumer-id"));
        assert!(!same_name(b"x-consumer-i", b"x-consumer-id"));
        assert_eq!(folded_name(b"X_Consumer-ID"), b"x-consumer-id");
    }

    #[test]
    fn every_spelling_of_a_name_is_found_in_order() {
        let head = Head::from_iter([("X_A", "1"), ("x-a", "2"), ("x-ab", "3"), ("X-A", "4")]);
        let found: Vec<&[u8]> = head.spellings("x-a").map(|(_, value)| value).collect();
        assert_eq!(found, [b"1", b"2", b"4"]);
    }

    #[test]
    fn debug_shows_no_value() {
        let head = Head::from_iter([("apikey", "secret")]);
        assert_eq!(format!("{head:?}"), r#"["apikey"]"#);
    }
}
