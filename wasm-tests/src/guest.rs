//! The host as a filter sees it during one callback.

use crate::abi::{Callback, Status};
use crate::callouts::Received;
use crate::node::{Fault, Node, SharedNode};
use crate::profile::Host;
use crate::state::{SharedState, State};
use std::cell::{Ref, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;
use wasmtime::{Caller, Error, Extern, Memory, Result};

/// The callback that a filter is running.
#[derive(Clone)]
pub(crate) struct Now {
    pub(crate) callback: Callback,
    /// The context that the callback names.
    pub(crate) context: u32,
    /// The request, and the place of this filter in its chain. Kong uses it whatever the context.
    pub(crate) stream: Option<(u64, usize)>,
    /// The root context of the filter.
    pub(crate) root: u32,
    /// The response of a callout, in `proxy_on_http_call_response`.
    pub(crate) received: Option<Rc<Received>>,
}

impl Now {
    pub(crate) fn root(callback: Callback, root: u32) -> Self {
        Self { callback, context: root, stream: None, root, received: None }
    }
}

/// What an operator says of one root context.
#[derive(Clone)]
pub(crate) struct Plugin {
    pub(crate) name: String,
    pub(crate) root_id: String,
    pub(crate) config: Vec<u8>,
}

/// A request of a filter that Envoy carries out only after the callback has returned.
#[derive(Debug, Clone)]
pub(crate) enum After {
    Continue { stream: u64, place: usize, request: bool },
    Reply { stream: u64, reply: crate::message::LocalReply },
    Close { stream: u64 },
}

/// The data of one VM's store.
pub(crate) struct GuestState {
    pub(crate) node: SharedNode,
    pub(crate) worker: SharedState,
    pub(crate) vm: usize,
    pub(crate) vm_id: String,
    /// The plugins by root context.
    pub(crate) plugins: BTreeMap<u32, Plugin>,
    pub(crate) now: Now,
    pub(crate) effective: u32,
    pub(crate) after: Vec<After>,
    /// Envoy: `true` if a local reply was sent. The message then stops whatever the callback
    /// returns.
    pub(crate) stopped: bool,
    pub(crate) counts: BTreeMap<&'static str, u32>,
}

impl GuestState {
    /// The name of the plugin that is running. Before the first root context there is none.
    pub(crate) fn filter(&self) -> &str {
        self.plugins.get(&self.now.root).map_or("", |plugin| &plugin.name)
    }
}

/// One host call.
pub(crate) struct Guest<'a> {
    caller: Caller<'a, GuestState>,
}

impl<'a> Guest<'a> {
    /// Counts a call of the host function `name` and gives access to the guest.
    pub(crate) fn enter(mut caller: Caller<'a, GuestState>, name: &'static str) -> Self {
        *caller.data_mut().counts.entry(name).or_default() += 1;
        Self { caller }
    }

    pub(crate) fn data(&self) -> &GuestState {
        self.caller.data()
    }

    pub(crate) fn data_mut(&mut self) -> &mut GuestState {
        self.caller.data_mut()
    }

    pub(crate) fn now(&self) -> &Now {
        &self.caller.data().now
    }

    pub(crate) fn callback(&self) -> Callback {
        self.now().callback
    }

