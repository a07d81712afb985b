//! Counts on several nodes without a call for each request: decided here, and compared at
//! intervals.
//!
//! This worker sends its admitted requests in batches. The response has the totals of all nodes.
//! Until it arrives, this worker knows only what the other nodes had sent before.

use crate::ask::{increment, probe};
use crate::bucket::Name;
use crate::period::Period;
use crate::records::Records;
use crate::usage::{Limit, Usage};
use crate::verdict::Verdict;
use admin_api::{BATCH_MAX, Increment, Total, Totals};
use std::collections::{HashMap, HashSet, VecDeque};

/// A counter: its identifier, its period, and the start of the period.
type Counter = (Name, Period, u64);

/// The counts of all nodes, as far as one worker knows them.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: HashMap<Name, Entry>,
    /// The identifiers that have requests to be sent. The one that has waited longest is the first.
    queue: VecDeque<Name>,
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

/// The counts of one identifier.
#[derive(Debug, Default)]
struct Entry {
    records: Records,
    /// The expiry in seconds since 1970.
    expires: u64,
    /// The requests that are to be sent. Windows that have expired are not among them, so that
    /// their number is bounded.
    unsent: Vec<Unsent>,
    /// `true` if the identifier is in the queue.
    queued: bool,
}

/// Requests of one counter that are to be sent.
#[derive(Debug)]
struct Unsent {
    limit: Limit,
    start: u64,
    by: u64,
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
        let known = self.entries.get(name);
        let mut usages =
            known.map_or(&Records::default(), |entry| &entry.records).usages(limits, now);
        let verdict = Verdict::of(&mut usages, 1);
        if verdict.admitted {
            let entry = self.entries.entry(*name).or_default();
            entry.expires = entry.records.keep(&usages, now);
            usages.iter().for_each(|(usage, _)| entry.add(usage, now));
            if !entry.queued {
                entry.queued = true;
                self.queue.push_back(*name);
            }
        }
        (verdict, shared)
    }

    /// Returns `true` if the last comparison failed.
    pub(crate) const fn is_away(&self) -> bool {
        self.away
    }

    /// Returns the numbers of the batches to be sent now. A comparison is due every `every`
    /// milliseconds, or at once if these are the `last` batches.
    pub(crate) fn due(&mut self, now: u64, every: u64, last: bool) -> Vec<u64> {
        // A longer wait is impossible, unless the clock was set back.
        let waits = now < self.next && self.next <= now.saturating_add(every);
        if waits && !last {
            return Vec::new();
        }
        // A tick may come slightly early.
        self.next = now.saturating_add(every.saturating_sub(every / 10));
        let mut due = std::mem::take(&mut self.again);
        while self.batches.len() < BATCHES {
            let Some(batch) = self.gather(now) else { break };
            due.push(self.numbered(batch));
        }
        // Nothing else would tell that a service is back for which all requests are refused.
        if self.away && self.batches.is_empty() && !last {
            let batch = Batch { counters: Vec::new(), increments: vec![probe()], since: now };
            due.push(self.numbered(batch));
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
        if totals.is_none() && now.checked_sub(batch.since).is_some_and(|age| age < PATIENCE) {
            self.batches.insert(number, batch);
            self.again.push(number);
            return;
        }
        for counter in &batch.counters {
            self.flying.remove(counter);
        }
        let totals = totals.map_or(&[][..], |totals| &totals.totals);
        for ((name, period, start), total) in batch.counters.iter().zip(totals) {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.learn(*period, *start, total);
            }
        }
    }

    fn numbered(&mut self, batch: Batch) -> u64 {
        self.made = self.made.wrapping_add(1);
        self.batches.insert(self.made, batch);
        self.made
    }

    /// Makes a batch for the identifiers that have waited longest.
    fn gather(&mut self, now: u64) -> Option<Batch> {
        let mut batch = Batch { counters: Vec::new(), increments: Vec::new(), since: now };
        for _ in 0..self.queue.len() {
            let Some(name) = self.queue.pop_front() else { break };
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            if batch.counters.len().saturating_add(entry.unsent.len()) > BATCH_MAX {
                self.queue.push_front(name);
                break;
            }
            entry.unsent.retain(|unsent| {
                let counter = (name, unsent.limit.period, unsent.start);
                if self.flying.contains(&counter) {
                    return true;
                }
                let usage = unsent.usage();
                if usage.expires() > now / 1000 {
                    self.flying.insert(counter);
                    batch.counters.push(counter);
                    batch.increments.push(increment(&name, &usage, unsent.by, None));
                }
                false
            });
            entry.queued = !entry.unsent.is_empty();
            if entry.queued {
                self.queue.push_back(name);
            }
        }
        (!batch.counters.is_empty()).then_some(batch)
    }

    /// Returns `true` if there is a place for one more identifier. Only expired ones leave their
    /// place.
    fn has_place(&mut self, now: u64, most: usize) -> bool {
        let seconds = now / 1000;
        if self.entries.len() >= most && self.swept != seconds {
            self.swept = seconds;
            self.entries.retain(|_, entry| entry.expires > seconds);
            self.queue.retain(|name| self.entries.contains_key(name));
        }
        self.entries.len() < most
    }
}

impl Entry {
    /// Adds a request to those that are to be sent.
    fn add(&mut self, usage: &Usage, now: u64) {
        let (limit, start) = (usage.limit, usage.record.start);
        let same = |unsent: &&mut Unsent| unsent.is_of(limit.period, start);
        if let Some(unsent) = self.unsent.iter_mut().find(same) {
            unsent.by = unsent.by.saturating_add(1);
            return;
        }
        self.unsent.retain(|unsent| unsent.usage().expires() > now / 1000);
        self.unsent.push(Unsent { limit, start, by: 1 });
    }

    /// Takes the total of all nodes. It never takes back what is known already: the service may
    /// have lost counts, or a batch may have been given up.
    fn learn(&mut self, period: Period, start: u64, total: &Total) {
        let unsent = self.unsent.iter().find(|unsent| unsent.is_of(period, start));
        let since = unsent.map_or(0, |unsent| unsent.by);
        if let Some(record) = self.records.window(period, start) {
            record.count = record.count.max(total.total.saturating_add(since));
            record.previous = record.previous.max(total.previous.unwrap_or(0));
        }
    }
}

impl Unsent {
    fn is_of(&self, period: Period, start: u64) -> bool {
        self.limit.period == period && self.start == start
    }

    /// Returns the usage of the limit at the start of the window.
    fn usage(&self) -> Usage {
        Usage::new(self.limit, None, self.start.saturating_mul(1000))
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
