//! What changed since a reader last looked.

use serde::{Deserialize, Serialize};

/// The kinds of things that change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    /// A consumer itself.
    Consumers,
    /// A consumer's membership in a group.
    Acls,
    /// An App ID of a consumer.
    Appids,
    /// An API key.
    KeyauthCredentials,
    /// A JWT credential.
    JwtSecrets,
    /// A session that was deleted, replaced or shortened.
    Sessions,
    /// A revocation.
    Revocations,
    /// A kind that this version does not know; it has nothing cached of it.
    #[serde(other)]
    Unknown,
}

/// What happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// It is new.
    Create,
    /// It, or something that its answers contain, is different.
    Update,
    /// It is gone.
    Delete,
    /// A word that this version does not know: to be treated like [`Operation::Update`].
    #[serde(other)]
    Unknown,
}

/// One change, in the order of commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Greater than that of every change committed before.
    pub seq: u64,
    /// What kind of thing.
    pub entity: Entity,
    /// What happened.
    pub operation: Operation,
    /// The consumer that it belongs to, or that it is; empty for sessions, whose holder the service does not know.
    pub consumer_id: String,
    /// The App ID, the digest of the API key, the key of the JWT credential, the group, a name of the consumer, or
    /// the id of the session.
    pub key: String,
}

/// The answer to `/changes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesPage {
    /// Oldest first; empty when there is nothing new or `reset` is true.
    pub data: Vec<Change>,
    /// What to ask for next time, as `since`.
    pub next: u64,
    /// The database that these numbers belong to. When it is another one than before, nothing that
    /// was read before holds.
    pub epoch: String,
    /// The changes that are asked for are not to be had: nothing that was read before holds.
    #[serde(default)]
    pub reset: bool,
    /// The newest change at the moment of reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_wire_are_those_of_the_contract() {
        let change = Change {
            seq: 7,
            entity: Entity::KeyauthCredentials,
            operation: Operation::Delete,
            consumer_id: "c".into(),
            key: "ab".into(),
        };
        let json = r#"{"seq":7,"entity":"keyauth_credentials","operation":"delete","consumer_id":"c","key":"ab"}"#;
        assert_eq!(serde_json::to_string(&change).unwrap(), json);
    }

    #[test]
    fn a_kind_of_a_later_version_does_not_spoil_the_page() {
        let json = r#"{"data":[{"seq":1,"entity":"moods","operation":"brighten",
            "consumer_id":"","key":"s"}],"next":1,"epoch":"e"}"#;
        let page: ChangesPage = serde_json::from_str(json).unwrap();
        assert_eq!(page.data[0].entity, Entity::Unknown);
        assert_eq!(page.data[0].operation, Operation::Unknown);
        assert!(!page.reset);
    }
}
