//! One filter configuration: its settings, its lookups, its tick.

use crate::abi::{self, Buffer, Level};
use crate::callout;
use crate::entropy;
use crate::errands::{Errands, Sent};
use crate::feature::{Feature, Needs, check_common};
use crate::feed::{Feed, News};
use crate::lookup::{Lookup, Lookups, Moment, Snapshot, Source};
use crate::metrics::Metrics;
use crate::profile::{Host, Profile};
use crate::store::Store;
use crate::stream::now;
use exchange::{
    Answer, Background, Call, CallError, CallResult, Finding, Flow, Key, Request, Tally, Target,
    Unavailable,
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
    /// Whether the module has a callback for response bodies.
    sees_bodies: bool,
    configure: fn(&[u8]) -> Result<Ready, Invalid>,
}

/// A filter whose settings are read and checked.
pub(crate) struct Ready {
    common: Common,
    needs: Needs,
    flow: Box<dyn Fn() -> Box<dyn Flow>>,
    check: Box<dyn Fn(Host) -> Result<(), Invalid>>,
    source: RefCell<Option<Box<dyn Source>>>,
    background: RefCell<Option<Box<dyn Background>>>,
    period: Duration,
    /// What kept answers depend on besides the common settings.
    depends: Vec<u8>,
}

/// The root context.
pub(crate) struct Root {
    id: u32,
    blueprint: Blueprint,
    profile: Rc<Profile>,
    state: RefCell<State>,
    ticking: Cell<bool>,
    last_request: Cell<u64>,
    metrics: OnceCell<Metrics>,
    services: OnceCell<Services>,
    errands: RefCell<Option<Errands>>,
}

enum State {
    Empty,
    Bad,
    /// Checked against the host as soon as that is known.
    Unchecked(Rc<Ready>),
    Checked(Rc<Ready>),
}

/// What a filter that looks things up has.
struct Services {
    /// The admin service.
    admin: Option<Target>,
    store: Store,
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

/// What a call of the root context is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    Changes,
    Snapshot,
    Key(Key),
    /// An errand of the background's, and the fields of its answer that are to be read.
    Errand(u64, &'static [&'static str]),
}

/// Requests to wake, each with what it waited for.
pub(crate) type Woken = Vec<(u32, Result<Finding, Unavailable>)>;

impl Blueprint {
    pub(crate) fn of<F: Feature>(sees_bodies: bool) -> Self {
        Self { name: F::NAME, id: F::ID, sees_bodies, configure: Ready::read::<F> }
    }
}

