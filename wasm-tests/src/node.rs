//! The state that all workers of one gateway share: clock, shared data, metrics, log, faults.

use crate::abi::{Callback, Level};
use crate::callouts::Responder;
use crate::metrics::Metrics;
use crate::profile::Profile;
use crate::shared_data::SharedData;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// A line of the gateway's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The severity.
    pub level: Level,
    /// The text.
    pub text: String,
}

/// An act that a filter must not commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The name of the filter.
    pub filter: String,
    /// The callback in which it happened.
    pub callback: Callback,
    /// The request for which it happened, if there is one.
    pub(crate) stream: Option<u64>,
    /// `true` for a trap, which ends the VM. `false` for a violation: the real host would crash,
    /// corrupt its memory or hang, and the pretend one only records it.
    pub trap: bool,
    /// The description.
    pub text: String,
}

/// A function that filters may call by name on Envoy.
pub(crate) type ForeignFunction = Box<dyn FnMut(&[u8]) -> Option<Vec<u8>>>;

#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) vm_id: String,
    pub(crate) name: String,
    /// The VM and root context that are told of new items.
    pub(crate) owner: (usize, u32),
    pub(crate) items: VecDeque<Vec<u8>>,
}

pub(crate) struct Node {
    pub(crate) profile: Profile,
    pub(crate) clock_ns: u64,
    pub(crate) shared: SharedData,
    pub(crate) metrics: Metrics,
    pub(crate) log: Vec<LogLine>,
    faults: Vec<Fault>,
    /// The faults that the test has read.
    taken: Vec<Fault>,
    pub(crate) foreign: BTreeMap<String, ForeignFunction>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) responder: Option<Responder>,
    pub(crate) next_stream: u64,
    /// The number of bytes that filters have read from buffers.
    pub(crate) buffer_bytes: usize,
    pub(crate) next_plan: u64,
    /// The properties and request headers that filters have asked for by name.
    pub(crate) asked: BTreeSet<(&'static str, String)>,
}

pub(crate) type SharedNode = Rc<RefCell<Node>>;

impl Node {
    pub(crate) fn start(profile: Profile) -> SharedNode {
        Rc::new(RefCell::new(Self {
            clock_ns: profile.start_ms * 1_000_000,
            profile,
            shared: SharedData::default(),
            metrics: Metrics::default(),
            log: Vec::new(),
            faults: Vec::new(),
            taken: Vec::new(),
            foreign: BTreeMap::new(),
            queues: Vec::new(),
            responder: None,
            next_stream: 0,
            buffer_bytes: 0,
            next_plan: 0,
            asked: BTreeSet::new(),
        }))
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(crate) fn faults_of(&self, stream: u64) -> Vec<Fault> {
        let mine = self.faults.iter().chain(&self.taken).filter(|f| f.stream == Some(stream));
        mine.cloned().collect()
    }

    /// The faults so far. They count as read from now on.
    pub(crate) fn take_faults(&mut self) -> Vec<Fault> {
        let faults = std::mem::take(&mut self.faults);
        self.taken.extend(faults.iter().cloned());
        faults
    }

    /// Notes that a filter has asked for a `property`, or for a `header` of the request.
    pub(crate) fn note(&mut self, what: &'static str, name: &str) {
        self.asked.insert((what, name.to_owned()));
    }

    pub(crate) fn log_line(&mut self, level: Level, text: impl Into<String>) {
        self.log.push(LogLine { level, text: text.into() });
    }
}

impl Drop for Node {
    /// Fails the test for faults that it has not read, such as a trap on a tick.
    fn drop(&mut self) {
        if !self.faults.is_empty() && !std::thread::panicking() {
            panic!("faults that the test did not ask for: {:#?}", self.faults);
        }
    }
}
