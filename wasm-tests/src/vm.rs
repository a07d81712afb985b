//! A running instance of a filter's module. This is the only file that starts and calls Wasm.

use crate::abi::Callback;
use crate::artifact::{Filter, engine};
use crate::guest::{After, GuestState, Now, Plugin};
use crate::imports::linker;
use crate::node::SharedNode;
use crate::state::SharedState;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use wasmtime::{Instance, Store, Val};

/// The result of one callback.
#[derive(Debug, Default)]
pub(crate) struct Called {
    /// The returned value. `None` if the filter lacks the callback, or if it returns nothing.
    pub(crate) result: Option<i32>,
    pub(crate) trapped: bool,
    pub(crate) after: Vec<After>,
    /// Envoy: `true` if a local reply stops the message whatever the result.
    pub(crate) stopped: bool,
}

struct Live {
    store: Store<GuestState>,
    instance: Instance,
    roots: BTreeSet<u32>,
    contexts: BTreeSet<u32>,
}

/// A place for an instance. A trap empties it; Kong fills it again, Envoy does not.
pub(crate) struct Vm {
    pub(crate) index: usize,
    pub(crate) filter: Filter,
    /// Kong: the chain to which the instance belongs.
    pub(crate) plan: Option<u64>,
    node: SharedNode,
    worker: SharedState,
    live: RefCell<Option<Live>>,
    plugins: RefCell<BTreeMap<u32, Plugin>>,
    /// Envoy: `true` after a trap.
    pub(crate) failed: Cell<bool>,
}

impl Vm {
    pub(crate) fn new(
        index: usize,
        filter: Filter,
        plan: Option<u64>,
        node: SharedNode,
        worker: SharedState,
    ) -> Self {
        let (live, failed) = (RefCell::default(), Cell::new(false));
        let plugins = RefCell::default();
        Self { index, filter, plan, node, worker, live, plugins, failed }
    }

    pub(crate) fn add_root(&self, root: u32, plugin: Plugin) {
        self.plugins.borrow_mut().insert(root, plugin);
    }

    /// The ids of the root contexts.
    pub(crate) fn roots(&self) -> Vec<u32> {
        self.plugins.borrow().keys().copied().collect()
    }

    pub(crate) fn configuration_size(&self, root: u32) -> usize {
        self.plugins.borrow().get(&root).map_or(0, |plugin| plugin.config.len())
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live.borrow().is_some()
    }

    pub(crate) fn knows_root(&self, root: u32) -> bool {
        self.live.borrow().as_ref().is_some_and(|live| live.roots.contains(&root))
    }

    pub(crate) fn knows_context(&self, context: u32) -> bool {
        self.live.borrow().as_ref().is_some_and(|live| live.contexts.contains(&context))
    }

    /// Instantiates the module and runs `_initialize`. The error is the text that the host would
    /// log.
    pub(crate) fn start(&self) -> Result<(), String> {
        let state = GuestState {
            node: self.node.clone(),
            worker: self.worker.clone(),
            vm: self.index,
            vm_id: self.filter.vm_id.clone(),
            plugins: self.plugins.borrow().clone(),
            now: Now::root(Callback::Start, 0),
            effective: 0,
            after: Vec::new(),
            stopped: false,
            counts: BTreeMap::new(),
        };
        let mut store = Store::new(engine(), state);
        let kong = self.node.borrow().profile.is_kong();
        let instance = linker(kong)
            .instantiate(&mut store, &self.filter.module)
            .map_err(|e| format!("{} does not load: {e:?}", self.filter.name))?;
        let (roots, contexts) = Default::default();
        *self.live.borrow_mut() = Some(Live { store, instance, roots, contexts });
        let started = ["_initialize", "_start"]
            .into_iter()
            .find(|name| self.exports(name))
            .map(|name| self.run(Now::root(Callback::Start, 0), name, &[]));
        match started {
            Some(called) if called.trapped => Err("trap while starting".to_owned()),
            _ => Ok(()),
        }
    }

    /// Tells a running instance of the root contexts that were added to it.
    pub(crate) fn update_plugins(&self) {
        if let Some(live) = self.live.borrow_mut().as_mut() {
            live.store.data_mut().plugins = self.plugins.borrow().clone();
        }
    }

