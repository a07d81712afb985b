//! The cache of one filter configuration: lookups of requests, the tick, and the answers to calls.

use crate::effects::{Conditions, Effects, Lookup, Outgoing, Purpose};
use crate::entries::Entries;
use crate::feed::Feed;
use crate::fetches::{Fetches, Share};
use crate::freshness::{CLOCK_SKEW, Freshness, Lifetime};
use crate::recent::Recent;
use crate::report::Report;
use crate::setup::{Setup, tick_period};
use crate::shared_data::SharedData;
use crate::snapshot::{NextPage, SnapshotState};
use crate::source::Source;
use crate::time::millis;
use crate::waiting::{Rooms, Seat};
use exchange::{Call, CallError, CallResult, Finding, Key, Target, Unavailable, longest_wait};
use std::rc::Rc;
use std::time::Duration;

mod changes;

/// After so many milliseconds without a request, nobody needs to know what changes.
const IDLE: u64 = 60_000;
/// The timeout of calls where no admin service is configured.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The cache of one filter configuration in one VM.
pub struct Cache {
    source: Box<dyn Source>,
    settings: settings::Cache,
    /// The admin service.
    admin: Option<Rc<Target>>,
    data: Rc<dyn SharedData>,
    entries: Entries,
    recent: Recent,
    snapshot: SnapshotState,
    fetches: Fetches,
    feed: Option<Feed>,
    rooms: Rooms,
    random: fn() -> u64,
    last_request: u64,
    /// Answers stored before this time may have missed a change.
    revalidate_before: u64,
    /// The last lookup at the admin service failed.
    pub(crate) away: bool,
    pub(crate) report: Report,
}

impl Cache {
    /// Makes the cache of the entities of `source` at the time `now` (milliseconds since 1970).
    #[must_use]
    pub fn new(setup: Setup<'_>, source: Box<dyn Source>, now: u64) -> Self {
        let (feed, entries, report) = (setup.feed(), setup.entries(), setup.report());
        entries.ensure_generation(setup.random);
        let Setup { common, data, rooms, random, started, .. } = setup;
        // Without a list of changes no change can be missed, and with a current list none was.
        let current =
            |feed: &Feed| feed.supported(&*data).is_some() && feed.is_current(&*data, now);
        let revalidate_before = if feed.as_ref().is_none_or(current) { 0 } else { now };
        Self {
            source,
            settings: common.cache.clone(),
            admin: common.admin.as_ref().map(|admin| Rc::new(admin.target.clone())),
            data,
            entries,
            recent: Recent::new(millis(tick_period(common))),
            snapshot: SnapshotState::default(),
            fetches: Fetches::new(common.cache.max_lookups),
            feed,
            rooms,
            random,
            last_request: started,
            revalidate_before,
            away: false,
            report,
        }
    }

    // === Requests ===

    /// Notes that a request has come. After a while without requests nobody has read the list of
    /// changes, so that cached answers have to be fetched again.
    pub fn request_seen(&mut self, now: u64) {
        // Where the clock was set back, answers that may have missed a change can be of now.
        let after_all = now.saturating_add(CLOCK_SKEW).saturating_add(1);
        self.revalidate_before = self.revalidate_before.min(after_all);
        let last = std::mem::replace(&mut self.last_request, now);
        let missed = |feed: &Feed| !feed.is_current(&*self.data, now);
        if now.saturating_sub(last) > IDLE && self.feed.as_ref().is_some_and(missed) {
            self.revalidate_before = now;
        }
    }

    /// Looks `key` up for the request `waiter`.
    pub fn find(&mut self, key: &Key, waiter: u32, conditions: Conditions) -> Lookup {
        let Conditions { now, not_before, .. } = conditions;
        match self.cached(key, now, not_before) {
            (Freshness::Fresh, Some(finding)) => return Lookup::Hit(finding),
            (Freshness::Stale, Some(finding)) => {
                self.fetches.enqueue(self.share(key), key);
                return Lookup::Stale(finding);
            }
            _ => {}
        }
        let mut absent = Lookup::Unavailable;
        if !conditions.can_park {
            if self.fetches.enqueue(self.share(key), key) {
                absent = Lookup::Queued;
            }
        } else if not_before == 0
            || self.fetches.may_ask_newer(key, not_before, conditions.can_wake)
        {
            let share = self.fetches.share(key).unwrap_or_else(|| self.share(key));
            let seat = self.rooms.seat(share.room(), conditions.bytes);
            if let Some(waits) =
                seat.and_then(|seat| self.wait(share, key, waiter, conditions, seat))
            {
                return waits;
            }
        }
        self.stand_in(key, now).map_or(absent, Lookup::Stale)
    }

