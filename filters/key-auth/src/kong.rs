//! Credentials from a Kong Admin API. That API finds a key only by the key itself, so all keys are
//! fetched as lists. A key is replaced by its digest as soon as it has been read.

use crate::entry::{by_key, encode};
use consumer::{Credential, Identity, KongLists, key_digest, lookup};
use exchange::{Answer, Call, Finding, Key};
use runtime::Snapshot;
use serde::Deserialize;

/// The walk through all keys of a Kong Admin API.
pub(crate) struct KongKeys(KongLists<ApiKey>);

struct ApiKey {
    id: String,
    digest: [u8; 32],
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    key: String,
}

impl Default for KongKeys {
    fn default() -> Self {
        Self(KongLists::ending_with("key-auths", |entry| {
            let Entry { id, key } = serde_json::from_value(entry).ok()?;
            Some(ApiKey { id, digest: key_digest(key.as_bytes()) })
        }))
    }
}

impl Snapshot for KongKeys {
    fn next(&mut self) -> Option<Call> {
        self.0.next_page()
    }

    // A Kong is not asked for single keys: all of them are read, whatever their number.
    fn absorb(&mut self, answer: &Answer, _most: usize) -> bool {
        self.0.absorb(answer)
    }

    fn finish(self: Box<Self>) -> (Vec<(Key, Finding)>, Option<u64>) {
        let value = |identity: &Identity| Finding::Value(encode(identity, None));
        let consumers = self.0.consumers().flat_map(lookup::entries);
        let keys = self.0.credentials().map(|(ApiKey { id, digest }, owner)| {
            let credential = Credential {
                id: id.clone(),
                kind: admin_api::KEY_AUTH.to_owned(),
                identifier: Some(id.clone()),
                key: None,
            };
            let identity = Identity { credential: Some(credential), ..owner.clone() };
            (by_key(digest), value(&identity))
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
        let mut keys = Box::new(KongKeys::default());
        let page = |data: &str| Answer::new(200, format!(r#"{{"data":[{data}]}}"#).as_bytes());
        assert!(keys.absorb(&page(r#"{"id":"1","username":"ana"}"#), 10));
        assert!(keys.absorb(&page(""), 10));
        assert!(!keys.absorb(&page(r#"{"id":"k","key_digest":"00","consumer":{"id":"1"}}"#), 10));
    }

    #[test]
    fn a_kongs_lists_become_identities() {
        let mut keys = Box::new(KongKeys::default());
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
            decode(value, 0)
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
}
