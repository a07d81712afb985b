//! What one filter configuration looks up: its requests' questions, and what the tick keeps fresh.

use super::{Purpose, Root, State, Woken, with};
use crate::callout;
use crate::entropy;
use crate::store::store_on;
use crate::stream::now;
use cache::{Feed, Lookup, Lookups, Moment, News, Secrecy, SharedData, Snapshot};
use exchange::{Answer, Call, CallError, CallResult, Finding, Key, Request, Target, Unavailable};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Without a request for so long, nobody needs to know what changes.
const IDLE: u64 = 60_000;

/// What a filter that looks things up has.
pub(super) struct Services {
    /// The admin service.
    admin: Option<Target>,
    store: Box<dyn SharedData>,
    lookups: RefCell<Lookups>,
    /// The admin service's list of changes.
    feed: Option<RefCell<Feed>>,
    walk: RefCell<Option<Walk>>,
}

/// A snapshot on its way.
struct Walk {
    snapshot: Box<dyn Snapshot>,
    started: u64,
    asked_at: Option<u64>,
    changes: bool,
}

impl Root {
    /// Made as soon as it is known where entries may be kept.
    pub(super) fn services(&self) -> Option<&Services> {
        if let Some(services) = self.services.get() {
            return Some(services);
        }
        let ready = match &*self.state.try_borrow().ok()? {
            State::Checked(ready) | State::Unchecked(ready) => Rc::clone(ready),
            State::Empty | State::Bad => return None,
        };
        let store = store_on(self.host(), ready.common.shm_zone.as_deref())?;
        let source = ready.source.try_borrow_mut().ok()?.take()?;
        let now = now();
        let admin = ready.common.admin.as_ref();
        let feed = admin.map(|admin| {
            let print = fingerprint(Some(&admin.target), &[]);
            let mut feed = Feed::new(
                &print,
                entropy::random_number(),
                millis(admin.poll_interval),
                millis(admin.target.timeout),
            );
            feed.begin(&*store);
            feed
        });
        let trust = [u8::from(ready.common.trust_consumer_headers)];
        let parts = [self.blueprint.name.as_bytes(), trust.as_slice(), &ready.depends];
        let print = fingerprint(admin.map(|admin| &admin.target), &parts);
        let token = admin.and_then(|admin| admin.target.token.as_deref()).unwrap_or_default();
        let mut lookups = Lookups::new(
            source,
            ready.common.cache.clone(),
            self.blueprint.id,
            &print,
            Secrecy::of(&*store, token.as_bytes(), &print),
            self.rooms.clone(),
            now,
        );
        // Without a list of changes nothing can be missed, and with a current one nothing was.
        let current =
            |feed: &Feed| feed.supported(&*store).is_some() && feed.is_current(&*store, now);
        if feed.as_ref().is_none_or(current) {
            lookups.trust();
        }
        lookups.ensure_generation(&*store, entropy::random_number);
        let services = Services {
            admin: admin.map(|admin| admin.target.clone()),
            store,
            lookups: RefCell::new(lookups),
            feed: feed.map(RefCell::new),
            walk: RefCell::new(None),
        };
        let _ = self.services.set(services);
        self.services.get()
    }

    /// A request has come.
    pub(crate) fn seen(&self, now: u64, request: &Request) {
        let last = self.last_request.replace(now);
        let Some(services) = self.services() else { return };
        if now.saturating_sub(last) > IDLE {
            // Nobody listened for a while: changes may have been missed.
            let missed = |feed| {
                !with(feed, |feed: &mut Feed| feed.is_current(services.store.as_ref(), now))
                    .unwrap_or(false)
            };
            if services.feed.as_ref().is_some_and(missed) {
                with(&services.lookups, |lookups| lookups.distrust(now));
            }
        }
        // Only where the host's own octets can be guessed: it costs more than all the rest of this function.
        if let Some(id) = request.head.first("x-request-id").filter(|_| self.host().may_be_kong()) {
            entropy::mix(id);
        }
    }

