//! A table of bounded size that forgets entries that were not used for a long time.

use std::collections::HashMap;
use std::hash::Hash;

/// A table that keeps about `bound` entries in two generations. A young generation with half as
/// many entries becomes the old one. An entry of the old generation that is used moves to the young
/// one; the others go when the next generation takes their place.
#[derive(Debug)]
pub struct Bounded<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    bound: usize,
}

impl<K: Hash + Eq, V> Bounded<K, V> {
    /// Makes an empty table for about `bound` entries.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), bound }
    }

    /// Returns the value of `key`, and counts as a use of it.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.young.insert(key, value);
        }
        self.young.get(key)
    }

    /// Inserts `value` under `key`. An older value of `key` is dropped.
    pub fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.bound / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    /// Removes `key` and its value, if the table has them.
    pub fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_keeps_what_is_used_and_stays_within_its_bound() {
        let mut table = Bounded::new(10);
        for n in 0..1000_u32 {
            table.put(n, n);
            assert_eq!(table.get(&0), Some(&0), "used all the time");
            assert!(table.young.len() + table.old.len() <= 11);
        }
        assert_eq!(table.get(&1), None);
        assert_eq!(table.get(&999), Some(&999));
    }
}
