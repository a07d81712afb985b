//! Fetches under way: single flight, the requests that wait, and the budgets that bound the work.
//!
//! Anybody can make up keys, so the work is divided by kind (`Share`). Requests for keys that
//! nobody knows take nothing away from keys that are known to be good, and neither take anything
//! from the keys that the filter itself wants.

use crate::waiting::Room;
use exchange::Key;
use std::collections::{HashMap, HashSet, VecDeque};

/// Keys of one share that may wait for the tick.
const MAX_QUEUED: usize = 1024;
/// Keys whose last fetch of a newer answer is remembered.
const MAX_ASKED_NEWER: usize = 1024;
/// On Kong each waiting request makes its own call: further calls for a key are counted apart from
/// the keys: so many for each key that may be fetched at once.
const CALLS_FOR_A_KEY: usize = 4;
/// A wanted key that could not be had is fetched again after so many milliseconds.
const RETRY: u64 = 5000;

/// The kind of a key: fetches of one kind share a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// A key that the filter itself needs, whoever asks: the keys of an identity provider.
    Wanted,
    /// A key that was known once: to refresh it, or to fetch it after a change.
    Known,
    /// A key that nothing is known of. Anybody can ask for any number of such keys.
    Stranger,
}

impl Share {
    /// All shares, in the order in which the tick serves them.
    pub(crate) const ALL: [Self; 3] = [Self::Wanted, Self::Known, Self::Stranger];

    /// Keys that one VM fetches in a second. Beyond that number, a request gets the cached answer
    /// or none. A full table of the default size is refreshed within its `ttl` by 273 a second.
    fn keys_a_second(self) -> u32 {
        match self {
            Self::Wanted | Self::Stranger => 100,
            Self::Known => 400,
        }
    }

    /// Returns the room in which requests for such a key wait.
    pub(crate) fn room(self) -> Room {
        match self {
            Self::Wanted | Self::Known => Room::Known,
            Self::Stranger => Room::Stranger,
        }
    }
}

/// The keys of one share that were fetched in this second, and those that wait for the tick.
#[derive(Debug, Default)]
struct Budget {
    second: u64,
    spent: u32,
    queue: VecDeque<Key>,
    queued: HashSet<Key>,
}

impl Budget {
    /// Lets `key` wait for the tick. Returns `false` if the queue is full.
    fn push(&mut self, key: &Key) -> bool {
        if self.queued.contains(key) {
            return true;
        }
        let has_room = self.queue.len() < MAX_QUEUED;
        if has_room {
            self.queued.insert(key.clone());
            self.queue.push_back(key.clone());
        }
        has_room
    }

    fn next(&mut self) -> Option<Key> {
        let key = self.queue.pop_front()?;
        self.queued.remove(&key);
        Some(key)
    }

