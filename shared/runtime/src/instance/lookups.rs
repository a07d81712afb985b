//! Carries the effects of the cache out: sends its calls, wakes requests, counts and logs.

use super::{Instance, Purpose, State, Woken};
use crate::callout;
use crate::entropy;
use crate::platform::{capabilities, now, shared_data};
use crate::proxy::{CallId, CallOwner, Proxy};
use cache::{Answers, Conditions, Effects, Lookup, Outgoing, Setup};
use exchange::{CallError, CallResult, Finding, Head, Key, Request, Unavailable};
use std::cell::RefCell;
use std::rc::Rc;

impl Instance {
    /// Gives the cache to `work`. Returns `None` for a filter without a cache, and as long as it is
    /// not known where answers may be kept. The cache is never borrowed twice; if it were, this
    /// would be `None`, too.
    fn with_cache<R>(&self, work: impl FnOnce(&mut dyn Answers) -> R) -> Option<R> {
        let cache = match self.cache.get() {
            Some(cache) => cache,
            None => {
                let made = self.make_cache()?;
                self.cache.get_or_init(|| RefCell::new(made))
            }
        };
        cache.try_borrow_mut().ok().map(|mut cache| work(&mut **cache))
    }

    fn make_cache(&self) -> Option<Box<dyn Answers>> {
        let configured = match &*self.state.try_borrow().ok()? {
            State::Checked(configured) | State::Unchecked(configured) => Rc::clone(configured),
            State::Empty | State::Bad => return None,
        };
        if configured.cache.try_borrow().ok()?.is_none() {
            return None;
        }
        let data = shared_data(configured.common.shm_zone.as_deref())?;
        let cache = configured.cache.try_borrow_mut().ok()?.take()?;
        let setup = Setup {
            filter: (self.definition.name, self.definition.id),
            common: &configured.common,
            depends: &configured.depends,
            data: Rc::from(data),
            rooms: self.rooms.clone(),
            random: entropy::random_number,
            started: self.started,
        };
        Some(cache(setup, now()))
    }

    /// Notes that a request has come.
    pub(crate) fn seen(&self, now: u64, request: &Request) {
        self.with_cache(|cache| cache.request_seen(now));
        // Only where the host's own bytes can be guessed: it costs more than all the rest of this
        // function.
        if !capabilities().has_strong_randomness
            && let Some(id) = request.head.first("x-request-id")
        {
            entropy::mix(id);
        }
    }

    /// Looks `key` up for the request `waiter`.
    pub(crate) fn find(&self, key: &Key, waiter: u32, conditions: Conditions) -> Lookup {
        let found = self.with_cache(|cache| cache.find(key, waiter, conditions));
        let Some(found) = found else { return Lookup::Unavailable };
        self.count(found.metric());
        found
    }

    /// Returns `true` if the last look-up at the admin service failed.
    pub(crate) fn service_is_away(&self) -> bool {
        self.with_cache(|cache| cache.is_away()).unwrap_or(false)
    }

    /// Sends a call of the cache, for the request with this head, if it is for one.
    pub(crate) fn send<P: Proxy>(
        proxy: &P,
        owner: CallOwner,
        outgoing: &Outgoing,
        request: Option<&Head>,
    ) -> Result<CallId, CallError> {
        let target = outgoing.target.as_deref().ok_or(CallError::NotSent)?;
        callout::send(proxy, owner, target, &outgoing.call, request)
    }

    /// Takes the result of a call that one request made for itself.
    pub(crate) fn answered_own<P: Proxy>(
        &self,
        proxy: &P,
        key: &Key,
        result: &CallResult,
    ) -> Result<Finding, Unavailable> {
        let answered = self.with_cache(|cache| cache.answered_own(key, result, now()));
        let (found, effects) = answered.ok_or(Unavailable)?;
        self.carry_out(proxy, effects);
        found
    }

    /// Takes the result of a call of the cache. Returns the calls that were sent, and requests to
    /// wake.
    pub(crate) fn cache_answered<P: Proxy>(
        &self,
        proxy: &P,
        purpose: &cache::Purpose,
        result: &CallResult,
    ) -> (Vec<(CallId, Purpose)>, Woken) {
        let can_send = capabilities().can_send_from_answers;
        let effects = self.with_cache(|cache| cache.answered(purpose, result, can_send, now()));
        self.carry_out(proxy, effects.unwrap_or_default())
    }

    /// Notes that a request that waited for `key` is gone.
    pub(crate) fn left(&self, key: &Key, id: u32, own_call: bool) {
        self.with_cache(|cache| cache.left(key, id, own_call));
    }

    pub(super) fn tick_cache<P: Proxy>(&self, proxy: &P) -> (Vec<(CallId, Purpose)>, Woken) {
        let effects = self.with_cache(|cache| cache.tick(now()));
        self.carry_out(proxy, effects.unwrap_or_default())
    }

    /// A call that cannot be sent has failed: the cache takes that as its result.
    fn carry_out<P: Proxy>(&self, proxy: &P, effects: Effects) -> (Vec<(CallId, Purpose)>, Woken) {
        let (mut sent, mut woken) = (Vec::new(), Vec::new());
        let mut next = vec![effects];
        while let Some(effects) = next.pop() {
            effects.warnings.iter().for_each(|warning| self.warn(warning));
            effects.counts.iter().for_each(|count| self.count(count));
            woken.extend(effects.woken);
            for outgoing in effects.calls {
                match Self::send(proxy, CallOwner::Instance, &outgoing, None) {
                    Ok(token) => sent.push((token, Purpose::Cache(outgoing.purpose))),
                    Err(error) => next.extend(self.with_cache(|cache| {
                        cache.answered(&outgoing.purpose, &Err(error), false, now())
                    })),
                }
            }
        }
        (sent, woken)
    }
}
