//! Numbered slots of bytes: the trait for shared data, and an implementation in one VM's memory.

use std::cell::RefCell;
use std::collections::HashMap;

/// The result of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The value is written.
    Done,
    /// The slot has changed since it was read; nothing is written.
    Conflict,
    /// The store cannot take the value; nothing is written.
    Failed,
}

/// A change of a slot: takes the present content, and returns the next one, or `None` to leave it.
pub type Replace<'a> = dyn FnMut(Option<&[u8]>) -> Option<Vec<u8>> + 'a;

/// Numbered slots of bytes with compare-and-swap.
///
/// A store may be read and written by others at any time, and may lose or tear a value. So a value
/// must prove by itself that it is whole and whose it is. Slots cannot be deleted and do not
/// expire: not every gateway offers that.
pub trait SharedData {
    /// Returns the content of `slot` and the version that the next [`SharedData::put`] has to name.
    fn get(&self, slot: u32) -> Option<(Vec<u8>, u32)>;

    /// Writes `value` if `slot` still has the version `seen`; with `None`, if the slot still is
    /// empty.
    fn put(&self, slot: u32, value: &[u8], seen: Option<u32>) -> Put;

    /// Returns `true` if other workers read and write these slots, too.
    fn is_shared(&self) -> bool;

    /// Replaces the content of `slot` by the result of `change`, which sees the present content.
    /// `change` returns `None` to leave the slot as it is. After a conflict, `change` runs again on
    /// the new content. Returns `false` if the slot could not be written.
    fn update(&self, slot: u32, change: &mut Replace<'_>) -> bool {
        // Each conflict is somebody else's success, so a few rounds are enough for any number of
        // workers that write one slot only now and then.
        for _ in 0..16 {
            let seen = self.get(slot);
            let Some(next) = change(seen.as_ref().map(|(value, _)| value.as_slice())) else {
                return true;
            };
            match self.put(slot, &next, seen.map(|(_, version)| version)) {
                Put::Done => return true,
                Put::Conflict => {}
                Put::Failed => return false,
            }
        }
        false
    }
}

/// Slots in the memory of one VM; no other worker sees them.
#[derive(Debug, Default)]
pub struct LocalData(pub(crate) RefCell<HashMap<u32, (Vec<u8>, u32)>>);

impl SharedData for LocalData {
    fn get(&self, slot: u32) -> Option<(Vec<u8>, u32)> {
        self.0.try_borrow().ok()?.get(&slot).cloned()
    }

    fn put(&self, slot: u32, value: &[u8], seen: Option<u32>) -> Put {
        let Ok(mut slots) = self.0.try_borrow_mut() else { return Put::Failed };
        let now = slots.get(&slot).map(|(_, version)| *version);
        if now != seen {
            return Put::Conflict;
        }
        let next = now.unwrap_or(0).wrapping_add(1).max(1);
        slots.insert(slot, (value.to_vec(), next));
        Put::Done
    }

    fn is_shared(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_did_not_see_the_last_one_is_refused() {
        let store = LocalData::default();
        assert_eq!(store.put(1, b"a", None), Put::Done);
        assert_eq!(store.put(1, b"b", None), Put::Conflict);
        let (value, number) = store.get(1).unwrap();
        assert_eq!(value, b"a");
        assert_eq!(store.put(1, b"b", Some(number)), Put::Done);
        assert_eq!(store.put(1, b"c", Some(number)), Put::Conflict);
        assert!(store.update(1, &mut |seen| Some([seen.unwrap(), b"!"].concat())));
        assert_eq!(store.get(1).unwrap().0, b"b!");
    }
}
