//! The settings, and what requests and the background share while they run.

use crate::capture::Budget;
use crate::collector::Collector;
use crate::config::Config;
use crate::queue::Queue;
use crate::rules::Rules;
use crate::sampling::AppConfig;
use crate::tallies::Tallies;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What the host lends: functions, so that a test can lend others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tools {
    /// Fills with random octets; `false` if it cannot.
    pub(crate) random: fn(&mut [u8]) -> bool,
    /// Tells the operator of a fault.
    pub(crate) report: fn(&str),
    /// Tells the operator something else.
    pub(crate) note: fn(&str),
}

/// One configuration in one VM.
pub struct Shared {
    pub(crate) config: Config,
    pub(crate) queue: RefCell<Queue>,
    pub(crate) budget: Rc<Budget>,
    pub(crate) tallies: Tallies,
    /// Whether the background could send a batch at once.
    pub(crate) may_send: Cell<bool>,
    /// When the last request came.
    pub(crate) last_request: Cell<u64>,
    app: RefCell<Rc<AppConfig>>,
    rules: RefCell<Rc<Rules>>,
    collector: RefCell<Option<Rc<Collector>>>,
    at_once: Cell<usize>,
}

/// Batches under way at the same time.
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

    /// The host is known: an Envoy or a Kong, and whether it can make several calls at once.
    pub(crate) fn meet(&self, on_envoy: bool, several: bool) {
        let Config { place, connect_timeout, send_timeout, application_id, compress, .. } =
            &self.config;
        let Some(place) = place else { return };
        let timeouts = [*connect_timeout, *send_timeout];
        let target = place.target(on_envoy);
        let collector = Collector::new(target, timeouts, application_id.clone(), *compress);
        self.collector.replace(Some(Rc::new(collector)));
        self.at_once.set(if several { AT_ONCE } else { 1 });
    }

    /// `None` before the host is known.
    pub(crate) fn collector(&self) -> Option<Rc<Collector>> {
        self.collector.try_borrow().ok()?.clone()
    }

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

    /// Works with the queue. It is never in use when this is called.
    pub(crate) fn with_queue<R: Default>(&self, work: impl FnOnce(&mut Queue) -> R) -> R {
        self.queue.try_borrow_mut().map(|mut queue| work(&mut queue)).unwrap_or_default()
    }
}

impl std::fmt::Debug for Shared {
    /// Without an event.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
