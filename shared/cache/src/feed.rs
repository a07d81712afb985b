//! The list of changes: one VM of the node asks for it, and all VMs read what that VM has found.
//!
//! The VM that holds the lease polls `/changes` and appends what is new to a ring in the store;
//! every VM reads the ring on its own tick. A reader that has fallen behind the ring drops
//! everything, and after a reset every reader does. Where there is no shared data, the ring lies in
//! the VM's own memory.

use crate::freshness::CLOCK_SKEW;
use crate::seal::{Seal, TAG};
use crate::shared_data::SharedData;
use crate::slots::Region;
use admin_api::{Change, ChangesPage};
use exchange::{Answer, Call, Pause, longest_wait};
use serde_json::{Value, json};
use std::time::Duration;

/// The number of changes that the ring holds.
const RING: u64 = 256;
/// The size of each slot in bytes. All slots have one size, so that none ever grows in place.
const SLOT: usize = 768;

/// The work that the list of changes gives a VM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct News {
    /// Every cached answer may be outdated.
    pub(crate) dropped: bool,
    /// The changes that are new to this VM, in order.
    pub(crate) changes: Vec<Change>,
    /// The call that asks the admin service for changes, if this VM is to make it.
    pub(crate) poll: Option<Call>,
    /// The answer to the poll could not be read, or there was none.
    pub(crate) failed: bool,
}

/// One VM's view of the list of changes of one admin target.
#[derive(Debug)]
pub(crate) struct Feed {
    seal: Seal,
    base: u64,
    me: u64,
    /// The holder of the lease when this VM began: it may be gone with an older configuration.
    before: Option<u64>,
    interval: u64,
    timeout: u64,
    /// The numbers of changes and of resets that this VM has seen.
    seen: Option<(u64, u64)>,
    asked_at: Option<u64>,
    /// The wait during which nothing is asked.
    pause: Pause,
    failures: u32,
}

/// The head of the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    epoch: String,
    since: u64,
    count: u64,
    resets: u64,
    polled_at: u64,
    supported: bool,
}

impl Feed {
    /// Makes the view of one VM. `fingerprint` tells admin targets (with their tokens) apart, and
    /// `me` is a random number that tells VMs apart. `interval` and `timeout` are in milliseconds.
    pub(crate) fn new(fingerprint: &[u8; 16], me: u64, interval: u64, timeout: u64) -> Self {
        let seal = Seal::new(fingerprint);
        Self {
            seal,
            base: seal.number(),
            me,
            before: None,
            interval,
            timeout,
            seen: None,
            asked_at: None,
            pause: Pause::default(),
            failures: 0,
        }
    }

    /// Skips the changes that are in the ring now: this VM has no answers yet that they could
    /// touch.
    pub(crate) fn begin(&mut self, store: &dyn SharedData) {
        self.seen = self.head(store).map(|head| (head.count, head.resets));
        let lease = store.get(self.lease()).and_then(|(bytes, _)| self.open(&bytes));
        self.before = lease.and_then(|lease| holder(&lease));
    }

    /// Returns `true` if the admin service keeps a list of changes; `None` until it has been asked.
    pub(crate) fn supported(&self, store: &dyn SharedData) -> Option<bool> {
        self.head(store).map(|head| head.supported)
    }

    /// Returns `true` if the list was read so lately that no change can have been missed.
    pub(crate) fn is_current(&self, store: &dyn SharedData, now: u64) -> bool {
        let limit = self.interval.saturating_mul(2);
        self.head(store)
            .is_some_and(|head| !head.supported || now.abs_diff(head.polled_at) <= limit)
    }

    /// Reads the ring, and polls if it is time. `idle` is `true` if no request came lately, so that
    /// nobody needs to know of changes.
    pub(crate) fn tick(&mut self, store: &dyn SharedData, now: u64, idle: bool) -> News {
        let head = self.head(store);
        let mut news = self.read_ring(store, head.as_ref());
        if idle || !self.may_poll(store, head.as_ref(), now) {
            return news;
        }
        self.asked_at = Some(now);
        let call = Call::get(["changes"]);
        news.poll = Some(match head.filter(|head| head.supported && !head.epoch.is_empty()) {
            Some(head) => call
                .with("since", head.since.to_string())
                .with("epoch", head.epoch)
                // More of them would not fit into the ring.
                .with("limit", RING.to_string()),
            None => call,
        });
        news
    }

