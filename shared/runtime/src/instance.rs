//! One filter configuration in one VM or worker: its settings, its cache, its worker, its tick.

mod background;
mod definition;
mod lookups;

use crate::background::BackgroundCalls;
use crate::entropy;
use crate::metrics::Metrics;
use crate::platform::{Capabilities, Level, capabilities, log, now};
use crate::proxy::{CallId, Proxy};
use cache::{Answers, Room, Rooms, Seat};
use definition::Configured;
pub use definition::Definition;
use exchange::{CallResult, Finding, Tally, Unavailable};
use settings::Invalid;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

/// One filter configuration in one VM or worker.
pub struct Instance {
    id: u32,
    definition: Definition,
    rooms: Rooms,
    state: RefCell<State>,
    ticking: Cell<bool>,
    /// `true` once every property that the filter leaves was seen to have a place.
    properties_checked: Cell<bool>,
    /// Milliseconds since 1970.
    started: u64,
    metrics: OnceCell<Metrics>,
    /// The cache; it is made as soon as the place for its entries is known.
    cache: OnceCell<RefCell<Box<dyn Answers>>>,
    calls: RefCell<Option<BackgroundCalls>>,
}

enum State {
    Empty,
    Bad,
    /// The settings are read, and wait to be checked until the gateway is known.
    Unchecked(Rc<Configured>),
    Checked(Rc<Configured>),
}

/// The property in which a filter that is about to wait leaves what only the headers' event can
/// read. A carrier that has nothing to leave there ignores it.
pub const LEFT_BEFORE_WAITING: &str = "gatehouse_kong";

/// The purpose of a callout that belongs to a filter configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A call of the cache.
    Cache(cache::Purpose),
    /// A background call by its number, and the headers of its answer that are to be read.
    BackgroundCall(u64, &'static [&'static str]),
}

/// The requests to wake, each with the finding that it waited for.
pub type Woken = Vec<(u32, Result<Finding, Unavailable>)>;

impl Instance {
    /// An instance without a configuration. The carrier tells instances apart by `id`; `rooms` are
    /// the places of waiting requests, which all instances of one filter in a VM share.
    #[must_use]
    pub fn new(id: u32, definition: Definition, rooms: Rooms) -> Self {
        entropy::mix(definition.name.as_bytes());
        Self {
            id,
            definition,
            rooms,
            state: RefCell::new(State::Empty),
            ticking: Cell::new(false),
            properties_checked: Cell::new(false),
            started: now(),
            metrics: OnceCell::new(),
            cache: OnceCell::new(),
            calls: RefCell::new(None),
        }
    }

