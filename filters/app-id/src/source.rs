//! App IDs from the admin service: of one consumer at a time, or all of them page by page.

use crate::app_ids::{add, empty, encode};
use admin_api::{AppId, AppIdPage, Change, Entity};
use consumer::lookup::MAX_NAME;
use exchange::{Answer, Call, Finding, Key};
use runtime::{Snapshot, Source};
use std::collections::BTreeMap;

/// The table of all App IDs of a consumer. The name of an entry is the consumer's id.
pub(crate) const OF_CONSUMER: u8 = 1;
/// The table of single App IDs. The name of an entry is the length of the consumer's id as 4 bytes,
/// the id, and the App ID.
pub(crate) const ONE: u8 = 2;

/// Returns the key for all App IDs of a consumer.
pub(crate) fn of_consumer(id: &str) -> Key {
    Key::new(OF_CONSUMER, id)
}

/// Returns the key for one App ID of a consumer.
pub(crate) fn one(consumer: &str, app_id: &[u8]) -> Key {
    let len = u32::try_from(consumer.len()).unwrap_or(u32::MAX).to_le_bytes();
    Key::new(ONE, [&len[..], consumer.as_bytes(), app_id].concat())
}

/// The source of App IDs.
pub(crate) struct AppIdSource;

impl Source for AppIdSource {
    fn call(&self, key: &Key) -> Call {
        match parts(key) {
            (consumer, None) => Call::get([b"consumers", consumer, b"appids"]),
            // The documentation of the API names this parameter `app_id`.
            (consumer, Some(app_id)) => {
                Call::get(["appids"]).with("consumer_id", consumer).with("app_id", app_id)
            }
        }
    }

    fn read(&self, key: &Key, answer: &Answer) -> Option<(Finding, Option<u64>)> {
        let (consumer, app_id) = parts(key);
        if answer.status == 404 {
            return not_found(&answer.body).map(|seq| (Finding::Nothing, seq));
        }
        // The service refuses this App ID, so nobody has it. As a failure, a client could make the
        // service look as if it were away.
        if app_id.is_some() && matches!(answer.status, 400 | 414 | 422 | 431) {
            return Some((Finding::Nothing, None));
        }
        let page = page(answer)?;
        // An answer about another consumer is refused.
        if page.data.iter().any(|entry| entry.consumer_id.as_bytes() != consumer) {
            return None;
        }
        let finding = match app_id {
            Some(app_id) if page.data.iter().any(|entry| entry.appid.as_bytes() == app_id) => {
                Finding::Value(b"L".to_vec())
            }
            None if !page.data.is_empty() => {
                let ids = page.data.iter().map(|entry| entry.appid.as_str());
                Finding::Value(encode(ids, is_last(&page)))
            }
            Some(_) | None => Finding::Nothing,
        };
        Some((finding, page.seq))
    }

    fn is_secret(&self, _key: &Key) -> bool {
        false
    }

    fn touched(&self, change: &Change) -> Vec<Key> {
        match change.entity {
            Entity::Appids => vec![
                of_consumer(&change.consumer_id),
                one(&change.consumer_id, change.key.as_bytes()),
            ],
            // The consumer may be deleted, or be new under an id that was looked up before.
            Entity::Consumers => vec![of_consumer(&change.consumer_id)],
            _ => Vec::new(),
        }
    }

    fn snapshot(&self, _changes: bool) -> Option<Box<dyn Snapshot>> {
        Some(Box::new(Pages { next: Next::First, ids: BTreeMap::new(), seq: None }))
    }
}

fn parts(key: &Key) -> (&[u8], Option<&[u8]>) {
    match key.table {
        ONE => {
            let (len, rest) = key.name.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
            let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
            let (consumer, app_id) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            (consumer, Some(app_id))
        }
        _ => (&key.name, None),
    }
}

fn page(answer: &Answer) -> Option<AppIdPage> {
    if answer.status != 200 {
        return None;
    }
    serde_json::from_slice(&answer.body).ok()
}

fn is_last(page: &AppIdPage) -> bool {
    let total = usize::try_from(page.total).unwrap_or(usize::MAX);
    page.next.is_none() && page.offset.is_none() && total <= page.data.len()
}

/// Reads the admin service's own 404, with its change number if it has one. Returns `None` for the
/// 404 of another server.
fn not_found(body: &[u8]) -> Option<Option<u64>> {
    let document: serde_json::Value = serde_json::from_slice(body).ok()?;
    let ours = document.get("message")?.as_str()? == "Not found";
    ours.then(|| document.get("seq").and_then(serde_json::Value::as_u64))
}

/// The walk through the pages of `/appids`.
struct Pages {
    next: Next,
    /// The value of each consumer.
    ids: BTreeMap<String, Vec<u8>>,
    seq: Option<u64>,
}

enum Next {
    First,
    After(String),
    Done,
}

impl Snapshot for Pages {
    fn next(&mut self) -> Option<Call> {
        let call = Call::get(["appids"]).with("size", "1000");
        match &self.next {
            Next::First => Some(call),
            Next::After(offset) => Some(call.with("offset", offset)),
            Next::Done => None,
        }
    }

    fn absorb(&mut self, answer: &Answer, most: usize) -> bool {
        let Some(page) = page(answer) else { return false };
        // The first page is the oldest one, so its number holds for the whole walk.
        if matches!(self.next, Next::First) {
            self.seq = page.seq;
        }
        self.next = match page.offset {
            // With a cursor that does not move, the walk would never end.
            Some(offset) if !page.data.is_empty() => match &self.next {
                Next::After(last) if *last == offset => return false,
                _ => Next::After(offset),
            },
            _ => Next::Done,
        };
        for AppId { consumer_id, appid, .. } in page.data {
            // A consumer's App IDs may be on any pages, so the walk goes on to its end.
            let wanted = self.ids.len() <= most || self.ids.contains_key(&consumer_id);
            if wanted && consumer_id.len() <= MAX_NAME {
                add(self.ids.entry(consumer_id).or_insert_with(empty), &appid);
            }
        }
        true
    }

    fn finish(self: Box<Self>) -> (Vec<(Key, Finding)>, Option<u64>) {
        let all = self.ids.into_iter();
        (all.map(|(id, value)| (of_consumer(&id), Finding::Value(value))).collect(), self.seq)
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
