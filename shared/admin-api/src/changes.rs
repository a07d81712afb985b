//! The log of changes, by which a reader learns what to forget.

use serde::{Deserialize, Serialize};

/// The kinds of entities that change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    /// A consumer.
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
    /// A kind that this version does not know, and therefore has no cache entries of.
    #[serde(other)]
    Unknown,
}

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The entity is new.
    Create,
    /// The entity, or something else that answers about it contain, is different.
    Update,
    /// The entity is deleted.
    Delete,
    /// A kind that this version does not know. A reader treats it like [`Operation::Update`].
    #[serde(other)]
    Unknown,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The number of the change, greater than that of every change that was committed earlier.
    pub seq: u64,
    /// The kind of the entity that changed.
    pub entity: Entity,
    /// The kind of the change.
    pub operation: Operation,
    /// The id of the consumer that the entity belongs to, or is. It is empty for sessions and
    /// revocations, whose consumers the service does not know.
    pub consumer_id: String,
    /// The name of the entity: the App ID, the digest of the API key, the key of the JWT
    /// credential, the group, one name of the consumer, or the id of the session.
    pub key: String,
}

/// The answer to `/changes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesPage {
    /// The changes, oldest first. The list is empty if nothing is new or `reset` is `true`.
    pub data: Vec<Change>,
    /// The parameter `since` of the next request.
    pub next: u64,
    /// The history that the numbers belong to. If it differs from that of an earlier answer,
    /// nothing that was read earlier holds.
    pub epoch: String,
    /// `true` if the log does not have the requested changes. Nothing that was read earlier holds.
    #[serde(default)]
    pub reset: bool,
    /// The number of the newest change at the moment of reading; absent from a Kong Admin API.
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
