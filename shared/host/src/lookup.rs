//! Lookups: what is asked, when it is asked again, and what serves meanwhile.
//!
//! ```text
//!            fresh ─────────────────────────────▶ served
//! entry ──┬─ past ttl, within stale_ttl ────────▶ served, and asked again on the tick
//!         └─ older, distrusted or none ──▶ asked ──answer──▶ stored, served
//!                                            └──failure──▶ served if within stale_ttl, else unavailable
//! ```
//!
//! Pure: the clock and the store are arguments, calls come out as values.

use crate::slots::{Content, Entry, Region, Slots};
use crate::store::Store;
use admin_api::Change;
use exchange::{Answer, Call, Finding, Key, Target, Unavailable};
use settings::Cache;
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// Callouts for lookups in one VM and second; beyond it requests are refused.
const CALLS_A_SECOND: u32 = 100;
/// Requests of one VM that may wait.
const MAX_WAITING: usize = 8192;
/// Keys that wait for the tick to be asked again.
const MAX_QUEUED: usize = 1024;
/// A key that is kept warm and could not be had is asked for again after so many milliseconds.
const RETRY: u64 = 5000;

/// Where a filter's entities come from: how to ask for one, and what an answer says.
pub trait Source {
    /// The question for `key`.
    fn call(&self, key: &Key) -> Call;

    /// What a complete answer says of `key`, and the change number it was read at. `None` if it is no answer
    /// to the question (another status, another document): that is a failure, not "there is none".
    fn read(&self, key: &Key, answer: &Answer) -> Option<(Finding, Option<u64>)>;

    /// Who is to be asked for `key`, if not the admin service.
    fn target(&self, _key: &Key) -> Option<Rc<Target>> {
        None
    }

    /// How long an answer for `key` is fresh, if not `cache.ttl`.
    fn ttl(&self, _key: &Key) -> Option<Duration> {
        None
    }

    /// Keys that are asked for on the tick, before a request needs them.
    fn wanted(&self) -> Vec<Key> {
        Vec::new()
    }

    /// The keys whose answers a change at the admin service made outdated.
    fn touched(&self, _change: &Change) -> Vec<Key> {
        Vec::new()
    }

    /// Everything that the admin service has, page by page. `changes` says whether the server keeps a list of
    /// changes (one that does not is a Kong Admin API).
    fn snapshot(&self, _changes: bool) -> Option<Box<dyn Snapshot>> {
        None
    }

    /// Whether a server without a list of changes can be asked for single keys. If not, its snapshot is the
    /// only source, and what is not in it does not exist.
    fn asks_any_server(&self) -> bool {
        true
    }
}

/// A walk through all pages.
pub trait Snapshot {
    /// The next page to ask for; `None` when all are here.
    fn next(&mut self) -> Option<Call>;

    /// Takes a page in. `false` if it is not one.
    fn absorb(&mut self, answer: &Answer) -> bool;

    /// What all pages say, and the lowest change number that they were read at.
    fn finish(self: Box<Self>) -> (Vec<(Key, Finding)>, Option<u64>);
}

/// What becomes of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// It is known, or known to be out of reach.
    Ready(Result<Finding, Unavailable>),
    /// Nobody has asked yet: make this call, and wait for it.
    Ask(Call),
    /// Somebody has asked already: wait for that.
    Join,
}

/// What the host of the moment allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Milliseconds since 1970.
    pub(crate) now: u64,
    /// What was read before this moment does not do.
    pub(crate) newer: u64,
    /// Whether a request may wait at all.
    pub(crate) can_park: bool,
    /// Whether one answer can serve several waiting requests.
    pub(crate) can_wake: bool,
}

