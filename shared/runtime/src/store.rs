//! Numbered slots that hold octets: in shared data, or in the VM where there is none.

use crate::abi::{self, Status};
use crate::profile::Host;
use std::cell::RefCell;
use std::collections::HashMap;

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is written.
    Done,
    /// Somebody else wrote in between.
    Conflict,
    /// The host does not take it.
    Failed,
}

/// Numbered slots.
///
/// Neither delete nor a life time exists on every host, so neither exists here.
#[derive(Debug)]
pub(crate) enum Store {
    /// Shared by all workers of the node. The name of the zone comes first in each key.
    Shared(Option<String>),
    /// This VM's own.
    Own(RefCell<HashMap<u32, (Vec<u8>, u32)>>),
}

impl Store {
    /// The store on `host`: shared data on Envoy and in a declared `zone` of Kong's, else the VM's own. `None` as
    /// long as the host is not known: Kong traps without a zone.
    pub(crate) fn on(host: Host, zone: Option<&str>) -> Option<Self> {
        match (host, zone) {
            (_, Some(zone)) => Some(Self::Shared(Some(zone.to_owned()))),
            (Host::Envoy, None) => Some(Self::Shared(None)),
            (Host::Kong(_), None) => Some(Self::own()),
            (Host::Unknown, None) => None,
        }
    }

    pub(crate) fn own() -> Self {
        Self::Own(RefCell::default())
    }

    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// The slot's content and the number that a write has to name.
    pub(crate) fn get(&self, slot: u32) -> Option<(Vec<u8>, u32)> {
        match self {
            Self::Shared(zone) => abi::shared_get(&key(zone.as_deref(), slot)).ok(),
            Self::Own(slots) => slots.try_borrow().ok()?.get(&slot).cloned(),
        }
    }

    /// Writes the slot if it still is as `seen` said: its number, or `None` for a slot that was not there.
    pub(crate) fn put(&self, slot: u32, value: &[u8], seen: Option<u32>) -> Put {
        match self {
            Self::Shared(zone) => {
                let key = key(zone.as_deref(), slot);
                match seen {
                    Some(seen) => put(&key, value, seen),
                    None => create(&key, value),
                }
            }
            Self::Own(slots) => {
                let Ok(mut slots) = slots.try_borrow_mut() else { return Put::Failed };
                match (slots.get(&slot).map(|(_, number)| *number), seen) {
                    (now, seen) if now == seen => {
                        let next = now.unwrap_or(0).wrapping_add(1).max(1);
                        slots.insert(slot, (value.to_vec(), next));
                        Put::Done
                    }
                    _ => Put::Conflict,
                }
            }
        }
    }

    /// Changes the slot by `change`, which sees the content and gives the new one (`None`: leave it). Tries
    /// again where somebody else came first. `false` if it could not be written.
    pub(crate) fn update(
        &self,
        slot: u32,
        mut change: impl FnMut(Option<&[u8]>) -> Option<Vec<u8>>,
    ) -> bool {
        // Each conflict is somebody else's success, so a few rounds are enough for any number of workers
        // that write one slot only now and then.
        for _ in 0..16 {
            let seen = self.get(slot);
            let Some(next) = change(seen.as_ref().map(|(value, _)| value.as_slice())) else {
                return true;
            };
            match self.put(slot, &next, seen.map(|(_, number)| number)) {
                Put::Done => return true,
                Put::Conflict => {}
                Put::Failed => return false,
            }
        }
        false
    }
}

fn put(key: &[u8], value: &[u8], seen: u32) -> Put {
    match abi::shared_set(key, value, seen) {
        Ok(()) => Put::Done,
        Err(Status::CasMismatch) => Put::Conflict,
        Err(_) => Put::Failed,
    }
}

/// Writes what is not there yet, and over nothing.
///
/// On Kong number 0 says that; on Envoy it means "whatever is there", while a number that no value has creates
/// and does not overwrite. Envoy numbers all writes of a process from 1, so the last number is not reached.
fn create(key: &[u8], value: &[u8]) -> Put {
    match put(key, value, u32::MAX) {
        Put::Conflict if abi::shared_get(key).is_err() => put(key, value, 0),
        done => done,
    }
}

/// One prefix and four octets: Kong tells keys apart by their CRC32 alone, and on keys that differ in four
/// neighbouring octets only, CRC32 is injective.
fn key(zone: Option<&str>, slot: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(32);
    if let Some(zone) = zone {
        key.extend_from_slice(zone.as_bytes());
        key.push(b'/');
    }
    key.extend_from_slice(b"gatehouse");
    key.extend_from_slice(&slot.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_did_not_see_the_last_one_is_refused() {
        let store = Store::own();
        assert_eq!(store.put(1, b"a", None), Put::Done);
        assert_eq!(store.put(1, b"b", None), Put::Conflict);
        let (value, number) = store.get(1).unwrap();
        assert_eq!(value, b"a");
        assert_eq!(store.put(1, b"b", Some(number)), Put::Done);
        assert_eq!(store.put(1, b"c", Some(number)), Put::Conflict);
        assert!(store.update(1, |seen| Some([seen.unwrap(), b"!"].concat())));
        assert_eq!(store.get(1).unwrap().0, b"b!");
    }

    #[test]
    fn keys_differ_in_four_neighbouring_octets_only() {
        assert_eq!(key(Some("zone"), 0x0102_0304), b"zone/gatehouse\x01\x02\x03\x04");
        assert_eq!(key(None, 1).len(), key(None, u32::MAX).len());
    }
}
