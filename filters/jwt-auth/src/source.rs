//! Credentials from gatehouse-admin, and key sets from providers: the calls and their answers.

use crate::config::Config;
use crate::credential::{Holder, Material, credential};
use crate::kong::KongSecrets;
use crate::provider::{Keys, Place, Provider, Uri, call};
use crate::tables::{BY_KEY, DISCOVERY, JWKS, by_key, discovery, key_set, place_of};
use admin_api::{Change, Entity, JwtIdentity};
use consumer::{Identity, folded, lookup};
use exchange::{Answer, Call, Finding, Key, Target};
use jose::{JwkSet, Policy};
use runtime::{Snapshot, Source};
use std::rc::Rc;
use std::time::Duration;

/// The greatest length of the usable keys of a set in bytes. A longer set is refused.
const MAX_SET: usize = 128 << 10;

/// The source of credentials, consumers and key sets.
pub(crate) struct Entities {
    pub(crate) config: Rc<Config>,
}

impl Entities {
    /// Returns the provider whose documents `key` stands for, with its index in the settings.
    fn provider(&self, key: &Key) -> Option<(usize, &Provider, &Place)> {
        let name = place_of(key);
        let mut places = self
            .config
            .providers
            .iter()
            .enumerate()
            .filter_map(|(n, provider)| provider.place().map(|place| (n, provider, place)));
        places.find(|(.., place)| place.name.as_bytes() == name)
    }

    fn place(&self, key: &Key) -> Option<&Place> {
        self.provider(key).map(|(.., place)| place)
    }

    /// Reads the admin service's answer about a credential.
    fn read_credential(key: &Key, answer: &Answer) -> Option<(Finding, Option<u64>)> {
        if answer.status == 404 {
            return absent(&answer.body).map(|seq| (Finding::Nothing, Some(seq)));
        }
        if answer.status != 200 {
            return None;
        }
        let found: JwtIdentity = serde_json::from_slice(&answer.body).ok()?;
        // An answer about another key would admit the owner of that key.
        if found.credential.identifier.as_bytes() != key.name {
            return None;
        }
        let material = Material {
            algorithm: found.jwt.algorithm,
            secret: found.jwt.secret,
            public_key: found.jwt.rsa_public_key,
            base64: false,
        };
        let credential = credential(&found.credential.id, &found.credential.identifier);
        let identity =
            Identity { credential: Some(credential), ..identity(found.consumer, found.groups)? };
        Some((Finding::Value(Holder { identity, material }.encode()), found.seq))
    }

    /// Returns the path of the key set from a provider's discovery document (OpenID Connect
    /// Discovery 1.0, section 4.2). Returns `None` if the document is of another issuer, or names
    /// another server.
    fn read_discovery(&self, key: &Key, answer: &Answer) -> Option<Vec<u8>> {
        let (index, provider, place) = self.provider(key)?;
        let document = jose::json::parse_object(&answer.body)?;
        let text = |name| document.get(name).and_then(serde_json::Value::as_str);
        // Issuers are compared as they are: a similar text is another issuer.
        if text("issuer")? != provider.issuer {
            return None;
        }
        let uri = Uri::parse(text("jwks_uri")?)?;
        if uri.authority != place.uri.authority {
            return None;
        }
        if let Ok(mut memory) = self.config.memory.try_borrow_mut() {
            memory.set_path(index, &uri.path);
        }
        Some(uri.path.into_bytes())
    }

    /// Returns the path of a provider's key set, from the settings or from the last discovery.
    fn set_path(&self, key: &Key) -> Option<String> {
        let (index, provider, _) = self.provider(key)?;
        match &provider.keys {
            Keys::Inline(_) => None,
            Keys::Remote(place) => Some(place.uri.path.clone()),
            Keys::Discovered(_) => {
                let memory = self.config.memory.try_borrow().ok()?;
                memory.path(index).map(str::to_owned)
            }
        }
    }
}

