//! The carrier's gateway: memory, metrics and abilities of a process with several threads.

use cache::{Put, SharedData};
use runtime::{Capabilities, Level, MetricKind, Platform};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

/// Memory of the process, which all threads share.
#[derive(Default)]
pub(crate) struct Process {
    slots: Mutex<HashMap<u32, (Vec<u8>, u32)>>,
    families: Mutex<Vec<String>>,
    pub(crate) counts: Mutex<HashMap<String, u64>>,
    names: Mutex<Vec<String>>,
}

pub(crate) static PROCESS: LazyLock<Process> = LazyLock::new(Process::default);

struct Slots;

impl SharedData for Slots {
    fn get(&self, slot: u32) -> Option<(Vec<u8>, u32)> {
        PROCESS.slots.lock().unwrap().get(&slot).cloned()
    }

    fn put(&self, slot: u32, value: &[u8], seen: Option<u32>) -> Put {
        let mut slots = PROCESS.slots.lock().unwrap();
        let now = slots.get(&slot).map(|(_, number)| *number);
        if now != seen {
            return Put::Conflict;
        }
        slots.insert(slot, (value.to_vec(), now.unwrap_or(0) + 1));
        Put::Done
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// A gateway whose workers are threads.
pub(crate) struct Native;

impl Platform for Native {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            known: true,
            settled: true,
            rejects_safely: true,
            can_park: true,
            can_remove: true,
            refusal_is_final: true,
            has_metrics: true,
            counts_by_default: true,
            ..Capabilities::default()
        }
    }

    fn now_ns(&self) -> u64 {
        1_000_000_000_000_000_000
    }

    fn random(&self, out: &mut [u8]) {
        out.fill(7);
    }

    fn log(&self, _: Level, _: &str) {}

    fn declare_family(&self, filter: &str) {
        PROCESS.families.lock().unwrap().push(filter.to_owned());
    }

    fn declare_metric(&self, _: MetricKind, filter: &str, name: &str) -> Option<u32> {
        // A gateway that takes declarations up front knows the family; the name is a label.
        assert!(PROCESS.families.lock().unwrap().iter().any(|known| known == filter));
        let mut names = PROCESS.names.lock().unwrap();
        let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        u32::try_from(at).ok()
    }

    fn increment(&self, metric: u32, by: u64) {
        let name = PROCESS.names.lock().unwrap()[metric as usize].clone();
        *PROCESS.counts.lock().unwrap().entry(name).or_default() += by;
    }

    fn record(&self, _: u32, _: u64) {}

    fn shared_data(&self, _: Option<&str>) -> Option<Box<dyn SharedData>> {
        Some(Box::new(Slots))
    }

    fn foreign(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
