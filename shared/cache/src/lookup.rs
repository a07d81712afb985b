//! Lookups: what is asked, when it is asked again, and what serves meanwhile.
//!
//! ```text
//!            fresh ─────────────────────────────▶ served
//! entry ──┬─ past ttl, within stale_ttl ────────▶ served, and asked again on the tick
//!         └─ older, distrusted or none ──▶ asked ──answer──▶ stored, served
//!                                            └──failure──▶ served if within stale_ttl, else unavailable
//! ```
//!
//! Anybody can make up keys, so the work is shared out by kind (`Share`): nothing that strangers ask for takes
//! anything away from what is known to be good, and neither touches what the filter wants for itself.
//!
//! Pure: the clock and the store are arguments, calls come out as values.

use crate::seal::Cipher;
use crate::shared_data::{LocalData, SharedData};
use crate::slots::{Content, Entry, Region, Slots};
use crate::waiting::{Room, Rooms, Seat};
use admin_api::Change;
use exchange::{Answer, Call, Finding, Key, Target, Unavailable};
use settings::Cache;
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// Keys of one share that wait for the tick to be asked.
const MAX_QUEUED: usize = 1024;
/// Where each waiting request makes its own call, a key's further calls are counted apart from the keys: so
/// many for each key that may be asked for at once.
const CALLS_FOR_A_KEY: usize = 4;
/// A key that is kept warm and could not be had is asked for again after so many milliseconds.
const RETRY: u64 = 5000;

/// How findings are kept that must not be read by others (see [`Source::is_secret`]).
#[derive(Debug)]
pub enum Secrecy {
    /// As they are: nobody else reads the store.
    Alone,
    /// Encrypted: others read the store.
    Encrypted(Box<Cipher>),
    /// In this VM and nowhere else: others read the store, and there is nothing to derive a key from.
    Vm,
}

impl Secrecy {
    /// For `store`; `token` is something that only those have who may know what is found.
    pub fn of(store: &dyn SharedData, token: &[u8], fingerprint: &[u8]) -> Self {
        match Cipher::new(token, fingerprint) {
            _ if !store.is_shared() => Self::Alone,
            Some(cipher) => Self::Encrypted(Box::new(cipher)),
            None => Self::Vm,
        }
    }
}

/// Whose lookups share a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    /// What the filter itself needs, whoever asks: the keys of a provider.
    Wanted,
    /// What was known once: to refresh it, or to ask again after a change.
    Known,
    /// What nothing is known of. Anybody can ask for as many such keys as they like.
    Stranger,
}

impl Share {
    /// In the order in which the tick serves them.
    const ALL: [Self; 3] = [Self::Wanted, Self::Known, Self::Stranger];

    /// Keys of one VM that are asked for in a second; beyond it what is kept serves, or nothing does. A full
    /// table of the default size is refreshed within its `ttl` by 273 a second.
    fn keys_a_second(self) -> u32 {
        match self {
            Self::Wanted | Self::Stranger => 100,
            Self::Known => 400,
        }
    }

    fn room(self) -> Room {
        match self {
            Self::Wanted | Self::Known => Room::Known,
            Self::Stranger => Room::Stranger,
        }
    }
}

/// What a share has used up, and what waits for the tick.
#[derive(Debug, Default)]
struct Pot {
    second: u64,
    spent: u32,
    queue: VecDeque<Key>,
    queued: HashSet<Key>,
}

impl Pot {
    /// Lets `key` wait for the tick.
    fn push(&mut self, key: &Key) {
        if self.queue.len() < MAX_QUEUED && self.queued.insert(key.clone()) {
            self.queue.push_back(key.clone());
        }
    }

    fn next(&mut self) -> Option<Key> {
        let key = self.queue.pop_front()?;
        self.queued.remove(&key);
        Some(key)
    }

    /// Takes one key of this second's.
    fn spend(&mut self, now: u64, most: u32) -> bool {
        let second = now / 1000;
        if self.second != second {
            (self.second, self.spent) = (second, 0);
        }
        let left = self.spent < most;
        self.spent = self.spent.saturating_add(u32::from(left));
        left
    }
}

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

    /// Whether what is found under `key` must not be read by others who share memory with this filter. It is
    /// then encrypted there, and without a token to derive a key from it stays in the VM.
    fn is_secret(&self, _key: &Key) -> bool {
        true
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
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It is known, or known to be out of reach.
    Ready(Result<Finding, Unavailable>),
    /// Make this call, and wait for it in this seat.
    Ask(Call, Seat),
    /// Somebody has asked already: wait for that.
    Join(Seat),
}

