//! Credentials from a Kong Admin API. It finds a key only by the key itself, so everything is fetched: all
//! consumers, all groups, all keys. Keys are digested as they come in, and forgotten.

use crate::source::{by_key, by_name, encode};
use consumer::{Credential, Identity, key_digest};
use exchange::{Answer, Call, Finding, Key};
use host::Snapshot;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// A walk through a Kong Admin API.
#[derive(Default)]
pub(crate) struct KongLists {
    list: List,
    offset: Option<String>,
    consumers: HashMap<String, Identity>,
    /// Digest of the key, id of the credential, id of the consumer.
    keys: Vec<([u8; 32], String, String)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum List {
    #[default]
    Consumers,
    Groups,
    Keys,
    Done,
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    #[serde(default)]
    offset: Option<String>,
}

#[derive(Deserialize)]
struct Consumer {
    id: String,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    custom_id: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    id: String,
}

#[derive(Deserialize)]
struct Acl {
    group: String,
    consumer: Reference,
}

#[derive(Deserialize)]
struct ApiKey {
    id: String,
    key: String,
    consumer: Reference,
}

impl Snapshot for KongLists {
    fn next(&mut self) -> Option<Call> {
        let path = match self.list {
            List::Consumers => "consumers",
            List::Groups => "acls",
            List::Keys => "key-auths",
            List::Done => return None,
        };
        let call = Call::get([path]).with("size", "1000");
        Some(match &self.offset {
            Some(offset) => call.with("offset", offset),
            None => call,
        })
    }

    fn absorb(&mut self, answer: &Answer) -> bool {
        let offset = match self.list {
            List::Consumers => self.take(answer, |all, Consumer { id, username, custom_id }| {
                let identity =
                    Identity { id: id.clone(), username, custom_id, ..Identity::default() };
                all.consumers.insert(id, identity);
            }),
            List::Groups => self.take(answer, |all, Acl { group, consumer }| {
                if let Some(identity) = all.consumers.get_mut(&consumer.id) {
                    identity.groups.push(group);
                }
            }),
            List::Keys => self.take(answer, |all, ApiKey { id, key, consumer }| {
                all.keys.push((key_digest(key.as_bytes()), id, consumer.id));
            }),
            List::Done => None,
        };
        let Some(offset) = offset else { return false };
        // A cursor that does not move would never end.
        if offset.is_some() && offset == self.offset {
            return false;
        }
        if offset.is_none() {
            self.list = match self.list {
                List::Consumers => List::Groups,
                List::Groups => List::Keys,
                List::Keys | List::Done => List::Done,
            };
        }
        self.offset = offset;
        true
    }

    fn finish(self: Box<Self>) -> (Vec<(Key, Finding)>, Option<u64>) {
        let value = |identity: &Identity| Finding::Value(encode(identity, None));
        let names = self.consumers.values().flat_map(|identity| {
            let names = [Some(&identity.id), identity.username.as_ref()];
            names.into_iter().flatten().map(move |name| (by_name(name), value(identity)))
        });
        let keys = self.keys.iter().filter_map(|(digest, id, consumer)| {
            let credential = Credential {
                id: id.clone(),
                kind: admin_api::KEY_AUTH.to_owned(),
                identifier: Some(id.clone()),
                key: None,
            };
            let identity =
                Identity { credential: Some(credential), ..self.consumers.get(consumer)?.clone() };
            Some((by_key(digest), value(&identity)))
        });
        (names.chain(keys).collect(), None)
    }
}

impl KongLists {
    /// Takes a page of the current list in; gives the cursor of the next one. `None` if it is no page.
    fn take<T: DeserializeOwned>(
        &mut self,
        answer: &Answer,
        mut each: impl FnMut(&mut Self, T),
    ) -> Option<Option<String>> {
        if answer.status != 200 {
            return None;
        }
        let page: Page<serde_json::Value> = serde_json::from_slice(&answer.body).ok()?;
        for entry in page.data {
            // An entity of another shape is not ours to use, and must not hide the others.
            if let Ok(entry) = serde_json::from_value(entry) {
                each(self, entry);
            }
        }
        Some(page.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::decode;

    fn page(json: &str) -> Answer {
        Answer::new(200, json)
    }

    fn path(call: &Call) -> String {
        String::from_utf8(call.segments.concat()).unwrap()
    }

    #[test]
    fn three_lists_become_identities() {
        let mut lists = Box::new(KongLists::default());
        assert_eq!(path(&lists.next().unwrap()), "consumers");
        assert!(lists.absorb(&page(r#"{"data":[{"id":"1","username":"ana"}],"offset":"o"}"#)));
        assert_eq!(lists.next().unwrap().query.last().unwrap().1, b"o");
        assert!(lists.absorb(&page(r#"{"data":[{"id":"2","username":"bob"}],"next":null}"#)));
        assert_eq!(path(&lists.next().unwrap()), "acls");
        assert!(lists.absorb(&page(r#"{"data":[{"group":"g","consumer":{"id":"1"}}]}"#)));
        assert_eq!(path(&lists.next().unwrap()), "key-auths");
        assert!(lists.absorb(&page(
            r#"{"data":[{"id":"k","key":"open_sesame","consumer":{"id":"1"}},{"id":"odd"},{"id":"l","key":"x","consumer":{"id":"9"}}]}"#
        )));
        assert_eq!(lists.next(), None);
        let (all, _) = lists.finish();
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
        assert!(found(&by_name("bob")).unwrap().credential.is_none());
        assert!(found(&by_name("2")).is_some());
        assert!(found(&by_key(&key_digest(b"x"))).is_none(), "the consumer is gone");
    }

    #[test]
    fn what_is_no_page_ends_the_walk() {
        for (status, body) in [(200, "{}"), (401, r#"{"data":[]}"#), (200, "<html>")] {
            let mut lists = KongLists::default();
            assert!(!lists.absorb(&Answer::new(status, body)));
        }
        let mut circle = KongLists::default();
        assert!(circle.absorb(&page(r#"{"data":[],"offset":"o"}"#)));
        assert!(!circle.absorb(&page(r#"{"data":[],"offset":"o"}"#)));
    }
}