impl Ready {
    fn read<F: Feature>(document: &[u8]) -> Result<Self, Invalid> {
        let config =
            Rc::new(settings::read(document, &|name| std::env::var(name).ok(), F::settings)?);
        let common = F::common(&config).clone();
        let source = F::source(&config);
        let checked = Rc::clone(&config);
        Ok(Self {
            needs: F::needs(&config),
            source: RefCell::new(source),
            background: RefCell::new(F::background(&config)),
            period: F::period(&config).clamp(Duration::from_millis(100), Duration::from_secs(10)),
            depends: F::depends(&config),
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
        entropy::mix(blueprint.name.as_bytes());
        Self {
            id,
            blueprint,
            profile,
            state: RefCell::new(State::Empty),
            ticking: Cell::new(false),
            last_request: Cell::new(now()),
            metrics: OnceCell::new(),
            services: OnceCell::new(),
            errands: RefCell::new(None),
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

    /// Whether a response may wait: its body has to wait, too, and only its callback can see to that.
    pub(crate) fn can_hold_responses(&self) -> bool {
        self.blueprint.sees_bodies && self.host().can_hold_responses()
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
        let mut period = None;
        if ready.source.try_borrow().is_ok_and(|source| source.is_some()) {
            let admin = ready.common.admin.as_ref();
            // A secret of the filter's own makes its random numbers unlike anybody else's.
            let secret = admin.and_then(|admin| admin.target.token.as_deref()).unwrap_or_default();
            entropy::mix(secret.as_bytes());
            let interval = admin.map_or(Duration::from_secs(4), |admin| admin.poll_interval);
            let quarter = interval.checked_div(4).unwrap_or_default();
            period = Some(quarter.clamp(Duration::from_millis(250), Duration::from_secs(1)));
        }
        if let Some(work) = ready.background.try_borrow_mut().ok().and_then(|mut work| work.take())
        {
            period = Some(period.map_or(ready.period, |period| period.min(ready.period)));
            self.errands.replace(Some(Errands::new(work)));
        }
        // Kong traps when the period is set a second time.
        if let Some(period) = period.filter(|_| !self.ticking.replace(true)) {
            let _ = abi::set_tick_period(u32::try_from(period.as_millis()).unwrap_or(1000));
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
            let missed = |feed| {
                !with(feed, |feed: &mut Feed| feed.is_current(&services.store, now))
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

    /// Counts what the filter has counted.
    pub(crate) fn tally(&self, tally: Vec<Tally>) {
        if let Some(metrics) = self.metrics.get() {
            for tally in &tally {
                metrics.take(self.host(), tally);
            }
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

    fn warn(&self, message: &str) {
        abi::log(Level::Warn, &format!("gatehouse_{}: {message}", self.blueprint.name));
    }

    // === The tick ===

    /// One tick: calls that were sent, and requests that waited too long.
    pub(crate) fn tick(&self) -> (Vec<(u32, Purpose)>, Woken) {
        let (mut sent, woken) = match self.services() {
            Some(services) => self.tend(services),
            None => (Vec::new(), Vec::new()),
        };
        sent.extend(self.run_errands());
        (sent, woken)
    }

    fn tend(&self, services: &Services) -> (Vec<(u32, Purpose)>, Woken) {
        let (mut sent, mut woken) = (Vec::new(), Vec::new());
        let now = now();
        let store = &services.store;
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
            Purpose::Errand(id, _) => {
                let take = |errands: &mut Errands| errands.answered(*id, result.clone(), now());
                (self.with_errands(take), Vec::new())
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

    // === The background ===

    /// Sends what the filter has to send on its own account.
    pub(crate) fn run_errands(&self) -> Vec<(u32, Purpose)> {
        self.with_errands(|errands| errands.run(now()))
    }

    /// The configuration is going away. The second value says whether it may go at once.
    pub(crate) fn leave(&self) -> (Vec<(u32, Purpose)>, bool) {
        let sent = self.with_errands(|errands| errands.leave(now()));
        (sent, self.has_left() || self.errands.try_borrow().is_ok_and(|errands| errands.is_none()))
    }

    /// Whether the configuration was asked to go, and nothing keeps it any more.
    pub(crate) fn has_left(&self) -> bool {
        let now = now();
        let errands = self.errands.try_borrow();
        errands.is_ok_and(|errands| errands.as_ref().is_some_and(|errands| errands.may_go(now)))
    }

    fn with_errands(&self, work: impl FnOnce(&mut Errands) -> Vec<Sent>) -> Vec<(u32, Purpose)> {
        let Ok(mut errands) = self.errands.try_borrow_mut() else { return Vec::new() };
        let Some(errands) = errands.as_mut() else { return Vec::new() };
        let sent = work(errands);
        self.tally(errands.tally());
        sent.into_iter().map(|(token, id, wanted)| (token, Purpose::Errand(id, wanted))).collect()
    }

    fn changes(&self, result: &CallResult) {
        if let Err(error) = result {
            self.count("poll_failures");
            self.warn(&format!("the list of changes cannot be asked for: {error}"));
        }
        let Some(services) = self.services() else { return };
        let answer = result.as_ref().ok();
        let Some(feed) = &services.feed else { return };
        let news = with(feed, |feed| feed.answered(&services.store, answer, now()));
        self.take_in(services, news.unwrap_or_default());
    }

    fn take_in(&self, services: &Services, news: News) -> Option<Call> {
        let store = &services.store;
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
            let supported =
                |feed| with(feed, |feed: &mut Feed| feed.supported(&services.store)).flatten();
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
        let store = match (self.host(), &ready.common.shm_zone) {
            (_, Some(zone)) => Store::Shared(Some(zone.clone())),
            (Host::Envoy, None) => Store::Shared(None),
            // Without a declared zone Kong traps.
            (Host::Kong(_), None) => Store::own(),
            (Host::Unknown, None) => return None,
        };
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
            feed.begin(&store);
            feed
        });
        let trust = [u8::from(ready.common.trust_consumer_headers)];
        let parts = [self.blueprint.name.as_bytes(), trust.as_slice(), &ready.depends];
        let print = fingerprint(admin.map(|admin| &admin.target), &parts);
        let mut lookups =
            Lookups::new(source, ready.common.cache.clone(), self.blueprint.id, &print, now);
        // Without a list of changes nothing can be missed, and with a current one nothing was.
        let current =
            |feed: &Feed| feed.supported(&store).is_some() && feed.is_current(&store, now);
        if feed.as_ref().is_none_or(current) {
            lookups.trust();
        }
        lookups.ensure_generation(&store, entropy::random_number);
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

/// A borrow that cannot panic: nothing here is re-entered, and if it were, the answer would be "no".
fn with<T, R>(cell: &RefCell<T>, work: impl FnOnce(&mut T) -> R) -> Option<R> {
    cell.try_borrow_mut().ok().map(|mut value| work(&mut value))
}
