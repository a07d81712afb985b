//! The gateway that a test holds: one chain of filters, and the requests that it serves.

use crate::abi::Level;
use crate::artifact::Filter;
use crate::callouts::{Answer, Callout};
use crate::chain::Chain;
use crate::client_view::{Stream, one};
use crate::message::Request;
use crate::node::{Fault, LogLine, Node, SharedNode};
use crate::outcome::HostCalls;
use crate::profile::Profile;
use crate::stream::Stream as State;
use crate::worker::Inner;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// One worker of a gateway, with the chain of one route.
///
/// The value is a handle: a clone stands for one and the same worker and chain.
#[derive(Clone)]
pub struct Proxy {
    node: SharedNode,
    /// All workers of the gateway.
    workers: Rc<RefCell<Vec<Weak<Inner>>>>,
    worker: Rc<Inner>,
    chain: Rc<Chain>,
    filters: Rc<Vec<Filter>>,
    plan: u64,
}

impl Proxy {
    /// Starts a gateway with this chain. On Kong, a service's filters come before the route's.
    pub fn new(profile: Profile, filters: impl IntoIterator<Item = Filter>) -> Self {
        let node = Node::start(profile);
        let worker = Inner::start(&node, 0);
        let workers = Rc::new(RefCell::new(vec![Rc::downgrade(&worker)]));
        Self::load(node, workers, worker, Rc::new(filters.into_iter().collect()))
    }

    fn load(
        node: SharedNode,
        workers: Rc<RefCell<Vec<Weak<Inner>>>>,
        worker: Rc<Inner>,
        filters: Rc<Vec<Filter>>,
    ) -> Self {
        let plan = {
            let mut node = node.borrow_mut();
            node.next_plan += 1;
            node.next_plan
        };
        let filters = match in_one_module(&node.borrow().profile) {
            true => Rc::new(filters.iter().map(Filter::in_one_module).collect()),
            false => filters,
        };
        let chain = worker.load(&filters, plan);
        Self { node, workers, worker, chain, filters, plan }
    }

    /// Starts another worker of this gateway with this chain. It has other VMs, and shares shared
    /// data, clock, metrics and log.
    pub fn worker(&self) -> Self {
        let nth = self.workers.borrow().len() as u32;
        let worker = Inner::start(&self.node, nth);
        self.workers.borrow_mut().push(Rc::downgrade(&worker));
        let chain = worker.load(&self.filters, self.plan);
        Self { worker, chain, ..self.clone() }
    }

    /// Adds the chain of another route to this worker. On Kong the chain has instances of its own.
    /// On Envoy, equal code with an equal `vm_id` runs in the existing VM.
    pub fn route(&self, filters: impl IntoIterator<Item = Filter>) -> Self {
        let filters = Rc::new(filters.into_iter().collect());
        Self::load(self.node.clone(), self.workers.clone(), self.worker.clone(), filters)
    }

    /// The text of the log, if the gateway refused the configuration. Envoy then does not serve the
    /// listener; Kong serves the route without any filter.
    pub fn rejected(&self) -> Option<&str> {
        self.chain.rejected.as_deref()
    }

    /// Sends a complete request. As with HTTP/1, the end of a body comes after its last byte.
    pub fn send(&self, request: Request) -> Stream {
        let has_body = request.has_body();
        let chunks = if has_body { request.chunks.clone() } else { Vec::new() };
        let has_trailers = !request.trailers.is_empty();
        let stream = self.open(request);
        for chunk in &chunks {
            stream.push(chunk, false);
        }
        if has_trailers {
            stream.push_trailers();
        } else if has_body {
            stream.push([], true);
        }
        stream
    }

