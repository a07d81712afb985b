//! Credentials from a Kong Admin API. It does not say in one answer whose a credential is, so everything is
//! fetched: all consumers, all groups, all credentials.

use crate::credential::{Holder, Material, credential};
use crate::source::{by_key, by_name};
use consumer::Identity;
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
    secrets: Vec<JwtSecret>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum List {
    #[default]
    Consumers,
    Groups,
    Secrets,
    Done,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<serde_json::Value>,
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
struct JwtSecret {
    id: String,
    key: String,
    #[serde(default)]
    secret: Option<String>,
    #[serde(default)]
    rsa_public_key: Option<String>,
    #[serde(default)]
    algorithm: Option<String>,
    consumer: Reference,
}

impl Snapshot for KongLists {
    fn next(&mut self) -> Option<Call> {
        let path = match self.list {
            List::Consumers => "consumers",
            List::Groups => "acls",
            List::Secrets => "jwts",
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
            List::Secrets => self.take(answer, |all, secret| all.secrets.push(secret)),
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
                List::Groups => List::Secrets,
                List::Secrets | List::Done => List::Done,
            };
        }
        self.offset = offset;
        true
    }

    fn finish(self: Box<Self>) -> (Vec<(Key, Finding)>, Option<u64>) {
        let Self { consumers, secrets, .. } = *self;
        let mut all = Vec::new();
        for secret in secrets {
            let Some(owner) = consumers.get(&secret.consumer.id) else { continue };
            let identity =
                Identity { credential: Some(credential(&secret.id, &secret.key)), ..owner.clone() };
            let material = Material {
                algorithm: secret.algorithm.unwrap_or_else(|| "HS256".to_owned()),
                secret: secret.secret,
                public_key: secret.rsa_public_key,
                base64: false,
            };
            let value = Finding::Value(Holder { identity, material }.encode());
            all.push((by_key(&secret.key), value));
        }
        for identity in consumers.values() {
            let names = [Some(&identity.id), identity.username.as_ref()];
            for name in names.into_iter().flatten() {
                all.push((by_name(name), Finding::Value(identity.to_json())));
            }
        }
        (all, None)
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
        let page: Page = serde_json::from_slice(&answer.body).ok()?;
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

    fn page(json: &str) -> Answer {
        Answer::new(200, json)
    }

    fn path(call: &Call) -> String {
        String::from_utf8(call.segments.concat()).unwrap()
    }

    #[test]
    fn three_lists_become_holders() {
        let mut lists = Box::new(KongLists::default());
        assert_eq!(path(&lists.next().unwrap()), "consumers");
        assert!(lists.absorb(&page(r#"{"data":[{"id":"1","username":"ado"}],"offset":"o"}"#)));
        assert_eq!(lists.next().unwrap().query.last().unwrap().1, b"o");
        assert!(lists.absorb(&page(r#"{"data":[],"next":null}"#)));
        assert_eq!(path(&lists.next().unwrap()), "acls");
        assert!(lists.absorb(&page(r#"{"data":[{"group":"g","consumer":{"id":"1"}}]}"#)));
        assert_eq!(path(&lists.next().unwrap()), "jwts");
        assert!(lists.absorb(&page(
            r#"{"data":[{"id":"j","key":"adokey","secret":"supersecret","algorithm":"HS256","consumer":{"id":"1"}},
                {"id":"odd"},{"id":"l","key":"x","consumer":{"id":"9"}}]}"#
        )));
        assert_eq!(lists.next(), None);
        let (all, _) = lists.finish();
        let found = |key: Key| {
            let (_, finding) = all.iter().find(|(name, _)| *name == key)?;
            let Finding::Value(value) = finding else { panic!() };
            Some(value.clone())
        };
        let ado = Holder::decode(&found(by_key("adokey")).unwrap()).unwrap();
        assert_eq!(ado.identity.groups, ["g"]);
        assert_eq!(ado.identity.credential.unwrap().identifier.as_deref(), Some("adokey"));
        assert_eq!(ado.material.secret.as_deref(), Some("supersecret"));
        assert!(found(by_name("ado")).is_some() && found(by_name("1")).is_some());
        assert!(found(by_key("x")).is_none(), "the consumer is gone");
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
