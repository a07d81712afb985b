//! One worker: its VMs and chains, and the contexts of its requests.

use crate::abi::{Callback, Level};
use crate::artifact::Filter;
use crate::chain::{Chain, Link};
use crate::crc32::crc32;
use crate::guest::{Now, Plugin};
use crate::node::SharedNode;
use crate::profile::Host;
use crate::random::Random;
use crate::state::{SharedState, State};
use crate::vm::Vm;
use std::cell::RefCell;
use std::rc::Rc;

/// A worker.
pub(crate) struct Inner {
    pub(crate) node: SharedNode,
    pub(crate) state: SharedState,
    pub(crate) vms: RefCell<Vec<Rc<Vm>>>,
}

impl Inner {
    pub(crate) fn start(node: &SharedNode, nth: u32) -> Rc<Self> {
        let random = {
            let node = node.borrow();
            match node.profile.host() {
                Host::Kong(kong) => Random::of_kong(kong.pid + nth, node.clock_ns / 1_000_000),
                Host::Envoy(_) => Random::of_envoy(),
            }
        };
        let state = Rc::new(RefCell::new(State::new(random)));
        Rc::new(Self { node: node.clone(), state, vms: RefCell::default() })
    }

    pub(crate) fn is_kong(&self) -> bool {
        self.node.borrow().profile.is_kong()
    }

    pub(crate) fn vm(&self, index: usize) -> Option<Rc<Vm>> {
        self.vms.borrow().get(index).cloned()
    }

    /// Starts every filter of a chain.
    pub(crate) fn load(&self, filters: &[Filter], plan: u64) -> Rc<Chain> {
        let first_line = self.node.borrow().log.len();
        let mut chain = Chain { links: Vec::new(), rejected: None };
        for (place, filter) in filters.iter().enumerate() {
            let vm = self.vm_for(filter, plan);
            let root = self.root_for(&vm, filter, plan, place);
            if let Err(reason) = self.configure(&vm, root, true) {
                let node = self.node.borrow();
                let lines = node.log.iter().skip(first_line).map(|line| line.text.clone());
                let mut reasons: Vec<String> = lines.collect();
                reasons.push(reason);
                chain.rejected = Some(reasons.join("\n"));
                break;
            }
            chain.links.push(Link { vm: vm.index, root });
        }
        Rc::new(chain)
    }

    /// Finds or makes the VM of a filter. On Envoy equal code and `vm_id` share one VM; on Kong a
    /// module has one instance in a chain.
    fn vm_for(&self, filter: &Filter, plan: u64) -> Rc<Vm> {
        let plan = self.is_kong().then_some(plan);
        let same = |vm: &&Rc<Vm>| {
            vm.filter.code == filter.code && vm.filter.vm_id == filter.vm_id && vm.plan == plan
        };
        if let Some(vm) = self.vms.borrow().iter().find(same) {
            return vm.clone();
        }
        let index = self.vms.borrow().len();
        let (node, state) = (self.node.clone(), self.state.clone());
        let vm = Rc::new(Vm::new(index, filter.clone(), plan, node, state));
        self.vms.borrow_mut().push(vm.clone());
        vm
    }

    fn root_for(&self, vm: &Vm, filter: &Filter, plan: u64, place: usize) -> u32 {
        let root = if self.is_kong() {
            // Kong's root context is found by a checksum over name, configuration and plan.
            let mut key = filter.name.clone().into_bytes();
            key.extend(&filter.config);
            key.extend((plan, place as u64).0.to_le_bytes());
            key.extend((place as u64).to_le_bytes());
            crc32(&key)
        } else {
            self.state.borrow_mut().new_context()
        };
        let Filter { name, root_id, config, .. } = filter.clone();
        vm.add_root(root, Plugin { name, root_id, config });
        root
    }

