//! A bucket: what one slot of shared data holds of up to [`WAYS`] identifiers.
//!
//! All of an identifier's limits lie in one slot, so that one compare-and-swap judges and counts. A bucket is
//! sealed: slots are open to everybody who shares the VM's id or the zone.

use crate::gauge::{self, Limit, Record, gauges};
use crate::period::Period;
use crate::verdict::Verdict;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

/// An identifier, hashed under the node's secret key.
pub(crate) type Name = [u8; 16];

/// Identifiers in a bucket.
pub(crate) const WAYS: usize = 16;
/// Counters that identifiers without a place of their own share: one for each namespace, up to so many.
const SPARE: usize = 4;
const FORMAT: u8 = 1;
const SEAL: usize = 16;
/// Period, start, count, previous count.
const RECORD: usize = 25;

/// The node's secret key for names and seals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key([u8; 16]);

/// Whose request it is: the name of the identifier, and that of the counter that stands in for it.
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
    /// In seconds since 1970.
    expires: u64,
    records: Vec<(Period, Record)>,
}

/// What became of a request in its bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) verdict: Verdict,
    /// How many requests were counted: none, or this one and those set aside.
    pub(crate) count: u64,
    /// The records as they are now.
    pub(crate) records: Vec<Record>,
    /// Whether the identifier had to share a counter.
    pub(crate) shared: bool,
}

impl Bucket {
    /// Reads a slot. What is not whole or not ours is empty.
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

    /// The bytes for a slot.
    pub(crate) fn write(&self, key: Key) -> Vec<u8> {
        let records: usize = self.entries.iter().map(|entry| entry.records.len()).sum();
        let size =
            self.entries.len().saturating_mul(25).saturating_add(records.saturating_mul(RECORD));
        let mut out = Vec::with_capacity(size.saturating_add(SEAL).saturating_add(1));
        out.push(FORMAT);
        for Entry { name, expires, records } in &self.entries {
            out.extend_from_slice(name);
            out.extend_from_slice(&expires.to_le_bytes());
            out.push(u8::try_from(records.len()).unwrap_or(0));
            for (period, Record { start, count, previous }) in records {
                out.push(code(*period));
                for number in [start, count, previous] {
                    out.extend_from_slice(&number.to_le_bytes());
                }
            }
        }
        let seal = key.hash(&[&out]);
        out.extend_from_slice(&seal);
        out
    }

    /// Judges a request, and counts it if it is admitted. `count` says how many to count, given the room that
    /// there is. `None` if there is not even a counter to share.
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
        // A newcomer may have been counted where there was no place for him.
        let from = found.or(spare).and_then(|at| self.entries.get(at));
        let kept = from.map_or(&[][..], |entry| &entry.records);
        let mut gauges = gauges(limits, kept, now);
        let room = gauges.iter().map(|(gauge, _)| gauge.room()).min().unwrap_or(0);
        let count = if room == 0 { 0 } else { count(room).clamp(1, room) };
        let verdict = Verdict::of(&mut gauges, count);
        let records = gauges.iter().map(|(gauge, _)| gauge.record).collect();
        if verdict.admitted {
            let (expires, records) = gauge::kept(&gauges);
            let entry = Entry { name, expires, records };
            match found.and_then(|at| self.entries.get_mut(at)) {
                Some(place) => *place = entry,
                None => self.entries.push(entry),
            }
        }
        Some(Taken { verdict, count, records, shared })
    }

    fn place_of(&self, name: &Name) -> Option<usize> {
        self.entries.iter().position(|entry| entry.name == *name)
    }

    /// Whether there is a place for one more. Only what has expired makes place.
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

    /// SipHash-2-4-128 of the parts, each with its length.
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
    /// Not the key.
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
                let period = self.byte()?;
                let period = *Period::ALL.get(usize::from(period))?;
                let (start, count) = (self.number()?, self.number()?);
                Some((period, Record { start, count, previous: self.number()? }))
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Entry { name, expires, records })
    }
}

fn code(period: Period) -> u8 {
    let at = Period::ALL.iter().position(|other| *other == period);
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
