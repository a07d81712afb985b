//! Consumers in the settings themselves, in the form of Kong's declarative configuration.

use crate::identity::{Credential, Identity, folded};
use crate::key_digest;
use crate::lookup::By;
use exchange::Property;
use settings::{Fields, Rule};
use std::collections::HashMap;
use std::rc::Rc;
use uuid::Uuid;

/// The consumers of one configuration.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    by_name: HashMap<String, Rc<Identity>>,
    by_key: HashMap<[u8; 32], Property>,
    /// The JWT credentials with their consumers, in the order of the settings.
    pub jwt_secrets: Vec<(Rc<Identity>, JwtSecret)>,
}

/// A JWT credential as it is configured.
#[derive(Clone, PartialEq, Eq)]
pub struct JwtSecret {
    /// The credential's id.
    pub id: String,
    /// The value of the key claim in the credential's tokens.
    pub key: String,
    /// The HMAC secret.
    pub secret: Option<String>,
    /// The public key (PEM) of an asymmetric algorithm.
    pub public_key: Option<String>,
    /// The algorithm of the tokens; `None` stands for HS256.
    pub algorithm: Option<String>,
}

impl std::fmt::Debug for JwtSecret {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtSecret")
            .field("id", &self.id)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// The namespace of derived ids (UUIDv5). An id that is not configured is derived from a name, so
/// that all nodes use one id.
const NAMESPACE: Uuid = Uuid::from_u128(0x6761_7465_686f_5573_8563_6f6e_7375_6d65);

fn derived(kind: &str, name: &str) -> String {
    Uuid::new_v5(&NAMESPACE, format!("{kind}:{name}").as_bytes()).to_string()
}

impl Directory {
    /// Returns `true` if the settings contain no consumer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Returns the consumer with this name of the given kind, without a credential.
    #[must_use]
    pub fn by(&self, by: By, name: &str) -> Option<&Rc<Identity>> {
        match by {
            By::Id => self.by_id(name),
            By::Username | By::CustomId => self.by_name.get(&format!("{}:{name}", by.word())),
        }
    }

    /// Returns the consumer with this id or, if there is none, with this username, without a
    /// credential.
    #[must_use]
    pub fn by_id_or_username(&self, name: &str) -> Option<&Rc<Identity>> {
        self.by_id(name).or_else(|| self.by(By::Username, name))
    }

    /// Returns the consumer with this id, without a credential.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Rc<Identity>> {
        self.by_name.get(&format!("id:{}", folded(id)))
    }

    /// Returns the property that states the consumer whose API key has this digest, with the
    /// credential. The property is made once, and states an [`Identity`].
    ///
    /// The digest is looked up in a table, not compared in constant time. An attacker who could
    /// measure the time would learn about the SHA-256 of a guess, from which no key can be built.
    #[must_use]
    pub fn by_key(&self, digest: &[u8; 32]) -> Option<&Property> {
        self.by_key.get(digest)
    }
}

/// Reads the common setting `consumers`.
pub fn consumers(fields: &mut Fields<'_>) -> Directory {
    let consumers = fields.objects("consumers", consumer);
    let mut directory = Directory::default();
    for (n, (identity, keys, secrets)) in consumers.into_iter().enumerate() {
        let identity = Rc::new(identity);
        let at = format!("consumers[{n}]");
        let names = [
            ("id", Some(&identity.id)),
            ("username", identity.username.as_ref()),
            ("custom_id", identity.custom_id.as_ref()),
        ];
        for (kind, name) in names {
            let Some(name) = name else { continue };
            let earlier = directory.by_name.insert(format!("{kind}:{name}"), Rc::clone(&identity));
            fields.check(
                earlier.is_none(),
                &format!("{at}.{kind}"),
                "found the same value in an earlier consumer, expected it to be unique",
            );
        }
        for (m, (id, key)) in keys.into_iter().enumerate() {
            let digest = key_digest(key.as_bytes());
            let id = id.unwrap_or_else(|| derived("key-auth", &format!("{digest:02x?}")));
            let credential = Credential {
                identifier: Some(id.clone()),
                id,
                kind: "key-auth".to_owned(),
                key: None,
            };
            let identity = Identity { credential: Some(credential), ..(*identity).clone() };
            let earlier = directory.by_key.insert(digest, identity.into_property());
            fields.check(
                earlier.is_none(),
                &format!("{at}.keyauth_credentials[{m}].key"),
                "found a key (not shown) that an earlier credential has, expected it to be unique",
            );
        }
        directory
            .jwt_secrets
            .extend(secrets.into_iter().map(|secret| (Rc::clone(&identity), secret)));
    }
    directory
}

type Keys = Vec<(Option<String>, String)>;

