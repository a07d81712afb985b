//! Reads all consumers and credentials from a Kong Admin API.
//!
//! No single answer of that API contains a credential together with its consumer and groups. So
//! three lists are fetched page by page: all consumers, all groups, and one list of credentials.

use crate::{Identity, folded};
use exchange::{Answer, Call};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;

/// The bytes that a walk may take for each entry that the cache keeps.
const FOR_AN_ENTRY: usize = 4096;
/// The bytes that a walk may take in any case: a VM has no more than 4 GiB, and the findings of a
/// walk are made beside it.
const MOST: usize = 512 << 20;
/// The bytes that an entity takes besides its texts, about.
const OVERHEAD: usize = 256;

/// The walk through the lists. `T` is the part of a credential that is kept.
pub struct KongLists<T> {
    credentials: &'static str,
    read: fn(Value) -> Option<T>,
    list: List,
    offset: Option<String>,
    consumers: HashMap<String, Identity>,
    /// The credentials, each with the id of its consumer.
    found: Vec<(T, String)>,
    /// The bytes of all pages, with an overhead for each page and each entity.
    taken: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Consumers,
    Groups,
    Credentials,
    Done,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
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
struct Owned {
    consumer: Reference,
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

impl<T> KongLists<T> {
    /// Begins a walk whose last list is `credentials` (for example `key-auths`). `read` converts an
    /// entry of that list. An entry for which `read` returns `None` is ignored.
    pub fn ending_with(credentials: &'static str, read: fn(Value) -> Option<T>) -> Self {
        Self {
            credentials,
            read,
            list: List::Consumers,
            offset: None,
            consumers: HashMap::new(),
            found: Vec::new(),
            taken: 0,
        }
    }

    /// Returns the call for the next page, or `None` when all pages have been read.
    pub fn next_page(&self) -> Option<Call> {
        let path = match self.list {
            List::Consumers => "consumers",
            List::Groups => "acls",
            List::Credentials => self.credentials,
            List::Done => return None,
        };
        let call = Call::get([path]).with("size", "1000");
        Some(match &self.offset {
            Some(offset) => call.with("offset", offset),
            None => call,
        })
    }

    /// Takes over a page. Returns `false` if the answer is not the page that was asked for, or if
    /// the lists are too long for a cache that keeps `most` entries: a server whose lists have no
    /// end must not fill the memory.
    pub fn absorb(&mut self, answer: &Answer, most: usize) -> bool {
        let page =
            (answer.status == 200).then(|| serde_json::from_slice::<Page>(&answer.body).ok());
        let Some(Page { data, offset }) = page.flatten() else { return false };
        // With a cursor that does not move, the walk would never end.
        if self.list == List::Done || (offset.is_some() && offset == self.offset) {
            return false;
        }
        // A list without the keys themselves is gatehouse-admin's: it does not say that a key does
        // not exist.
        if data.iter().any(|entry| entry.get("key_digest").is_some()) {
            return false;
        }
        let entities = data.len().saturating_add(1).saturating_mul(OVERHEAD);
        self.taken = self.taken.saturating_add(answer.body.len()).saturating_add(entities);
        if self.taken > most.saturating_mul(FOR_AN_ENTRY).min(MOST) {
            return false;
        }
        data.into_iter().for_each(|entry| self.take(entry));
        if offset.is_none() {
            self.list = match self.list {
                List::Consumers => List::Groups,
                List::Groups => List::Credentials,
                List::Credentials | List::Done => List::Done,
            };
        }
        self.offset = offset;
        true
    }

    /// Takes over one entry. An entry of another form is ignored, so that it does not hide the
    /// others.
    fn take(&mut self, entry: Value) {
        match self.list {
            List::Consumers => {
                if let Some(Consumer { id, username, custom_id }) = parsed(entry) {
                    let known = Identity { username, custom_id, ..Identity::default() };
                    let id = folded(&id);
                    self.consumers.insert(id.clone(), Identity { id, ..known });
                }
            }
            List::Groups => {
                let acl: Option<Acl> = parsed(entry);
                let owner = acl.and_then(|Acl { group, consumer }| {
                    self.consumers.get_mut(&folded(&consumer.id)).map(|owner| (owner, group))
                });
                if let Some((owner, group)) = owner {
                    owner.groups.push(group);
                }
            }
            List::Credentials => {
                let owner = Owned::deserialize(&entry).map(|owned| folded(&owned.consumer.id));
                if let (Ok(owner), Some(kept)) = (owner, (self.read)(entry)) {
                    self.found.push((kept, owner));
                }
            }
            List::Done => {}
        }
    }

    /// Returns all consumers.
    pub fn consumers(&self) -> impl Iterator<Item = &Identity> {
        self.consumers.values()
    }

