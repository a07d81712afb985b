//! A table that forgets what was not used for long.

use std::collections::HashMap;
use std::hash::Hash;

/// Two generations, each at most half as large as the bound.
#[derive(Debug)]
pub struct Bounded<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    bound: usize,
}

impl<K: Hash + Eq, V> Bounded<K, V> {
    /// An empty table for `bound` entries at the most.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), bound }
    }

    /// What lies under `key`, which is in use again.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.young.insert(key, value);
        }
        self.young.get(key)
    }

    /// Puts `value` under `key`.
    pub fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.bound / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    /// Takes out what lies under `key`.
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
