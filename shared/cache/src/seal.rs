//! Protects entries in shared data from everybody else who reads and writes it.
//!
//! Every entry carries the tag of a [`Seal`], which a forged or torn entry has not. Values that
//! must not be readable either (the secrets of credentials) are encrypted with a [`Cipher`] first.

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use exchange::Target;
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

/// The length of a tag in bytes.
pub(crate) const TAG: usize = 16;

/// Returns a digest of everything that answers depend on besides their key. With another
/// fingerprint, no entry is found.
pub(crate) fn fingerprint(target: Option<&Target>, more: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(bytes);
    };
    if let Some(target) = target {
        part(target.upstream.as_bytes());
        part(target.authority.as_bytes());
        part(&[u8::from(target.tls)]);
        part(target.prefix.join("/").as_bytes());
        part(target.token.as_deref().unwrap_or_default().as_bytes());
    }
    for bytes in more {
        part(bytes);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().zip(digest) {
        *to = from;
    }
    out
}

/// SipHash-2-4-128 under a key that is a fingerprint: of an admin target with its token, of
/// settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seal(u64, u64);

impl Seal {
    /// Makes the seal for `fingerprint`, which is secret where a token is part of it.
    pub(crate) fn new(fingerprint: &[u8; 16]) -> Self {
        let (first, second) = fingerprint.split_at(8);
        let half = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        Self(half(first), half(second))
    }

    /// Returns the tag of an entry.
    pub(crate) fn tag(self, bytes: &[u8]) -> [u8; TAG] {
        let mut hasher = self.hasher();
        hasher.write(bytes);
        hasher.finish128().as_bytes()
    }

    /// Returns the content of an entry of `len` bytes without its tag. Returns `None` if the tag is
    /// wrong.
    pub(crate) fn verified(self, bytes: &[u8], len: usize) -> Option<&[u8]> {
        let (body, tag) = bytes.split_at_checked(len.checked_sub(TAG)?)?;
        (tag == self.tag(body)).then_some(body)
    }

    /// Returns two numbers that nobody without the fingerprint can foretell from `parts`.
    pub(crate) fn numbers(self, parts: &[&[u8]]) -> [u64; 2] {
        let mut hasher = self.hasher();
        for part in parts {
            hasher.write(part);
        }
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }

    /// Returns a number that depends on the fingerprint only.
    pub(crate) fn number(self) -> u64 {
        self.0 ^ self.1.rotate_left(17)
    }

    fn hasher(self) -> SipHasher24 {
        SipHasher24::new_with_keys(self.0, self.1)
    }
}

/// The length of a nonce in bytes.
const NONCE: usize = 12;
/// The shortest secret, in bytes, that a key is made from. A shorter one could be guessed from the
/// content of shared data.
const MIN_SECRET: usize = 16;

/// AES-256-GCM under keys that only those can derive who have the gateway's token.
///
/// The nonce is an HMAC of the text and its place: a nonce comes again for one text only, so
/// nothing depends on the randomness of the gateway, which is weak on Kong.
pub(crate) struct Cipher {
    aead: Aes256Gcm,
    nonces: Hmac<Sha256>,
}

impl Cipher {
    /// Makes a cipher for everybody who has `secret` and `fingerprint`. Returns `None` if the
    /// secret is shorter than 16 bytes.
    pub(crate) fn new(secret: &[u8], fingerprint: &[u8]) -> Option<Self> {
        if secret.len() < MIN_SECRET {
            return None;
        }
        let derived = Hkdf::<Sha256>::new(Some(b"gatehouse shared data"), secret);
        let mut keys = [0; 64];
        derived.expand(fingerprint, &mut keys).ok()?;
        let (first, second) = keys.split_first_chunk::<32>()?;
        let nonces = Hmac::<Sha256>::new_from_slice(second).ok()?;
        Some(Self { aead: Aes256Gcm::new(&(*first).into()), nonces })
    }

    /// Encrypts `text` for its `place`: the nonce, the ciphertext, the tag.
    pub(crate) fn encrypted(&self, place: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let mut nonces = self.nonces.clone();
        nonces.update(&u64::try_from(place.len()).ok()?.to_le_bytes());
        nonces.update(place);
        nonces.update(text);
        let made: [u8; 32] = nonces.finalize().into_bytes().into();
        let nonce: [u8; NONCE] = *made.first_chunk()?;
        let mut text = text.to_vec();
        let sealed =
            self.aead.encrypt_inout_detached(&nonce.into(), place, text.as_mut_slice().into());
        Some([nonce.as_slice(), &text, &sealed.ok()?].concat())
    }

    /// Returns the text that was encrypted for `place`, and `None` for any other bytes.
    pub(crate) fn decrypted(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>()?;
        let (text, tag) = rest.split_last_chunk::<TAG>()?;
        let mut text = text.to_vec();
        let opened = self.aead.decrypt_inout_detached(
            &(*nonce).into(),
            place,
            text.as_mut_slice().into(),
            &(*tag).into(),
        );
        opened.ok().map(|()| text)
    }
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_text_opens_in_its_own_place_and_with_its_own_token_only() {
        let token = b"a gateway token of some length";
        let cipher = |token: &[u8], print: &[u8]| Cipher::new(token, print).unwrap();
        let mine = cipher(token, b"print");
        let sealed = mine.encrypted(b"place", b"a very secret secret").unwrap();
        assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
        assert_eq!(mine.decrypted(b"place", &sealed).unwrap(), b"a very secret secret");
        assert_eq!(mine.decrypted(b"place2", &sealed), None);
        assert_eq!(cipher(token, b"other").decrypted(b"place", &sealed), None);
        assert_eq!(cipher(b"another token, as long", b"print").decrypted(b"place", &sealed), None);
        for n in 0..sealed.len() {
            let mut torn = sealed.clone();
            if let Some(byte) = torn.get_mut(n) {
                *byte ^= 1;
            }
            assert_eq!(mine.decrypted(b"place", &torn), None, "byte {n}");
            assert_eq!(mine.decrypted(b"place", sealed.get(..n).unwrap()), None, "{n} bytes");
        }
    }

    #[test]
    fn a_nonce_is_never_used_for_two_texts() {
        let cipher = Cipher::new(&[7; 32], b"print").unwrap();
        let nonce = |place: &[u8], text: &[u8]| {
            cipher.encrypted(place, text).unwrap().first_chunk::<NONCE>().copied().unwrap()
        };
        let nonces = [nonce(b"a", b"x"), nonce(b"a", b"y"), nonce(b"b", b"x"), nonce(b"ax", b"")];
        for (n, one) in nonces.iter().enumerate() {
            assert!(nonces.iter().skip(n + 1).all(|other| other != one), "{n}");
        }
    }

    #[test]
    fn no_key_is_made_from_a_secret_that_could_be_guessed() {
        assert!(Cipher::new(b"", b"print").is_none() && Cipher::new(&[1; 15], b"print").is_none());
        assert!(Cipher::new(&[1; 16], b"print").is_some());
    }

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
            assert_eq!(mine.verified(&torn, torn.len()), None, "byte {n}");
        }
        assert_eq!(mine.verified(&entry, entry.len() + 1), None);
        assert_eq!(mine.verified(b"", 0), None);
    }
}
