//! Counts on several nodes without a call for each request: decided here, and compared at
//! intervals.
//!
//! This worker sends its admitted requests in batches. The response has the totals of all nodes.
//! Until it arrives, this worker knows only what the other nodes had sent before.

use crate::ask::increment;
use crate::bucket::Name;
use crate::period::Period;
use crate::usage::{self, Algorithm, Limit, Record, Usage, usages};
use crate::verdict::Verdict;
use admin_api::{BATCH_MAX, Increment, Totals};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A counter: its identifier, its period, and the start of the period.
type Counter = (Name, Period, u64);

/// The counts of all nodes, as far as one worker knows them.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: HashMap<Name, Entry>,
    unsent: BTreeMap<Counter, (Usage, u64)>,
    batches: HashMap<u64, Batch>,
    /// The counters in batches that are under way. A second batch with one of them would outdate
    /// the response to the first.
    flying: HashSet<Counter>,
    again: Vec<u64>,
    /// The number of batches so far.
    made: u64,
    next: u64,
    swept: u64,
    away: bool,
}

#[derive(Debug)]
struct Entry {
    records: Vec<(Period, Record)>,
    /// The expiry in seconds since 1970.
    expires: u64,
}

/// Increments that were sent, or are to be sent again.
#[derive(Debug)]
struct Batch {
    counters: Vec<Counter>,
    increments: Vec<Increment>,
    since: u64,
}

/// The greatest number of batches under way.
const BATCHES: usize = 8;
/// The time after which a failed batch is given up, in milliseconds. The service remembers a batch
/// for a minute.
const PATIENCE: u64 = 50_000;

impl Ledger {
    /// Judges a request of `name`, and counts it if it is admitted. If there are `most` identifiers
    /// already, new ones share the counter `spare`, and the second result is `true`.
    pub(crate) fn count(
        &mut self,
        name: &Name,
        spare: &Name,
        limits: &[Limit],
        now: u64,
        most: usize,
    ) -> (Verdict, bool) {
        let shared = !self.entries.contains_key(name) && !self.has_place(now, most);
        let name = if shared { spare } else { name };
        let kept = self.entries.get(name).map_or(&[][..], |entry| &entry.records);
        let mut usages = usages(limits, kept, now);
        let verdict = Verdict::of(&mut usages, 1);
        if verdict.admitted {
            let (expires, records) = usage::kept(&usages);
            self.entries.insert(*name, Entry { expires, records });
            for (usage, _) in usages {
                let counter = (*name, usage.limit.period, usage.record.start);
                let (latest, by) = self.unsent.entry(counter).or_insert((usage, 0));
                *latest = usage;
                *by = by.saturating_add(1);
            }
        }
        (verdict, shared)
    }

    /// Returns `true` if the last comparison failed.
    pub(crate) const fn is_away(&self) -> bool {
        self.away
    }

    /// Returns the numbers of the batches to be sent now. A comparison is due every `every`
    /// milliseconds, or at once if `all`.
    pub(crate) fn due(&mut self, now: u64, every: u64, all: bool) -> Vec<u64> {
        // A longer wait is impossible, unless the clock was set back.
        let waits = now < self.next && self.next <= now.saturating_add(every);
        if waits && !all {
            return Vec::new();
        }
        // A tick may come slightly early.
        self.next = now.saturating_add(every.saturating_sub(every / 10));
        let mut due = std::mem::take(&mut self.again);
        while self.batches.len() < BATCHES {
            let Some(batch) = self.gather(now) else { break };
            self.made = self.made.wrapping_add(1);
            self.batches.insert(self.made, batch);
            due.push(self.made);
        }
        due
    }

    /// Returns the increments of a batch.
    pub(crate) fn batch(&self, number: u64) -> Option<&[Increment]> {
        self.batches.get(&number).map(|batch| batch.increments.as_slice())
    }

    /// Records the outcome of a batch. `totals` is `None` if the outcome is unknown.
    pub(crate) fn answered(&mut self, number: u64, totals: Option<&Totals>, now: u64) {
        self.away = totals.is_none();
        let Some(batch) = self.batches.remove(&number) else { return };
        let Some(totals) = totals else {
            if now.checked_sub(batch.since).is_some_and(|age| age < PATIENCE) {
                self.batches.insert(number, batch);
                self.again.push(number);
            } else {
                self.flying.retain(|counter| !batch.counters.contains(counter));
            }
            return;
        };
        for (counter, total) in batch.counters.iter().zip(&totals.totals) {
            self.flying.remove(counter);
            let (name, period, start) = counter;
            let since = self.unsent.get(counter).map_or(0, |(_, by)| *by);
            let entry = self.entries.get_mut(name);
            let record =
                entry.and_then(|entry| entry.records.iter_mut().find(|(other, _)| other == period));
            let Some((_, record)) = record else { continue };
            if record.start == *start {
                record.count = total.total.saturating_add(since);
                record.previous = total.previous.unwrap_or(record.previous);
            }
        }
    }

    fn gather(&mut self, now: u64) -> Option<Batch> {
        // Increments of a fixed window that has ended are dropped.
        self.unsent.retain(|_, (usage, _)| {
            usage.limit.algorithm != Algorithm::FixedWindow || usage.expires() > now / 1000
        });
        let counters: Vec<Counter> = self
            .unsent
            .keys()
            .filter(|counter| !self.flying.contains(*counter))
            .take(BATCH_MAX)
            .copied()
            .collect();
        if counters.is_empty() {
            return None;
        }
        let mut increments = Vec::with_capacity(counters.len());
        for counter in &counters {
            if let Some((usage, by)) = self.unsent.remove(counter) {
                increments.push(increment(&counter.0, &usage, by, None));
            }
            self.flying.insert(*counter);
        }
        Some(Batch { counters, increments, since: now })
    }

    /// Returns `true` if there is a place for one more identifier. Only expired ones leave their
    /// place.
    fn has_place(&mut self, now: u64, most: usize) -> bool {
        let seconds = now / 1000;
        if self.entries.len() >= most && self.swept != seconds {
            self.swept = seconds;
            self.entries.retain(|_, entry| entry.expires > seconds);
        }
        self.entries.len() < most
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
