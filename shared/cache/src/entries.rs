//! Cached answers in shared data: slots, their generation, and the encryption of secrets.

use crate::seal::Cipher;
use crate::shared_data::{LocalData, SharedData};
use crate::slots::{Content, Entry, Region, Slots};
use exchange::{Finding, Key};
use std::rc::Rc;

/// The protection of values that others must not read (see [`crate::Source::is_secret`]).
#[derive(Debug)]
pub(crate) enum Secrecy {
    /// As they are: nobody else reads the store.
    Alone,
    /// Encrypted: others read the store.
    Encrypted(Box<Cipher>),
    /// In this VM only: others read the store, and there is nothing to derive a key from.
    Vm,
}

impl Secrecy {
    /// Returns the secrecy for `data`. `token` is known only to those who may read the values.
    pub(crate) fn of(data: &dyn SharedData, token: &[u8], fingerprint: &[u8]) -> Self {
        match Cipher::new(token, fingerprint) {
            _ if !data.is_shared() => Self::Alone,
            Some(cipher) => Self::Encrypted(Box::new(cipher)),
            None => Self::Vm,
        }
    }
}

/// The cached answers of one filter configuration.
pub(crate) struct Entries {
    data: Rc<dyn SharedData>,
    slots: Slots,
    generation_slot: u32,
    pub(crate) secrecy: Secrecy,
    /// Keeps the secrets of [`Secrecy::Vm`].
    own: LocalData,
}

impl Entries {
    /// Makes a table of `most` entries for the filter with this ID. Filters and settings with
    /// another fingerprint do not see its entries.
    pub(crate) fn new(
        data: Rc<dyn SharedData>,
        filter: u8,
        fingerprint: &[u8; 16],
        token: &[u8],
        most: usize,
    ) -> Self {
        let head = fingerprint.get(..8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        Self {
            slots: Slots::new(filter, fingerprint, most),
            generation_slot: Region::Control.slot(u64::from_le_bytes(head.unwrap_or_default())),
            secrecy: Secrecy::of(&*data, token, fingerprint),
            data,
            own: LocalData::default(),
        }
    }

    /// Returns the answer for `key`, and the time at which it was stored (milliseconds since 1970).
    pub(crate) fn get(&self, key: &Key, secret: bool) -> Option<(Finding, u64)> {
        let entry = self.slots.get(self.place(secret), self.generation()?, key)?;
        let finding = match entry.content {
            Content::Found(Finding::Value(value)) => Finding::Value(match self.cipher(secret) {
                Some(cipher) => cipher.decrypted(&associated(key), &value)?,
                None => value,
            }),
            Content::Found(Finding::Nothing) => Finding::Nothing,
            Content::Pieces(..) | Content::Gone => return None,
        };
        Some((finding, entry.stored_at))
    }

    /// Stores an answer that was read at change `seq`.
    pub(crate) fn put(
        &self,
        key: &Key,
        secret: bool,
        finding: &Finding,
        seq: Option<u64>,
        now: u64,
    ) {
        let Some(generation) = self.generation() else { return };
        let kept = match (finding, self.cipher(secret)) {
            (Finding::Value(value), Some(cipher)) => {
                cipher.encrypted(&associated(key), value).map(Finding::Value)
            }
            (other, _) => Some(other.clone()),
        };
        let Some(content) = kept.map(Content::Found) else { return };
        let entry = Entry { stored_at: now, seq, content };
        self.slots.put(self.place(secret), generation, key, &entry);
    }

    /// Removes an answer that was read before change `seq`.
    pub(crate) fn remove(&self, key: &Key, secret: bool, seq: u64) {
        if let Some(generation) = self.generation() {
            self.slots.remove(self.place(secret), generation, key, seq);
        }
    }

    /// Returns `true` if `key` had a value when it was last fetched, however long ago that was.
    pub(crate) fn knows(&self, key: &Key, secret: bool) -> bool {
        self.slots.knows(self.place(secret), key)
    }

    /// Creates the generation if there is none. Without a generation, every lookup is a miss.
    pub(crate) fn ensure_generation(&self, random: impl FnOnce() -> u64) {
        if self.generation().is_none() {
            let seen = self.data.get(self.generation_slot).map(|(_, version)| version);
            self.data.put(self.generation_slot, &random().to_le_bytes(), seen);
        }
    }

    /// Drops all entries: those of another generation are not there. `generation` is a random
    /// number.
    pub(crate) fn drop_all(&self, generation: u64) {
        let value = generation.to_le_bytes();
        self.data.update(self.generation_slot, &mut |_| Some(value.to_vec()));
    }

    fn generation(&self) -> Option<u64> {
        let (value, _) = self.data.get(self.generation_slot)?;
        value.try_into().ok().map(u64::from_le_bytes)
    }

    fn cipher(&self, secret: bool) -> Option<&Cipher> {
        match &self.secrecy {
            Secrecy::Encrypted(cipher) if secret => Some(cipher),
            _ => None,
        }
    }

    fn place(&self, secret: bool) -> &dyn SharedData {
        match self.secrecy {
            Secrecy::Vm if secret => &self.own,
            _ => &*self.data,
        }
    }
}

/// The data that an encrypted value is bound to. Filter and settings are part of the cipher's key.
fn associated(key: &Key) -> Vec<u8> {
    [&[key.table], key.name.as_slice()].concat()
}