    /// Sends the headers of a request. The test sends the body, if there is one.
    pub fn open(&self, request: Request) -> Stream {
        let kong = self.worker.is_kong();
        assert!(
            kong || self.rejected().is_none(),
            "Envoy refused this configuration: {:?}",
            self.rejected()
        );
        let (id, clock) = {
            let mut node = self.node.borrow_mut();
            node.next_stream += 1;
            (node.next_stream, node.clock_ns)
        };
        let has_body = request.has_body() || (request.tunnel && !kong);
        let mut state = State::new(id, self.chain.clone(), request, kong, clock);
        if let Some(settings) = self.node.borrow().profile.kong_settings() {
            state.given.lua_buffered |= settings.lua_buffering;
        }
        state.client_done = !has_body;
        self.worker.state.borrow_mut().streams.insert(id, state);
        if kong {
            self.worker.kong_open(id)
        } else {
            self.worker.envoy_open(id, !has_body)
        }
        self.worker.pump();
        Stream::new(self.worker.clone(), id)
    }

    /// Advances the clock of the gateway. Ticks run and callouts time out as they fall due.
    pub fn advance(&self, time: Duration) {
        let until = self.node.borrow().clock_ns + time.as_nanos() as u64;
        loop {
            let workers: Vec<Rc<Inner>> =
                self.workers.borrow().iter().filter_map(Weak::upgrade).collect();
            let next = workers.iter().filter_map(|w| w.next_due()).filter(|at| *at <= until).min();
            let now = self.node.borrow().clock_ns;
            let Some(next) = next else { break };
            self.node.borrow_mut().clock_ns = next.max(now);
            workers.iter().for_each(Inner::run_due);
        }
        self.node.borrow_mut().clock_ns = until;
    }

