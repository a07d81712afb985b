//! Slots for a filter's own counts, shared by all workers of a node where the gateway has shared
//! data.

use crate::shared_data::{Put, SharedData};
use crate::slots::Region;

/// The bits of a slot number within the region of one filter.
const BITS: u32 = 20;

/// The slots of one filter: no other filter reads or writes them.
///
/// Shared data is written by everybody who shares the `vm_id` (Envoy) or the zone (Kong), and may
/// be torn or, on Kong, evicted. So a slot's content must prove by itself that it is whole and
/// whose it is.
pub struct Counters {
    data: Box<dyn SharedData>,
    filter: u8,
}

impl Counters {
    /// Makes the slots of the filter with this ID.
    #[must_use]
    pub fn new(data: Box<dyn SharedData>, filter: u8) -> Self {
        Self { data, filter }
    }

    /// Returns the number of the slot `index`, of which 20 bits count.
    fn slot(&self, index: u32) -> u32 {
        let index = index & ((1 << BITS) - 1);
        Region::Counters.slot(u64::from(self.filter) << BITS | u64::from(index))
    }
}

impl SharedData for Counters {
    fn get(&self, slot: u32) -> Option<(Vec<u8>, u32)> {
        self.data.get(self.slot(slot))
    }

    fn put(&self, slot: u32, value: &[u8], seen: Option<u32>) -> Put {
        self.data.put(self.slot(slot), value, seen)
    }

    fn is_shared(&self) -> bool {
        self.data.is_shared()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared_data::LocalData;
    use std::rc::Rc;

    struct Node(Rc<LocalData>);

    impl SharedData for Node {
        fn get(&self, slot: u32) -> Option<(Vec<u8>, u32)> {
            self.0.get(slot)
        }

        fn put(&self, slot: u32, value: &[u8], seen: Option<u32>) -> Put {
            self.0.put(slot, value, seen)
        }

        fn is_shared(&self) -> bool {
            true
        }
    }

    #[test]
    fn filters_do_not_overwrite_each_others_counts() {
        let node = Rc::new(LocalData::default());
        let counters = |filter| Counters::new(Box::new(Node(Rc::clone(&node))), filter);
        let (one, other) = (counters(7), counters(8));
        for index in [0, 1, (1 << BITS) - 1] {
            assert_eq!(one.put(index, b"one", None), Put::Done);
            assert_eq!(other.get(index), None);
            assert_eq!(other.put(index, b"other", None), Put::Done);
            assert_eq!(one.get(index).unwrap().0, b"one");
        }
        assert!(one.put(1 << BITS, b"x", None) == Put::Conflict, "an index has 20 bits");
    }
}
