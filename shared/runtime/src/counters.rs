//! Slots for a filter's own counts, shared by all workers of a node where the host has shared data.

use crate::profile::Host;
use crate::store::store_on;
use cache::{Put, Region, SharedData};

/// Numbered slots of octets. There is neither a delete nor a life time.
///
/// Shared data is written by everybody who shares the `vm_id` (Envoy) or the zone (Kong), and may be torn or,
/// on Kong, evicted: a slot's content has to say itself whose it is, and that it is whole.
pub struct Counters(Box<dyn SharedData>);

impl Counters {
    /// Slots on `host`, as [`store_on`] chooses.
    pub(crate) fn on(host: Host, zone: Option<&str>) -> Option<Self> {
        store_on(host, zone).map(Self)
    }

    /// Whether other workers see the slots, too.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    /// What lies in slot `index` (28 bits), and the number that a write has to name.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<(Vec<u8>, u32)> {
        self.0.get(Region::Counters.slot(index.into()))
    }

    /// Writes the slot if nobody has since `seen` was read; with `None`, if it still is not there.
    pub fn put(&self, index: u32, value: &[u8], seen: Option<u32>) -> Put {
        self.0.put(Region::Counters.slot(index.into()), value, seen)
    }
}
