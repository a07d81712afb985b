//! One filter configuration: its settings, and what its tick sets going.

mod background;
mod lookups;
mod ready;

use crate::abi::{self, Buffer, Level};
use crate::background::BackgroundCalls;
use crate::entropy;
use crate::kong::Kong;
use crate::metrics::Metrics;
use crate::profile::{Host, Profile};
use crate::stream::{now, properties};
use cache::{Cache, Room, Rooms, Seat};
use exchange::{CallResult, Finding, Tally, Unavailable};
pub(crate) use ready::{Blueprint, Ready};
use settings::Invalid;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// The root context.
pub(crate) struct Root {
    id: u32,
    blueprint: Blueprint,
    profile: Rc<Profile>,
    rooms: Rooms,
    state: RefCell<State>,
    ticking: Cell<bool>,
    /// Kong: whether every variable of nginx that the filter leaves something in was seen to be declared.
    variables_seen: Cell<bool>,
    /// Milliseconds since 1970.
    started: u64,
    metrics: OnceCell<Metrics>,
    /// Made as soon as it is known where answers may be kept.
    cache: OnceCell<RefCell<Cache>>,
    calls: RefCell<Option<BackgroundCalls>>,
}

enum State {
    Empty,
    Bad,
    /// Checked against the host as soon as that is known.
    Unchecked(Rc<Ready>),
    Checked(Rc<Ready>),
}

/// What a call of the root context is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A call of the cache.
    Cache(cache::Purpose),
    /// A call of the background's, and the fields of its answer that are to be read.
    BackgroundCall(u64, &'static [&'static str]),
}

/// Requests to wake, each with what it waited for.
pub(crate) type Woken = Vec<(u32, Result<Finding, Unavailable>)>;

impl Root {
    pub(crate) fn new(id: u32, blueprint: Blueprint, profile: Rc<Profile>, rooms: Rooms) -> Self {
        entropy::mix(blueprint.name.as_bytes());
        Self {
            id,
            blueprint,
            profile,
            rooms,
            state: RefCell::new(State::Empty),
            ticking: Cell::new(false),
            variables_seen: Cell::new(false),
            started: now(),
            metrics: OnceCell::new(),
            cache: OnceCell::new(),
            calls: RefCell::new(None),
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
                ready.warnings.iter().for_each(|warning| self.warn(warning));
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
            self.calls.replace(Some(BackgroundCalls::new(work)));
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
    pub(crate) fn at_request(&self, kong: &Kong<'_>) -> Host {
        self.profile.at_request(kong)
    }

    /// The settings, if they can be used on this host. Only from a request's context.
    pub(crate) fn ready(&self, host: Host) -> Option<Rc<Ready>> {
        let ready = self.checked(host)?;
        // What is declared is part of nginx's configuration, which stays as it is as long as this VM lives.
        if host.may_be_kong() && !self.variables_seen.get() {
            let missing = |name: &&&str| properties::is_undeclared(host, name);
            if let Some(name) = ready.leaves.iter().find(missing) {
                let text = format!("gatehouse_{}: {}", self.blueprint.name, undeclared(name));
                abi::log(Level::Error, &text);
                return None;
            }
            self.variables_seen.set(true);
        }
        Some(ready)
    }

    /// Whether the filter cannot do without the property `name`.
    pub(crate) fn has_to_leave(&self, name: &str) -> bool {
        match self.state.try_borrow().as_deref() {
            Ok(State::Checked(ready) | State::Unchecked(ready)) => ready.leaves.contains(&name),
            _ => true,
        }
    }

    fn checked(&self, host: Host) -> Option<Rc<Ready>> {
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

    /// A seat for a request that has to wait, and keeps `bytes` meanwhile.
    pub(crate) fn seat(&self, room: Room, bytes: usize) -> Option<Seat> {
        self.rooms.seat(room, bytes)
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

    fn warn(&self, message: &str) {
        abi::log(Level::Warn, &format!("gatehouse_{}: {message}", self.blueprint.name));
    }

    // === The tick ===

    /// One tick: calls that were sent, and requests that waited too long.
    pub(crate) fn tick(&self) -> (Vec<(u32, Purpose)>, Woken) {
        let (mut sent, woken) = self.tick_cache();
        sent.extend(self.run_worker());
        (sent, woken)
    }

    /// The answer to a call of the root context.
    pub(crate) fn answered(
        &self,
        purpose: &Purpose,
        result: &CallResult,
    ) -> (Vec<(u32, Purpose)>, Woken) {
        match purpose {
            Purpose::Cache(purpose) => self.cache_answered(purpose, result),
            Purpose::BackgroundCall(id, _) => {
                let can_send = self.host().can_send_from_answers();
                let take = |calls: &mut BackgroundCalls| {
                    calls.answered(*id, result.clone(), now(), can_send)
                };
                (self.with_calls(take), Vec::new())
            }
        }
    }
}

/// What is wrong when nginx has no variable `name`, and what mends it.
fn undeclared(name: &str) -> String {
    format!(
        "nginx has no variable ${name}, in which filters leave what they know of a request: add the line \
         `{KONG_CONF_LINE}` to kong.conf (environment: KONG_NGINX_PROXY_SET) and start Kong again"
    )
}

/// The line of kong.conf that declares every variable that a filter of Gatehouse leaves something in.
const KONG_CONF_LINE: &str = "nginx_proxy_set = $gatehouse_consumer \"\"; set $gatehouse_claims \"\"; \
                              set $gatehouse_session \"\"; set $gatehouse_moesif \"\"; set $gatehouse_kong \"\"";