/// The lookups of one filter configuration in one VM.
pub(crate) struct Lookups {
    source: Box<dyn Source>,
    cache: Cache,
    slots: Slots,
    generation_slot: u32,
    flights: HashMap<Key, Flight>,
    waiting: usize,
    queue: VecDeque<Key>,
    retry_at: HashMap<Key, u64>,
    second: (u64, u32),
    /// When something newer than what is there was last asked for.
    asked_newer: HashMap<Key, u64>,
    /// Entries stored before this moment may have missed a change.
    distrusted_before: u64,
    complete: Option<HashMap<Key, Finding>>,
    complete_at: u64,
    complete_is_all: bool,
    /// What became outdated while a walk through all pages was under way: its pages may be older.
    overtaken: HashSet<Key>,
    /// Everything was dropped meanwhile: no page of the walk holds any more.
    walk_is_void: bool,
    walk_not_before: u64,
}

#[derive(Debug, Default)]
struct Flight {
    calls: usize,
    waiters: Vec<u32>,
    since: u64,
    /// An answer read before this change is outdated.
    floor: u64,
    /// Everything was dropped meanwhile.
    dropped: bool,
}

impl Lookups {
    pub(crate) fn new(
        source: Box<dyn Source>,
        cache: Cache,
        feature: u8,
        fingerprint: &[u8; 16],
        now: u64,
    ) -> Self {
        let slots = Slots::new(feature, fingerprint, cache.max_entries);
        let head = fingerprint.get(..8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        Self {
            source,
            cache,
            slots,
            generation_slot: Region::Control.slot(u64::from_le_bytes(head.unwrap_or_default())),
            flights: HashMap::new(),
            waiting: 0,
            queue: VecDeque::new(),
            retry_at: HashMap::new(),
            second: (0, 0),
            asked_newer: HashMap::new(),
            distrusted_before: now,
            complete: None,
            complete_at: 0,
            complete_is_all: false,
            overtaken: HashSet::new(),
            walk_is_void: false,
            walk_not_before: 0,
        }
    }

    /// Looks `key` up for the request `waiter`.
    pub(crate) fn find(&mut self, store: &Store, key: &Key, waiter: u32, moment: Moment) -> Lookup {
        let now = moment.now;
        match self.judge(store, key, now, moment.newer) {
            Verdict::Serve(finding) => return Lookup::Ready(Ok(finding)),
            Verdict::ServeAndAsk(finding) => {
                self.enqueue(key);
                return Lookup::Ready(Ok(finding));
            }
            Verdict::Ask => {}
        }
        if !moment.can_park {
            self.enqueue(key);
            return Lookup::Ready(self.fallback(store, key, now).ok_or(Unavailable));
        }
        if moment.newer > 0 && !self.may_ask_newer(key, moment) {
            return Lookup::Ready(self.fallback(store, key, now).ok_or(Unavailable));
        }
        if self.waiting >= MAX_WAITING {
            return Lookup::Ready(Err(Unavailable));
        }
        if let Some(flight) = self.flights.get_mut(key).filter(|_| moment.can_wake) {
            flight.waiters.push(waiter);
            self.waiting = self.waiting.saturating_add(1);
            return Lookup::Join;
        }
        if !self.take_off(key, now) {
            return Lookup::Ready(self.fallback(store, key, now).ok_or(Unavailable));
        }
        if moment.newer > 0 {
            if self.asked_newer.len() >= MAX_QUEUED {
                self.asked_newer.clear();
            }
            self.asked_newer.insert(key.clone(), now);
        }
        if let Some(flight) = self.flights.get_mut(key).filter(|_| moment.can_wake) {
            flight.waiters.push(waiter);
            self.waiting = self.waiting.saturating_add(1);
        }
        Lookup::Ask(self.source.call(key))
    }

    /// Keys that are to be asked again now, each with its call.
    pub(crate) fn due(&mut self, store: &Store, now: u64) -> Vec<(Key, Call)> {
        for key in self.source.wanted() {
            let serves = matches!(self.judge(store, &key, now, 0), Verdict::Serve(_));
            let waits = self.retry_at.get(&key).is_some_and(|at| now < *at);
            if !serves && !waits {
                self.retry_at.insert(key.clone(), now.saturating_add(RETRY));
                self.enqueue(&key);
            }
        }
        let mut calls = Vec::new();
        while let Some(key) = self.queue.pop_front() {
            if self.flights.contains_key(&key) {
                continue;
            }
            if !self.take_off(&key, now) {
                self.queue.push_front(key);
                break;
            }
            calls.push((key.clone(), self.source.call(&key)));
        }
        calls
    }

    /// Who is to be asked for `key`, if not the admin service.
    pub(crate) fn target(&self, key: &Key) -> Option<Rc<Target>> {
        self.source.target(key)
    }

    /// Takes the result of a call for `key` in, and gives what it means for each waiting request.
    pub(crate) fn landed(
        &mut self,
        store: &Store,
        key: &Key,
        answer: Option<&Answer>,
        now: u64,
    ) -> Vec<(u32, Result<Finding, Unavailable>)> {
        let (found, waiters) = self.settle(store, key, answer, now);
        waiters
            .into_iter()
            .map(|waiter| {
                let result = found.clone().or_else(|| self.fallback(store, key, now));
                (waiter, result.ok_or(Unavailable))
            })
            .collect()
    }

    /// The same for a request that made its own call.
    pub(crate) fn landed_for(
        &mut self,
        store: &Store,
        key: &Key,
        answer: Option<&Answer>,
        now: u64,
    ) -> Result<Finding, Unavailable> {
        let (found, _) = self.settle(store, key, answer, now);
        found.or_else(|| self.fallback(store, key, now)).ok_or(Unavailable)
    }

    /// A request that waits no more.
    pub(crate) fn leave(&mut self, key: &Key, waiter: u32) {
        if let Some(flight) = self.flights.get_mut(key) {
            let before = flight.waiters.len();
            flight.waiters.retain(|id| *id != waiter);
            let left = before.saturating_sub(flight.waiters.len());
            self.waiting = self.waiting.saturating_sub(left);
        }
    }

    /// A request that made its own call went away, and the call with it.
    pub(crate) fn abandon(&mut self, key: &Key) {
        self.land(key);
    }

    /// Calls that the host has forgotten: nobody may wait forever.
    pub(crate) fn overdue(&mut self, now: u64, limit: u64) -> Vec<Key> {
        let late = |flight: &Flight| now.saturating_sub(flight.since) > limit;
        self.flights.iter().filter(|(_, flight)| late(flight)).map(|(key, _)| key.clone()).collect()
    }

    /// Makes what a change touched outdated.
    pub(crate) fn apply(&mut self, store: &Store, change: &Change) {
        let generation = self.generation(store);
        for key in self.source.touched(change) {
            if let Some(generation) = generation {
                self.slots.remove(store, generation, &key, change.seq);
            }
            if let Some(flight) = self.flights.get_mut(&key) {
                flight.floor = flight.floor.max(change.seq);
            }
            if let Some(complete) = &mut self.complete {
                complete.remove(&key);
                // What is not in it may exist now.
                self.complete_is_all = false;
            }
            if self.overtaken.len() < MAX_QUEUED {
                self.overtaken.insert(key);
            } else {
                self.walk_is_void = true;
            }
        }
    }

    /// Forgets everything. `generation` is a random number.
    pub(crate) fn drop_all(&mut self, store: &Store, generation: u64) {
        let value = generation.to_le_bytes();
        store.update(self.generation_slot, |_| Some(value.to_vec()));
        for flight in self.flights.values_mut() {
            flight.dropped = true;
        }
        self.complete = None;
        self.complete_at = 0;
        self.walk_is_void = true;
    }

    /// Entries from before `now` may have missed a change: they serve only if they cannot be asked for.
    pub(crate) fn distrust(&mut self, now: u64) {
        self.distrusted_before = now;
    }

    /// Somebody has been watching the changes all the time: entries from before the start hold.
    pub(crate) fn trust(&mut self) {
        self.distrusted_before = 0;
    }

    /// Creates the generation if there is none; without one everything is a miss.
    pub(crate) fn ensure_generation(&self, store: &Store, random: impl FnOnce() -> u64) {
        if self.generation(store).is_none() {
            store.put(
                self.generation_slot,
                &random().to_le_bytes(),
                store.get(self.generation_slot).map(|(_, n)| n),
            );
        }
    }

    // === Everything at once ===

    /// A walk through all pages, if one is due.
    pub(crate) fn snapshot_due(
        &mut self,
        now: u64,
        changes: Option<bool>,
    ) -> Option<Box<dyn Snapshot>> {
        let changes = changes?;
        let only = !changes && !self.source.asks_any_server();
        if !only && self.cache.mode == settings::Mode::Lazy {
            return None;
        }
        let ttl = millis(self.cache.ttl);
        let due = self.complete.is_none()
            || now.saturating_sub(self.complete_at) >= ttl.saturating_sub(ttl / 4);
        if !due || now < self.walk_not_before {
            return None;
        }
        self.overtaken.clear();
        self.walk_is_void = false;
        // A walk that fails is not begun again at once.
        self.walk_not_before = now.saturating_add(RETRY);
        self.source.snapshot(changes)
    }

    /// Takes everything in. What exceeds `max_entries` is left out, and `false` says so.
    pub(crate) fn complete(
        &mut self,
        all: Vec<(Key, Finding)>,
        started: u64,
        changes: bool,
    ) -> bool {
        self.walk_not_before = 0;
        let overtaken = std::mem::take(&mut self.overtaken);
        if self.walk_is_void {
            return true;
        }
        let fits = all.len() <= self.cache.max_entries;
        let current = all.into_iter().filter(|(key, _)| !overtaken.contains(key));
        self.complete = Some(current.take(self.cache.max_entries).collect());
        self.complete_at = started;
        self.complete_is_all = fits && !changes && !self.source.asks_any_server();
        fits
    }

    // === Inside ===

    /// Whether something newer may be asked for: not if that was done since the moment in question, and what
    /// came, or did not come, is all that there is. Whoever can be woken waits for a call that is under way.
    fn may_ask_newer(&self, key: &Key, moment: Moment) -> bool {
        if self.flights.contains_key(key) {
            return moment.can_wake;
        }
        self.asked_newer.get(key).is_none_or(|at| *at < moment.newer)
    }

    /// Whether what is not in the snapshot does not exist. What others than the admin service are asked for
    /// is never in it.
    fn is_all(&self, key: &Key) -> bool {
        self.complete_is_all && self.source.target(key).is_none()
    }

    fn judge(&self, store: &Store, key: &Key, now: u64, newer: u64) -> Verdict {
        let mut newest = None;
        if let Some(complete) = &self.complete {
            match complete.get(key) {
                Some(finding) => newest = Some((finding.clone(), self.complete_at)),
                None if self.is_all(key) => newest = Some((Finding::Nothing, self.complete_at)),
                None => {}
            }
        }
        let ttl = self.ttl(key);
        let fresh = |at: u64| now.saturating_sub(at) <= ttl;
        if newest.as_ref().is_none_or(|(_, at)| !fresh(*at)) {
            let entry = self.entry(store, key);
            newest = newest.into_iter().chain(entry).max_by_key(|(_, at)| *at);
        }
        let Some((finding, at)) = newest else { return Verdict::Ask };
        if at < self.distrusted_before.max(newer) {
            return Verdict::Ask;
        }
        match (age(at, now), &finding) {
            (None, _) => Verdict::Ask,
            (Some(age), Finding::Nothing) if !self.is_all(key) => {
                if age < millis(self.cache.negative_ttl) {
                    Verdict::Serve(finding)
                } else {
                    Verdict::Ask
                }
            }
            (Some(age), _) if age <= ttl => Verdict::Serve(finding),
            (Some(age), _) if age <= self.longest(key) => {
                if self.is_all(key) {
                    Verdict::Serve(finding)
                } else {
                    Verdict::ServeAndAsk(finding)
                }
            }
            (Some(_), _) => Verdict::Ask,
        }
    }

    /// What serves when nothing better can be had: anything that is there, up to the end of `stale_ttl`.
    fn fallback(&self, store: &Store, key: &Key, now: u64) -> Option<Finding> {
        let kept =
            self.complete.as_ref().and_then(|all| Some((all.get(key)?.clone(), self.complete_at)));
        let entry = self.entry(store, key);
        let value = |(finding, at): (Finding, u64)| {
            let serves = finding != Finding::Nothing && age(at, now)? <= self.longest(key);
            serves.then_some(finding)
        };
        entry.and_then(value).or_else(|| kept.and_then(value))
    }

    fn ttl(&self, key: &Key) -> u64 {
        millis(self.source.ttl(key).unwrap_or(self.cache.ttl))
    }

    fn longest(&self, key: &Key) -> u64 {
        self.ttl(key).saturating_add(millis(self.cache.stale_ttl))
    }

    fn entry(&self, store: &Store, key: &Key) -> Option<(Finding, u64)> {
        let entry = self.slots.get(store, self.generation(store)?, key)?;
        match entry.content {
            Content::Found(finding) => Some((finding, entry.stored_at)),
            Content::Pieces(..) | Content::Gone => None,
        }
    }

    fn generation(&self, store: &Store) -> Option<u64> {
        let (value, _) = store.get(self.generation_slot)?;
        value.try_into().ok().map(u64::from_le_bytes)
    }

    fn enqueue(&mut self, key: &Key) {
        let known = self.flights.contains_key(key) || self.queue.contains(key);
        if !known && self.queue.len() < MAX_QUEUED {
            self.queue.push_back(key.clone());
        }
    }

    fn take_off(&mut self, key: &Key, now: u64) -> bool {
        let second = now / 1000;
        if self.second.0 != second {
            self.second = (second, 0);
        }
        let under_way: usize = self.flights.values().map(|flight| flight.calls).sum();
        if self.second.1 >= CALLS_A_SECOND || under_way >= self.cache.max_lookups {
            return false;
        }
        self.second.1 = self.second.1.saturating_add(1);
        let flight = self.flights.entry(key.clone()).or_default();
        flight.calls = flight.calls.saturating_add(1);
        flight.since = now;
        true
    }

    /// Ends one call for `key`. The flight itself, when it was the last one.
    fn land(&mut self, key: &Key) -> Option<Flight> {
        let flight = self.flights.get_mut(key)?;
        flight.calls = flight.calls.saturating_sub(1);
        if flight.calls > 0 {
            return Some(Flight {
                floor: flight.floor,
                dropped: flight.dropped,
                ..Flight::default()
            });
        }
        let flight = self.flights.remove(key)?;
        self.waiting = self.waiting.saturating_sub(flight.waiters.len());
        Some(flight)
    }

    fn settle(
        &mut self,
        store: &Store,
        key: &Key,
        answer: Option<&Answer>,
        now: u64,
    ) -> (Option<Finding>, Vec<u32>) {
        // A call that nobody knows of was given up: its answer is of no use.
        let Some(flight) = self.land(key) else { return (None, Vec::new()) };
        let read = answer.and_then(|answer| self.source.read(key, answer));
        let found = read.map(|(finding, seq)| {
            // Not kept if a change has overtaken it.
            if !flight.dropped && seq.unwrap_or(0) >= flight.floor {
                self.store(store, key, &finding, seq, now);
            }
            finding
        });
        (found, flight.waiters)
    }

    fn store(&mut self, store: &Store, key: &Key, finding: &Finding, seq: Option<u64>, now: u64) {
        if let Some(complete) = &mut self.complete {
            // The entry is newer than the snapshot's.
            complete.remove(key);
        }
        if let Some(generation) = self.generation(store) {
            let content = Content::Found(finding.clone());
            self.slots.put(store, generation, key, &Entry { stored_at: now, seq, content });
        }
    }
}

enum Verdict {
    Serve(Finding),
    ServeAndAsk(Finding),
    Ask,
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How old an entry is; `None` for one from the future, beyond what the clocks of a node may differ.
fn age(stored_at: u64, now: u64) -> Option<u64> {
    (stored_at <= now.saturating_add(5000)).then(|| now.saturating_sub(stored_at))
}

#[cfg(test)]
#[path = "lookup_tests.rs"]
mod tests;