    /// Joins the requests that wait for `key`, or starts a fetch. Returns `None` where that would
    /// be one too many.
    fn wait(
        &mut self,
        share: Share,
        key: &Key,
        waiter: u32,
        conditions: Conditions,
        seat: Seat,
    ) -> Option<Lookup> {
        if conditions.can_wake && self.fetches.join(key, waiter) {
            return Some(Lookup::Join(seat));
        }
        if !self.fetches.start_fetch(share, key, conditions.now) {
            return None;
        }
        if conditions.not_before > 0 {
            self.fetches.asks_newer(key, conditions.now);
        }
        if conditions.can_wake {
            self.fetches.join(key, waiter);
        }
        Some(Lookup::Fetch(self.outgoing(key), seat))
    }

    /// Takes a request out that waited for `key` and is gone. `own_call` is `true` if the request
    /// made the call itself: the call has then ended with it.
    pub fn left(&mut self, key: &Key, waiter: u32, own_call: bool) {
        match own_call {
            true => drop(self.fetches.finish_fetch(key)),
            false => self.fetches.leave(key, waiter),
        }
    }

    // === The tick ===

    /// Reads and polls the list of changes, refreshes answers, gives lost calls up, and reads the
    /// snapshot.
    pub fn tick(&mut self, now: u64) -> Effects {
        let mut effects = Effects::default();
        let idle = now.saturating_sub(self.last_request) > IDLE;
        if let Some(feed) = &mut self.feed {
            let mut news = feed.tick(&*self.data, now, idle);
            self.report.collect(&*self.data);
            let poll = news.poll.take().map(|call| self.report.onto(&*self.data, call));
            self.take_in(&news, &mut effects);
            effects.calls.extend(poll.map(|call| self.to_admin(Purpose::Changes, call)));
        }
        self.recent.begin(now);
        if !idle {
            let due = self.due(now);
            effects.calls.extend(due.iter().map(|key| self.outgoing(key)));
        }
        let limit = longest_wait(self.admin.as_ref().map_or(TIMEOUT, |admin| admin.timeout));
        for key in self.fetches.overdue(now, limit) {
            self.fetched(&key, &Err(CallError::NoAnswer), now, &mut effects);
        }
        if !idle {
            let changes = self.feed.as_ref().and_then(|feed| feed.supported(&*self.data));
            let next = self.snapshot.tick(&*self.source, &self.settings, changes, now, limit);
            self.page(next, &mut effects);
        }
        effects
    }

    /// Starts the fetches that are due, and returns their keys.
    fn due(&mut self, now: u64) -> Vec<Key> {
        for key in self.source.wanted() {
            if self.cached(&key, now, 0).0 != Freshness::Fresh {
                self.fetches.enqueue_wanted(&key, now);
            }
        }
        self.fetches.start_queued(now)
    }

    // === Answers ===

    /// Takes the result of a call of the cache. `can_send` is `false` where no call can be made
    /// before the next tick.
    pub fn answered(
        &mut self,
        purpose: &Purpose,
        result: &CallResult,
        can_send: bool,
        now: u64,
    ) -> Effects {
        let mut effects = Effects::default();
        match purpose {
            Purpose::Key(key) => self.fetched(key, result, now, &mut effects),
            Purpose::Changes => self.polled(result, now, &mut effects),
            Purpose::Snapshot => self.paged(result, can_send, now, &mut effects),
        }
        effects
    }

    /// Takes the result of a call that one request made for itself, and returns what the request
    /// has found.
    pub fn answered_own(
        &mut self,
        key: &Key,
        result: &CallResult,
        now: u64,
    ) -> (Result<Finding, Unavailable>, Effects) {
        let mut effects = Effects::default();
        let (found, _) = self.take_answer(key, result, now, &mut effects);
        (found.or_else(|| self.stand_in(key, now)).ok_or(Unavailable), effects)
    }

    fn fetched(&mut self, key: &Key, result: &CallResult, now: u64, effects: &mut Effects) {
        let (found, waiters) = self.take_answer(key, result, now, effects);
        for waiter in waiters {
            let found = found.clone().or_else(|| self.stand_in(key, now));
            effects.woken.push((waiter, found.ok_or(Unavailable)));
        }
    }

    fn polled(&mut self, result: &CallResult, now: u64, effects: &mut Effects) {
        self.report.told(&*self.data, result);
        if let Some(feed) = &mut self.feed {
            let news = feed.answered(&*self.data, result.as_ref().ok(), now);
            effects.note_poll(result, !news.failed);
            self.take_in(&news, effects);
        }
    }

    fn paged(&mut self, result: &CallResult, can_send: bool, now: u64, effects: &mut Effects) {
        if self.snapshot.absorb(result.as_ref().ok(), self.settings.max_entries) {
            if can_send {
                let next = self.snapshot.next_page(&*self.source, &self.settings, now);
                self.page(next, effects);
            }
        } else if *result != Err(CallError::NotSent) {
            effects.warn("the admin service did not give its entities page by page");
        }
    }

