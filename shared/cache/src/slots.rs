//! A bounded table of entries in numbered slots.
//!
//! Shared data is written by everybody who shares the `vm_id` or the zone, keys may alias, and a
//! value may be torn. So an entry carries its whole key (the SHA-256 of a long one) and a seal over
//! everything: SipHash-2-4-128, keyed with a fingerprint of everything that decisions depend on
//! besides the key (admin target and token, settings). A slot without this seal counts as empty.

use crate::seal::{Seal, TAG};
use crate::shared_data::SharedData;
use exchange::{Finding, Key};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The size of each slot in bytes. All slots have one size, so that none ever grows in place.
const SLOT: usize = 1024;
/// The longest value, in bytes, that fits in one slot. A longer value is cut into pieces of this
/// length.
const PIECE: usize = 768;
/// The longest value, in bytes, that is kept.
const MAX_VALUE: usize = 128 << 10;
/// The longest name, in bytes, that is stored in a slot. A longer name is stored as its digest,
/// which leaves space for a piece of a value.
const MAX_NAME: usize = 192;
const FORMAT: u8 = 1;
/// The largest table has two to the power of this many slots.
const MAX_BITS: u32 = 20;
/// The number of slots in which an entry may lie.
const WAYS: u64 = 2;

/// A region of slot numbers: their top four bits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Region {
    /// Heads of the feed, leases and generations.
    Control = 0,
    /// Changes of the feed.
    Ring = 1,
    /// Values of entries.
    Values = 2,
    /// Entries that say that there is no value.
    Absences = 3,
    /// Counts of filters.
    Counters = 4,
}

impl Region {
    /// Returns the number of the slot at `index`, of which 28 bits count.
    pub(crate) fn slot(self, index: u64) -> u32 {
        let index = u32::try_from(index & 0x0fff_ffff).unwrap_or(0);
        (self as u32) << 28 | index
    }
}

/// An entry as it is stored in its slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The time at which the entry was stored, in milliseconds since 1970.
    pub(crate) stored_at: u64,
    /// The number of the newest change at the time of the answer.
    pub(crate) seq: Option<u64>,
    pub(crate) content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Found(Finding),
    /// A value in pieces: its length in bytes, and its tag.
    Pieces(usize, [u8; TAG]),
    /// Nothing: the earlier entry is outdated.
    Gone,
}

/// The table of one filter configuration.
#[derive(Debug)]
pub(crate) struct Slots {
    filter: u8,
    seal: Seal,
    size: u64,
}

impl Slots {
    /// Makes a table of `entries` slots, rounded up to a power of two. `fingerprint` is secret
    /// where a token is part of it.
    pub(crate) fn new(filter: u8, fingerprint: &[u8; 16], entries: usize) -> Self {
        let size =
            u64::try_from(entries).unwrap_or(u64::MAX).min(1 << MAX_BITS).next_power_of_two();
        Self { filter, seal: Seal::new(fingerprint), size }
    }

    /// Returns the entry of `key` in this generation.
    pub(crate) fn get(&self, store: &dyn SharedData, generation: u64, key: &Key) -> Option<Entry> {
        let key = &*fitting(key);
        self.places(Region::Values, key)
            .chain(self.places(Region::Absences, key).take(1))
            .filter_map(|slot| self.open(&store.get(slot)?.0, generation, key))
            .find(|entry| entry.content != Content::Gone)
            .and_then(|entry| match entry.content {
                Content::Pieces(len, hash) => {
                    let value = self.gather(store, generation, key, len)?;
                    let content = Content::Found(Finding::Value(value.clone()));
                    (self.seal.tag(&value) == hash).then_some(Entry { content, ..entry })
                }
                _ => Some(entry),
            })
    }

    fn gather(
        &self,
        store: &dyn SharedData,
        generation: u64,
        key: &Key,
        len: usize,
    ) -> Option<Vec<u8>> {
        let mut value = Vec::with_capacity(len.min(MAX_VALUE));
        let mut n = 0_u32;
        while value.len() < len {
            match self.get(store, generation, &piece(key, n))?.content {
                Content::Found(Finding::Value(bytes)) if !bytes.is_empty() => value.extend(bytes),
                _ => return None,
            }
            n = n.checked_add(1)?;
        }
        Some(value)
    }