    /// The number that the carrier gave.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The filter's name, for example `key_auth`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.definition.name
    }

    // === Configuration ===

    /// Reads the configuration `document`. `false` only where a gateway that rejects it does not
    /// serve without the filter: elsewhere every request is refused instead.
    pub fn configure<P: Proxy>(&self, proxy: &P, document: &[u8]) -> bool {
        let able = capabilities();
        let read = (self.definition.configure)(document).and_then(|configured| {
            if able.known {
                (configured.check)(able)?;
            }
            Ok(configured)
        });
        match read {
            Ok(configured) => {
                configured.warnings.iter().for_each(|warning| self.warn(warning));
                self.start(proxy, configured, able);
                true
            }
            Err(invalid) => {
                self.reject(&invalid);
                !able.rejects_safely
            }
        }
    }

    fn start<P: Proxy>(&self, proxy: &P, configured: Configured, able: Capabilities) {
        let mut period = None;
        if configured.cache.try_borrow().is_ok_and(|cache| cache.is_some()) {
            let admin = configured.common.admin.as_ref();
            // The token makes the random numbers of this instance unlike those of others.
            let secret = admin.and_then(|admin| admin.target.token.as_deref()).unwrap_or_default();
            entropy::mix(secret.as_bytes());
            period = Some(cache::tick_period(&configured.common));
        }
        if let Some(work) = configured.worker.try_borrow_mut().ok().and_then(|mut work| work.take())
        {
            period = Some(period.map_or(configured.period, |period| period.min(configured.period)));
            self.calls.replace(Some(BackgroundCalls::new(work)));
        }
        // Kong traps when the interval is set a second time.
        if let Some(period) = period.filter(|_| !self.ticking.replace(true)) {
            proxy.tick_every(period);
        }
        let _ = self.metrics.set(Metrics::new(self.definition.name, configured.common.metrics));
        let configured = Rc::new(configured);
        // Kong's version becomes known at the first request only; the settings are checked again
        // then.
        let state =
            if able.settled { State::Checked(configured) } else { State::Unchecked(configured) };
        self.state.replace(state);
    }

    fn reject(&self, invalid: &Invalid) {
        log(Level::Error, &format!("gatehouse_{}: {invalid}", self.definition.name));
        self.state.replace(State::Bad);
    }

    // === Requests ===

    /// The settings, if this gateway can use them. Only a request's headers event calls this
    /// function.
    pub(crate) fn configured<P: Proxy>(&self, proxy: &P) -> Option<Rc<Configured>> {
        let configured = self.checked()?;
        // Variables of nginx are declared before this instance exists, and stay as they are.
        if !self.properties_checked.get() {
            if let Err(missing) = proxy.check_properties(&configured.leaves) {
                log(Level::Error, &format!("gatehouse_{}: {missing}", self.definition.name));
                return None;
            }
            self.properties_checked.set(true);
        }
        Some(configured)
    }

    /// Returns `true` if nothing that the filter does depends on the identity's property. Where a
    /// refusal does not end the request (Kong), every filter depends on it.
    pub(crate) fn ignores_identity(&self) -> bool {
        let ignores = match self.state.try_borrow().as_deref() {
            Ok(State::Checked(configured)) => configured.needs().no_identity,
            _ => false,
        };
        ignores && capabilities().refusal_is_final
    }

    /// Returns `true` if the filter cannot do without the property `name`.
    pub(crate) fn has_to_leave(&self, name: &str) -> bool {
        match self.state.try_borrow().as_deref() {
            Ok(State::Checked(configured) | State::Unchecked(configured)) => {
                configured.leaves.contains(&name)
            }
            _ => true,
        }
    }

    fn checked(&self) -> Option<Rc<Configured>> {
        let unchecked = match &*self.state.try_borrow().ok()? {
            State::Checked(configured) => return Some(Rc::clone(configured)),
            State::Unchecked(configured) => Rc::clone(configured),
            State::Empty | State::Bad => return None,
        };
        match (unchecked.check)(capabilities()) {
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

    /// Takes a seat in `room` for a request that keeps `bytes` bytes while it waits. `None` when
    /// the room is full.
    pub(crate) fn seat(&self, room: Room, bytes: usize) -> Option<Seat> {
        self.rooms.seat(room, bytes)
    }

    pub(crate) fn count(&self, what: &str) {
        if let Some(metrics) = self.metrics.get() {
            metrics.count(what);
        }
    }

    /// Passes the filter's own counts on to its metrics.
    pub(crate) fn tally(&self, tally: Vec<Tally>) {
        if let Some(metrics) = self.metrics.get() {
            for tally in &tally {
                metrics.take(tally);
            }
        }
    }

    fn warn(&self, message: &str) {
        log(Level::Warn, &format!("gatehouse_{}: {message}", self.definition.name));
    }

    // === The tick ===

    /// Runs one tick. Returns the callouts that were sent, and the requests that waited too long.
    pub fn tick<P: Proxy>(&self, proxy: &P) -> (Vec<(CallId, Purpose)>, Woken) {
        let (mut sent, woken) = self.tick_cache(proxy);
        sent.extend(self.run_worker(proxy));
        (sent, woken)
    }

    /// Takes the answer to a callout of this instance. Returns the callouts that were sent because
    /// of it, and the requests to wake.
    pub fn answered<P: Proxy>(
        &self,
        proxy: &P,
        purpose: &Purpose,
        result: &CallResult,
    ) -> (Vec<(CallId, Purpose)>, Woken) {
        match purpose {
            Purpose::Cache(purpose) => self.cache_answered(proxy, purpose, result),
            Purpose::BackgroundCall(id, _) => (self.call_answered(proxy, *id, result), Vec::new()),
        }
    }
}
