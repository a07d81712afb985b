//! A table of bounded size that forgets entries that were not used for a long time.

use std::collections::HashMap;
use std::hash::Hash;

/// A table in two generations, each of which holds at most half of the bound. When the young
/// generation is full, the next entry begins a new one: the young generation becomes the old one,
/// and the entries of the old one go. An entry of the old generation that is used moves to the
/// young one.
#[derive(Debug)]
pub struct Bounded<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    /// The maximum number of entries in one generation.
    half: usize,
}

impl<K: Hash + Eq, V> Bounded<K, V> {
    /// Makes an empty table that never holds more than `bound` entries. An odd bound counts as the
    /// even number below it, and a bound below 2 as 2.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (bound / 2).max(1) }
    }

    /// Returns the value of `key`, and counts as a use of it.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.make_room();
            self.young.insert(key, value);
        }
        self.young.get(key)
    }

    /// Inserts `value` under `key`. An older value of `key` is dropped.
    pub fn put(&mut self, key: K, value: V) {
        self.make_room();
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    /// Begins a new generation if the young one is full.
    fn make_room(&mut self) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
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
    fn using_every_entry_between_two_insertions_does_not_make_a_table_grow() {
        let mut table = Bounded::new(10);
        for n in 0..1000_u32 {
            table.put(n, n);
            for used in 0..=n {
                table.get(&used);
                assert!(table.young.len() + table.old.len() <= 10, "{n}, {used}");
            }
            assert_eq!(table.get(&n), Some(&n), "the newest entry");
        }
    }

    #[test]
    fn a_table_for_one_entry_or_none_keeps_the_newest_two() {
        for bound in [0, 1, 2] {
            let mut table = Bounded::new(bound);
            for n in 0..10_u32 {
                table.put(n, n);
                table.get(&n.saturating_sub(1));
                assert!(table.young.len() + table.old.len() <= 2);
                assert_eq!(table.get(&n), Some(&n));
            }
        }
    }

    #[test]
    fn a_table_keeps_what_is_used_and_stays_within_its_bound() {
        let mut table = Bounded::new(10);
        for n in 0..1000_u32 {
            table.put(n, n);
            assert_eq!(table.get(&0), Some(&0), "used all the time");
            assert!(table.young.len() + table.old.len() <= 10);
        }
        assert_eq!(table.get(&1), None);
        assert_eq!(table.get(&999), Some(&999));
    }
}
