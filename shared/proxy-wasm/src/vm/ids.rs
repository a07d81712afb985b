//! Tables of contexts and callouts, by the number that the host gave.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by a number of the host's. No client chooses such a number, so the hash needs no secret.
pub(super) type Ids<V> = HashMap<u32, V, BuildHasherDefault<IdHasher>>;

/// Spreads numbers that the host counts up (Fibonacci hashing).
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, id: u32) {
        // The table takes its index from the low bits and a tag from the high ones.
        let spread = (self.0 ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_keeps_its_own_value() {
        let mut table: Ids<u32> = Ids::default();
        let ids = || (0..10_000).chain([u32::MAX, 1 << 31]);
        for id in ids() {
            assert_eq!(table.insert(id, id), None);
        }
        assert!(ids().all(|id| table.get(&id) == Some(&id)));
    }
}
