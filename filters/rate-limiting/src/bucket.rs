//! A bucket: the content of one slot of shared data, which counts for up to [`WAYS`] identifiers.
//!
//! All limits of an identifier are in one slot, so one compare-and-swap judges and counts.
//! Everybody with the VM's id or the zone can write slots, so a bucket is sealed.

use crate::period::Period;
use crate::records::{Kept, Records};
use crate::usage::{Algorithm, Limit, Record};
use crate::verdict::Verdict;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

/// The hash of an identifier under the node's secret key.
pub(crate) type Name = [u8; 16];

/// The number of identifiers in a bucket.
pub(crate) const WAYS: usize = 16;
/// The number of counters for identifiers without a place of their own. All such identifiers of a
/// namespace share one.
const SPARE: usize = 4;
const FORMAT: u8 = 2;
const SEAL: usize = 16;
/// The bytes of a record: its kind, start, count and previous count.
const RECORD: usize = 25;

/// The secret key of the node for names and seals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key([u8; 16]);

/// The identifier of a request, and the counter that identifiers without a place share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) own: Name,
    pub(crate) spare: Name,
}

/// The content of a slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: Name,
    /// The expiry in seconds since 1970.
    expires: u64,
    records: Records,
}

/// The result of counting a request in its bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) verdict: Verdict,
    /// The number of requests that were counted: none, or this one and those taken in advance.
    pub(crate) count: u64,
    /// The records after the count.
    pub(crate) records: Vec<Record>,
    /// `true` if the identifier shares a counter.
    pub(crate) shared: bool,
}

impl Bucket {
    /// Reads a slot. A bucket that is damaged or sealed with another key reads as empty.
    pub(crate) fn read(bytes: &[u8], key: Key) -> Self {
        let sealed = || {
            let (body, seal) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
            (seal == key.hash(&[body])).then_some(body)
        };
        let entries = sealed().and_then(|body| {
            let mut reader = Reader(body);
            if reader.byte()? != FORMAT {
                return None;
            }
            let mut entries = Vec::new();
            while !reader.0.is_empty() {
                entries.push(reader.entry()?);
            }
            Some(entries)
        });
        Self { entries: entries.unwrap_or_default() }
    }

    /// Returns the bytes for a slot.
    pub(crate) fn write(&self, key: Key) -> Vec<u8> {
        let records: usize = self.entries.iter().map(|entry| entry.records.all().len()).sum();
        let size =
            self.entries.len().saturating_mul(25).saturating_add(records.saturating_mul(RECORD));
        let mut out = Vec::with_capacity(size.saturating_add(SEAL).saturating_add(1));
        out.push(FORMAT);
        for Entry { name, expires, records } in &self.entries {
            out.extend_from_slice(name);
            out.extend_from_slice(&expires.to_le_bytes());
            out.push(u8::try_from(records.all().len()).unwrap_or(0));
            for kept in records.all() {
                let Record { start, count, previous } = &kept.record;
                out.push(code(kept));
                for number in [start, count, previous] {
                    out.extend_from_slice(&number.to_le_bytes());
                }
            }
        }
        let seal = key.hash(&[&out]);
        out.extend_from_slice(&seal);
        out
    }

    /// Judges a request, and counts it if it is admitted. `count` returns the number of requests to
    /// count, given the room. Returns `None` if the identifier has no place and there is no counter
    /// to share.
    pub(crate) fn take(
        &mut self,
        who: &Who,
        limits: &[Limit],
        now: u64,
        count: impl FnOnce(u64) -> u64,
    ) -> Option<Taken> {
        let own = self.place_of(&who.own);
        let shared = own.is_none() && !self.has_place(now / 1000);
        let spare = self.place_of(&who.spare);
        if shared && spare.is_none() && self.entries.len() >= WAYS.saturating_add(SPARE) {
            return None;
        }
        let (name, found) = if shared { (who.spare, spare) } else { (who.own, own) };
        // A new identifier may have been counted in the shared counter before.
        let from = found.or(spare).and_then(|at| self.entries.get(at));
        let mut usages =
            from.map_or(&Records::default(), |entry| &entry.records).usages(limits, now);
        let room = usages.iter().map(|(usage, _)| usage.room()).min().unwrap_or(0);
        let count = if room == 0 { 0 } else { count(room).clamp(1, room) };
        let verdict = Verdict::of(&mut usages, count);
        let records = usages.iter().map(|(usage, _)| usage.record).collect();
        if verdict.admitted {
            match found.and_then(|at| self.entries.get_mut(at)) {
                Some(entry) => entry.expires = entry.records.keep(&usages, now),
                None => {
                    let spare = spare.and_then(|at| self.entries.get(at));
                    let mut records = spare.map(|entry| entry.records.clone()).unwrap_or_default();
                    let expires = records.keep(&usages, now);
                    self.entries.push(Entry { name, expires, records });
                }
            }
        }
        Some(Taken { verdict, count, records, shared })
    }

    fn place_of(&self, name: &Name) -> Option<usize> {
        self.entries.iter().position(|entry| entry.name == *name)
    }

    /// Returns `true` if there is a place for one more identifier. Only expired ones leave their
    /// place.
    fn has_place(&mut self, now: u64) -> bool {
        if self.entries.len() >= WAYS {
            self.entries.retain(|entry| entry.expires > now);
        }
        self.entries.len() < WAYS
    }
}

impl Key {
    pub(crate) const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Computes SipHash-2-4-128 of the parts, each with its length.
    pub(crate) fn hash(self, parts: &[&[u8]]) -> [u8; 16] {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        for part in parts {
            hasher.write(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.write(part);
        }
        hasher.finish128().as_bytes()
    }
}

impl std::fmt::Debug for Key {
    /// Leaves the key out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn entry(&mut self) -> Option<Entry> {
        let name = self.array()?;
        let expires = self.number()?;
        let records = (0..self.byte()?)
            .map(|_| {
                let (period, algorithm) = kind(self.byte()?)?;
                let (start, count) = (self.number()?, self.number()?);
                let record = Record { start, count, previous: self.number()? };
                Some(Kept { period, algorithm, record })
            })
            .collect::<Option<Records>>()?;
        Some(Entry { name, expires, records })
    }
}

/// Returns the byte for the kind of a record: the number of its algorithm, and that of its period
/// in the lower four bits.
fn code(kept: &Kept) -> u8 {
    let algorithm = Algorithm::ALL.iter().position(|other| *other == kept.algorithm);
    let period = Period::ALL.iter().position(|other| *other == kept.period);
    let number = |at: Option<usize>| at.and_then(|at| u8::try_from(at).ok()).unwrap_or(0);
    (number(algorithm) << 4) | number(period)
}

fn kind(code: u8) -> Option<(Period, Algorithm)> {
    let period = Period::ALL.get(usize::from(code & 15))?;
    Some((*period, *Algorithm::ALL.get(usize::from(code >> 4))?))
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
