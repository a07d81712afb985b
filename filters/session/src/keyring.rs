//! Sealing with the current secret, and opening with the current or a former one.

use crate::client::Client;
use crate::contents::Contents;
use crate::header::{self, BEFORE_TAG, DEFLATED, Header, Id};
use crate::secret::{Keys, Kind, Secret};
use aes_gcm::aead::AeadInOut as _;
use exchange::Bounded;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use std::cell::RefCell;
use std::rc::Rc;
use subtle::ConstantTimeEq as _;

/// Contents longer than this many bytes are deflated, if that makes them shorter.
const LONG: usize = 1024;
/// The greatest length of inflated contents, in bytes.
const MAX_CONTENTS: usize = 1 << 18;
/// The number of sessions whose keys are remembered.
const REMEMBERED: usize = 1024;
/// The greatest length in a cookie of contents that are remembered, in characters.
const MAX_REMEMBERED: usize = 1024;
/// The greatest length of contents that are remembered, in bytes. Deflated contents in a short
/// cookie may be long.
const MAX_OPENED: usize = 4096;
/// The default level of miniz.
const LEVEL: u8 = 6;

/// The secrets, the current one first.
pub(crate) struct Keyring {
    secrets: Vec<Secret>,
    known: RefCell<Bounded<(Kind, Id), Proof>>,
}

/// The keys of a header with a correct MAC.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    known: Rc<Known>,
    /// The position of the secret that made it; 0 is the current one.
    pub(crate) secret: usize,
}

/// The facts that are known about a session in use.
#[derive(Debug)]
struct Known {
    keys: Keys,
    /// The last bytes whose MAC was correct, and this MAC.
    proven: RefCell<(Vec<u8>, [u8; 16])>,
    opened: RefCell<Option<Opened>>,
}

/// A session that was opened: all that the cipher reads, and the result.
struct Opened {
    associated: [u8; BEFORE_TAG],
    tag: [u8; 16],
    payload: Vec<u8>,
    contents: Contents,
}

/// The content of a new header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft {
    pub(crate) flags: u16,
    pub(crate) created: u64,
    pub(crate) rolling: u32,
}

impl Keyring {
    pub(crate) fn new(secrets: Vec<Secret>) -> Self {
        Self { secrets, known: RefCell::new(Bounded::new(REMEMBERED)) }
    }

    /// Finds the secret that made the MAC of `header`.
    pub(crate) fn prove(&self, kind: Kind, header: &Header, client: &Client) -> Option<Proof> {
        let message = client.message(header);
        let holds = |keys: &Keys| bool::from(keys.mac(&message).ct_eq(&header.mac));
        if let Some(proof) = self.remembered(kind, &header.id) {
            if proof.known.has_proven(&message, &header.mac) {
                return Some(proof);
            }
            let holds = holds(&proof.known.keys);
            return holds.then(|| {
                proof.known.proven.replace((message, header.mac));
                proof
            });
        }
        let (keys, secret) = self.secrets.iter().enumerate().find_map(|(secret, with)| {
            let keys = with.keys(&header.id)?;
            holds(&keys).then_some((keys, secret))
        })?;
        let found = Proof { known: Rc::new(Known::new(keys, message, header.mac)), secret };
        // Keys are remembered only after the proof, so that invented headers cannot displace those
        // in use.
        self.remember(kind, &header.id, &found);
        Some(found)
    }

    /// Decrypts and inflates the contents.
    pub(crate) fn open(
        &self,
        kind: Kind,
        header: &Header,
        proof: &Proof,
        mut sealed: Vec<u8>,
    ) -> Option<Vec<u8>> {
        let secret = self.secrets.get(proof.secret)?;
        let (cipher, nonce) = proof.known.keys.cipher(secret, kind, &header.id);
        let (associated, tag) = (header.associated(), header.tag.into());
        cipher
            .decrypt_inout_detached(
                &(*nonce).into(),
                &associated,
                sealed.as_mut_slice().into(),
                &tag,
            )
            .ok()?;
        match header.has(DEFLATED) {
            true => decompress_to_vec_with_limit(&sealed, MAX_CONTENTS).ok(),
            false => (sealed.len() <= MAX_CONTENTS).then_some(sealed),
        }
    }

