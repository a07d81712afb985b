//! A filter and its settings, with the filter's type erased.

use crate::debug::HEADER;
use crate::filter::{Filter, Needs, check_gateway};
use crate::platform::Capabilities;
use cache::{Answers, Cache, Setup};
use consumer::{Known, Owned, gate};
use exchange::{Request, Started, Step, Worker};
use settings::{Common, Invalid};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// A filter with its type erased.
#[derive(Clone, Copy)]
pub struct Definition {
    pub(super) name: &'static str,
    pub(super) id: u8,
    pub(super) configure: fn(&[u8]) -> Result<Configured, Invalid>,
}

/// Makes a cache at a time. Only a filter with a source of entities has one of these, and so the
/// modules of all other filters hold no code of the cache.
type CacheOf = Box<dyn FnOnce(Setup<'_>, u64) -> Box<dyn Answers>>;

/// A filter whose settings are read and checked.
pub(crate) struct Configured {
    pub(super) common: Common,
    owned: Rc<Owned>,
    needs: Needs,
    /// The properties that need a place for the filter to work.
    pub(super) leaves: Vec<&'static str>,
    pub(super) warnings: Vec<String>,
    start: Box<dyn Fn(Box<Request>, Known) -> Started>,
    pub(super) check: Box<dyn Fn(Capabilities) -> Result<(), Invalid>>,
    /// Makes the cache of the filter's entities, if it looks any up.
    pub(super) cache: RefCell<Option<CacheOf>>,
    pub(super) worker: RefCell<Option<Box<dyn Worker>>>,
    pub(super) period: Duration,
    /// The settings that cached answers depend on besides the common ones.
    pub(super) depends: Vec<u8>,
}

impl Definition {
    /// The definition of the filter `F`.
    #[must_use]
    pub const fn of<F: Filter>() -> Self {
        Self { name: F::NAME, id: F::ID, configure: Configured::read::<F> }
    }

    /// The filter's name, for example `key_auth`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The number that tells the filters apart: [`Filter::ID`].
    #[must_use]
    pub fn id(&self) -> u8 {
        self.id
    }
}

impl Configured {
    fn read<F: Filter>(document: &[u8]) -> Result<Self, Invalid> {
        let config =
            Rc::new(settings::read(document, &|name| std::env::var(name).ok(), F::settings)?);
        let common = F::common(&config).clone();
        let cache = F::source(&config).map(|source| -> CacheOf {
            Box::new(|setup, now| Box::new(Cache::new(setup, source, now)))
        });
        let checked = Rc::clone(&config);
        let mut leaves = F::leaves(&config);
        // A filter that may wait for a callout leaves for later filters the facts that only its own
        // event can read.
        if !leaves.is_empty() && (cache.is_some() || common.admin.is_some()) {
            leaves.push(crate::LEFT_BEFORE_WAITING);
        }
        // `match.consumers` needs an identity, and so a place where a filter can leave one.
        if common.matching.needs_consumer() && !leaves.contains(&consumer::PROPERTY) {
            leaves.push(consumer::PROPERTY);
        }
        Ok(Self {
            owned: Rc::new(F::owned(&config).and(common.debug_token.as_ref().map(|_| HEADER))),
            leaves,
            needs: F::needs(&config),
            warnings: F::warnings(&config),
            cache: RefCell::new(cache),
            worker: RefCell::new(F::worker(&config)),
            period: F::period(&config).clamp(Duration::from_millis(100), Duration::from_secs(10)),
            depends: F::depends(&config),
            check: Box::new(move |able| check_gateway::<F>(&checked, able)),
            start: Box::new(move |request, known| start::<F>(&config, request, known)),
            common,
        })
    }

    /// Runs the gate on a request, of which earlier filters found `known`, and the filter on an
    /// admitted one.
    pub(crate) fn start(&self, request: Request, known: Known) -> Started {
        (self.start)(Box::new(request), known)
    }

    pub(crate) fn owned(&self) -> Rc<Owned> {
        Rc::clone(&self.owned)
    }

    pub(crate) fn needs(&self) -> Needs {
        self.needs
    }

    pub(crate) fn common(&self) -> &Common {
        &self.common
    }
}

fn start<F: Filter>(config: &Rc<F::Config>, request: Box<Request>, known: Known) -> Started {
    if F::ignores(config, &request) {
        return Step::forward(Vec::new()).into();
    }
    gate::run(request, known, F::common(config), |request| F::start(config, request))
}
