//! The settings, and the state that requests and the worker share.

use crate::capture::Budget;
use crate::collector::Collector;
use crate::config::Config;
use crate::queue::Queue;
use crate::rules::Rules;
use crate::sampling::AppConfig;
use crate::tallies::Tallies;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The functions of the gateway that this filter needs. Tests pass their own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tools {
    /// Fills a slice with random bytes. Returns `false` if that failed.
    pub(crate) random: fn(&mut [u8]) -> bool,
    /// Logs a fault for the operator.
    pub(crate) report: fn(&str),
    /// Logs another message for the operator.
    pub(crate) note: fn(&str),
}

/// One configuration in one VM or worker of the gateway.
pub struct Shared {
    pub(crate) config: Config,
    pub(crate) queue: RefCell<Queue>,
    pub(crate) budget: Rc<Budget>,
    pub(crate) tallies: Tallies,
    /// `true` if the worker could send a batch at once.
    pub(crate) may_send: Cell<bool>,
    /// The time of the last request, in milliseconds since 1970.
    pub(crate) last_request: Cell<u64>,
    app: RefCell<Rc<AppConfig>>,
    rules: RefCell<Rc<Rules>>,
    collector: RefCell<Option<Rc<Collector>>>,
    at_once: Cell<usize>,
}

/// The greatest number of batches under way at once.
const AT_ONCE: usize = 8;

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            queue: RefCell::new(Queue::new(
                config.max_events,
                config.max_queue_bytes,
                config.batch_size,
            )),
            budget: Rc::new(Budget::new(config.max_queue_bytes)),
            tallies: Tallies::default(),
            may_send: Cell::new(true),
            last_request: Cell::new(0),
            app: RefCell::default(),
            rules: RefCell::default(),
            collector: RefCell::default(),
            at_once: Cell::new(1),
            config,
        }
    }

    /// Makes the collector's target for the gateway: a cluster if `on_envoy`, or else an address.
    /// `several` is `true` if the gateway can make several calls at once.
    pub(crate) fn set_gateway(&self, on_envoy: bool, several: bool) {
        let Config { place, connect_timeout, send_timeout, application_id, compress, .. } =
            &self.config;
        let Some(place) = place else { return };
        let timeouts = [*connect_timeout, *send_timeout];
        let target = place.target(on_envoy);
        let collector = Collector::new(target, timeouts, application_id.clone(), *compress);
        self.collector.replace(Some(Rc::new(collector)));
        self.at_once.set(if several { AT_ONCE } else { 1 });
    }

    /// Returns the collector. Returns `None` before the gateway is known.
    pub(crate) fn collector(&self) -> Option<Rc<Collector>> {
        self.collector.try_borrow().ok()?.clone()
    }

    /// Returns the number of batches that may be under way at once.
    pub(crate) fn at_once(&self) -> usize {
        self.at_once.get()
    }

    pub(crate) fn app(&self) -> Rc<AppConfig> {
        self.app.try_borrow().map(|app| Rc::clone(&app)).unwrap_or_default()
    }

    pub(crate) fn set_app(&self, app: AppConfig) {
        self.app.replace(Rc::new(app));
    }

    pub(crate) fn rules(&self) -> Rc<Rules> {
        self.rules.try_borrow().map(|rules| Rc::clone(&rules)).unwrap_or_default()
    }

    pub(crate) fn set_rules(&self, rules: Rules) {
        self.rules.replace(Rc::new(rules));
    }

    /// Calls `work` with the queue. The queue is never borrowed when this function is called.
    pub(crate) fn with_queue<R: Default>(&self, work: impl FnOnce(&mut Queue) -> R) -> R {
        self.queue.try_borrow_mut().map(|mut queue| work(&mut queue)).unwrap_or_default()
    }
}

impl std::fmt::Debug for Shared {
    /// Prints no events, because they hold the data of requests.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
