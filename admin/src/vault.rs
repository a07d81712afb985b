//! Secrets at rest: sealed with AES-256-GCM when the operator gives a key, as they are otherwise.
//!
//! A sealed secret is bound to the row that it belongs to: nobody who can write to the database can move it to
//! another one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// What a sealed text begins with, and what one begins with that is not.
pub(crate) const SEALED: &str = "aes256gcm:";
pub(crate) const PLAIN: &str = "plain:";

const KEY_LEN: usize = 32;

/// Seals and opens.
pub(crate) struct Vault {
    key: Option<LessSafeKey>,
}

/// Why a secret cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealError {
    /// It is sealed, and no key was given.
    NoKey,
    /// It was sealed with another key or for another row, or it was changed.
    WrongKey,
    /// There is no randomness to be had.
    NoRandomness,
}

impl Vault {
    /// Without a key: nothing is sealed.
    pub(crate) const fn plaintext() -> Self {
        Self { key: None }
    }

    /// With 32 octets in hex or base64, as the text of a file.
    pub(crate) fn with_key(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = from_hex(text).or_else(|| STANDARD.decode(text).ok())?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).ok()?;
        Some(Self { key: Some(LessSafeKey::new(key)) })
    }

    pub(crate) const fn seals(&self) -> bool {
        self.key.is_some()
    }

    /// `secret` as it is to be stored for the row `id`.
    pub(crate) fn seal(&self, id: &str, secret: &str) -> Result<String, SealError> {
        let Some(key) = &self.key else { return Ok(format!("{PLAIN}{secret}")) };
        let mut nonce = [0_u8; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        let mut text = secret.as_bytes().to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(id.as_bytes()),
            &mut text,
        )
        .map_err(|_| SealError::WrongKey)?;
        Ok(format!("{SEALED}{}", STANDARD.encode([&nonce[..], &text].concat())))
    }

    /// What was stored for the row `id`.
    pub(crate) fn unseal(&self, id: &str, stored: &str) -> Result<String, SealError> {
        if let Some(secret) = stored.strip_prefix(PLAIN) {
            return Ok(secret.to_owned());
        }
        let key = self.key.as_ref().ok_or(SealError::NoKey)?;
        let sealed = stored.strip_prefix(SEALED).and_then(|text| STANDARD.decode(text).ok());
        let sealed = sealed.ok_or(SealError::WrongKey)?;
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError::WrongKey)?;
        let mut text = text.to_vec();
        let opened = key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(id.as_bytes()),
                &mut text,
            )
            .map_err(|_| SealError::WrongKey)?;
        String::from_utf8(opened.to_vec()).map_err(|_| SealError::WrongKey)
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes.filter(|bytes| bytes.len() == KEY_LEN)
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => "a secret is encrypted, which needs --encryption-key-file",
            Self::WrongKey => "a secret does not open with the key in --encryption-key-file",
            Self::NoRandomness => "there is no randomness to be had",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_with_its_key_for_its_row_only() {
        let vault = Vault::with_key(&"0f".repeat(32)).unwrap();
        let sealed = vault.seal("row", "supersecret").unwrap();
        assert!(sealed.starts_with(SEALED) && !sealed.contains("supersecret"));
        assert_ne!(sealed, vault.seal("row", "supersecret").unwrap(), "a nonce is used once");
        assert_eq!(vault.unseal("row", &sealed).as_deref(), Ok("supersecret"));
        assert_eq!(vault.unseal("other row", &sealed), Err(SealError::WrongKey));
        let other = Vault::with_key(&"1f".repeat(32)).unwrap();
        assert_eq!(other.unseal("row", &sealed), Err(SealError::WrongKey));
        assert_eq!(Vault::plaintext().unseal("row", &sealed), Err(SealError::NoKey));
        for len in 0..sealed.len() {
            assert!(vault.unseal("row", &sealed[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn without_a_key_a_secret_is_stored_as_it_is() {
        let stored = Vault::plaintext().seal("row", "s").unwrap();
        assert_eq!(Vault::plaintext().unseal("row", &stored).as_deref(), Ok("s"));
        let vault = Vault::with_key(&STANDARD.encode([7; 32])).unwrap();
        assert_eq!(vault.unseal("row", &stored).as_deref(), Ok("s"), "from before there was a key");
    }

    #[test]
    fn a_key_is_32_octets() {
        assert!(Vault::with_key(&format!("{}\n", "AB".repeat(32))).is_some());
        for text in ["", "abcd", &"0f".repeat(31), &STANDARD.encode([7; 16])] {
            assert!(Vault::with_key(text).is_none(), "{text}");
        }
    }
}
