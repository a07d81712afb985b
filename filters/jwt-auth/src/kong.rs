//! Credentials from a Kong Admin API. No single answer of that API contains a credential with its
//! consumer, so all credentials are fetched as lists.

use crate::credential::{Holder, Material, credential};
use crate::tables::by_key;
use consumer::{Identity, KongLists, lookup};
use exchange::{Answer, Call, Finding, Key};
use runtime::Snapshot;
use serde::Deserialize;

/// The walk through all JWT credentials of a Kong Admin API.
pub(crate) struct KongSecrets(KongLists<JwtSecret>);

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
}

impl Default for KongSecrets {
    fn default() -> Self {
        Self(KongLists::ending_with("jwts", |entry| serde_json::from_value(entry).ok()))
    }
}

impl Snapshot for KongSecrets {
    fn next(&mut self) -> Option<Call> {
        self.0.next_page()
    }

    // A Kong is not asked for single keys, so that a part of them would be of no use.
    fn absorb(&mut self, answer: &Answer, most: usize) -> bool {
        self.0.absorb(answer, most)
    }

    fn finish(self: Box<Self>) -> (Vec<(Key, Finding)>, Option<u64>) {
        let secrets = self.0.credentials().map(|(secret, owner)| {
            let identity =
                Identity { credential: Some(credential(&secret.id, &secret.key)), ..owner.clone() };
            let material = Material {
                algorithm: secret.algorithm.clone().unwrap_or_else(|| "HS256".to_owned()),
                secret: secret.secret.clone(),
                public_key: secret.rsa_public_key.clone(),
                base64: false,
            };
            (by_key(&secret.key), Finding::Value(Holder { identity, material }.encode()))
        });
        let consumers = self.0.consumers().flat_map(lookup::entries);
        (secrets.chain(consumers).collect(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kongs_lists_become_holders() {
        let mut secrets = Box::new(KongSecrets::default());
        for page in [
            r#"{"data":[{"id":"1","username":"ado"}]}"#,
            r#"{"data":[{"group":"g","consumer":{"id":"1"}}]}"#,
            r#"{"data":[{"id":"j","key":"adokey","secret":"supersecret","consumer":{"id":"1"}},
                {"id":"r","key":"rs","algorithm":"RS256","rsa_public_key":"PEM","consumer":{"id":"1"}},
                {"id":"odd","consumer":{"id":"1"}}]}"#,
        ] {
            assert!(secrets.absorb(&Answer::new(200, page), 1));
        }
        assert_eq!(secrets.next(), None);
        let (all, _) = secrets.finish();
        assert_eq!(all.len(), 4, "two credentials, and a consumer with one name");
        let found = |key: Key| {
            let (_, finding) = all.iter().find(|(name, _)| *name == key)?;
            let Finding::Value(value) = finding else { panic!() };
            Some(value.clone())
        };
        let ado = Holder::decode(&found(by_key("adokey")).unwrap()).unwrap();
        assert_eq!(ado.identity.groups, ["g"]);
        assert_eq!(ado.identity.credential.unwrap().identifier.as_deref(), Some("adokey"));
        assert_eq!(
            (ado.material.algorithm.as_str(), ado.material.secret.as_deref()),
            ("HS256", Some("supersecret"))
        );
        let rs = Holder::decode(&found(by_key("rs")).unwrap()).unwrap().material;
        assert_eq!((rs.algorithm.as_str(), rs.public_key.as_deref()), ("RS256", Some("PEM")));
        assert_eq!(found(lookup::key(lookup::By::Username, "ado")).unwrap(), b"1");
        assert!(found(lookup::key(lookup::By::Id, "1")).is_some());
    }
}
