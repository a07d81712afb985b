//! One filter configuration: its settings, its lookups, its tick.

use crate::abi::{self, Buffer, Level};
use crate::callout;
use crate::entropy::Entropy;
use crate::feature::{Feature, Needs, check_common};
use crate::feed::{Feed, News};
use crate::lookup::{Lookup, Lookups, Moment, Snapshot, Source};
use crate::metrics::Metrics;
use crate::profile::{Host, Profile};
use crate::store::Store;
use crate::stream::now;
use exchange::{
    Answer, Call, CallError, CallResult, Finding, Flow, Key, Request, Target, Unavailable,
};
use settings::{Common, Invalid};
use sha2::{Digest, Sha256};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Without a request for so long, nobody needs to know what changes.
const IDLE: u64 = 60_000;

/// A filter type, with its type taken away.
#[derive(Clone, Copy)]
pub(crate) struct Blueprint {
    name: &'static str,
    id: u8,
    configure: fn(&[u8]) -> Result<Ready, Invalid>,
}

/// A filter whose settings are read and checked.
pub(crate) struct Ready {
    common: Common,
    needs: Needs,
    flow: Box<dyn Fn() -> Box<dyn Flow>>,
    check: Box<dyn Fn(Host) -> Result<(), Invalid>>,
    source: RefCell<Option<Box<dyn Source>>>,
}

/// The root context.
pub(crate) struct Root {
    id: u32,
    blueprint: Blueprint,
    profile: Rc<Profile>,
    entropy: RefCell<Entropy>,
    state: RefCell<State>,
    ticking: Cell<bool>,
    last_request: Cell<u64>,
    metrics: OnceCell<Metrics>,
    services: OnceCell<Services>,
}

enum State {
    Empty,
    Bad,
    /// Checked against the host as soon as that is known.
    Unchecked(Rc<Ready>),
    Checked(Rc<Ready>),
}

/// What a filter with an admin service has.
struct Services {
    target: Target,
    store: Store,
    lookups: RefCell<Lookups>,
    feed: RefCell<Feed>,
    walk: RefCell<Option<Walk>>,
}

/// A snapshot on its way.
struct Walk {
    snapshot: Box<dyn Snapshot>,
    started: u64,
    asked_at: Option<u64>,
    changes: bool,
}

/// What a call of the root context is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    Changes,
    Snapshot,
    Key(Key),
}

/// Requests to wake, each with what it waited for.
pub(crate) type Woken = Vec<(u32, Result<Finding, Unavailable>)>;

impl Blueprint {
    pub(crate) fn of<F: Feature>() -> Self {
        Self { name: F::NAME, id: F::ID, configure: Ready::read::<F> }
    }
}

impl Ready {
    fn read<F: Feature>(document: &[u8]) -> Result<Self, Invalid> {
        let config =
            Rc::new(settings::read(document, &|name| std::env::var(name).ok(), F::settings)?);
        let common = F::common(&config).clone();
        let source = common.admin.as_ref().and_then(|_| F::source(&config));
        let checked = Rc::clone(&config);
        Ok(Self {
            needs: F::needs(&config),
            source: RefCell::new(source),
            check: Box::new(move |host| {
                check_common(F::common(&checked), host).and_then(|()| F::check_host(&checked, host))
            }),
            flow: Box::new(move || F::flow(&config)),
            common,
        })
    }

    pub(crate) fn flow(&self) -> Box<dyn Flow> {
        (self.flow)()
    }

    pub(crate) fn needs(&self) -> Needs {
        self.needs
    }

    pub(crate) fn common(&self) -> &Common {
        &self.common
    }
}

