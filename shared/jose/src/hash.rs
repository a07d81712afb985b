//! Hashing, and comparison in constant time.

use base16ct::lower;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Returns the SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Returns the SHA-256 of `bytes` in lower-case hex, which is 64 digits long.
pub fn sha256_hex(bytes: &[u8]) -> String {
    lower::encode_string(&sha256(bytes))
}

/// Computes the SHA-256 of bytes that arrive in pieces.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the hash of all pieces in lower-case hex.
    pub fn hex(self) -> String {
        lower::encode_string(&self.0.finalize())
    }
}

/// Returns `true` if both are equal. The time depends on the lengths only.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_original_upstream_jwt() {
        assert_eq!(
            sha256_hex(b"hello"),
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        );
        assert_eq!(
            sha256_hex(b"msg=hello%20world&bla=&bar"),
            "e3fb2c82cc290e761881dbb49a38408d8d49c83fbf278fca4aaebbc54ba1de04"
        );
        let mut hasher = Hasher::default();
        ["he", "", "llo"].iter().for_each(|piece| hasher.update(piece.as_bytes()));
        assert_eq!(hasher.hex(), sha256_hex(b"hello"));
    }

    #[test]
    fn comparison_needs_every_byte() {
        assert!(constant_time_eq(b"abc", b"abc") && constant_time_eq(b"", b""));
        for other in [&b"abd"[..], b"ab", b"abcd", b""] {
            assert!(!constant_time_eq(b"abc", other));
        }
    }
}