    /// Runs one callback.
    pub(crate) fn call(&self, now: Now, args: &[i32]) -> Called {
        let (callback, context, root) = (now.callback, now.context, now.root);
        let called = self.run(now, callback.export(), args);
        if let Some(live) = self.live.borrow_mut().as_mut() {
            match callback {
                Callback::ContextCreate if context == root => drop(live.roots.insert(context)),
                Callback::ContextCreate => drop(live.contexts.insert(context)),
                Callback::Delete => drop(live.contexts.remove(&context)),
                _ => {}
            }
        }
        called
    }

    /// The size of the instance's memory in bytes. It never shrinks.
    pub(crate) fn memory(&self) -> usize {
        let mut live = self.live.borrow_mut();
        let Some(Live { store, instance, .. }) = live.as_mut() else { return 0 };
        instance.get_memory(&mut *store, "memory").map_or(0, |memory| memory.data_size(&*store))
    }

    /// Drops the instance, as a trap or the end of a worker does.
    pub(crate) fn drop_instance(&self) {
        *self.live.borrow_mut() = None;
    }

    fn exports(&self, name: &str) -> bool {
        let mut live = self.live.borrow_mut();
        let Some(live) = live.as_mut() else { return false };
        live.instance.get_func(&mut live.store, name).is_some()
    }

    fn run(&self, now: Now, export: &str, args: &[i32]) -> Called {
        let mut live = self.live.borrow_mut();
        let Some(Live { store, instance, .. }) = live.as_mut() else {
            return Called { trapped: true, ..Called::default() };
        };
        let Some(function) = instance.get_func(&mut *store, export) else {
            // Envoy checks that a callback exists; Kong calls it through a null pointer.
            let kong = self.node.borrow().profile.is_kong();
            return if kong { self.worker_dies(&now, export) } else { Called::default() };
        };
        let data = store.data_mut();
        data.effective = now.context;
        data.stopped = false;
        data.now = now;
        let args: Vec<Val> = args.iter().copied().map(Val::I32).collect();
        let mut results = vec![Val::I32(0); function.ty(&*store).results().len()];
        let outcome = function.call(&mut *store, &args, &mut results);

        let data = store.data_mut();
        let after = std::mem::take(&mut data.after);
        let counts = std::mem::take(&mut data.counts);
        let stopped = data.stopped;
        let (callback, stream) = (data.now.callback, data.now.stream);
        let filter = self.name_of(data.now.root);
        self.worker.borrow_mut().count(stream, &filter, callback, counts);
        if let Err(error) = &outcome {
            self.note_trap(filter, callback, stream, &format!("{error:?}"));
        }
        let result = results.first().and_then(Val::i32);
        Called { result, trapped: outcome.is_err(), after, stopped }
    }

    /// Ends the worker, and with it every connection that it has.
    fn worker_dies(&self, now: &Now, export: &str) -> Called {
        let text = format!(
            "{export} is not exported: Kong calls it through a null pointer, and the worker exits on signal 11"
        );
        self.node.borrow_mut().log_line(crate::abi::Level::Critical, text.clone());
        self.note_trap(self.name_of(now.root), now.callback, now.stream, &text);
        self.worker.borrow_mut().die();
        Called { trapped: true, ..Called::default() }
    }

    /// The name of the plugin of a root context, or of the filter that made this VM.
    pub(crate) fn name_of(&self, root: u32) -> String {
        let plugins = self.plugins.borrow();
        plugins.get(&root).map_or(&self.filter.name, |plugin| &plugin.name).clone()
    }

    fn note_trap(
        &self,
        filter: String,
        callback: Callback,
        stream: Option<(u64, usize)>,
        text: &str,
    ) {
        let name = filter.clone();
        let fault = crate::node::Fault {
            filter,
            callback,
            stream: stream.map(|(stream, _)| stream),
            trap: true,
            text: text.to_owned(),
        };
        let mut node = self.node.borrow_mut();
        node.log_line(crate::abi::Level::Error, format!("{name}: {text}"));
        node.fault(fault);
    }
}