    /// Stores `entry` under `key`. It replaces the earlier entry of `key`, an entry that does not
    /// count, or the older one of two entries. Absences have a region of their own: guesses cannot
    /// push values out.
    pub(crate) fn put(&self, store: &dyn SharedData, generation: u64, key: &Key, entry: &Entry) {
        let key = &*fitting(key);
        if let Content::Found(Finding::Value(value)) = &entry.content {
            if value.len() > MAX_VALUE {
                return self.remove(store, generation, key, u64::MAX);
            }
            if value.len() > PIECE {
                for (n, bytes) in (0_u32..).zip(value.chunks(PIECE)) {
                    let content = Content::Found(Finding::Value(bytes.to_vec()));
                    self.put(store, generation, &piece(key, n), &Entry { content, ..*entry });
                }
                let content = Content::Pieces(value.len(), self.seal.tag(value));
                return self.put(store, generation, key, &Entry { content, ..*entry });
            }
        }
        let absent = entry.content == Content::Found(Finding::Nothing);
        self.remove(store, generation, key, u64::MAX);
        let Some(sealed) = self.sealed(generation, key, entry) else { return };
        if absent {
            for slot in self.places(Region::Absences, key).take(1) {
                store.update(slot, &mut |_| Some(sealed.clone()));
            }
            // A value of this key that lies here no longer makes the key known: see `knows`.
            for slot in self.places(Region::Values, key) {
                store.update(slot, &mut |seen| self.lies(seen?, key).map(|_| sealed.clone()));
            }
            return;
        }
        let mut target = None;
        for slot in self.places(Region::Values, key) {
            let age = match store.get(slot) {
                None => 0,
                Some((bytes, _)) => self.stored_at(&bytes, generation).unwrap_or(0),
            };
            if target.is_none_or(|(best, _)| age < best) {
                target = Some((age, slot));
            }
        }
        if let Some((_, slot)) = target {
            store.update(slot, &mut |_| Some(sealed.clone()));
        }
    }

    /// Returns `true` if `key` had a value when it was last fetched, however long ago that was, and
    /// even if the value is outdated. Guesses cannot make a key known: their absences lie in a
    /// region of their own.
    pub(crate) fn knows(&self, store: &dyn SharedData, key: &Key) -> bool {
        let key = &*fitting(key);
        let was = |slot| self.lies(&store.get(slot)?.0, key);
        self.places(Region::Values, key)
            .filter_map(was)
            .any(|(_, entry)| entry.content != Content::Found(Finding::Nothing))
    }

    /// Removes the entry of `key` if it was read before change `seq`.
    pub(crate) fn remove(&self, store: &dyn SharedData, generation: u64, key: &Key, seq: u64) {
        let key = &*fitting(key);
        let gone = Entry { stored_at: 0, seq: None, content: Content::Gone };
        let Some(sealed) = self.sealed(generation, key, &gone) else { return };
        let places =
            self.places(Region::Values, key).chain(self.places(Region::Absences, key).take(1));
        for slot in places {
            store.update(slot, &mut |seen| {
                let entry = self.open(seen?, generation, key)?;
                let outdated =
                    entry.content != Content::Gone && entry.seq.is_none_or(|read| read < seq);
                outdated.then(|| sealed.clone())
            });
        }
    }

    fn places(&self, region: Region, key: &Key) -> impl Iterator<Item = u32> {
        let halves = self.seal.numbers(&[&[self.filter, key.table], &key.name]);
        let mask = self.size.saturating_sub(1);
        let filter = u64::from(self.filter) << MAX_BITS;
        (0..WAYS).zip(halves).map(move |(way, half)| {
            // The second slot always differs from the first one.
            let index = if way == 0 { half & mask } else { (halves[0] ^ (half | 1)) & mask };
            // Filters that share a store do not push out one another's entries.
            region.slot(filter | index)
        })
    }

