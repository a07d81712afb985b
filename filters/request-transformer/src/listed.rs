//! A list of named values that keeps its order and finds names quickly.

use std::collections::HashMap;

/// Values with names. Several may have one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed<T> {
    entries: Vec<Option<T>>,
    /// The places of each name.
    places: HashMap<Vec<u8>, Vec<usize>>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), places: HashMap::new() }
    }
}

impl<T> Listed<T> {
    pub(crate) fn push(&mut self, name: &[u8], value: T) {
        self.places.entry(name.to_vec()).or_default().push(self.entries.len());
        self.entries.push(Some(value));
    }

    /// Returns all values in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().flatten()
    }

    pub(crate) fn has(&self, name: &[u8]) -> bool {
        self.places.contains_key(name)
    }

    /// Returns the first value of this name.
    pub(crate) fn first(&self, name: &[u8]) -> Option<&T> {
        self.entries.get(*self.places.get(name)?.first()?)?.as_ref()
    }

    /// Removes all values of this name.
    pub(crate) fn remove(&mut self, name: &[u8]) {
        for place in self.places.remove(name).unwrap_or_default() {
            if let Some(entry) = self.entries.get_mut(place) {
                *entry = None;
            }
        }
    }

    /// Renames all values of the name `old`, which keep their places. `change` makes the new value.
    pub(crate) fn rename(&mut self, old: &[u8], new: &[u8], change: impl Fn(&T) -> T) {
        self.remove(new);
        let Some(places) = self.places.remove(old) else { return };
        for place in &places {
            if let Some(Some(entry)) = self.entries.get_mut(*place) {
                *entry = change(entry);
            }
        }
        self.places.insert(new.to_vec(), places);
    }

    /// Replaces all values of this name by one, or adds it at the end.
    pub(crate) fn put(&mut self, name: &[u8], value: T) {
        let first = self.places.get(name).and_then(|places| places.first()).copied();
        self.remove(name);
        match first.and_then(|place| Some((place, self.entries.get_mut(place)?))) {
            Some((place, entry)) => {
                *entry = Some(value);
                self.places.insert(name.to_vec(), vec![place]);
            }
            None => self.push(name, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_keeps_its_place_whatever_happens_to_the_others() {
        let mut listed = Listed::default();
        for (name, value) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            listed.push(name.as_bytes(), value);
        }
        let all = |listed: &Listed<i32>| listed.iter().copied().collect::<Vec<_>>();
        listed.put(b"a", 5);
        assert_eq!((all(&listed), listed.first(b"a")), (vec![5, 2, 4], Some(&5)));
        listed.rename(b"a", b"c", |value| value + 1);
        assert_eq!((all(&listed), listed.has(b"a"), listed.has(b"c")), (vec![6, 2], false, true));
        listed.remove(b"b");
        listed.put(b"b", 7);
        listed.push(b"c", 8);
        listed.remove(b"c");
        assert_eq!(all(&listed), [7]);
    }
}