    pub(crate) fn find(&self, key: &Key, waiter: u32, moment: Moment) -> Lookup {
        let Some(services) = self.services() else { return Lookup::Ready(Err(Unavailable)) };
        let found = with(&services.lookups, |lookups| {
            lookups.find(services.store.as_ref(), key, waiter, moment)
        });
        let found = found.unwrap_or(Lookup::Ready(Err(Unavailable)));
        self.count(match &found {
            Lookup::Ready(Ok(_)) => "cache_hits",
            Lookup::Ready(Err(_)) => "lookups_refused",
            Lookup::Ask(..) => "lookups",
            Lookup::Join(_) => "lookups_joined",
        });
        found
    }

    /// Sends a call for `key` to whoever is to be asked for it.
    pub(crate) fn send(&self, key: &Key, call: &Call) -> Result<u32, CallError> {
        let services = self.services().ok_or(CallError::NotSent)?;
        let other = with(&services.lookups, |lookups| lookups.target(key)).flatten();
        let target = other.as_deref().or(services.admin.as_ref()).ok_or(CallError::NotSent)?;
        callout::send(target, call)
    }

    /// The answer to a call for `key` that everybody waits for.
    pub(crate) fn landed(&self, key: &Key, result: &CallResult) -> Woken {
        self.note(result);
        let Some(services) = self.services() else { return Vec::new() };
        let woken = with(&services.lookups, |lookups| {
            lookups.landed(services.store.as_ref(), key, result.as_ref().ok(), now())
        });
        woken.unwrap_or_default()
    }

    /// The answer to a call that one request made for itself.
    pub(crate) fn landed_for(
        &self,
        key: &Key,
        result: &CallResult,
    ) -> Result<Finding, Unavailable> {
        self.note(result);
        let services = self.services().ok_or(Unavailable)?;
        let found = with(&services.lookups, |lookups| {
            lookups.landed_for(services.store.as_ref(), key, result.as_ref().ok(), now())
        });
        found.unwrap_or(Err(Unavailable))
    }

    /// A request that waited for `key` is gone.
    pub(crate) fn left(&self, key: &Key, id: u32, own_call: bool) {
        if let Some(services) = self.services() {
            with(&services.lookups, |lookups| match own_call {
                true => lookups.abandon(key),
                false => lookups.leave(key, id),
            });
        }
    }

    fn note(&self, result: &CallResult) {
        match result {
            Ok(answer) if matches!(answer.status, 200 | 404) => {}
            Ok(answer) => {
                self.count("lookup_failures");
                self.warn(&format!("the admin service answered {}", answer.status));
            }
            Err(error) => {
                self.count("lookup_failures");
                self.warn(&format!("the admin service cannot be asked: {error}"));
            }
        }
    }

    pub(super) fn tend(&self, services: &Services) -> (Vec<(u32, Purpose)>, Woken) {
        let (mut sent, mut woken) = (Vec::new(), Vec::new());
        let now = now();
        let store = services.store.as_ref();
        let idle = now.saturating_sub(self.last_request.get()) > IDLE;
        if let Some(feed) = &services.feed {
            let news = with(feed, |feed| feed.tick(store, now, idle)).unwrap_or_default();
            if let Some(call) = self.take_in(services, news) {
                match services.ask_admin(&call) {
                    Ok(token) => sent.push((token, Purpose::Changes)),
                    Err(error) => self.changes(&Err(error)),
                }
            }
        }
        let due = match idle {
            true => Vec::new(),
            false => with(&services.lookups, |lookups| lookups.due(store, now)).unwrap_or_default(),
        };
        for (key, call) in due {
            match self.send(&key, &call) {
                Ok(token) => sent.push((token, Purpose::Key(key))),
                Err(error) => woken.extend(self.landed(&key, &Err(error))),
            }
        }
        // Kong times connecting, sending and reading apart, each with the whole timeout.
        let longest =
            services.admin.as_ref().map_or(Duration::from_secs(60), |admin| admin.timeout);
        let limit = millis(longest).saturating_mul(4).saturating_add(1000);
        for key in
            with(&services.lookups, |lookups| lookups.overdue(now, limit)).unwrap_or_default()
        {
            woken.extend(self.landed(&key, &Err(CallError::NoAnswer)));
        }
        if !idle {
            self.walk(services, now, limit, &mut sent);
        }
        (sent, woken)
    }