    fn sealed(&self, generation: u64, key: &Key, entry: &Entry) -> Option<Vec<u8>> {
        let pieces;
        let (kind, value): (u8, &[u8]) = match &entry.content {
            Content::Pieces(len, hash) => {
                pieces = [u32::try_from(*len).ok()?.to_le_bytes().as_slice(), hash].concat();
                (3, &pieces)
            }
            Content::Gone => (0, &[]),
            Content::Found(Finding::Nothing) => (1, &[]),
            Content::Found(Finding::Value(value)) => (2, value),
        };
        let mut out = Vec::with_capacity(SLOT);
        out.extend([FORMAT, self.filter, kind, key.table]);
        out.extend(entry.stored_at.to_le_bytes());
        out.extend(entry.seq.map_or(0, |seq| seq.saturating_add(1)).to_le_bytes());
        out.extend(generation.to_le_bytes());
        for part in [&key.name, value] {
            out.extend(u16::try_from(part.len()).ok()?.to_le_bytes());
            out.extend_from_slice(part);
        }
        if out.len().saturating_add(TAG) > SLOT {
            return None;
        }
        out.resize(SLOT.saturating_sub(TAG), 0);
        out.extend(self.seal.tag(&out));
        Some(out)
    }

    /// Returns the time at which a slot of this table and generation was written.
    fn stored_at(&self, bytes: &[u8], generation: u64) -> Option<u64> {
        let mut reader = self.verified(bytes)?;
        reader.take(4)?;
        let stored_at = reader.number()?;
        reader.number()?;
        (reader.number()? == generation).then_some(stored_at)
    }

    fn open(&self, bytes: &[u8], generation: u64, key: &Key) -> Option<Entry> {
        let (made_in, entry) = self.lies(bytes, key)?;
        (made_in == generation).then_some(entry)
    }

    /// Returns the entry of `key` in these bytes, and its generation.
    fn lies(&self, bytes: &[u8], key: &Key) -> Option<(u64, Entry)> {
        let mut reader = self.verified(bytes)?;
        let [format, filter, kind, table] = *reader.take(4)? else { return None };
        let stored_at = reader.number()?;
        let seq = reader.number()?.checked_sub(1);
        let generation = reader.number()?;
        let same = (format, filter, table) == (FORMAT, self.filter, key.table)
            && reader.part()? == key.name;
        if !same {
            return None;
        }
        let content = match kind {
            0 => Content::Gone,
            1 => Content::Found(Finding::Nothing),
            2 => Content::Found(Finding::Value(reader.part()?.to_vec())),
            3 => {
                let (len, hash) = reader.part()?.split_first_chunk::<4>()?;
                Content::Pieces(
                    usize::try_from(u32::from_le_bytes(*len)).ok()?,
                    hash.try_into().ok()?,
                )
            }
            _ => return None,
        };
        Some((generation, Entry { stored_at, seq, content }))
    }

    fn verified<'a>(&self, bytes: &'a [u8]) -> Option<Reader<'a>> {
        self.seal.verified(bytes, SLOT).map(Reader)
    }
}

/// Returns the key under which `key` is stored. No key of a filter begins like a digest.
fn fitting(key: &Key) -> Cow<'_, Key> {
    if key.name.len() <= MAX_NAME {
        return Cow::Borrowed(key);
    }
    let digest = Sha256::digest(&key.name);
    Cow::Owned(Key::new(key.table, [b"\xffdigest".as_slice(), &digest].concat()))
}

/// Returns the key of a piece of a long value. No key of a filter begins like a piece's.
fn piece(key: &Key, n: u32) -> Key {
    Key::new(key.table, [b"\xffpiece".as_slice(), &n.to_le_bytes(), &key.name].concat())
}

/// Reads the parts of a slot in order. Every method returns `None` past the end.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (piece, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(piece)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn part(&mut self) -> Option<&'a [u8]> {
        let len = u16::from_le_bytes(self.take(2)?.try_into().ok()?);
        self.take(len.into())
    }
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