/// What the host of the moment allows.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub now: u64,
    /// What was read before this moment does not do.
    pub newer: u64,
    /// Whether a request may wait at all.
    pub can_park: bool,
    /// Whether one answer can serve several waiting requests.
    pub can_wake: bool,
    /// What the request keeps in memory while it waits.
    pub bytes: usize,
}

/// The lookups of one filter configuration in one VM.
pub struct Lookups {
    source: Box<dyn Source>,
    cache: Cache,
    slots: Slots,
    generation_slot: u32,
    secrecy: Secrecy,
    /// Keeps secret findings for [`Secrecy::Vm`].
    own: LocalData,
    rooms: Rooms,
    flights: HashMap<Key, Flight>,
    pots: [Pot; 3],
    retry_at: HashMap<Key, u64>,
    /// When something newer than what is there was last asked for.
    asked_newer: HashMap<Key, u64>,
    /// Entries stored before this moment may have missed a change.
    distrusted_before: u64,
    complete: Option<HashMap<Key, Finding>>,
    complete_at: u64,
    complete_is_all: bool,
    /// What was in the snapshot until a change touched it.
    was_complete: HashSet<Key>,
    /// What became outdated while a walk through all pages was under way: its pages may be older.
    overtaken: HashSet<Key>,
    /// Everything was dropped meanwhile: no page of the walk holds any more.
    walk_is_void: bool,
    walk_not_before: u64,
}

#[derive(Debug)]
struct Flight {
    share: Share,
    calls: usize,
    waiters: Vec<u32>,
    since: u64,
    /// An answer read before this change is outdated.
    floor: u64,
    /// Everything was dropped meanwhile.
    dropped: bool,
}