    pub(super) fn changes(&self, result: &CallResult) {
        if let Err(error) = result {
            self.count("poll_failures");
            self.warn(&format!("the list of changes cannot be asked for: {error}"));
        }
        let Some(services) = self.services() else { return };
        let answer = result.as_ref().ok();
        let Some(feed) = &services.feed else { return };
        let news = with(feed, |feed| feed.answered(services.store.as_ref(), answer, now()));
        self.take_in(services, news.unwrap_or_default());
    }

    fn take_in(&self, services: &Services, news: News) -> Option<Call> {
        let store = services.store.as_ref();
        with(&services.lookups, |lookups| {
            lookups.ensure_generation(store, entropy::random_number);
            if news.dropped {
                lookups.drop_all(store, entropy::random_number());
            }
            for change in &news.changes {
                lookups.apply(store, change);
            }
        });
        if news.dropped {
            self.count("cache_dropped");
        }
        news.poll
    }

    // === The snapshot ===

    fn walk(&self, services: &Services, now: u64, limit: u64, sent: &mut Vec<(u32, Purpose)>) {
        let Ok(mut walk) = services.walk.try_borrow_mut() else { return };
        let stuck = walk
            .as_ref()
            .and_then(|walk| walk.asked_at)
            .is_some_and(|at| now.saturating_sub(at) > limit);
        if stuck {
            *walk = None;
        }
        if walk.is_none() {
            let supported = |feed| {
                with(feed, |feed: &mut Feed| feed.supported(services.store.as_ref())).flatten()
            };
            let changes = services.feed.as_ref().and_then(supported);
            let snapshot =
                with(&services.lookups, |lookups| lookups.snapshot_due(now, changes)).flatten();
            let Some(snapshot) = snapshot else { return };
            *walk = Some(Walk {
                snapshot,
                started: now,
                asked_at: None,
                changes: changes.unwrap_or(false),
            });
        }
        if walk.as_ref().is_some_and(|walk| walk.asked_at.is_none()) {
            drop(walk);
            self.next_page(services, sent);
        }
    }

    fn next_page(&self, services: &Services, sent: &mut Vec<(u32, Purpose)>) {
        let Ok(mut slot) = services.walk.try_borrow_mut() else { return };
        let Some(mut walk) = slot.take() else { return };
        match walk.snapshot.next() {
            Some(call) => {
                if let Ok(token) = services.ask_admin(&call) {
                    sent.push((token, Purpose::Snapshot));
                    walk.asked_at = Some(now());
                    *slot = Some(walk);
                }
            }
            None => {
                let (all, _) = walk.snapshot.finish();
                let fits = with(&services.lookups, |lookups| {
                    lookups.complete(all, walk.started, walk.changes)
                });
                if fits == Some(false) {
                    self.warn("the admin service holds more than `cache.max_entries`; the rest is looked up one by one");
                }
                self.count("snapshots");
            }
        }
    }

    pub(super) fn page(
        &self,
        services: &Services,
        result: &CallResult,
        sent: &mut Vec<(u32, Purpose)>,
    ) {
        let absorbed = {
            let Ok(mut slot) = services.walk.try_borrow_mut() else { return };
            let absorb =
                |answer: &Answer| slot.as_mut().is_some_and(|walk| walk.snapshot.absorb(answer));
            let absorbed = result.as_ref().is_ok_and(absorb);
            if !absorbed {
                *slot = None;
            }
            absorbed
        };
        match absorbed {
            true if self.host().can_send_from_answers() => self.next_page(services, sent),
            true => {
                // The next tick asks for the next page.
                if let Ok(Some(walk)) = services.walk.try_borrow_mut().as_deref_mut() {
                    walk.asked_at = None;
                }
            }
            false => self.warn("the admin service did not give its entities page by page"),
        }
    }
}

impl Services {
    fn ask_admin(&self, call: &Call) -> Result<u32, CallError> {
        callout::send(self.admin.as_ref().ok_or(CallError::NotSent)?, call)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What decisions depend on besides the key: another fingerprint sees nothing of it.
fn fingerprint(target: Option<&Target>, more: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(bytes);
    };
    if let Some(target) = target {
        part(target.upstream.as_bytes());
        part(target.authority.as_bytes());
        part(&[u8::from(target.tls)]);
        part(target.prefix.join("/").as_bytes());
        part(target.token.as_deref().unwrap_or_default().as_bytes());
    }
    for bytes in more {
        part(bytes);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().zip(digest) {
        *to = from;
    }
    out
}
