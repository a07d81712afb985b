//! The state of one worker that host functions read and change: requests, calls and timers.

use crate::abi::Callback;
use crate::callouts::Pending;
use crate::random::Random;
use crate::stream::{Fate, Stream};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The timer of a root context.
#[derive(Debug, Clone)]
pub(crate) struct Timer {
    pub(crate) vm: usize,
    pub(crate) root: u32,
    pub(crate) period_ns: u64,
    pub(crate) due_ns: u64,
    /// Kong: `true` if the instance has trapped. The next instance may set the timer again.
    pub(crate) orphaned: bool,
}

/// The state that host functions may read and change.
pub(crate) struct State {
    pub(crate) streams: BTreeMap<u64, Stream>,
    contexts: BTreeMap<(usize, u32), (u64, usize)>,
    next_context: u32,
    pub(crate) calls: Vec<Pending>,
    pub(crate) next_token: u32,
    pub(crate) timers: Vec<Timer>,
    pub(crate) random: Random,
    /// The host calls of root contexts.
    pub(crate) root_counts: BTreeMap<(Callback, &'static str), u32>,
    pub(crate) callouts_made: usize,
    pub(crate) queue_ready: Vec<(usize, u32, u32)>,
    /// Envoy: root contexts, by VM, that asked in `on_done` to live on.
    pub(crate) lingering: Vec<(usize, u32)>,
    /// Root contexts of `lingering` that have since reported that they are done.
    pub(crate) done: Vec<(usize, u32)>,
    /// Kong: `true` if the process has ended.
    pub(crate) dead: bool,
}

pub(crate) type SharedState = Rc<RefCell<State>>;

impl State {
    pub(crate) fn new(random: Random) -> Self {
        Self {
            streams: BTreeMap::new(),
            contexts: BTreeMap::new(),
            next_context: 0,
            calls: Vec::new(),
            next_token: 0,
            timers: Vec::new(),
            random,
            root_counts: BTreeMap::new(),
            callouts_made: 0,
            queue_ready: Vec::new(),
            lingering: Vec::new(),
            done: Vec::new(),
            dead: false,
        }
    }

    /// The request and place of a stream's context. Returns `None` for a root context.
    pub(crate) fn context(&self, vm: usize, context: u32) -> Option<(u64, usize)> {
        self.contexts.get(&(vm, context)).copied()
    }

    pub(crate) fn new_context(&mut self) -> u32 {
        self.next_context += 1;
        self.next_context
    }

    pub(crate) fn bind(&mut self, vm: usize, context: u32, stream: u64, place: usize) {
        self.contexts.insert((vm, context), (stream, place));
    }

    pub(crate) fn unbind(&mut self, vm: usize, context: u32) {
        self.contexts.remove(&(vm, context));
    }

    pub(crate) fn stream(&mut self, stream: u64) -> Option<&mut Stream> {
        self.streams.get_mut(&stream)
    }

    /// Ends the process: every connection closes, and no callback runs any more.
    pub(crate) fn die(&mut self) {
        self.dead = true;
        self.calls.clear();
        self.timers.clear();
        for stream in self.streams.values_mut() {
            let over = matches!(stream.fate, Fate::Answered | Fate::Closed);
            stream.fate = if over { stream.fate } else { Fate::Closed };
            stream.finished = true;
        }
    }

    pub(crate) fn count(
        &mut self,
        stream: Option<(u64, usize)>,
        filter: &str,
        callback: Callback,
        counts: BTreeMap<&'static str, u32>,
    ) {
        let place = match stream.and_then(|(stream, _)| self.streams.get_mut(&stream)) {
            Some(stream) => {
                stream.callbacks.push((filter.to_owned(), callback));
                &mut stream.counts
            }
            None => &mut self.root_counts,
        };
        for (name, n) in counts {
            *place.entry((callback, name)).or_default() += n;
        }
    }
}
