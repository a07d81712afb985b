//! Encryption of stored secrets: AES-256-GCM if the operator gives a key, otherwise plaintext.
//!
//! A sealed secret is bound to its row: someone who can write to the database cannot move it to
//! another row.

use std::fmt;

use base16ct::mixed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// The prefix of a stored text that is sealed.
pub(crate) const SEALED: &str = "aes256gcm:";
/// The prefix of a stored text that is not sealed.
pub(crate) const PLAIN: &str = "plain:";

/// The length of a key, in bytes.
const KEY_LEN: usize = 32;

/// Seals secrets before they are stored and unseals stored ones.
pub(crate) struct Vault {
    key: Option<LessSafeKey>,
}

/// The reasons for which a secret cannot be sealed or unsealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealError {
    /// The secret is sealed, and the vault has no key.
    NoKey,
    /// The secret was sealed with another key or for another row, or it was changed.
    WrongKey,
    /// The system gives no random bytes for a nonce.
    NoRandomness,
}

impl Vault {
    /// A vault without a key, which stores secrets in clear.
    pub(crate) const fn plaintext() -> Self {
        Self { key: None }
    }

    /// A vault with a key of 32 bytes. `text` is the key in hex or base64; white space around it is
    /// ignored. Returns `None` if `text` is anything else.
    pub(crate) fn with_key(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = from_hex(text).or_else(|| STANDARD.decode(text).ok())?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).ok()?;
        Some(Self { key: Some(LessSafeKey::new(key)) })
    }

    /// `true` if the vault has a key.
    pub(crate) const fn seals(&self) -> bool {
        self.key.is_some()
    }

    /// Returns the text to store for `secret` in the row `id`.
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

    /// Returns the secret whose stored text in the row `id` is `stored`.
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

/// Decodes a key from hex. Returns `None` if `text` is not [`KEY_LEN`] bytes in hex.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    mixed::decode_vec(text).ok().filter(|bytes| bytes.len() == KEY_LEN)
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
    fn a_key_is_32_bytes() {
        assert!(Vault::with_key(&format!("{}\n", "AB".repeat(32))).is_some());
        for text in ["", "abcd", &"0f".repeat(31), &STANDARD.encode([7; 16])] {
            assert!(Vault::with_key(text).is_none(), "{text}");
        }
    }
}