fn consumer(f: &mut Fields<'_>) -> (Identity, Keys, Vec<JwtSecret>) {
    let id = f.text("id", Rule::TEXT);
    let username = f.text("username", Rule::TEXT);
    let custom_id = f.text("custom_id", Rule::TEXT);
    f.check(
        id.is_some() || username.is_some() || custom_id.is_some(),
        "",
        "found a consumer without a name, expected `username`, `custom_id` or `id`",
    );
    let mut groups = f.texts("groups", Rule::TEXT).unwrap_or_default();
    groups.extend(f.objects("acls", |f| f.required_text("group", Rule::TEXT)));
    let keys = f.objects("keyauth_credentials", |f| {
        let id = f.text("id", Rule::TEXT);
        let key = f.secret("key", "key_env", Rule::TEXT);
        f.check(
            key.is_some() || f.is_given("key") || f.is_given("key_env"),
            "key",
            "found nothing, expected the API key",
        );
        (id, key.unwrap_or_default())
    });
    let secrets = f.objects("jwt_secrets", jwt_secret);
    let id = id.map(|id| folded(&id)).unwrap_or_else(|| {
        derived("consumer", username.as_deref().or(custom_id.as_deref()).unwrap_or_default())
    });
    let identity = Identity { id, username, custom_id, groups, credential: None, anonymous: false };
    (identity, keys, secrets)
}

fn jwt_secret(f: &mut Fields<'_>) -> JwtSecret {
    let id = f.text("id", Rule::TEXT);
    let key = f.required_text("key", Rule::TEXT);
    JwtSecret {
        id: id.unwrap_or_else(|| derived("jwt", &key)),
        secret: f.secret("secret", "secret_env", Rule::LONG),
        public_key: f.text("rsa_public_key", Rule::LONG),
        algorithm: f.text("algorithm", Rule::WORD),
        key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Directory, settings::Invalid> {
        settings::read(
            json.as_bytes(),
            &|name| (name == "KEY").then(|| "from-env".to_owned()),
            consumers,
        )
    }

    fn credential_of(property: Option<&Property>) -> Option<String> {
        Some(property?.stated::<Identity>()?.credential.as_ref()?.id.clone())
    }

    #[test]
    fn a_key_finds_its_consumer_with_the_credential() {
        let directory = parse(
            r#"{"consumers":[{"username":"fiona","custom_id":"7","groups":["a"],"acls":[{"group":"b"}],
                "keyauth_credentials":[{"key":"open_sesame"},{"id":"k2","key_env":"KEY"}]}]}"#,
        )
        .unwrap();
        let found = directory.by_key(&key_digest(b"open_sesame")).unwrap();
        let found = found.stated::<Identity>().unwrap();
        assert_eq!(found.username.as_deref(), Some("fiona"));
        assert_eq!(found.groups, ["a", "b"]);
        assert!(found.is_authenticated());
        assert_eq!(
            credential_of(directory.by_key(&key_digest(b"from-env"))),
            Some("k2".to_owned())
        );
        assert!(directory.by_key(&key_digest(b"nope")).is_none());
        let by = |by, name| directory.by(by, name).map(|found| found.id.as_str());
        let upper = found.id.to_uppercase();
        for (kind, name) in
            [(By::Username, "fiona"), (By::CustomId, "7"), (By::Id, &found.id), (By::Id, &upper)]
        {
            assert_eq!(by(kind, name), Some(found.id.as_str()), "{name}");
        }
        for (kind, name) in [(By::Username, "7"), (By::CustomId, "fiona"), (By::Id, "fiona")] {
            assert_eq!(by(kind, name), None, "{name}");
        }
        assert!(directory.by_id_or_username("fiona").unwrap().credential.is_none());
        assert!(directory.by_id_or_username(&found.id).is_some());
        assert!(directory.by_id_or_username("7").is_none());
    }

    #[test]
    fn a_derived_id_is_the_same_everywhere() {
        let id = || {
            parse(r#"{"consumers":[{"username":"fiona"}]}"#)
                .unwrap()
                .by(By::Username, "fiona")
                .unwrap()
                .id
                .clone()
        };
        assert_eq!(id(), id());
        assert_eq!(Uuid::parse_str(&id()).unwrap().get_version_num(), 5);
    }

    #[test]
    fn names_and_keys_that_are_missing_or_not_unique_are_refused_by_path() {
        let error = parse(
            r#"{"consumers":[{"username":"a","keyauth_credentials":[{"key":"k"}]},
                {"username":"a","keyauth_credentials":[{"key":"k"},{}]},{}]}"#,
        )
        .unwrap_err();
        let paths: Vec<&str> = error.problems().iter().map(|p| p.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "consumers[1].keyauth_credentials[1].key",
                "consumers[2]",
                "consumers[1].id",
                "consumers[1].username",
                "consumers[1].keyauth_credentials[0].key"
            ]
        );
        assert!(!error.to_string().contains("\"k\""));
    }
}