    /// Takes one key of this second's. Returns `false` if there is none left.
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

/// The calls under way for one key.
#[derive(Debug)]
pub(crate) struct Fetch {
    share: Share,
    calls: usize,
    /// The requests that are woken by the answer.
    pub(crate) waiters: Vec<u32>,
    since: u64,
    /// An answer that was read before this change is outdated.
    floor: u64,
    /// Everything was dropped since the call was made.
    dropped: bool,
}

impl Fetch {
    /// Returns `true` if no change has overtaken an answer that was read at change `seq`.
    pub(crate) fn may_keep(&self, seq: Option<u64>) -> bool {
        !self.dropped && seq.unwrap_or(0) >= self.floor
    }
}

/// The fetches of one filter configuration in one VM.
#[derive(Debug)]
pub(crate) struct Fetches {
    fetches: HashMap<Key, Fetch>,
    budgets: [Budget; 3],
    /// Keys of one share that may be fetched at once.
    most: usize,
    /// The time before which a wanted key is not fetched again.
    retry_at: HashMap<Key, u64>,
    /// The time at which an answer newer than the cached one was last fetched.
    asked_newer: HashMap<Key, u64>,
}

impl Fetches {
    /// At most `most` keys of each share are fetched at once.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            fetches: HashMap::new(),
            budgets: Default::default(),
            most,
            retry_at: HashMap::new(),
            asked_newer: HashMap::new(),
        }
    }

    /// Returns the share that a fetch of `key` under way was counted in.
    pub(crate) fn share(&self, key: &Key) -> Option<Share> {
        self.fetches.get(key).map(|fetch| fetch.share)
    }

    /// Starts a call for `key`. Returns `false` if that would be one too many.
    ///
    /// A key counts once in a second's budget and once among those under way: where no request can
    /// be woken, several requests that need one key at the same time take nothing from the others.
    pub(crate) fn start_fetch(&mut self, share: Share, key: &Key, now: u64) -> bool {
        let of_share = self.fetches.values().filter(|fetch| fetch.share == share);
        let (keys, calls) = of_share.fold((0_usize, 0_usize), |(keys, calls), fetch| {
            (keys.saturating_add(1), calls.saturating_add(fetch.calls))
        });
        if let Some(fetch) = self.fetches.get_mut(key) {
            if calls >= self.most.saturating_mul(CALLS_FOR_A_KEY) {
                return false;
            }
            fetch.calls = fetch.calls.saturating_add(1);
            fetch.since = now;
            return true;
        }
        let left = |budget: &mut Budget| budget.spend(now, share.keys_a_second());
        if keys >= self.most || !self.budget(share).is_some_and(left) {
            return false;
        }
        let fetch =
            Fetch { share, calls: 1, waiters: Vec::new(), since: now, floor: 0, dropped: false };
        self.fetches.insert(key.clone(), fetch);
        true
    }

    /// Ends one call for `key`. Those who wait for `key` come with the last call. Returns `None` if
    /// no call was under way: it has been given up.
    pub(crate) fn finish_fetch(&mut self, key: &Key) -> Option<Fetch> {
        let fetch = self.fetches.get_mut(key)?;
        fetch.calls = fetch.calls.saturating_sub(1);
        if fetch.calls > 0 {
            return Some(Fetch { waiters: Vec::new(), ..*fetch });
        }
        self.fetches.remove(key)
    }

    /// Lets the request `waiter` wait for a fetch under way. Returns `false` if there is none.
    pub(crate) fn join(&mut self, key: &Key, waiter: u32) -> bool {
        let fetch = self.fetches.get_mut(key);
        fetch.map(|fetch| fetch.waiters.push(waiter)).is_some()
    }

    /// Takes a request out that waits no more.
    pub(crate) fn leave(&mut self, key: &Key, waiter: u32) {
        if let Some(fetch) = self.fetches.get_mut(key) {
            fetch.waiters.retain(|id| *id != waiter);
        }
    }

    /// Lets `key` wait for the tick, unless a fetch is under way. Returns `false` if there is no
    /// room for it.
    pub(crate) fn enqueue(&mut self, share: Share, key: &Key) -> bool {
        self.fetches.contains_key(key) || self.budget(share).is_some_and(|budget| budget.push(key))
    }

    /// Lets a key that the filter itself wants wait for the tick, if it was not fetched lately.
    pub(crate) fn enqueue_wanted(&mut self, key: &Key, now: u64) {
        // It waits no longer than that, unless the clock was set back meanwhile.
        let waits = |at: u64| now < at && at <= now.saturating_add(RETRY);
        if !self.retry_at.get(key).is_some_and(|at| waits(*at)) {
            self.retry_at.insert(key.clone(), now.saturating_add(RETRY));
            self.enqueue(Share::Wanted, key);
        }
    }

    /// Starts the fetches that wait for the tick, as many as the budgets allow, and returns their
    /// keys.
    pub(crate) fn start_queued(&mut self, now: u64) -> Vec<Key> {
        let mut started = Vec::new();
        for share in Share::ALL {
            while let Some(key) = self.budget(share).and_then(Budget::next) {
                if self.fetches.contains_key(&key) {
                    continue;
                }
                if !self.start_fetch(share, &key, now) {
                    self.enqueue(share, &key);
                    break;
                }
                started.push(key);
            }
        }
        started
    }

    /// Returns `true` if an answer of `not_before` or later may be fetched. A fetch since that
    /// time, whether or not it failed, has brought all that there is. A request that can be woken
    /// may wait for a fetch under way.
    pub(crate) fn may_ask_newer(&self, key: &Key, not_before: u64, can_wake: bool) -> bool {
        if self.fetches.contains_key(key) {
            return can_wake;
        }
        self.asked_newer.get(key).is_none_or(|at| *at < not_before)
    }

    /// Remembers that a newer answer for `key` is fetched now.
    pub(crate) fn asks_newer(&mut self, key: &Key, now: u64) {
        if self.asked_newer.len() >= MAX_ASKED_NEWER {
            self.asked_newer.clear();
        }
        self.asked_newer.insert(key.clone(), now);
    }

    /// Returns the keys whose calls the gateway has forgotten: the last call was made more than
    /// `limit` milliseconds ago. A time in the future was noted before the clock was set back.
    pub(crate) fn overdue(&mut self, now: u64, limit: u64) -> Vec<Key> {
        for fetch in self.fetches.values_mut() {
            fetch.since = fetch.since.min(now);
        }
        self.asked_newer.retain(|_, at| *at <= now);
        let late = |fetch: &Fetch| now.saturating_sub(fetch.since) > limit;
        self.fetches.iter().filter(|(_, fetch)| late(fetch)).map(|(key, _)| key.clone()).collect()
    }

    /// Makes an answer under way outdated if it was read before change `seq`.
    pub(crate) fn touch(&mut self, key: &Key, seq: u64) {
        if let Some(fetch) = self.fetches.get_mut(key) {
            fetch.floor = fetch.floor.max(seq);
        }
    }

    /// Makes all answers under way outdated.
    pub(crate) fn drop_all(&mut self) {
        for fetch in self.fetches.values_mut() {
            fetch.dropped = true;
        }
    }

    fn budget(&mut self, share: Share) -> Option<&mut Budget> {
        self.budgets.get_mut(share as usize)
    }
}