impl Source for Entities {
    fn call(&self, key: &Key) -> Call {
        match key.table {
            BY_KEY => Call::get([b"identities".as_slice(), b"jwt", &key.name]),
            DISCOVERY => {
                let path = self.place(key).map(|place| place.uri.path.as_str());
                call(path.unwrap_or("/"))
            }
            JWKS => call(self.set_path(key).as_deref().unwrap_or("/")),
            _ => lookup::call(key).unwrap_or_else(|| call("/")),
        }
    }

    fn read(&self, key: &Key, answer: &Answer) -> Option<(Finding, Option<u64>)> {
        let value = match key.table {
            DISCOVERY | JWKS if answer.status != 200 => None,
            DISCOVERY => self.read_discovery(key, answer),
            JWKS => usable_keys(&answer.body),
            BY_KEY => return Self::read_credential(key, answer),
            _ => return lookup::read(key, answer),
        };
        value.map(|value| (Finding::Value(value), None))
    }

    fn target(&self, key: &Key) -> Option<Rc<Target>> {
        match key.table {
            DISCOVERY | JWKS => self.place(key).map(|place| Rc::clone(&place.target)),
            _ => None,
        }
    }

    fn ttl(&self, key: &Key) -> Option<Duration> {
        match key.table {
            DISCOVERY | JWKS => self.provider(key).map(|(_, provider, _)| provider.jwks_ttl),
            _ => None,
        }
    }

    fn wanted(&self) -> Vec<Key> {
        let memory = self.config.memory.try_borrow();
        let mut keys = Vec::new();
        for (n, provider) in self.config.providers.iter().enumerate() {
            match &provider.keys {
                Keys::Inline(_) => {}
                Keys::Remote(place) => keys.push(key_set(&place.name, &place.uri.path)),
                Keys::Discovered(place) => {
                    keys.push(discovery(&place.name));
                    let path = memory.as_ref().ok().and_then(|memory| memory.path(n));
                    keys.extend(path.map(|path| key_set(&place.name, path)));
                }
            }
        }
        keys
    }

    fn is_secret(&self, key: &Key) -> bool {
        // A credential may hold the secret of an HMAC.
        key.table == BY_KEY
    }

    fn touched(&self, change: &Change) -> Vec<Key> {
        match change.entity {
            Entity::JwtSecrets => vec![by_key(&change.key)],
            _ => lookup::touched(change),
        }
    }

    fn snapshot(&self, changes: bool) -> Option<Box<dyn Snapshot>> {
        // gatehouse-admin has no list of secrets; it gives them one at a time only.
        (!changes && self.config.common.admin.is_some())
            .then(|| Box::new(KongSecrets::default()) as Box<dyn Snapshot>)
    }

    fn asks_any_server(&self) -> bool {
        // No single answer of a Kong Admin API contains a credential with its consumer.
        false
    }
}

/// Returns the usable keys of a set, without certificates and other members that would fill the
/// cache.
fn usable_keys(body: &[u8]) -> Option<Vec<u8>> {
    let set = JwkSet::parse(body, Policy::REMOTE).ok()?;
    let keys: Vec<_> = set.keys().iter().filter_map(jose::VerifyingKey::to_jwk).collect();
    // A set without a usable key is a mistake of the provider. The former set continues to serve.
    if keys.is_empty() {
        return None;
    }
    let text = serde_json::to_vec(&serde_json::json!({ "keys": keys })).ok()?;
    (text.len() <= MAX_SET).then_some(text)
}

fn identity(consumer: admin_api::Consumer, groups: Vec<String>) -> Option<Identity> {
    let admin_api::Consumer { id, username, custom_id } = consumer;
    let id = folded(&id);
    let named = !id.is_empty();
    named.then_some(Identity { id, username, custom_id, groups, ..Identity::default() })
}

/// Returns the change number of gatehouse-admin's own 404. A 404 of another server has none.
fn absent(body: &[u8]) -> Option<u64> {
    let not_found: admin_api::NotFound = serde_json::from_slice(body).ok()?;
    not_found.seq.filter(|_| not_found.message == "Not found")
}

#[cfg(test)]
#[path = "neighbours_tests.rs"]
mod neighbours_tests;
#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
