//! What a request says about something that belongs to a consumer.

use admin_api::{APP_ID_MAX_CHARS, GROUP_MAX_CHARS, KEY_MAX_CHARS, is_app_id, is_strict_app_id};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::answer::Refusal;
use super::fields::{self, Fields, Given};
use super::owned::field;
use crate::store::Kind;

/// What an operator decided about names and sizes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// App IDs are `<organisation>.<app>` in lower case.
    pub(crate) strict_app_ids: bool,
    /// Octets that a session's data may have.
    pub(crate) session_data_max: usize,
}

pub(super) struct Draft {
    pub(super) id: Given<String>,
    pub(super) value: Given<Named>,
    pub(super) consumer_id: Given<String>,
    /// What the consumer's id is called.
    pub(super) consumer_field: &'static str,
    pub(super) tags: Given<String>,
    pub(super) ttl: Given<i64>,
}

/// A group, an App ID or an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// As it is stored: an API key only as its digest.
    pub(super) stored: String,
    /// As it was given.
    pub(super) shown: String,
}

/// Kong's longest time to live, in seconds.
const TTL_MAX: i64 = 100_000_000;

/// The characters of a key that the service makes, and how many: 190 bits.
const KEY_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const KEY_LENGTH: usize = 32;

impl Draft {
    pub(super) fn take(kind: Kind, rules: Rules, mut fields: Fields) -> Result<Self, Refusal> {
        let (consumer_field, consumer_id) = match kind {
            Kind::AppId => ("consumer_id", fields.consumer_id("consumer_id")),
            Kind::Acl | Kind::Key => ("consumer.id", fields.consumer_id("consumer")),
        };
        let max = match kind {
            Kind::AppId => APP_ID_MAX_CHARS,
            Kind::Acl => GROUP_MAX_CHARS,
            Kind::Key => KEY_MAX_CHARS,
        };
        let value = match fields.text(field(kind), max) {
            Given::Absent => Given::Absent,
            Given::Null => Given::Null,
            Given::Value(text) => {
                if let Some(problem) = flaw(kind, rules, &text) {
                    fields.problem(field(kind), problem);
                }
                Given::Value(Named::of(kind, text))
            }
        };
        let (tags, ttl) = match kind {
            Kind::AppId => (Given::Absent, Given::Absent),
            Kind::Acl => (fields.tags(), Given::Absent),
            Kind::Key => (fields.tags(), fields.integer("ttl", 0..=TTL_MAX)),
        };
        if kind == Kind::Key {
            fields.read_only("key_digest");
        }
        let id = fields.uuid("id");
        fields.finish()?;
        Ok(Self { id, value, consumer_id, consumer_field, tags, ttl })
    }

    /// Adds what the path of a `PUT` says: an id or a name.
    pub(super) fn name_by_path(
        &mut self,
        kind: Kind,
        rules: Rules,
        item: &str,
    ) -> Result<(), Refusal> {
        let (name, text) = match fields::uuid(item) {
            Some(id) => ("id", id),
            None => (field(kind), item.to_owned()),
        };
        let mut from_path = Fields::default();
        from_path.add(name, Value::String(text));
        let path = Self::take(kind, rules, from_path)?;
        let agrees = match (&self.id, &self.value) {
            (Given::Value(id), _) if name == "id" => path.id == Given::Value(id.clone()),
            (_, Given::Value(value)) if name != "id" => path.value == Given::Value(value.clone()),
            _ => true,
        };
        if !agrees {
            return Err(Refusal::field(name, "differs from the path"));
        }
        if name == "id" {
            self.id = path.id;
        } else {
            self.value = path.value;
        }
        Ok(())
    }

    pub(super) fn value_missing(&self, kind: Kind) -> Refusal {
        Refusal::field(field(kind), "required field missing")
    }
}

/// What is wrong with a name besides its length, if anything.
fn flaw(kind: Kind, rules: Rules, text: &str) -> Option<&'static str> {
    match kind {
        Kind::AppId if !is_app_id(text) => Some("may consist of letters, digits, `.`, `_` and `-`"),
        Kind::AppId if rules.strict_app_ids && !is_strict_app_id(text) => Some(
            "must be <organisation>.<app>, of lower-case letters, digits and `_`, with at least one \
             dot",
        ),
        // Groups go into one header, separated by commas.
        Kind::Acl if text.contains(',') => Some("must not contain a comma"),
        Kind::AppId | Kind::Acl | Kind::Key => None,
    }
}

// === Named ===

impl Named {
    pub(super) fn of(kind: Kind, text: String) -> Self {
        match kind {
            Kind::Acl | Kind::AppId => Self { stored: text.clone(), shown: text },
            Kind::Key => Self { stored: digest(&text), shown: text },
        }
    }

    /// A key that nobody can guess.
    pub(super) fn random_key() -> Result<Self, Refusal> {
        let mut bytes = [0_u8; KEY_LENGTH];
        if getrandom::fill(&mut bytes).is_err() {
            return Err(Refusal::Database(sqlx::Error::Protocol("no randomness to be had".into())));
        }
        let letter = |byte: &u8| KEY_LETTERS.get(usize::from(byte % 64)).copied().map(char::from);
        let letters = bytes.iter().filter_map(letter);
        Ok(Self::of(Kind::Key, letters.collect()))
    }
}

/// SHA-256 in lower-case hex.
fn digest(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_stored_as_its_sha_256_digest() {
        assert_eq!(
            digest("open_sesame"),
            "e85135e0bbd21cb76bbd8504d4f0d31dac39e392d03ef50acd588421c2a5d37f"
        );
    }

    #[test]
    fn two_keys_that_the_service_makes_are_never_the_same() {
        let keys = [Named::random_key().unwrap().shown, Named::random_key().unwrap().shown];
        assert_ne!(keys[0], keys[1]);
        assert!(keys.iter().all(|key| key.len() == KEY_LENGTH));
    }
}
