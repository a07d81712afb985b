//! Credentials from gatehouse-admin: one key or consumer at a time, or all keys page by page.

use crate::entry::{BY_KEY, by_key, encode};
use crate::kong::KongKeys;
use admin_api::{Change, Entity, Holder, HolderPage};
use base16ct::{lower, mixed};
use consumer::{Credential, Identity, lookup};
use exchange::{Answer, Call, Finding, Key};
use runtime::{Snapshot, Source};

/// The source of credentials and consumers.
pub(crate) struct Credentials {
    /// The clock, in milliseconds since 1970.
    pub(crate) now: fn() -> u64,
}

impl Source for Credentials {
    fn call(&self, key: &Key) -> Call {
        lookup::call(key).unwrap_or_else(|| {
            let digest = lower::encode_string(&key.name);
            Call::get([b"identities".as_slice(), b"key-auth", digest.as_bytes()])
        })
    }

    fn read(&self, key: &Key, answer: &Answer) -> Option<(Finding, Option<u64>)> {
        if key.table != BY_KEY {
            return lookup::read(key, answer);
        }
        if answer.status == 404 {
            return absent(&answer.body).map(|seq| (Finding::Nothing, Some(seq)));
        }
        if answer.status != 200 {
            return None;
        }
        let found: admin_api::Identity = serde_json::from_slice(&answer.body).ok()?;
        // An answer about another key would admit the owner of that key.
        if found.digest? != lower::encode_string(&key.name) {
            return None;
        }
        let identity = identity(found.consumer, found.groups, Some(found.credential?))?;
        Some((Finding::Value(encode(&identity, found.expires_at)), found.seq))
    }

    fn is_secret(&self, _key: &Key) -> bool {
        // The entries contain names, groups and digests.
        false
    }

    fn touched(&self, change: &Change) -> Vec<Key> {
        match change.entity {
            Entity::KeyauthCredentials => {
                let digest = mixed::decode_vec(&change.key);
                digest.map(|digest| Key::new(BY_KEY, digest)).into_iter().collect()
            }
            _ => lookup::touched(change),
        }
    }

    fn snapshot(&self, changes: bool) -> Option<Box<dyn Snapshot>> {
        if changes {
            Some(Box::new(Holders::default()))
        } else {
            Some(Box::new(KongKeys::beginning((self.now)())))
        }
    }

    fn asks_any_server(&self) -> bool {
        // A Kong Admin API finds a key only by the key itself, which must not leave the gateway.
        false
    }
}

fn identity(
    consumer: admin_api::Consumer,
    groups: Vec<String>,
    credential: Option<admin_api::Credential>,
) -> Option<Identity> {
    let admin_api::Consumer { id, username, custom_id } = consumer;
    let credential = credential.map(|credential| Credential {
        id: credential.id,
        kind: credential.kind,
        identifier: Some(credential.identifier),
        key: None,
    });
    let named =
        !id.is_empty() && credential.as_ref().is_none_or(|credential| !credential.id.is_empty());
    named.then_some(Identity { id, username, custom_id, groups, credential, anonymous: false })
}

/// Returns the change number of gatehouse-admin's own 404. A 404 of another server has none.
fn absent(body: &[u8]) -> Option<u64> {
    let document: serde_json::Value = serde_json::from_slice(body).ok()?;
    (document.get("message")?.as_str()? == "Not found").then(|| document.get("seq")?.as_u64())?
}

/// The walk through all keys, each with its digest and owner.
#[derive(Default)]
struct Holders {
    offset: Option<String>,
    started: bool,
    all: Vec<Holder>,
    seq: Option<u64>,
}

impl Snapshot for Holders {
    fn next(&mut self) -> Option<Call> {
        let call = Call::get(["identities", "key-auth"]).with("size", "1000");
        match (&self.offset, self.started) {
            (None, true) => None,
            (None, false) => Some(call),
            (Some(offset), _) => Some(call.with("offset", offset)),
        }
    }

    fn absorb(&mut self, answer: &Answer, most: usize) -> bool {
        let page =
            (answer.status == 200).then(|| serde_json::from_slice::<HolderPage>(&answer.body).ok());
        let Some(page) = page.flatten() else { return false };
        // With a cursor that does not move, the walk would never end.
        if page.offset.is_some() && page.offset == self.offset {
            return false;
        }
        if !self.started {
            self.seq = page.seq;
        }
        self.started = true;
        self.offset = page.offset.filter(|_| !page.data.is_empty());
        self.all.extend(page.data);
        if self.all.len() > most {
            self.all.truncate(most.saturating_add(1));
            self.offset = None;
        }
        true
    }

    fn finish(self: Box<Self>) -> (Vec<(Key, Finding)>, Option<u64>) {
        let found = |holder: Holder| {
            let digest = mixed::decode_vec(&holder.digest).ok()?;
            let key = by_key(digest.as_slice().try_into().ok()?);
            let identity = identity(holder.consumer, holder.groups, Some(holder.credential))?;
            Some((key, Finding::Value(encode(&identity, holder.expires_at))))
        };
        (self.all.into_iter().filter_map(found).collect(), self.seq)
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