    /// Returns the credentials with their consumers. A credential without a consumer is left out.
    pub fn credentials(&self) -> impl Iterator<Item = (&T, &Identity)> {
        self.found.iter().filter_map(|(kept, owner)| Some((kept, self.consumers.get(owner)?)))
    }
}

fn parsed<T: DeserializeOwned>(entry: Value) -> Option<T> {
    serde_json::from_value(entry).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: usize = 100;

    fn lists() -> KongLists<String> {
        KongLists::ending_with("keys", |entry| Some(entry.get("key")?.as_str()?.to_owned()))
    }

    fn page(json: &str) -> Answer {
        Answer::new(200, json)
    }

    fn path<T>(lists: &KongLists<T>) -> String {
        String::from_utf8(lists.next_page().unwrap().segments.concat()).unwrap()
    }

    #[test]
    fn three_lists_become_consumers_with_credentials() {
        let mut lists = lists();
        assert_eq!(path(&lists), "consumers");
        let first = r#"{"data":[{"id":"1","username":"ana","custom_id":"7"}],"offset":"o"}"#;
        assert!(lists.absorb(&page(first), KEPT));
        assert_eq!(lists.next_page().unwrap().query.last().unwrap().1, b"o");
        assert!(lists.absorb(&page(r#"{"data":[{"id":"2"},{"name":"odd"}],"next":null}"#), KEPT));
        assert_eq!(path(&lists), "acls");
        assert!(lists.absorb(&page(
            r#"{"data":[{"group":"g","consumer":{"id":"1"}},{"group":"h","consumer":{"id":"9"}}]}"#
        ), KEPT));
        assert_eq!(path(&lists), "keys");
        assert!(lists.absorb(&page(
            r#"{"data":[{"key":"a","consumer":{"id":"1"}},{"key":"nobodys"},{"consumer":{"id":"1"}},
                {"key":"x","consumer":{"id":"9"}}]}"#
        ), KEPT));
        assert_eq!(lists.next_page(), None);
        assert!(!lists.absorb(&page(r#"{"data":[]}"#), KEPT), "nothing was asked for");
        let mut ids: Vec<&str> = lists.consumers().map(|found| found.id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["1", "2"]);
        let [(key, ana)] = lists.credentials().collect::<Vec<_>>()[..] else { panic!() };
        assert_eq!((key.as_str(), ana.groups.as_slice()), ("a", &["g".to_owned()][..]));
        assert_eq!(ana.custom_id.as_deref(), Some("7"));
    }

    #[test]
    fn an_answer_that_is_not_a_page_ends_the_walk() {
        for (status, body) in [(200, "{}"), (401, r#"{"data":[]}"#), (200, "<html>")] {
            assert!(!lists().absorb(&Answer::new(status, body), KEPT));
        }
        let mut circle = lists();
        assert!(circle.absorb(&page(r#"{"data":[],"offset":"o"}"#), KEPT));
        assert!(!circle.absorb(&page(r#"{"data":[],"offset":"o"}"#), KEPT));
    }

    #[test]
    fn a_walk_without_an_end_fails_before_it_fills_the_memory() {
        let long = "x".repeat(5000);
        let pages: [fn(usize, &str) -> String; 4] = [
            |n, _| format!(r#"{{"data":[],"offset":"{n}"}}"#),
            |n, _| format!(r#"{{"data":[{{"id":"{n}"}}],"offset":"{n}"}}"#),
            |n, _| format!(r#"{{"data":[{{"odd":{n}}}],"offset":"{n}"}}"#),
            |n, long| format!(r#"{{"data":[{{"id":"{n}","username":"{long}"}}],"offset":"{n}"}}"#),
        ];
        for next in pages {
            let mut lists = lists();
            let taken = |n: &usize| lists.absorb(&page(&next(*n, &long)), 100);
            let number = (0..10_000).take_while(taken).count();
            assert!((70..2000).contains(&number), "{number}");
            assert!(lists.consumers().count() <= number);
        }
        // As many entries as a cache keeps fit, up to 131,072, each with names and groups.
        let mut lists = lists();
        let entries = |of: fn(usize) -> String| {
            let entries: Vec<String> = (0..100).map(of).collect();
            page(&format!(r#"{{"data":[{}]}}"#, entries.join(",")))
        };
        let consumers = entries(|n| {
            let name = "n".repeat(500);
            format!(r#"{{"id":"{n}","username":"{name}-{n}","custom_id":"{name}.{n}"}}"#)
        });
        assert!(lists.absorb(&consumers, 100));
        let group = |n| format!(r#"{{"group":"g","consumer":{{"id":"{n}"}}}}"#);
        assert!(lists.absorb(&entries(group), 100));
        let key = |n| format!(r#"{{"key":"k{n}","consumer":{{"id":"{n}"}}}}"#);
        assert!(lists.absorb(&entries(key), 100));
        assert_eq!((lists.next_page(), lists.credentials().count()), (None, 100));
    }
}