    /// Takes the answer to a poll and publishes its changes in the ring. Returns the changes that
    /// are new to this VM. `None` stands for a call without an answer.
    pub(crate) fn answered(
        &mut self,
        store: &dyn SharedData,
        answer: Option<&Answer>,
        now: u64,
    ) -> News {
        self.asked_at = None;
        let page = answer.and_then(read);
        let failed = page.is_none();
        match page {
            Some(Page::Changes(page)) => {
                self.failures = 0;
                self.pause = Pause::default();
                self.publish(store, &page, now);
            }
            // A Kong Admin API has no such list. It may be replaced one day, so it is asked now and
            // then.
            Some(Page::Unsupported) => {
                self.failures = 0;
                self.pause = Pause::begun(now, 60_000);
                self.write_head(store, |head| Head { polled_at: now, supported: false, ..head });
            }
            None => {
                self.failures = self.failures.saturating_add(1);
                // The service does not take the question: its place in the list is that of an
                // answer which was not the service's. The next question names none.
                if answer.is_some_and(|answer| answer.status == 400) {
                    self.write_head(store, |head| Head { epoch: String::new(), ..head });
                }
                // With shared data only one VM of the node asks, so it need not slow down further.
                let exponent = if store.is_shared() { 1 } else { self.failures.min(6) };
                let wait =
                    self.interval.saturating_mul(1 << exponent).min(60_000.max(self.interval));
                let jitter = self.me.rotate_left(self.failures).checked_rem(wait / 4).unwrap_or(0);
                self.pause = Pause::begun(now, wait.saturating_sub(jitter));
            }
        }
        let head = self.head(store);
        News { failed, ..self.read_ring(store, head.as_ref()) }
    }

    // === Inside ===

    fn may_poll(&mut self, store: &dyn SharedData, head: Option<&Head>, now: u64) -> bool {
        let waits = now < self.pause.end(now);
        // A time in the future was noted before the clock was set back.
        self.asked_at = self.asked_at.map(|at| at.min(now));
        // A call that the gateway has forgotten must not stop the polling for good.
        let forgotten = longest_wait(Duration::from_millis(self.timeout));
        if waits || self.asked_at.is_some_and(|at| now.saturating_sub(at) <= forgotten) {
            return false;
        }
        let period = match head {
            Some(head) if !head.supported => 60_000,
            // Half of the interval to ask, the rest for the answer and for everybody's tick.
            _ => self.interval / 2,
        };
        // A list that was read in the future was read before the clock was set back.
        let age = head.and_then(|head| now.checked_sub(head.polled_at));
        if age.is_some_and(|age| age < period) {
            return false;
        }
        self.take_lease(store, now)
    }

    /// Returns `true` if this VM holds the lease, and so is the one that polls.
    fn take_lease(&mut self, store: &dyn SharedData, now: u64) -> bool {
        if !store.is_shared() {
            return true;
        }
        let slot = self.lease();
        let until = now.saturating_add(self.interval).saturating_add(self.timeout);
        let longest = until.saturating_add(CLOCK_SKEW);
        let before = self.before.take();
        let mine = |lease: &Value| holder(lease) == Some(self.me);
        store.update(slot, &mut |seen| {
            let lease = seen.and_then(|bytes| self.open(bytes));
            let free = lease.is_none_or(|lease| {
                let until = lease.get("until").and_then(Value::as_u64).unwrap_or(0);
                // Nobody holds it for longer, unless the clock was set back meanwhile.
                let gone = before.is_some() && holder(&lease) == before;
                mine(&lease) || gone || until <= now || until > longest
            });
            free.then(|| self.sealed(&json!({"holder": self.me, "until": until}))).flatten()
        });
        // Another VM may have written meanwhile, so the holder is read back.
        store.get(slot).and_then(|(bytes, _)| self.open(&bytes)).is_some_and(|lease| mine(&lease))
    }

    /// Returns the slot of the lease.
    fn lease(&self) -> u32 {
        Region::Control.slot(self.base.wrapping_add(1))
    }