    /// Creates a root context, starts its VM and configures it.
    pub(crate) fn configure(&self, vm: &Vm, root: u32, first: bool) -> Result<(), String> {
        if !vm.is_live() {
            vm.start()?;
        }
        vm.update_plugins();
        let failed = |what: &str| Err(format!("{}: {what}", vm.name_of(root)));
        if vm.call(Now::root(Callback::ContextCreate, root), &[root as i32, 0]).trapped {
            return failed("trap in on_context_create");
        }
        let refused = |callback, size: usize| {
            let called = vm.call(Now::root(callback, root), &[root as i32, size as i32]);
            called.trapped || called.result == Some(0)
        };
        // Both hosts run `on_vm_start` for each root context; Envoy runs it again for each
        // configuration that the VM gets. On Kong a root context that replaces a trapped one goes
        // without it.
        let vm_size = self.node.borrow().profile.vm_configuration.len();
        if (first || !self.is_kong()) && refused(Callback::VmStart, vm_size) {
            return failed("on_vm_start failure");
        }
        if refused(Callback::Configure, vm.configuration_size(root)) {
            return failed("on_configure failure");
        }
        Ok(())
    }

    pub(crate) fn chain_length(&self, stream: u64) -> usize {
        self.with_stream(stream, |s| s.chain.links.len()).unwrap_or(0)
    }

    /// The VM and the root context of one filter of a request.
    pub(crate) fn link(&self, stream: u64, place: usize) -> Option<(Rc<Vm>, u32)> {
        let mut state = self.state.borrow_mut();
        let link = state.stream(stream)?.chain.links.get(place)?;
        Some((self.vm(link.vm)?, link.root))
    }

    /// The context of one filter of a request. It gets its number when it is first asked for.
    pub(crate) fn context(&self, stream: u64, place: usize) -> u32 {
        let Some((vm, _)) = self.link(stream, place) else { return 0 };
        let mut state = self.state.borrow_mut();
        let known = state.stream(stream).and_then(|s| s.slots.get(place)).map(|slot| slot.context);
        if let Some(known) = known.filter(|id| *id != 0) {
            return known;
        }
        let context = state.new_context();
        if let Some(slot) = state.stream(stream).and_then(|s| s.slots.get_mut(place)) {
            slot.context = context;
        }
        state.bind(vm.index, context, stream, place);
        context
    }

    /// Returns `true` if the filter's context exists in its VM, and marks it as existing.
    pub(crate) fn created(&self, stream: u64, place: usize) -> bool {
        let created = self.with_stream(stream, |s| {
            s.slots.get_mut(place).map(|slot| std::mem::replace(&mut slot.created, true))
        });
        created.flatten().unwrap_or(true)
    }

    /// Releases the contexts of a request that is over.
    pub(crate) fn release(&self, stream: u64) {
        for place in 0..self.chain_length(stream) {
            let Some((vm, _)) = self.link(stream, place) else { continue };
            let context = self.context(stream, place);
            self.state.borrow_mut().unbind(vm.index, context);
        }
    }

    /// Handles a trap in `vm`, which takes the instance with it.
    pub(crate) fn trapped(&self, vm: &Rc<Vm>) {
        vm.drop_instance();
        if !self.is_kong() {
            vm.failed.set(true);
            return;
        }
        let mut state = self.state.borrow_mut();
        let orphans = state.timers.iter_mut().filter(|t| t.vm == vm.index);
        orphans.for_each(|timer| timer.orphaned = true);
        let parked = state.calls.iter().any(|c| c.vm == vm.index && c.stream.is_some());
        drop(state);
        if parked {
            let text = "a trap while other requests of the same instance wait for callouts: \
                        Kong's worker was seen to die of it";
            self.node.borrow_mut().log_line(Level::Critical, text);
        }
    }

    /// Returns `true` if the root context can be called. Kong makes a new one after a trap; Envoy
    /// does not.
    pub(crate) fn root_ready(&self, vm: &Rc<Vm>, root: u32) -> bool {
        if !self.is_kong() {
            return !vm.failed.get();
        }
        if vm.is_live() && vm.knows_root(root) {
            return true;
        }
        match self.configure(vm, root, false) {
            Ok(()) => true,
            Err(reason) => {
                self.node.borrow_mut().log_line(Level::Error, reason);
                vm.drop_instance();
                false
            }
        }
    }
}
