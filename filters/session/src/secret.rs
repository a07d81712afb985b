//! A secret, and the keys that are derived from it and the id of a session.

use crate::header::Id;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use std::cell::OnceCell;

/// The two cookies of a session. They differ in the encryption of their contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// The session itself.
    Session,
    /// The persistent cookie from which a new session can be made.
    Remember,
}

/// The rounds of PBKDF2 for a remembered session: "Medium" of lua-resty-session, which Kong always
/// uses.
const ROUNDS: u32 = 10_000;

/// A secret of the configuration.
pub(crate) struct Secret {
    /// The SHA-256 of the text.
    ikm: [u8; 32],
    prk: Hkdf<Sha256>,
    /// The key for making new ids.
    id_key: [u8; 32],
}

/// The keys of one session.
pub(crate) struct Keys {
    mac: Hmac<Sha256>,
    /// The cipher is made only for a session with a correct MAC, because it can cost ten thousand
    /// rounds.
    cipher: OnceCell<(Aes256Gcm, [u8; 12])>,
}

impl Secret {
    pub(crate) fn new(text: &str) -> Self {
        let ikm: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        // HKDF replaces an empty salt by zeros.
        let prk = Hkdf::<Sha256>::new(None, &ikm);
        let id_key = expand(&prk, b"gatehouse:sid", &[]);
        Self { ikm, prk, id_key }
    }

    /// Derives the keys of the session `id`.
    pub(crate) fn keys(&self, id: &Id) -> Option<Keys> {
        let key: [u8; 32] = expand(&self.prk, b"authentication:", id);
        let mac = Hmac::new_from_slice(&key).ok()?;
        Some(Keys { mac, cipher: OnceCell::new() })
    }

    /// Makes the id of a session with these contents. `said` is the rest of its header and always
    /// has one length. Even if random bytes occur twice, different sessions get different ids, and
    /// therefore different keys and nonces.
    pub(crate) fn new_id(&self, random: &[u8; 32], said: &[u8], contents: &[u8]) -> Option<Id> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.id_key).ok()?;
        mac.update(random);
        mac.update(said);
        mac.update(contents);
        Some(mac.finalize().into_bytes().into())
    }
}

impl Keys {
    /// Computes the MAC of a header, cut to its length.
    pub(crate) fn mac(&self, message: &[u8]) -> [u8; 16] {
        let mut mac = self.mac.clone();
        mac.update(message);
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        whole.first_chunk().copied().unwrap_or([0; 16])
    }

    /// Returns cipher and nonce. A pair encrypts one text only, because each id is new.
    pub(crate) fn cipher(&self, secret: &Secret, kind: Kind, id: &Id) -> &(Aes256Gcm, [u8; 12]) {
        self.cipher.get_or_init(|| {
            let okm: [u8; 44] = match kind {
                Kind::Session => expand(&secret.prk, b"encryption:", id),
                Kind::Remember => {
                    let mut okm = [0; 44];
                    let salt = [b"encryption:".as_slice(), id].concat();
                    pbkdf2::pbkdf2_hmac::<Sha256>(&secret.ikm, &salt, ROUNDS, &mut okm);
                    okm
                }
            };
            let key: [u8; 32] = okm.first_chunk().copied().unwrap_or([0; 32]);
            let nonce: [u8; 12] = okm.last_chunk().copied().unwrap_or([0; 12]);
            (Aes256Gcm::new(&key.into()), nonce)
        })
    }
}

fn expand<const N: usize>(prk: &Hkdf<Sha256>, label: &[u8], id: &[u8]) -> [u8; N] {
    let mut okm = [0; N];
    // This fails only for more than 8160 bytes.
    let _ = prk.expand_multi_info(&[label, id], &mut okm);
    okm
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}
