//! What all workers of one gateway share: clock, shared data, metrics, log, faults.

use crate::abi::{Callback, Level};
use crate::callouts::Responder;
use crate::metrics::Metrics;
use crate::profile::Profile;
use crate::shared_data::SharedData;
use crate::worker::Inner;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

/// A line of the gateway's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How loud.
    pub level: Level,
    /// What.
    pub text: String,
}

/// Something that a filter must not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The filter that did it.
    pub filter: String,
    /// Where.
    pub callback: Callback,
    /// The request it happened to, if any.
    pub(crate) stream: Option<u64>,
    /// A trap ends the VM. Anything else is something that the real host answers with a crash,
    /// a corrupt memory or a hang, and that the pretend one only notes.
    pub trap: bool,
    /// What it was.
    pub text: String,
}

/// A function that filters may call by name on Envoy.
pub(crate) type ForeignFunction = Box<dyn FnMut(&[u8]) -> Option<Vec<u8>>>;

#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) vm_id: String,
    pub(crate) name: String,
    /// VM and root context that hear of new items.
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
    /// Those that the test has taken note of.
    taken: Vec<Fault>,
    pub(crate) foreign: BTreeMap<String, ForeignFunction>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) workers: Vec<Weak<Inner>>,
    pub(crate) responder: Option<Responder>,
    pub(crate) next_stream: u64,
    /// Bytes of buffers that filters have been given.
    pub(crate) buffer_bytes: usize,
    pub(crate) next_plan: u64,
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
            workers: Vec::new(),
            responder: None,
            next_stream: 0,
            buffer_bytes: 0,
            next_plan: 0,
        }))
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(crate) fn faults_of(&self, stream: u64) -> Vec<Fault> {
        let mine = self.faults.iter().chain(&self.taken).filter(|f| f.stream == Some(stream));
        mine.cloned().collect()
    }

    /// The faults so far. Whoever asks for them has seen them.
    pub(crate) fn take_faults(&mut self) -> Vec<Fault> {
        let faults = std::mem::take(&mut self.faults);
        self.taken.extend(faults.iter().cloned());
        faults
    }

    pub(crate) fn log_line(&mut self, level: Level, text: impl Into<String>) {
        self.log.push(LogLine { level, text: text.into() });
    }
}

impl Drop for Node {
    /// A trap on a tick would otherwise go by unseen.
    fn drop(&mut self) {
        if !self.faults.is_empty() && !std::thread::panicking() {
            panic!("faults that the test did not ask for: {:#?}", self.faults);
        }
    }
}
