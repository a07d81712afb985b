//! The shared data of one node, with the rules of each host for keys, versions and deletion.

use crate::abi::Status;
use crate::crc32::crc32;
use crate::profile::{Host, Profile};
use std::collections::BTreeMap;

/// The reason why a host call cannot be answered, for which Kong traps.
pub(crate) type Unanswerable = String;

#[derive(Debug, Clone)]
struct Entry {
    value: Vec<u8>,
    cas: u32,
}

/// The key by which a host finds an entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// VM id and key on Envoy; zone and key on Kong before 3.8.
    Exact(String, Vec<u8>),
    /// Zone and checksum of the key on Kong from 3.8, which does not keep the key.
    Sum(String, u32),
}

/// The entries that the filters of this node share.
#[derive(Debug, Default)]
pub(crate) struct SharedData {
    entries: BTreeMap<Key, Entry>,
    last_cas: u32,
}

impl SharedData {
    pub(crate) fn get(
        &self,
        profile: &Profile,
        vm_id: &str,
        key: &[u8],
    ) -> Result<Option<(Vec<u8>, u32)>, Unanswerable> {
        let key = place(profile, vm_id, key)?;
        Ok(self.entries.get(&key).map(|e| (e.value.clone(), e.cas)))
    }

    /// Stores a value. `None` is the null pointer: Kong deletes the entry, Envoy stores an empty
    /// value.
    pub(crate) fn set(
        &mut self,
        profile: &Profile,
        vm_id: &str,
        key: &[u8],
        value: Option<&[u8]>,
        cas: u32,
    ) -> Result<Status, Unanswerable> {
        let key = place(profile, vm_id, key)?;
        let found = self.entries.get(&key).map(|e| e.cas);
        let kong = matches!(profile.host(), Host::Kong(_));
        let matches = match (kong, found) {
            // Version 0 means "there is none yet" on Kong, and "whatever there is" on Envoy.
            (true, found) => cas == found.unwrap_or(0),
            (false, Some(found)) => cas == 0 || cas == found,
            (false, None) => true,
        };
        if !matches {
            return Ok(Status::CasMismatch);
        }
        if kong && value.is_none() {
            self.entries.remove(&key);
            return Ok(Status::Ok);
        }
        let next = if kong { found.unwrap_or(0).wrapping_add(1) } else { self.next_cas() };
        let value = value.unwrap_or_default().to_vec();
        self.entries.insert(key, Entry { value, cas: next });
        Ok(Status::Ok)
    }

    /// Drops every entry, as a reload of Kong or a restart of Envoy does.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Changes every value, as another filter's write would.
    pub(crate) fn rewrite(&mut self, mut change: impl FnMut(&[u8]) -> Vec<u8>) {
        for entry in self.entries.values_mut() {
            entry.value = change(&entry.value);
            self.last_cas = self.last_cas.wrapping_add(1).max(1);
            entry.cas = self.last_cas;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Drops the entry of `key`, as Kong's slru eviction may at any time.
    pub(crate) fn evict(&mut self, profile: &Profile, vm_id: &str, key: &[u8]) -> bool {
        place(profile, vm_id, key).is_ok_and(|key| self.entries.remove(&key).is_some())
    }

    fn next_cas(&mut self) -> u32 {
        self.last_cas = self.last_cas.wrapping_add(1).max(1);
        self.last_cas
    }
}

fn place(profile: &Profile, vm_id: &str, key: &[u8]) -> Result<Key, Unanswerable> {
    let Host::Kong(kong) = profile.host() else {
        return Ok(Key::Exact(vm_id.to_owned(), key.to_vec()));
    };
    let named = key.iter().position(|&b| b == b'/').and_then(|at| {
        let zone = std::str::from_utf8(&key[..at]).ok()?;
        kong.zones.contains(zone).then(|| zone.to_owned())
    });
    let zone = match named {
        Some(zone) => zone,
        None if kong.zones.contains("*") => "*".to_owned(),
        None => return Err("could not resolve namespace".to_owned()),
    };
    Ok(if kong.version.keys_by_checksum() {
        Key::Sum(zone, crc32(key))
    } else {
        Key::Exact(zone, key.to_vec())
    })
}
