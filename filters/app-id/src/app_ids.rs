//! The App IDs of one consumer, in the form in which the cache keeps them.

/// The cached App IDs of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppIds<'a> {
    /// All App IDs of the consumer. [`contains`] searches this list.
    List(&'a [u8]),
    /// The consumer has more App IDs than an entry holds, so each is looked up by itself.
    Many,
}

/// The greatest size of a cached list, in bytes.
const MAX: usize = 800;

/// The value of a consumer with more App IDs than fit into a list.
const MANY: &[u8] = b"M";

/// Encodes all App IDs of a consumer for the cache. `complete` is `false` if the consumer has more
/// than these.
pub(crate) fn encode<'a>(ids: impl Iterator<Item = &'a str>, complete: bool) -> Vec<u8> {
    if !complete {
        return MANY.to_vec();
    }
    let mut value = empty();
    ids.for_each(|id| add(&mut value, id));
    value
}

/// Returns the value of a consumer without App IDs, to which [`add`] adds some.
pub(crate) fn empty() -> Vec<u8> {
    vec![b'L']
}

/// Adds an App ID to a consumer's value. A list that grows too long is replaced by a mark, so that
/// the value stays small whatever is added.
pub(crate) fn add(value: &mut Vec<u8>, id: &str) {
    if *value == MANY {
        return;
    }
    match u16::try_from(id.len()) {
        Ok(len) if value.len().saturating_add(2).saturating_add(id.len()) <= MAX => {
            value.extend(len.to_le_bytes());
            value.extend_from_slice(id.as_bytes());
        }
        _ => *value = MANY.to_vec(),
    }
}

impl<'a> AppIds<'a> {
    /// Reads a value that [`encode`] wrote.
    pub(crate) fn decode(value: &'a [u8]) -> Option<Self> {
        match value.split_first()? {
            (b'L', list) => Some(Self::List(list)),
            (b'M', []) => Some(Self::Many),
            _ => None,
        }
    }
}

/// Returns `true` if `id` is in a list.
pub(crate) fn contains(mut list: &[u8], id: &[u8]) -> bool {
    while let Some((len, rest)) = list.split_first_chunk::<2>() {
        let Some((entry, rest)) = rest.split_at_checked(u16::from_le_bytes(*len).into()) else {
            return false;
        };
        if entry == id {
            return true;
        }
        list = rest;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_what_was_put_in_and_nothing_else() {
        let value = encode(["Portal", "NTP"].into_iter(), true);
        let Some(AppIds::List(list)) = AppIds::decode(&value) else { panic!() };
        for (id, expected) in [
            ("Portal", true),
            ("NTP", true),
            ("portal", false),
            ("Port", false),
            ("", false),
            ("PortalNTP", false),
        ] {
            assert_eq!(contains(list, id.as_bytes()), expected, "{id}");
        }
    }

    #[test]
    fn a_list_that_is_cut_or_too_long_is_not_kept_as_a_list() {
        let long = "x".repeat(100);
        let ids = vec![long.as_str(); 9];
        assert_eq!(AppIds::decode(&encode(ids.into_iter(), true)), Some(AppIds::Many));
        assert_eq!(AppIds::decode(&encode(["a"].into_iter(), false)), Some(AppIds::Many));
    }

    #[test]
    fn a_value_of_another_form_is_none() {
        for value in [&b""[..], b"X", b"Mx"] {
            assert_eq!(AppIds::decode(value), None);
        }
        for list in [&b"\x05"[..], b"\x05\0ab", b"\xff\xff"] {
            assert!(!contains(list, b"ab"));
        }
    }
}