    /// Makes a header with a new id, and the encrypted contents.
    pub(crate) fn seal(
        &self,
        kind: Kind,
        draft: Draft,
        contents: &[u8],
        client: &Client,
        random: &[u8; 32],
    ) -> Option<(Header, Vec<u8>)> {
        let secret = self.secrets.first()?;
        let (flags, rolling) = (draft.flags.to_le_bytes(), draft.rolling.to_le_bytes());
        let said = [flags.as_slice(), &draft.created.to_le_bytes(), &rolling].concat();
        let id = secret.new_id(random, &said, contents)?;
        self.seal_as(kind, draft, contents, client, id)
    }

    /// Makes a header with a given id, and the encrypted contents. Tests choose the id. Nothing
    /// else encrypts.
    pub(crate) fn seal_as(
        &self,
        kind: Kind,
        draft: Draft,
        contents: &[u8],
        client: &Client,
        id: Id,
    ) -> Option<(Header, Vec<u8>)> {
        if contents.len() > MAX_CONTENTS {
            return None;
        }
        let secret = self.secrets.first()?;
        let deflated = (contents.len() > LONG)
            .then(|| compress_to_vec(contents, LEVEL))
            .filter(|deflated| deflated.len() < contents.len());
        let flag = if deflated.is_some() { DEFLATED } else { 0 };
        let mut text = deflated.unwrap_or_else(|| contents.to_vec());
        let mut header = Header {
            flags: (draft.flags & !DEFLATED) | flag,
            id,
            created: draft.created,
            rolling: draft.rolling,
            size: header::encoded_length(text.len()),
            tag: [0; 16],
            idling: 0,
            mac: [0; 16],
        };
        if !header.fits() {
            return None;
        }
        let keys = secret.keys(&id)?;
        let (cipher, nonce) = keys.cipher(secret, kind, &id);
        let associated = header.associated();
        let tag = cipher
            .encrypt_inout_detached(&(*nonce).into(), &associated, text.as_mut_slice().into())
            .ok()?;
        header.tag = tag.into();
        let message = client.message(&header);
        header.mac = keys.mac(&message);
        let known = Rc::new(Known::new(keys, message, header.mac));
        self.remember(kind, &id, &Proof { known, secret: 0 });
        Some((header, text))
    }

    /// Returns the header of the session with another idling offset.
    pub(crate) fn touch(
        &self,
        header: &Header,
        proof: &Proof,
        idling: u32,
        client: &Client,
    ) -> Header {
        let mut touched = Header { idling, ..header.clone() };
        touched.mac = proof.known.keys.mac(&client.message(&touched));
        touched
    }

    fn remembered(&self, kind: Kind, id: &Id) -> Option<Proof> {
        let mut known = self.known.try_borrow_mut().ok()?;
        known.get(&(kind, *id)).cloned()
    }

    fn remember(&self, kind: Kind, id: &Id, proof: &Proof) {
        if let Ok(mut known) = self.known.try_borrow_mut() {
            known.put((kind, *id), proof.clone());
        }
    }
}

impl Known {
    fn new(keys: Keys, message: Vec<u8>, mac: [u8; 16]) -> Self {
        Self { keys, proven: RefCell::new((message, mac)), opened: RefCell::new(None) }
    }

    /// Returns `true` if this MAC of `message` was the last to be correct. As where it is computed,
    /// the time of the comparison tells nothing about the correct one.
    fn has_proven(&self, message: &[u8], mac: &[u8; 16]) -> bool {
        self.proven.try_borrow().is_ok_and(|proven| {
            let (proven, correct) = &*proven;
            proven == message && bool::from(correct.ct_eq(mac))
        })
    }
}

impl Proof {
    /// Returns the contents of a session that was opened before. Everything that the cipher would
    /// read is compared, so a cookie with any other byte is opened anew, and does not open.
    pub(crate) fn opened(&self, header: &Header, payload: &[u8]) -> Option<Contents> {
        let opened = self.known.opened.try_borrow().ok()?;
        let Opened { associated, tag, payload: sealed, contents } = opened.as_ref()?;
        let same = *associated == header.associated() && *tag == header.tag && sealed == payload;
        same.then(|| contents.clone())
    }

    /// Remembers the contents of a session that was opened, unless they are long.
    pub(crate) fn remember(&self, header: &Header, payload: &[u8], contents: &Contents) {
        if payload.len() <= MAX_REMEMBERED && contents.length() <= MAX_OPENED {
            let (associated, payload) = (header.associated(), payload.to_vec());
            let contents = contents.clone();
            self.known.opened.replace(Some(Opened {
                associated,
                tag: header.tag,
                payload,
                contents,
            }));
        }
    }
}

impl std::fmt::Debug for Opened {
    /// Leaves the contents out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened")
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