    fn publish(&self, store: &dyn SharedData, page: &ChangesPage, now: u64) {
        let Some(head) = self.head(store).filter(|head| head.supported && head.epoch == page.epoch)
        else {
            // The first answer, or another database: every cached answer is older.
            self.write_head(store, |head| Head {
                epoch: page.epoch.clone(),
                since: page.next,
                resets: head.resets.wrapping_add(1),
                polled_at: now,
                supported: true,
                ..head
            });
            return;
        };
        let news: Vec<&Change> =
            page.data.iter().filter(|change| change.seq > head.since).collect();
        let fits = u64::try_from(news.len()).is_ok_and(|len| len < RING) && !page.reset;
        let written = fits
            && news.iter().zip(head.count..).all(|(change, n)| {
                let slot = Region::Ring.slot(self.base.wrapping_add(n % RING));
                let sealed = self.sealed(&json!({"n": n, "change": change}));
                sealed.is_some_and(|sealed| store.update(slot, &mut |_| Some(sealed.clone())))
            });
        let added = if written { u64::try_from(news.len()).unwrap_or(0) } else { 0 };
        // What is dropped is older than every change that the service knew of. To read them one page
        // after the other would mean to drop everything at each of them.
        let since = if written { page.next } else { page.seq.unwrap_or(page.next).max(page.next) };
        self.write_head(store, |now_head| Head {
            since,
            count: now_head.count.max(head.count).saturating_add(added),
            resets: now_head.resets.wrapping_add(u64::from(!written)),
            polled_at: now,
            ..now_head
        });
    }

    fn read_ring(&mut self, store: &dyn SharedData, head: Option<&Head>) -> News {
        let mut news = News::default();
        let Some(head) = head else { return news };
        let Some((seen, resets)) = self.seen.replace((head.count, head.resets)) else {
            // There was no list when this VM began, so answers fetched since may have changed
            // unseen.
            news.dropped = head.supported;
            return news;
        };
        if resets != head.resets || seen > head.count || head.count.saturating_sub(seen) > RING {
            news.dropped = true;
            return news;
        }
        for n in seen..head.count {
            let slot = Region::Ring.slot(self.base.wrapping_add(n % RING));
            let entry = store.get(slot).and_then(|(bytes, _)| self.open(&bytes));
            let entry = entry.filter(|entry| entry.get("n").and_then(Value::as_u64) == Some(n));
            let change = entry.and_then(|mut entry| {
                serde_json::from_value::<Change>(entry.get_mut("change")?.take()).ok()
            });
            match change {
                Some(change) => news.changes.push(change),
                None => return News { dropped: true, ..News::default() },
            }
        }
        news
    }

    fn head(&self, store: &dyn SharedData) -> Option<Head> {
        let (bytes, _) = store.get(Region::Control.slot(self.base))?;
        let value = self.open(&bytes)?;
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        Some(Head {
            epoch: value.get("epoch")?.as_str()?.to_owned(),
            since: number("since")?,
            count: number("count")?,
            resets: number("resets")?,
            polled_at: number("polled_at")?,
            supported: value.get("supported")?.as_bool()?,
        })
    }

    fn write_head(&self, store: &dyn SharedData, change: impl Fn(Head) -> Head) {
        let empty = Head {
            epoch: String::new(),
            since: 0,
            count: 0,
            resets: 0,
            polled_at: 0,
            supported: true,
        };
        store.update(Region::Control.slot(self.base), &mut |_| {
            let head = change(self.head(store).unwrap_or_else(|| empty.clone()));
            self.sealed(&json!({
                "epoch": head.epoch, "since": head.since, "count": head.count,
                "resets": head.resets, "polled_at": head.polled_at, "supported": head.supported,
            }))
        });
    }

    fn sealed(&self, value: &Value) -> Option<Vec<u8>> {
        let mut out = value.to_string().into_bytes();
        if out.len().saturating_add(TAG) > SLOT {
            return None;
        }
        // JSON may end in spaces.
        out.resize(SLOT.saturating_sub(TAG), b' ');
        out.extend(self.seal.tag(&out));
        Some(out)
    }

    fn open(&self, bytes: &[u8]) -> Option<Value> {
        serde_json::from_slice(self.seal.verified(bytes, SLOT)?).ok()
    }
}

/// Returns the number of the VM that holds a lease.
fn holder(lease: &Value) -> Option<u64> {
    lease.get("holder").and_then(Value::as_u64)
}

enum Page {
    Changes(ChangesPage),
    Unsupported,
}

fn read(answer: &Answer) -> Option<Page> {
    match answer.status {
        200 => serde_json::from_slice(&answer.body).ok().map(Page::Changes),
        // The Kong Admin API answers with this message. Any other 404 comes from a proxy in
        // between.
        404 => {
            let document: Value = serde_json::from_slice(&answer.body).ok()?;
            (document.get("message")?.as_str()? == "Not found").then_some(Page::Unsupported)
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