    fn page(&self, next: NextPage, effects: &mut Effects) {
        match next {
            NextPage::None => {}
            NextPage::Ask(call) => effects.calls.push(self.to_admin(Purpose::Snapshot, call)),
            NextPage::Complete { fits } => {
                if !fits {
                    let warning = "the admin service holds more than `cache.max_entries`; \
                                   the rest is looked up one by one";
                    effects.warn(warning);
                }
                effects.counts.push("snapshots");
            }
        }
    }

    /// Ends a call for `key` and keeps its answer. Returns the finding and the requests that wait
    /// for it.
    fn take_answer(
        &mut self,
        key: &Key,
        result: &CallResult,
        now: u64,
        effects: &mut Effects,
    ) -> (Option<Finding>, Vec<u32>) {
        // A call that nobody knows of was given up: its answer is of no use.
        let Some(fetch) = self.fetches.finish_fetch(key) else { return (None, Vec::new()) };
        let read = result.as_ref().ok().and_then(|answer| self.source.read(key, answer));
        self.report.count(effects.note_fetch(result, read.is_some()));
        if self.source.target(key).is_none() {
            self.away = read.is_none();
        }
        let found = read.map(|(finding, seq)| {
            if fetch.may_keep(seq) {
                self.snapshot.supersede(key);
                self.recent.forget(key);
                self.entries.put(key, self.source.is_secret(key), &finding, seq, now);
            }
            finding
        });
        (found, fetch.waiters)
    }

    // === Inside ===

    /// Returns the newest cached finding for `key`, and the use that can be made of it.
    fn cached(&mut self, key: &Key, now: u64, not_before: u64) -> (Freshness, Option<Finding>) {
        let is_all = self.is_all(key);
        let lifetime = Lifetime::new(&self.settings, self.source.ttl(key), is_all);
        let not_before = self.revalidate_before.max(not_before);
        let judge = |(finding, at): &(Finding, u64)| match *at >= not_before {
            true => lifetime.judge(finding, *at, now),
            false => Freshness::Miss,
        };
        // Where this VM's copy does not serve, another VM may have stored a newer one.
        let recent = self.recent.get(key, now);
        if let Some(answer) = recent.filter(|answer| judge(answer) == Freshness::Fresh) {
            return (Freshness::Fresh, Some(answer.0.clone()));
        }
        let absent = || Some((Finding::Nothing, self.snapshot.read_at()?)).filter(|_| is_all);
        let mut newest = self.snapshot.get(key).or_else(absent);
        if newest.as_ref().is_none_or(|(_, at)| !lifetime.is_young(*at, now)) {
            let entry = self.entries.get(key, self.source.is_secret(key));
            if let Some(entry) = &entry {
                self.recent.keep(key, entry, now);
            }
            newest = newest.into_iter().chain(entry).max_by_key(|(_, at)| *at);
        }
        match newest.as_ref().map(judge) {
            None | Some(Freshness::Miss) => (Freshness::Miss, None),
            Some(freshness) => (freshness, newest.map(|(finding, _)| finding)),
        }
    }

    /// Returns the cached value that serves when nothing better can be had.
    fn stand_in(&self, key: &Key, now: u64) -> Option<Finding> {
        let lifetime = Lifetime::new(&self.settings, self.source.ttl(key), self.is_all(key));
        let entry = self.entries.get(key, self.source.is_secret(key));
        let candidates = entry.into_iter().chain(self.snapshot.get(key));
        let mut values = candidates.filter(|(found, at)| lifetime.may_stand_in(found, *at, now));
        values.next().map(|(finding, _)| finding)
    }

    /// Returns `true` if `key` does not exist unless it is in the snapshot. The snapshot has no
    /// keys of services other than the admin service.
    fn is_all(&self, key: &Key) -> bool {
        self.snapshot.is_all() && self.source.target(key).is_none()
    }

    /// Returns the share whose budget a fetch of `key` is taken from.
    fn share(&self, key: &Key) -> Share {
        if self.source.target(key).is_some() {
            Share::Wanted
        } else if self.snapshot.knows(key) || self.entries.knows(key, self.source.is_secret(key)) {
            Share::Known
        } else {
            Share::Stranger
        }
    }

    fn outgoing(&self, key: &Key) -> Outgoing {
        Outgoing {
            purpose: Purpose::Key(key.clone()),
            call: self.source.call(key),
            target: self.source.target(key).or_else(|| self.admin.clone()),
        }
    }

    fn to_admin(&self, purpose: Purpose, call: Call) -> Outgoing {
        Outgoing { purpose, call, target: self.admin.clone() }
    }
}

#[cfg(test)]
#[path = "cache_budget_tests.rs"]
mod budget_tests;
#[cfg(test)]
#[path = "cache_recent_tests.rs"]
mod recent_tests;
#[cfg(test)]
#[path = "cache_tests.rs"]
pub(crate) mod tests;