impl Root {
    pub(crate) fn new(id: u32, blueprint: Blueprint, profile: Rc<Profile>) -> Self {
        let mut seed = [0; 32];
        abi::random(&mut seed);
        let mut entropy = Entropy::new(&seed);
        entropy.mix(&abi::now_ns().to_le_bytes());
        entropy.mix(&id.to_le_bytes());
        entropy.mix(blueprint.name.as_bytes());
        Self {
            id,
            blueprint,
            profile,
            entropy: RefCell::new(entropy),
            state: RefCell::new(State::Empty),
            ticking: Cell::new(false),
            last_request: Cell::new(now()),
            metrics: OnceCell::new(),
            services: OnceCell::new(),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn name(&self) -> &'static str {
        self.blueprint.name
    }

    pub(crate) fn host(&self) -> Host {
        self.profile.host()
    }

    // === Configuration ===

    /// Reads the configuration. `false` only where that makes the host reject it: on Kong it would serve
    /// without any filter instead.
    pub(crate) fn configure(&self) -> bool {
        let document = abi::buffer(Buffer::PluginConfiguration).unwrap_or_default();
        let host = self.host();
        let read = (self.blueprint.configure)(&document).and_then(|ready| {
            if host != Host::Unknown {
                (ready.check)(host)?;
            }
            Ok(ready)
        });
        match read {
            Ok(ready) => {
                self.start(ready, host);
                true
            }
            Err(invalid) => {
                self.reject(&invalid);
                host != Host::Envoy
            }
        }
    }

    fn start(&self, ready: Ready, host: Host) {
        if let Some(admin) =
            ready.common.admin.as_ref().filter(|admin| {
                ready.source.borrow().is_some() && admin.poll_interval > Duration::ZERO
            })
        {
            // A secret of the filter's own makes its random numbers unlike anybody else's.
            self.mix(admin.target.token.as_deref().unwrap_or_default().as_bytes());
            let period = (admin.poll_interval.as_millis() / 4).clamp(250, 1000);
            // Kong traps when the period is set a second time.
            if !self.ticking.replace(true) {
                let _ = abi::set_tick_period(u32::try_from(period).unwrap_or(1000));
            }
        }
        let _ = self.metrics.set(Metrics::new(self.blueprint.name, ready.common.metrics));
        let ready = Rc::new(ready);
        // The version of Kong is known at the first request only, so there is one more look then.
        let checked = host == Host::Envoy;
        let state = if checked { State::Checked(ready) } else { State::Unchecked(ready) };
        self.state.replace(state);
    }

    fn reject(&self, invalid: &Invalid) {
        abi::log(Level::Error, &format!("gatehouse_{}: {invalid}", self.blueprint.name));
        self.state.replace(State::Bad);
    }

    // === Requests ===

    /// Which host this is; asked on a VM's first request.
    pub(crate) fn at_request(&self) -> Host {
        self.profile.at_request()
    }

    /// The settings, if they can be used on this host.
    pub(crate) fn ready(&self, host: Host) -> Option<Rc<Ready>> {
        let unchecked = match &*self.state.try_borrow().ok()? {
            State::Checked(ready) => return Some(Rc::clone(ready)),
            State::Unchecked(ready) => Rc::clone(ready),
            State::Empty | State::Bad => return None,
        };
        match (unchecked.check)(host) {
            Ok(()) => {
                self.state.replace(State::Checked(Rc::clone(&unchecked)));
                Some(unchecked)
            }
            Err(invalid) => {
                self.reject(&invalid);
                None
            }
        }
    }

    /// A request has come.
    pub(crate) fn seen(&self, now: u64, request: &Request) {
        let last = self.last_request.replace(now);
        let Some(services) = self.services() else { return };
        if now.saturating_sub(last) > IDLE {
            // Nobody listened for a while: changes may have been missed.
            if !with(&services.feed, |feed| feed.is_current(&services.store, now)).unwrap_or(false)
            {
                with(&services.lookups, |lookups| lookups.distrust(now));
            }
        }
        if let Some(id) = request.head.first("x-request-id") {
            self.mix(id);
        }
    }

    pub(crate) fn find(&self, key: &Key, waiter: u32, moment: Moment) -> Lookup {
        let Some(services) = self.services() else { return Lookup::Ready(Err(Unavailable)) };
        let found =
            with(&services.lookups, |lookups| lookups.find(&services.store, key, waiter, moment));
        let found = found.unwrap_or(Lookup::Ready(Err(Unavailable)));
        self.count(match &found {
            Lookup::Ready(Ok(_)) => "cache_hits",
            Lookup::Ready(Err(_)) => "lookups_refused",
            Lookup::Ask(_) => "lookups",
            Lookup::Join => "lookups_joined",
        });
        found
    }

    pub(crate) fn send(&self, call: &Call) -> Result<u32, CallError> {
        match self.services() {
            Some(services) => callout::send(&services.target, call),
            None => Err(CallError::NotSent),
        }
    }

    /// The answer to a call for `key` that everybody waits for.
    pub(crate) fn landed(&self, key: &Key, result: &CallResult) -> Woken {
        self.note(result);
        let Some(services) = self.services() else { return Vec::new() };
        let woken = with(&services.lookups, |lookups| {
            lookups.landed(&services.store, key, result.as_ref().ok(), now())
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
            lookups.landed_for(&services.store, key, result.as_ref().ok(), now())
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

    pub(crate) fn count(&self, what: &str) {
        if let Some(metrics) = self.metrics.get() {
            metrics.count(self.host(), what);
        }
    }

    pub(crate) fn random_hex(&self) -> String {
        with(&self.entropy, Entropy::hex).unwrap_or_default()
    }

    fn random_number(&self) -> u64 {
        with(&self.entropy, Entropy::number).unwrap_or_else(abi::now_ns)
    }

    fn mix(&self, material: &[u8]) {
        with(&self.entropy, |entropy| entropy.mix(material));
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

    fn warn(&self, message: &str) {
        abi::log(Level::Warn, &format!("gatehouse_{}: {message}", self.blueprint.name));
    }

    // === The tick ===

    /// One tick: calls that were sent, and requests that waited too long.
    pub(crate) fn tick(&self) -> (Vec<(u32, Purpose)>, Woken) {
        let (mut sent, mut woken) = (Vec::new(), Vec::new());
        let Some(services) = self.services() else { return (sent, woken) };
        let now = now();
        let store = &services.store;
        let idle = now.saturating_sub(self.last_request.get()) > IDLE;
        let news = with(&services.feed, |feed| feed.tick(store, now, idle)).unwrap_or_default();
        if let Some(call) = self.take_in(services, news) {
            match callout::send(&services.target, &call) {
                Ok(token) => sent.push((token, Purpose::Changes)),
                Err(error) => self.changes(&Err(error)),
            }
        }
        let due = if idle {
            Vec::new()
        } else {
            with(&services.lookups, |lookups| lookups.due(now)).unwrap_or_default()
        };
        for (key, call) in due {
            match callout::send(&services.target, &call) {
                Ok(token) => sent.push((token, Purpose::Key(key))),
                Err(error) => woken.extend(self.landed(&key, &Err(error))),
            }
        }
        let timeout = u64::try_from(services.target.timeout.as_millis()).unwrap_or(u64::MAX);
        let limit = timeout.saturating_mul(4).saturating_add(1000);
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

    /// The answer to a call of the root context.
    pub(crate) fn answered(
        &self,
        purpose: &Purpose,
        result: &CallResult,
    ) -> (Vec<(u32, Purpose)>, Woken) {
        match purpose {
            Purpose::Key(key) => (Vec::new(), self.landed(key, result)),
            Purpose::Changes => {
                self.changes(result);
                (Vec::new(), Vec::new())
            }
            Purpose::Snapshot => {
                let mut sent = Vec::new();
                if let Some(services) = self.services() {
                    self.page(services, result, &mut sent);
                }
                (sent, Vec::new())
            }
        }
    }

    fn changes(&self, result: &CallResult) {
        if let Err(error) = result {
            self.count("poll_failures");
            self.warn(&format!("the list of changes cannot be asked for: {error}"));
        }
        let Some(services) = self.services() else { return };
        let answer = result.as_ref().ok();
        let news = with(&services.feed, |feed| feed.answered(&services.store, answer, now()));
        self.take_in(services, news.unwrap_or_default());
    }

    fn take_in(&self, services: &Services, news: News) -> Option<Call> {
        let store = &services.store;
        with(&services.lookups, |lookups| {
            lookups.ensure_generation(store, || self.random_number());
            if news.dropped {
                lookups.drop_all(store, self.random_number());
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
            let changes = with(&services.feed, |feed| feed.supported(&services.store)).flatten();
            let snapshot =
                with(&services.lookups, |lookups| lookups.snapshot_due(now, changes)).flatten();
            let Some(snapshot) = snapshot else { return };
            *walk = Some(Walk {
                snapshot,
                started: now,
                asked_at: None,
                changes: changes.unwrap_or(false),
            });
            drop(walk);
            self.next_page(services, sent);
        }
    }

    fn next_page(&self, services: &Services, sent: &mut Vec<(u32, Purpose)>) {
        let Ok(mut slot) = services.walk.try_borrow_mut() else { return };
        let Some(mut walk) = slot.take() else { return };
        match walk.snapshot.next() {
            Some(call) => {
                if let Ok(token) = callout::send(&services.target, &call) {
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

    fn page(&self, services: &Services, result: &CallResult, sent: &mut Vec<(u32, Purpose)>) {
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
            true => self.next_page(services, sent),
            false => self.warn("the admin service did not give its entities page by page"),
        }
    }

    // === Services ===

    /// Made as soon as it is known where entries may be kept.
    fn services(&self) -> Option<&Services> {
        if let Some(services) = self.services.get() {
            return Some(services);
        }
        let ready = match &*self.state.try_borrow().ok()? {
            State::Checked(ready) | State::Unchecked(ready) => Rc::clone(ready),
            State::Empty | State::Bad => return None,
        };
        let admin = ready.common.admin.as_ref()?;
        let store = match (self.host(), &ready.common.shm_zone) {
            (_, Some(zone)) => Store::Shared(Some(zone.clone())),
            (Host::Envoy, None) => Store::Shared(None),
            // Without a declared zone Kong traps.
            (Host::Kong(_), None) => Store::own(),
            (Host::Unknown, None) => return None,
        };
        let source = ready.source.try_borrow_mut().ok()?.take()?;
        let now = now();
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let feed = Feed::new(
            &fingerprint(&admin.target, &[]),
            self.random_number(),
            millis(admin.poll_interval),
            millis(admin.target.timeout),
        );
        let trust = [u8::from(ready.common.trust_consumer_headers)];
        let print = fingerprint(&admin.target, &[self.blueprint.name.as_bytes(), &trust]);
        let mut lookups =
            Lookups::new(source, ready.common.cache.clone(), self.blueprint.id, &print, now);
        if feed.supported(&store) == Some(true) && feed.is_current(&store, now) {
            lookups.trust();
        }
        lookups.ensure_generation(&store, || self.random_number());
        let services = Services {
            target: admin.target.clone(),
            store,
            lookups: RefCell::new(lookups),
            feed: RefCell::new(feed),
            walk: RefCell::new(None),
        };
        let _ = self.services.set(services);
        self.services.get()
    }
}

/// What decisions depend on besides the key: another fingerprint sees nothing of it.
fn fingerprint(target: &Target, more: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(bytes);
    };
    part(target.upstream.as_bytes());
    part(target.authority.as_bytes());
    part(&[u8::from(target.tls)]);
    part(target.prefix.join("/").as_bytes());
    part(target.token.as_deref().unwrap_or_default().as_bytes());
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

/// A borrow that cannot panic: nothing here is re-entered, and if it were, the answer would be "no".
fn with<T, R>(cell: &RefCell<T>, work: impl FnOnce(&mut T) -> R) -> Option<R> {
    cell.try_borrow_mut().ok().map(|mut value| work(&mut value))
}
