//! Where credentials come from: gatehouse-admin, one key or one consumer at a time, or page by page.

use crate::kong::KongKeys;
use admin_api::{Change, Entity, Holder, HolderPage};
use consumer::{Credential, Identity, lookup};
use exchange::{Answer, Call, Finding, Key};
use runtime::{Snapshot, Source};

/// Identities by API key; the name is the SHA-256 digest of the key.
pub(crate) const BY_KEY: u8 = 1;

/// The key for the owner of an API key.
pub(crate) fn by_key(digest: &[u8; 32]) -> Key {
    Key::new(BY_KEY, *digest)
}

/// An identity and the moment at which it ends, as a value to keep.
pub(crate) fn encode(identity: &Identity, expires_at: Option<u64>) -> Vec<u8> {
    let mut out = expires_at.unwrap_or(u64::MAX).to_le_bytes().to_vec();
    out.extend(identity.to_json());
    out
}

/// The identity in a value that [`encode`] made. `None` if it is none, or has ended at `now` (in
/// milliseconds).
pub(crate) fn decode(value: &[u8], now: u64) -> Option<Identity> {
    let (expires_at, json) = value.split_first_chunk::<8>()?;
    (now < u64::from_le_bytes(*expires_at)).then(|| Identity::from_json(json))?
}

/// The admin service's credentials, and its consumers.
pub(crate) struct Credentials;

impl Source for Credentials {
    fn call(&self, key: &Key) -> Call {
        lookup::call(key).unwrap_or_else(|| {
            Call::get([b"identities".as_slice(), b"key-auth", hex(&key.name).as_bytes()])
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
        // An answer about another key would let its owner in under this one.
        if found.digest? != hex(&key.name) {
            return None;
        }
        let identity = identity(found.consumer, found.groups, Some(found.credential?))?;
        Some((Finding::Value(encode(&identity, found.expires_at)), found.seq))
    }

    fn is_secret(&self, _key: &Key) -> bool {
        // Names, groups and digests.
        false
    }

    fn touched(&self, change: &Change) -> Vec<Key> {
        match change.entity {
            Entity::KeyauthCredentials => {
                unhex(&change.key).map(|digest| Key::new(BY_KEY, digest)).into_iter().collect()
            }
            _ => lookup::touched(change),
        }
    }

    fn snapshot(&self, changes: bool) -> Option<Box<dyn Snapshot>> {
        if changes {
            Some(Box::new(Holders::default()))
        } else {
            Some(Box::new(KongKeys::default()))
        }
    }

    fn asks_any_server(&self) -> bool {
        // A Kong Admin API finds a key by the key itself, which never leaves the gateway.
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

/// gatehouse-admin's own "there is none" carries a change number. Any other 404 comes from something else.
fn absent(body: &[u8]) -> Option<u64> {
    let document: serde_json::Value = serde_json::from_slice(body).ok()?;
    (document.get("message")?.as_str()? == "Not found").then(|| document.get("seq")?.as_u64())?
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// A walk through all keys, by digest.
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

    fn absorb(&mut self, answer: &Answer) -> bool {
        let page =
            (answer.status == 200).then(|| serde_json::from_slice::<HolderPage>(&answer.body).ok());
        let Some(page) = page.flatten() else { return false };
        // A cursor that does not move would never end.
        if page.offset.is_some() && page.offset == self.offset {
            return false;
        }
        if !self.started {
            self.seq = page.seq;
        }
        self.started = true;
        self.offset = page.offset.filter(|_| !page.data.is_empty());
        self.all.extend(page.data);
        true
    }

    fn finish(self: Box<Self>) -> (Vec<(Key, Finding)>, Option<u64>) {
        let found = |holder: Holder| {
            let key = Key::new(BY_KEY, unhex(&holder.digest).filter(|digest| digest.len() == 32)?);
            let identity = identity(holder.consumer, holder.groups, Some(holder.credential))?;
            Some((key, Finding::Value(encode(&identity, holder.expires_at))))
        };
        (self.all.into_iter().filter_map(found).collect(), self.seq)
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
