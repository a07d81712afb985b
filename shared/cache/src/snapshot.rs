//! The snapshot: all entities at once, read page by page (`cache.mode: full`, or a server that
//! cannot be asked for single keys).

use crate::source::{Snapshot, Source};
use crate::time::millis;
use exchange::{Answer, Call, Finding, Key, Pause};
use settings::Mode;
use std::collections::{HashMap, HashSet};

/// Changed keys that a walk remembers. After more changes, the walk is void.
const MAX_OVERTAKEN: usize = 1024;
/// A walk that has failed is not begun again for so many milliseconds.
const RETRY: u64 = 5000;

/// The last complete snapshot, and the walk through all pages that makes the next one.
#[derive(Default)]
pub(crate) struct SnapshotState {
    findings: Option<HashMap<Key, Finding>>,
    read_at: u64,
    /// A key that is not in the snapshot does not exist.
    is_all: bool,
    /// The keys that were in the snapshot until a change touched them.
    was_known: HashSet<Key>,
    walk: Option<Walk>,
    /// The wait between two walks.
    pause: Pause,
}

struct Walk {
    pages: Box<dyn Snapshot>,
    started: u64,
    /// The time of the call for the page that is awaited.
    asked_at: Option<u64>,
    /// The server keeps a list of changes.
    changes: bool,
    /// The keys that changed while the walk was under way: its pages may be older.
    overtaken: HashSet<Key>,
    /// Everything was dropped meanwhile: no page of the walk is valid any more.
    is_void: bool,
}

/// The next thing to do in a walk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NextPage {
    /// Nothing: no walk is due, or a page is awaited.
    None,
    /// Make this call.
    Ask(Call),
    /// The walk is over. `fits` is `false` if entries beyond `cache.max_entries` were left out.
    Complete { fits: bool },
}

impl SnapshotState {
    /// Returns the snapshot's finding for `key` and the time at which the snapshot was read.
    pub(crate) fn get(&self, key: &Key) -> Option<(Finding, u64)> {
        let finding = self.findings.as_ref()?.get(key)?;
        Some((finding.clone(), self.read_at))
    }

    /// Returns the time at which the snapshot was read, if there is a snapshot.
    pub(crate) fn read_at(&self) -> Option<u64> {
        self.findings.as_ref().map(|_| self.read_at)
    }

    /// Returns `true` if a key of the admin service that is not in the snapshot does not exist.
    pub(crate) fn is_all(&self) -> bool {
        self.is_all
    }

    /// Returns `true` if `key` is in the snapshot, or was in it until a change touched the key.
    pub(crate) fn knows(&self, key: &Key) -> bool {
        self.findings.as_ref().is_some_and(|all| all.contains_key(key))
            || self.was_known.contains(key)
    }

    /// Takes `key` out: a fetched answer is newer.
    pub(crate) fn supersede(&mut self, key: &Key) {
        if let Some(findings) = &mut self.findings {
            findings.remove(key);
        }
    }

    /// Takes a changed key out, here and of the walk.
    pub(crate) fn touch(&mut self, key: Key) {
        if let Some(findings) = &mut self.findings {
            if findings.remove(&key).is_some() {
                self.was_known.insert(key.clone());
            }
            // A key that is not in the snapshot may exist now.
            self.is_all = false;
        }
        if let Some(walk) = &mut self.walk {
            if walk.overtaken.len() < MAX_OVERTAKEN {
                walk.overtaken.insert(key);
            } else {
                walk.is_void = true;
            }
        }
    }

    /// Drops everything.
    pub(crate) fn drop_all(&mut self) {
        let dropped = self.findings.take().into_iter().flatten();
        self.was_known.extend(dropped.map(|(key, _)| key));
        self.read_at = 0;
        if let Some(walk) = &mut self.walk {
            walk.is_void = true;
        }
    }

    /// Begins a walk if one is due, or goes on with the one under way. `changes` says whether the
    /// server keeps a list of changes, and is `None` until that is known. A page that is awaited
    /// for more than `limit` milliseconds ends the walk.
    pub(crate) fn tick(
        &mut self,
        source: &dyn Source,
        settings: &settings::Cache,
        changes: Option<bool>,
        now: u64,
        limit: u64,
    ) -> NextPage {
        // A time in the future was noted before the clock was set back.
        if let Some(walk) = &mut self.walk {
            walk.asked_at = walk.asked_at.map(|at| at.min(now));
            walk.started = walk.started.min(now);
        }
        let asked_at = self.walk.as_ref().and_then(|walk| walk.asked_at);
        if asked_at.is_some_and(|at| now.saturating_sub(at) > limit) {
            self.walk = None;
        }
        if self.walk.is_none() {
            self.walk = changes.and_then(|changes| self.begin(source, settings, changes, now));
        }
        match &self.walk {
            Some(walk) if walk.asked_at.is_none() => self.next_page(source, settings, now),
            _ => NextPage::None,
        }
    }

    fn begin(
        &mut self,
        source: &dyn Source,
        settings: &settings::Cache,
        changes: bool,
        now: u64,
    ) -> Option<Walk> {
        let only = !changes && !source.asks_any_server();
        if !only && settings.mode == Mode::Lazy {
            return None;
        }
        let ttl = millis(settings.ttl);
        let age = now.checked_sub(self.read_at);
        let due =
            self.findings.is_none() || age.is_none_or(|age| age >= ttl.saturating_sub(ttl / 4));
        if now < self.pause.end(now) || !due {
            return None;
        }
        self.pause = Pause::begun(now, RETRY);
        Some(Walk {
            pages: source.snapshot(changes)?,
            started: now,
            asked_at: None,
            changes,
            overtaken: HashSet::new(),
            is_void: false,
        })
    }

    /// Goes on with the walk under way.
    pub(crate) fn next_page(
        &mut self,
        source: &dyn Source,
        settings: &settings::Cache,
        now: u64,
    ) -> NextPage {
        let Some(mut walk) = self.walk.take() else { return NextPage::None };
        match walk.pages.next() {
            Some(call) => {
                walk.asked_at = Some(now);
                self.walk = Some(walk);
                NextPage::Ask(call)
            }
            None => NextPage::Complete { fits: self.complete(walk, source, settings) },
        }
    }

    /// Takes a page in. Returns `false` if `answer` is not a page; that ends the walk. `most` is
    /// `cache.max_entries`.
    pub(crate) fn absorb(&mut self, answer: Option<&Answer>, most: usize) -> bool {
        let taken = match (&mut self.walk, answer) {
            (Some(walk), Some(answer)) => walk.pages.absorb(answer, most),
            _ => false,
        };
        match &mut self.walk {
            Some(walk) if taken => walk.asked_at = None,
            walk => *walk = None,
        }
        taken
    }

    /// Takes the findings of all pages in. Returns `false` if some of them do not fit.
    fn complete(&mut self, walk: Walk, source: &dyn Source, settings: &settings::Cache) -> bool {
        self.pause = Pause::default();
        if walk.is_void {
            return true;
        }
        let (all, _) = walk.pages.finish();
        let fits = all.len() <= settings.max_entries;
        let current = all.into_iter().filter(|(key, _)| !walk.overtaken.contains(key));
        self.findings = Some(current.take(settings.max_entries).collect());
        self.was_known.clear();
        self.read_at = walk.started;
        self.is_all = fits && !walk.changes && !source.asks_any_server();
        fits
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