    pub(crate) fn node(&self) -> RefMut<'_, Node> {
        self.caller.data().node.borrow_mut()
    }

    pub(crate) fn worker(&self) -> Ref<'_, State> {
        self.caller.data().worker.borrow()
    }

    pub(crate) fn worker_mut(&self) -> RefMut<'_, State> {
        self.caller.data().worker.borrow_mut()
    }

    pub(crate) fn is_kong(&self) -> bool {
        self.caller.data().node.borrow().profile.is_kong()
    }

    /// The time as this host shows it, in nanoseconds. Kong's clock has milliseconds.
    pub(crate) fn clock(&self) -> u64 {
        let ns = self.node().clock_ns;
        if self.is_kong() { ns / 1_000_000 * 1_000_000 } else { ns }
    }

    pub(crate) fn host(&self) -> Host {
        self.node().profile.host().clone()
    }

    /// The request that host functions act on. On Envoy it belongs to the effective context, on
    /// Kong to the running step.
    pub(crate) fn stream(&self) -> Option<(u64, usize)> {
        if self.is_kong() {
            return self.now().stream;
        }
        let data = self.caller.data();
        self.worker().context(data.vm, data.effective)
    }

    /// The root context of the effective context. On Kong it is the one that is running.
    pub(crate) fn root(&self) -> u32 {
        let data = self.caller.data();
        if self.is_kong() || data.plugins.contains_key(&data.effective) {
            return if self.is_kong() { data.now.root } else { data.effective };
        }
        let Some((stream, place)) = self.stream() else { return data.now.root };
        let mut worker = self.worker_mut();
        let link = worker.stream(stream).and_then(|s| s.chain.links.get(place).map(|l| l.root));
        link.unwrap_or(data.now.root)
    }

    /// Records an act that the real host would answer with a crash or worse.
    pub(crate) fn violation(&self, text: impl Into<String>) {
        let fault = self.fault(false, text.into());
        self.node().fault(fault);
    }

    pub(crate) fn fault(&self, trap: bool, text: String) -> Fault {
        let data = self.caller.data();
        Fault {
            filter: data.filter().to_owned(),
            callback: data.now.callback,
            stream: self.stream().map(|(stream, _)| stream),
            trap,
            text,
        }
    }

    fn memory(&mut self) -> Result<Memory> {
        match self.caller.get_export("memory") {
            Some(Extern::Memory(memory)) => Ok(memory),
            _ => Err(Error::msg("the filter exports no memory")),
        }
    }

    pub(crate) fn read(&mut self, at: i32, len: i32) -> Result<Vec<u8>> {
        let memory = self.memory()?;
        let (at, len) = (at as u32 as usize, len as u32 as usize);
        let all = memory.data(&self.caller);
        let piece = at.checked_add(len).and_then(|end| all.get(at..end));
        piece.map(<[u8]>::to_vec).ok_or_else(|| Error::msg("read beyond the filter's memory"))
    }

    pub(crate) fn text(&mut self, at: i32, len: i32) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.read(at, len)?).into_owned())
    }

    pub(crate) fn number(&mut self, at: i32) -> Result<u32> {
        let bytes = self.read(at, 4)?;
        Ok(bytes.iter().rev().fold(0, |n, &b| (n << 8) | u32::from(b)))
    }

    pub(crate) fn write(&mut self, at: i32, bytes: &[u8]) -> Result<()> {
        let memory = self.memory()?;
        memory
            .write(&mut self.caller, at as u32 as usize, bytes)
            .map_err(|_| Error::msg("write beyond the filter's memory"))
    }

    pub(crate) fn write_number(&mut self, at: i32, number: u32) -> Result<()> {
        self.write(at, &number.to_le_bytes())
    }

    /// Like `hand_over`, for a property or a header. Kong asks the guest for memory even if the
    /// value is empty, and reports a failure if the guest gives none. Envoy does not ask.
    pub(crate) fn hand_over_value(&mut self, bytes: &[u8], at: i32, len: i32) -> Result<i32> {
        let kong = matches!(self.host(), crate::profile::Host::Kong(_));
        if kong && bytes.is_empty() && self.place(0)? == 0 {
            return Ok(Status::InternalFailure as i32);
        }
        self.hand_over(bytes, at, len)
    }

    /// Copies `bytes` into memory that the guest allocates.
    pub(crate) fn hand_over(&mut self, bytes: &[u8], at: i32, len: i32) -> Result<i32> {
        let place = if bytes.is_empty() { 0 } else { self.allocate(bytes.len())? };
        if !bytes.is_empty() {
            self.write(place, bytes)?;
        }
        self.write_number(at, place as u32)?;
        self.write_number(len, bytes.len() as u32)?;
        Ok(Status::Ok as i32)
    }

    fn allocate(&mut self, len: usize) -> Result<i32> {
        match self.place(len)? {
            0 => Err(Error::msg("the filter could not allocate")),
            place => Ok(place),
        }
    }

    /// The address that the guest's allocator returns: 0 if it has none.
    fn place(&mut self, len: usize) -> Result<i32> {
        let allocator = ["proxy_on_memory_allocate", "malloc"]
            .into_iter()
            .find_map(|name| self.caller.get_export(name).and_then(Extern::into_func))
            .ok_or_else(|| Error::msg("the filter exports no allocator"))?;
        let allocate = allocator.typed::<i32, i32>(&self.caller)?;
        allocate.call(&mut self.caller, len as i32)
    }
}

/// Returns a trap that the host raises.
pub(crate) fn trap<T>(text: impl Into<String>) -> Result<T> {
    Err(Error::msg(text.into()))
}