    /// The clock, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.node.borrow().clock_ns / 1_000_000
    }

    /// Removes this worker's configuration, as a reload does. Envoy tells each root context, and
    /// keeps one that is not done until it says so. Kong tells no context.
    pub fn drain(&self) {
        if !self.worker.is_kong() {
            self.worker.envoy_drain();
        }
        self.worker.pump();
    }

    /// Runs the tick of every root context of this worker now.
    pub fn tick(&self) {
        let timers = self.worker.state.borrow().timers.clone();
        timers.iter().for_each(|timer| self.worker.tick(timer.vm, timer.root));
        self.worker.pump();
    }

    /// The tick periods that this worker's root contexts have set.
    pub fn tick_periods(&self) -> Vec<Duration> {
        let state = self.worker.state.borrow();
        state.timers.iter().map(|t| Duration::from_nanos(t.period_ns)).collect()
    }

    /// Every callout of this worker that has not ended, including callouts of ticks.
    pub fn calls(&self) -> Vec<Callout> {
        self.worker.callouts(None)
    }

    /// The only callout of this worker that has not ended. Panics if there is another number of
    /// them.
    pub fn call(&self) -> Callout {
        one(self.calls())
    }

    /// The number of callouts that this worker has made.
    pub fn callouts_made(&self) -> usize {
        self.worker.state.borrow().callouts_made
    }

    /// Answers the callouts of the gateway when they are made. On `None` the test has to answer.
    pub fn on_call(&self, answer: impl FnMut(&Callout) -> Option<Answer> + 'static) {
        self.node.borrow_mut().responder = Some(Box::new(answer));
    }

    /// Envoy: provides a foreign function. `None` is an error that the filter sees.
    pub fn foreign_function(
        &self,
        name: &str,
        function: impl FnMut(&[u8]) -> Option<Vec<u8>> + 'static,
    ) {
        assert!(!self.worker.is_kong(), "Kong has no foreign functions");
        self.node.borrow_mut().foreign.insert(name.to_owned(), Box::new(function));
    }

    /// The memory of this worker's largest VM, in bytes. It never shrinks.
    pub fn memory(&self) -> usize {
        self.worker.vms.borrow().iter().map(|vm| vm.memory()).max().unwrap_or(0)
    }

    /// The number of this worker's VMs.
    pub fn vms(&self) -> usize {
        self.worker.vms.borrow().len()
    }

    /// The number of bytes of bodies, callout responses and settings that filters have read.
    pub fn buffer_bytes(&self) -> usize {
        self.node.borrow().buffer_bytes
    }

    /// The lines of the gateway's log.
    pub fn log(&self) -> Vec<LogLine> {
        self.node.borrow().log.clone()
    }

    /// The lines of the log of this level and above, as text.
    pub fn log_text(&self, level: Level) -> String {
        let node = self.node.borrow();
        let lines = node.log.iter().filter(|line| line.level >= level);
        lines.map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// The value of a counter or gauge, summed over all filters.
    pub fn metric(&self, name: &str) -> Option<u64> {
        self.node.borrow().metrics.value(name)
    }

    /// The values recorded in a histogram.
    pub fn histogram(&self, name: &str) -> Vec<u64> {
        self.node.borrow().metrics.samples(name)
    }

    /// The names of all metrics.
    pub fn metrics(&self) -> Vec<String> {
        self.node.borrow().metrics.names()
    }

    /// The host calls that root contexts of this worker have made so far.
    pub fn root_host_calls(&self) -> HostCalls {
        HostCalls(self.worker.state.borrow().root_counts.clone())
    }

    /// The properties and headers of requests that filters have asked for by name: `property` or
    /// `header`, and the name. The name of a header is in lower case, and the segments of a
    /// property are joined by dots. What a filter finds in a whole header map is not here.
    pub fn asked(&self) -> BTreeSet<(&'static str, String)> {
        self.node.borrow().asked.clone()
    }

    /// The number of entries in the shared data of the node.
    pub fn shared_entries(&self) -> usize {
        self.node.borrow().shared.len()
    }

    /// Reads shared data as a filter of this `vm_id` would.
    pub fn shared(&self, vm_id: &str, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        let node = self.node.borrow();
        let found = node.shared.get(&node.profile, vm_id, key.as_ref());
        found.ok().flatten().map(|(value, _)| value)
    }

    /// Overwrites shared data, as another filter of this `vm_id` could.
    pub fn overwrite_shared(&self, vm_id: &str, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let mut node = self.node.borrow_mut();
        let Node { shared, profile, .. } = &mut *node;
        let (key, value) = (key.as_ref(), Some(value.as_ref()));
        let cas = shared.get(profile, vm_id, key).ok().flatten().map_or(0, |(_, cas)| cas);
        let set = shared.set(profile, vm_id, key, value, cas);
        assert!(set.is_ok(), "{set:?}");
    }

    /// Rewrites every entry of the node's shared data, for every `vm_id`.
    pub fn tamper_shared(&self, change: impl FnMut(&[u8]) -> Vec<u8>) {
        self.node.borrow_mut().shared.rewrite(change);
    }

    /// Kong: takes the instance of every filter of this worker, as a trap during another request
    /// does.
    pub fn lose_instances(&self) {
        assert!(self.worker.is_kong(), "Envoy gives the whole VM up after a trap");
        let vms = self.worker.vms.borrow().clone();
        vms.iter().for_each(|vm| self.worker.trapped(vm));
    }

    /// Kong: evicts one entry, as the zone may at any time. Returns `true` if the entry existed.
    pub fn evict_shared(&self, key: impl AsRef<[u8]>) -> bool {
        let mut node = self.node.borrow_mut();
        let Node { shared, profile, .. } = &mut *node;
        shared.evict(profile, "", key.as_ref())
    }

    /// Drops all shared data, as a reload of Kong does.
    pub fn clear_shared(&self) {
        self.node.borrow_mut().shared.clear();
    }

    /// The faults so far, which count as read from now on. Faults that a test has not read fail it
    /// at its end.
    pub fn faults(&self) -> Vec<Fault> {
        self.node.borrow_mut().take_faults()
    }
}

/// Returns `true` if this Envoy gets our filters out of the module that holds all, because the
/// variable `GATEHOUSE_MODULE` says `all`.
fn in_one_module(profile: &Profile) -> bool {
    !profile.is_kong() && std::env::var_os("GATEHOUSE_MODULE").is_some_and(|value| value == "all")
}
