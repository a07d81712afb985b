//! Credentials from a Kong Admin API. That API finds a key only by the key itself, so all keys are
//! fetched as lists. A key is replaced by its digest as soon as it has been read.

use crate::entry::{by_key, encode};
use consumer::{Credential, Identity, KongLists, key_digest, lookup};
use exchange::{Answer, Call, Finding, Key};
use runtime::Snapshot;
use serde::Deserialize;

/// The walk through all keys of a Kong Admin API.
pub(crate) struct KongKeys {
    lists: KongLists<ApiKey>,
    /// The time at which the walk began, in milliseconds since 1970.
    began: u64,
}

struct ApiKey {
    id: String,
    digest: [u8; 32],
    /// The time that the key had left when Kong wrote the list, in seconds.
    ttl: Option<u64>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    key: String,
    /// Kong leaves it out for a key without an end.
    #[serde(default)]
    ttl: Option<u64>,
}

impl KongKeys {
    /// Begins a walk at `now`, in milliseconds since 1970.
    pub(crate) fn beginning(now: u64) -> Self {
        let lists = KongLists::ending_with("key-auths", |entry| {
            let Entry { id, key, ttl } = serde_json::from_value(entry).ok()?;
            Some(ApiKey { id, digest: key_digest(key.as_bytes()), ttl })
        });
        Self { lists, began: now }
    }
}

impl Snapshot for KongKeys {
    fn next(&mut self) -> Option<Call> {
        self.lists.next_page()
    }

    // A Kong is not asked for single keys, so that a part of them would be of no use.
    fn absorb(&mut self, answer: &Answer, most: usize) -> bool {
        self.lists.absorb(answer, most)
    }

    fn finish(self: Box<Self>) -> (Vec<(Key, Finding)>, Option<u64>) {
        let consumers = self.lists.consumers().flat_map(lookup::entries);
        let keys = self.lists.credentials().map(|(ApiKey { id, digest, ttl }, owner)| {
            let credential = Credential {
                id: id.clone(),
                kind: admin_api::KEY_AUTH.to_owned(),
                identifier: Some(id.clone()),
                key: None,
            };
            let identity = Identity { credential: Some(credential), ..owner.clone() };
            // Every page came after the walk had begun, so that no key lives too long.
            let end = ttl.map(|ttl| self.began.saturating_add(ttl.saturating_mul(1000)));
            (by_key(digest), Finding::Value(encode(&identity, end)))
        });
        (consumers.chain(keys).collect(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::decode;

    #[test]
    fn a_list_of_digests_is_none_of_a_kongs() {
        let mut keys = Box::new(KongKeys::beginning(5000));
        let page = |data: &str| Answer::new(200, format!(r#"{{"data":[{data}]}}"#).as_bytes());
        assert!(keys.absorb(&page(r#"{"id":"1","username":"ana"}"#), 10));
        assert!(keys.absorb(&page(""), 10));
        assert!(!keys.absorb(&page(r#"{"id":"k","key_digest":"00","consumer":{"id":"1"}}"#), 10));
    }

    #[test]
    fn a_kongs_lists_become_identities() {
        let mut keys = Box::new(KongKeys::beginning(5000));
        for page in [
            r#"{"data":[{"id":"1","username":"ana"},{"id":"2","username":"bob"}]}"#,
            r#"{"data":[{"group":"g","consumer":{"id":"1"}}]}"#,
            r#"{"data":[{"id":"k","key":"open_sesame","consumer":{"id":"1"}},{"id":"odd"}]}"#,
        ] {
            assert!(keys.absorb(&Answer::new(200, page), 1));
        }
        assert_eq!(keys.next(), None);
        let (all, _) = keys.finish();
        let found = |key: &Key| {
            let (_, finding) = all.iter().find(|(name, _)| name == key)?;
            let Finding::Value(value) = finding else { panic!() };
            decode(value, || 0)
        };
        let ana = found(&by_key(&key_digest(b"open_sesame"))).unwrap();
        assert_eq!(
            (ana.username.as_deref(), ana.groups.as_slice()),
            (Some("ana"), &["g".to_owned()][..])
        );
        assert_eq!(ana.credential.unwrap().identifier.as_deref(), Some("k"));
        let kept = |by, name| all.iter().any(|(key, _)| *key == lookup::key(by, name));
        assert!(kept(lookup::By::Username, "bob") && kept(lookup::By::Id, "2"));
    }

    /// Returns the time at which the key `k` ends, if the walk that began at 5000 has kept it.
    fn end(more: &str) -> Option<u64> {
        let mut keys = Box::new(KongKeys::beginning(5000));
        let key = format!(r#"{{"id":"k","key":"k","consumer":{{"id":"1"}}{more}}}"#);
        for list in [r#"{"id":"1"}"#, "", &key] {
            assert!(keys.absorb(&Answer::new(200, format!(r#"{{"data":[{list}]}}"#)), 1));
        }
        let (all, _) = keys.finish();
        let value = all.into_iter().find_map(|(key, finding)| match finding {
            Finding::Value(value) if key == by_key(&key_digest(b"k")) => Some(value),
            _ => None,
        })?;
        let end = |now: &u64| decode(&value, || *now).is_none();
        (0..=20_000).find(end).or(Some(u64::MAX))
    }

    #[test]
    fn a_kongs_key_ends_when_it_says() {
        assert_eq!(end(r#","ttl":7"#), Some(12_000));
        assert_eq!(end(r#","ttl":0"#), Some(5000), "Kong has rounded what is left of a second");
        for without in ["", r#","ttl":null"#] {
            assert_eq!(end(without), Some(u64::MAX), "{without}");
        }
    }

    #[test]
    fn a_kongs_key_with_a_malformed_end_is_not_known() {
        for ttl in ["-1", "1.5", "\"7\"", "true", "[]"] {
            assert_eq!(end(&format!(r#","ttl":{ttl}"#)), None, "{ttl}");
        }
    }
}
