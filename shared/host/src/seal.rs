//! What tells our own entries in shared data from everybody else's.

use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

/// The length of a tag.
pub(crate) const TAG: usize = 16;

/// SipHash-2-4-128 under a key that is a fingerprint: of an admin target with its token, of settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seal(u64, u64);

impl Seal {
    /// `fingerprint` is secret where a token is part of it.
    pub(crate) fn new(fingerprint: &[u8; 16]) -> Self {
        let (first, second) = fingerprint.split_at(8);
        let half = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        Self(half(first), half(second))
    }

    /// The tag of an entry.
    pub(crate) fn tag(self, bytes: &[u8]) -> [u8; TAG] {
        let mut hasher = self.hasher();
        hasher.write(bytes);
        hasher.finish128().as_bytes()
    }

    /// The content of an entry of `len` octets that ends in its own tag.
    pub(crate) fn verified(self, bytes: &[u8], len: usize) -> Option<&[u8]> {
        let (body, tag) = bytes.split_at_checked(len.checked_sub(TAG)?)?;
        (tag == self.tag(body)).then_some(body)
    }

    /// Two numbers that nobody without the fingerprint can foretell from `parts`.
    pub(crate) fn numbers(self, parts: &[&[u8]]) -> [u64; 2] {
        let mut hasher = self.hasher();
        for part in parts {
            hasher.write(part);
        }
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }

    /// One number for all that has this fingerprint.
    pub(crate) fn number(self) -> u64 {
        self.0 ^ self.1.rotate_left(17)
    }

    fn hasher(self) -> SipHasher24 {
        SipHasher24::new_with_keys(self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_fingerprint_sees_nothing() {
        let (mine, other) = (Seal::new(&[1; 16]), Seal::new(&[2; 16]));
        let mut entry = b"entry".to_vec();
        entry.extend(mine.tag(b"entry"));
        assert_eq!(mine.verified(&entry, entry.len()), Some(&b"entry"[..]));
        assert_eq!(other.verified(&entry, entry.len()), None);
        for n in 0..entry.len() {
            let mut torn = entry.clone();
            if let Some(byte) = torn.get_mut(n) {
                *byte ^= 1;
            }
            assert_eq!(mine.verified(&torn, torn.len()), None, "octet {n}");
        }
        assert_eq!(mine.verified(&entry, entry.len() + 1), None);
        assert_eq!(mine.verified(b"", 0), None);
    }
}
