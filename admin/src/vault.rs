//! Encryption of stored secrets: AES-256-GCM if the operator gives a key, otherwise plaintext.
//!
//! A sealed secret is bound to its row: someone who can write to the database cannot move it to
//! another row.

use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

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
    /// The first key seals, and each of them unseals, so that a key can be replaced.
    keys: RwLock<Vec<LessSafeKey>>,
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
        Self { keys: RwLock::new(Vec::new()) }
    }

    /// A vault with keys of 32 bytes each. `text` holds them in hex or base64, with white space
    /// between them and around them. Returns `None` if `text` holds anything else, or nothing.
    pub(crate) fn with_keys(text: &str) -> Option<Self> {
        let read = |text: &str| {
            let bytes = from_hex(text).or_else(|| STANDARD.decode(text).ok())?;
            Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).ok()?))
        };
        let keys: Vec<_> = text.split_whitespace().map(read).collect::<Option<_>>()?;
        (!keys.is_empty()).then(|| Self { keys: RwLock::new(keys) })
    }

    /// Returns the number of keys. Without one, the vault does not seal.
    pub(crate) fn keys(&self) -> usize {
        self.read().len()
    }

    /// Takes the keys of `new` in place of its own.
    pub(crate) fn replace(&self, new: Self) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) =
            new.keys.into_inner().unwrap_or_else(PoisonError::into_inner);
    }

    /// `true` if `stored` is what the vault would store by now in the row `id`: sealed with the
    /// first key, or in clear if there is none.
    pub(crate) fn is_current(&self, id: &str, stored: &str) -> bool {
        match self.read().first() {
            None => stored.starts_with(PLAIN),
            Some(key) => stored.starts_with(SEALED) && open(key, id, stored).is_ok(),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<LessSafeKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the text to store for `secret` in the row `id`.
    pub(crate) fn seal(&self, id: &str, secret: &str) -> Result<String, SealError> {
        let keys = self.read();
        let Some(key) = keys.first() else { return Ok(format!("{PLAIN}{secret}")) };
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
        let keys = self.read();
        let mut opened = keys.iter().map(|key| open(key, id, stored));
        opened.find(Result::is_ok).unwrap_or(Err(match keys.is_empty() {
            true => SealError::NoKey,
            false => SealError::WrongKey,
        }))
    }
}

/// Opens what `key` has sealed for the row `id`.
fn open(key: &LessSafeKey, id: &str, stored: &str) -> Result<String, SealError> {
    let sealed = stored.strip_prefix(SEALED).and_then(|text| STANDARD.decode(text).ok());
    let sealed = sealed.ok_or(SealError::WrongKey)?;
    let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError::WrongKey)?;
    let mut text = text.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = key
        .open_in_place(nonce, Aad::from(id.as_bytes()), &mut text)
        .map_err(|_| SealError::WrongKey)?;
    String::from_utf8(opened.to_vec()).map_err(|_| SealError::WrongKey)
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
        let vault = Vault::with_keys(&"0f".repeat(32)).unwrap();
        let sealed = vault.seal("row", "supersecret").unwrap();
        assert!(sealed.starts_with(SEALED) && !sealed.contains("supersecret"));
        assert_ne!(sealed, vault.seal("row", "supersecret").unwrap(), "a nonce is used once");
        assert_eq!(vault.unseal("row", &sealed).as_deref(), Ok("supersecret"));
        assert_eq!(vault.unseal("other row", &sealed), Err(SealError::WrongKey));
        let other = Vault::with_keys(&"1f".repeat(32)).unwrap();
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
        let vault = Vault::with_keys(&STANDARD.encode([7; 32])).unwrap();
        assert_eq!(vault.unseal("row", &stored).as_deref(), Ok("s"), "from before there was a key");
    }

    #[test]
    fn the_first_key_seals_and_each_key_opens() {
        let (old, new) = ("0f".repeat(32), STANDARD.encode([7; 32]));
        let vault = Vault::with_keys(&old).unwrap();
        let sealed = vault.seal("row", "s").unwrap();
        vault.replace(Vault::with_keys(&format!("{new}\n{old}\n")).unwrap());
        assert_eq!(vault.unseal("row", &sealed).as_deref(), Ok("s"));
        assert!(!vault.is_current("row", &sealed) && !vault.is_current("row", "plain:s"));
        let again = vault.seal("row", "s").unwrap();
        assert!(vault.is_current("row", &again) && !vault.is_current("other row", &again));
        vault.replace(Vault::with_keys(&new).unwrap());
        assert_eq!(vault.unseal("row", &again).as_deref(), Ok("s"));
        assert_eq!(vault.unseal("row", &sealed), Err(SealError::WrongKey));
    }

    #[test]
    fn a_key_is_32_bytes() {
        assert!(Vault::with_keys(&format!("{}\n", "AB".repeat(32))).is_some());
        for text in ["", " \n", "abcd", &"0f".repeat(31), &STANDARD.encode([7; 16])] {
            assert!(Vault::with_keys(text).is_none(), "{text}");
        }
    }
}