impl Lookups {
    /// Makes the lookups of `filter`, an ID of its own for each filter. `now` is in milliseconds since 1970.
    pub fn new(
        source: Box<dyn Source>,
        cache: Cache,
        filter: u8,
        fingerprint: &[u8; 16],
        secrecy: Secrecy,
        rooms: Rooms,
        now: u64,
    ) -> Self {
        let slots = Slots::new(filter, fingerprint, cache.max_entries);
        let head = fingerprint.get(..8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        Self {
            source,
            cache,
            slots,
            generation_slot: Region::Control.slot(u64::from_le_bytes(head.unwrap_or_default())),
            secrecy,
            own: LocalData::default(),
            rooms,
            flights: HashMap::new(),
            pots: Default::default(),
            retry_at: HashMap::new(),
            asked_newer: HashMap::new(),
            distrusted_before: now,
            complete: None,
            complete_at: 0,
            complete_is_all: false,
            was_complete: HashSet::new(),
            overtaken: HashSet::new(),
            walk_is_void: false,
            walk_not_before: 0,
        }
    }

    /// Looks `key` up for the request `waiter`.
    pub fn find(
        &mut self,
        store: &dyn SharedData,
        key: &Key,
        waiter: u32,
        moment: Moment,
    ) -> Lookup {
        let now = moment.now;
        match self.judge(store, key, now, moment.newer) {
            Verdict::Serve(finding) => return Lookup::Ready(Ok(finding)),
            Verdict::ServeAndAsk(finding) => {
                self.enqueue(self.share(store, key), key);
                return Lookup::Ready(Ok(finding));
            }
            Verdict::Ask => {}
        }
        if !moment.can_park {
            self.enqueue(self.share(store, key), key);
        } else if moment.newer == 0 || self.may_ask_newer(key, moment) {
            let under_way = self.flights.get(key).map(|flight| flight.share);
            let share = under_way.unwrap_or_else(|| self.share(store, key));
            let seat = self.rooms.seat(share.room(), moment.bytes);
            if let Some(waits) = seat.and_then(|seat| self.wait(share, key, waiter, moment, seat)) {
                return waits;
            }
        }
        Lookup::Ready(self.fallback(store, key, now).ok_or(Unavailable))
    }

    /// Joins those who wait for `key`, or makes a call. `None` where that would be one too many.
    fn wait(
        &mut self,
        share: Share,
        key: &Key,
        waiter: u32,
        moment: Moment,
        seat: Seat,
    ) -> Option<Lookup> {
        if let Some(flight) = self.flights.get_mut(key).filter(|_| moment.can_wake) {
            flight.waiters.push(waiter);
            return Some(Lookup::Join(seat));
        }
        if !self.take_off(share, key, moment.now) {
            return None;
        }
        if moment.newer > 0 {
            if self.asked_newer.len() >= MAX_QUEUED {
                self.asked_newer.clear();
            }
            self.asked_newer.insert(key.clone(), moment.now);
        }
        if let Some(flight) = self.flights.get_mut(key).filter(|_| moment.can_wake) {
            flight.waiters.push(waiter);
        }
        Some(Lookup::Ask(self.source.call(key), seat))
    }

    /// Keys that are to be asked again now, each with its call.
    pub fn due(&mut self, store: &dyn SharedData, now: u64) -> Vec<(Key, Call)> {
        for key in self.source.wanted() {
            let serves = matches!(self.judge(store, &key, now, 0), Verdict::Serve(_));
            let waits = self.retry_at.get(&key).is_some_and(|at| now < *at);
            if !serves && !waits {
                self.retry_at.insert(key.clone(), now.saturating_add(RETRY));
                self.enqueue(Share::Wanted, &key);
            }
        }
        let mut calls = Vec::new();
        for share in Share::ALL {
            while let Some(key) = self.pot(share).and_then(Pot::next) {
                if self.flights.contains_key(&key) {
                    continue;
                }
                if !self.take_off(share, &key, now) {
                    self.enqueue(share, &key);
                    break;
                }
                calls.push((key.clone(), self.source.call(&key)));
            }
        }
        calls
    }

    /// Who is to be asked for `key`, if not the admin service.
    pub fn target(&self, key: &Key) -> Option<Rc<Target>> {
        self.source.target(key)
    }

    /// Takes the result of a call for `key` in, and gives what it means for each waiting request.
    pub fn landed(
        &mut self,
        store: &dyn SharedData,
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
    pub fn landed_for(
        &mut self,
        store: &dyn SharedData,
        key: &Key,
        answer: Option<&Answer>,
        now: u64,
    ) -> Result<Finding, Unavailable> {
        let (found, _) = self.settle(store, key, answer, now);
        found.or_else(|| self.fallback(store, key, now)).ok_or(Unavailable)
    }

    /// A request that waits no more.
    pub fn leave(&mut self, key: &Key, waiter: u32) {
        if let Some(flight) = self.flights.get_mut(key) {
            flight.waiters.retain(|id| *id != waiter);
        }
    }

    /// A request that made its own call went away, and the call with it.
    pub fn abandon(&mut self, key: &Key) {
        self.land(key);
    }

    /// Calls that the host has forgotten: nobody may wait forever.
    pub fn overdue(&mut self, now: u64, limit: u64) -> Vec<Key> {
        let late = |flight: &Flight| now.saturating_sub(flight.since) > limit;
        self.flights.iter().filter(|(_, flight)| late(flight)).map(|(key, _)| key.clone()).collect()
    }

    /// Makes what a change touched outdated.
    pub fn apply(&mut self, store: &dyn SharedData, change: &Change) {
        let generation = self.generation(store);
        for key in self.source.touched(change) {
            if let Some(generation) = generation {
                self.slots.remove(self.place(store, &key), generation, &key, change.seq);
            }
            if let Some(flight) = self.flights.get_mut(&key) {
                flight.floor = flight.floor.max(change.seq);
            }
            if let Some(complete) = &mut self.complete {
                if complete.remove(&key).is_some() {
                    self.was_complete.insert(key.clone());
                }
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
    pub fn drop_all(&mut self, store: &dyn SharedData, generation: u64) {
        let value = generation.to_le_bytes();
        store.update(self.generation_slot, &mut |_| Some(value.to_vec()));
        for flight in self.flights.values_mut() {
            flight.dropped = true;
        }
        self.was_complete.extend(self.complete.take().into_iter().flatten().map(|(key, _)| key));
        self.complete_at = 0;
        self.walk_is_void = true;
    }

    /// Entries from before `now` may have missed a change: they serve only if they cannot be asked for.
    pub fn distrust(&mut self, now: u64) {
        self.distrusted_before = now;
    }

    /// Somebody has been watching the changes all the time: entries from before the start hold.
    pub fn trust(&mut self) {
        self.distrusted_before = 0;
    }

    /// Creates the generation if there is none; without one everything is a miss.
    pub fn ensure_generation(&self, store: &dyn SharedData, random: impl FnOnce() -> u64) {
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
    pub fn snapshot_due(&mut self, now: u64, changes: Option<bool>) -> Option<Box<dyn Snapshot>> {
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
    pub fn complete(&mut self, all: Vec<(Key, Finding)>, started: u64, changes: bool) -> bool {
        self.walk_not_before = 0;
        let overtaken = std::mem::take(&mut self.overtaken);
        if self.walk_is_void {
            return true;
        }
        let fits = all.len() <= self.cache.max_entries;
        let current = all.into_iter().filter(|(key, _)| !overtaken.contains(key));
        self.complete = Some(current.take(self.cache.max_entries).collect());
        self.was_complete.clear();
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

    fn judge(&self, store: &dyn SharedData, key: &Key, now: u64, newer: u64) -> Verdict {
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
    fn fallback(&self, store: &dyn SharedData, key: &Key, now: u64) -> Option<Finding> {
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

    fn entry(&self, store: &dyn SharedData, key: &Key) -> Option<(Finding, u64)> {
        let entry = self.slots.get(self.place(store, key), self.generation(store)?, key)?;
        let finding = match entry.content {
            Content::Found(Finding::Value(value)) => Finding::Value(match self.cipher(key) {
                Some(cipher) => cipher.decrypted(&associated(key), &value)?,
                None => value,
            }),
            Content::Found(Finding::Nothing) => Finding::Nothing,
            Content::Pieces(..) | Content::Gone => return None,
        };
        Some((finding, entry.stored_at))
    }

    /// What findings under `key` are encrypted with, if they are.
    fn cipher(&self, key: &Key) -> Option<&Cipher> {
        match &self.secrecy {
            Secrecy::Encrypted(cipher) if self.source.is_secret(key) => Some(cipher),
            _ => None,
        }
    }

    /// Where findings under `key` may lie.
    fn place<'a>(&'a self, store: &'a dyn SharedData, key: &Key) -> &'a dyn SharedData {
        match self.secrecy {
            Secrecy::Vm if self.source.is_secret(key) => &self.own,
            _ => store,
        }
    }

    /// Whose budget a lookup of `key` takes from.
    fn share(&self, store: &dyn SharedData, key: &Key) -> Share {
        let complete = || self.complete.as_ref().is_some_and(|all| all.contains_key(key));
        let known = || self.slots.knows(self.place(store, key), key);
        if self.source.target(key).is_some() {
            Share::Wanted
        } else if complete() || self.was_complete.contains(key) || known() {
            Share::Known
        } else {
            Share::Stranger
        }
    }

    fn pot(&mut self, share: Share) -> Option<&mut Pot> {
        self.pots.get_mut(share as usize)
    }

    fn generation(&self, store: &dyn SharedData) -> Option<u64> {
        let (value, _) = store.get(self.generation_slot)?;
        value.try_into().ok().map(u64::from_le_bytes)
    }

    fn enqueue(&mut self, share: Share, key: &Key) {
        if !self.flights.contains_key(key) {
            let _ = self.pot(share).map(|pot| pot.push(key));
        }
    }

    /// Whether `key` may be asked for now. A key counts once in a second's budget and among those under way:
    /// where nobody can be woken, whoever needs the same key at the same time takes nothing from the others.
    fn take_off(&mut self, share: Share, key: &Key, now: u64) -> bool {
        let most = self.cache.max_lookups;
        let of_share = self.flights.values().filter(|flight| flight.share == share);
        let (keys, calls) = of_share.fold((0_usize, 0_usize), |(keys, calls), flight| {
            (keys.saturating_add(1), calls.saturating_add(flight.calls))
        });
        if let Some(flight) = self.flights.get_mut(key) {
            if calls >= most.saturating_mul(CALLS_FOR_A_KEY) {
                return false;
            }
            flight.calls = flight.calls.saturating_add(1);
            flight.since = now;
            return true;
        }
        let left = |pot: &mut Pot| pot.spend(now, share.keys_a_second());
        if keys >= most || !self.pot(share).is_some_and(left) {
            return false;
        }
        let flight =
            Flight { share, calls: 1, waiters: Vec::new(), since: now, floor: 0, dropped: false };
        self.flights.insert(key.clone(), flight);
        true
    }

    /// Ends one call for `key`. The flight itself, when it was the last one.
    fn land(&mut self, key: &Key) -> Option<Flight> {
        let flight = self.flights.get_mut(key)?;
        flight.calls = flight.calls.saturating_sub(1);
        if flight.calls > 0 {
            return Some(Flight { waiters: Vec::new(), ..*flight });
        }
        self.flights.remove(key)
    }

    fn settle(
        &mut self,
        store: &dyn SharedData,
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

    fn store(
        &mut self,
        store: &dyn SharedData,
        key: &Key,
        finding: &Finding,
        seq: Option<u64>,
        now: u64,
    ) {
        if let Some(complete) = &mut self.complete {
            // The entry is newer than the snapshot's.
            complete.remove(key);
        }
        if let Some(generation) = self.generation(store) {
            let kept = match (finding, self.cipher(key)) {
                (Finding::Value(value), Some(cipher)) => {
                    cipher.encrypted(&associated(key), value).map(Finding::Value)
                }
                (other, _) => Some(other.clone()),
            };
            let Some(content) = kept.map(Content::Found) else { return };
            let entry = Entry { stored_at: now, seq, content };
            self.slots.put(self.place(store, key), generation, key, &entry);
        }
    }
}

/// What an encrypted finding belongs to. Filter and settings are in the cipher's key.
fn associated(key: &Key) -> Vec<u8> {
    [&[key.table], key.name.as_slice()].concat()
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
