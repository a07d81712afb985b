//! Shared data of the gateway as numbered slots.

use crate::abi::{self, Status};
use crate::host::Host;
use cache::{LocalData, Put, SharedData};

/// Returns the store on `host`: shared data on Envoy and in a declared `zone` of Kong's, else the
/// VM's own memory. Returns `None` as long as the host is not known: Kong traps without a zone.
pub(crate) fn store_on(host: Host, zone: Option<&str>) -> Option<Box<dyn SharedData>> {
    match (host, zone) {
        (_, Some(zone)) => Some(Box::new(HostData { zone: Some(zone.to_owned()) })),
        (Host::Envoy, None) => Some(Box::new(HostData { zone: None })),
        (Host::Kong(_), None) => Some(Box::new(LocalData::default())),
        (Host::Unknown, None) => None,
    }
}

/// Shared data of the Proxy-Wasm host, read and written by all workers of the node.
struct HostData {
    /// The name of Kong's zone, which comes first in each key.
    zone: Option<String>,
}

impl SharedData for HostData {
    fn get(&self, slot: u32) -> Option<(Vec<u8>, u32)> {
        abi::shared_get(&key(self.zone.as_deref(), slot)).ok()
    }

    fn put(&self, slot: u32, value: &[u8], seen: Option<u32>) -> Put {
        let key = key(self.zone.as_deref(), slot);
        match seen {
            Some(seen) => put(&key, value, seen),
            None => create(&key, value),
        }
    }

    fn is_shared(&self) -> bool {
        true
    }
}

fn put(key: &[u8], value: &[u8], seen: u32) -> Put {
    match abi::shared_set(key, value, seen) {
        Ok(()) => Put::Done,
        Err(Status::CasMismatch) => Put::Conflict,
        Err(_) => Put::Failed,
    }
}

/// Writes `value` if `key` is not there yet, and never over a value.
///
/// On Kong number 0 says that; on Envoy it means "whatever is there", while a number that no value
/// has creates and does not overwrite. Envoy numbers all writes of a process from 1, so the last
/// number is not reached.
fn create(key: &[u8], value: &[u8]) -> Put {
    match put(key, value, u32::MAX) {
        Put::Conflict if abi::shared_get(key).is_err() => put(key, value, 0),
        done => done,
    }
}

/// Returns the key of `slot`: one prefix and four bytes. Kong tells keys apart by their CRC32
/// alone, and on keys that differ in four neighbouring bytes only, CRC32 is injective.
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
    fn keys_differ_in_four_neighbouring_bytes_only() {
        assert_eq!(key(Some("zone"), 0x0102_0304), b"zone/gatehouse\x01\x02\x03\x04");
        assert_eq!(key(None, 1).len(), key(None, u32::MAX).len());
    }
}
