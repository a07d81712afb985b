//! Sessions that the service stores for gateways, and revocations of sessions stored elsewhere.

use serde::{Deserialize, Serialize};

/// The body of `PUT /sessions/{id}`. The id is a digest; see [`crate::is_digest`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// Base64 of bytes that the gateway has sealed, so that the service cannot read them.
    pub data: String,
    /// The time to live in seconds, from 1 to [`crate::TTL_MAX`].
    pub ttl: u64,
    /// The older session that this one replaces. The service shortens it in the same transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<Stale>,
    /// The subjects of the session, by which an operator can find it; at most
    /// [`crate::METADATA_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<Metadata>,
}

/// The subject and the audience of a session. Unlike the session itself, the service can read them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The name of the applications that accept the session; see [`crate::is_metadata`].
    pub audience: String,
    /// The name of the user who has logged in, or a digest of it; see [`crate::is_metadata`].
    pub subject: String,
}

/// An older session and its maximum remaining time. The service never prolongs the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stale {
    /// The id of the older session.
    pub id: String,
    /// The remaining time in seconds, up to [`crate::TTL_MAX`]; 0 ends the session at once.
    pub ttl: u64,
}

/// The body of `PATCH /sessions/{id}`, which never prolongs a session, and of
/// `PUT /revocations/{id}`, which never shortens a revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ttl {
    /// The time to live in seconds, from 1 to [`crate::TTL_MAX`].
    pub ttl: u64,
}

/// The answer to GET, PUT and PATCH of `/sessions/{id}`: the session as it is stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Base64 of bytes that the gateway has sealed.
    pub data: String,
    /// The remaining time in seconds, at least 1.
    pub ttl: u64,
    /// The number of the newest change at the moment of reading; absent from a Kong Admin API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// The answer to GET and PUT of `/revocations/{id}`. The answer about a session that is not revoked
/// is 404.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// The remaining time in seconds, at least 1.
    pub ttl: u64,
    /// The number of the newest change at the moment of reading; absent from a Kong Admin API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

// === Debug, which prints neither sealed data nor names ===

impl std::fmt::Debug for NewSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { data: _, ttl, stale, metadata: _ } = self;
        f.debug_struct("NewSession").field("ttl", ttl).field("stale", stale).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Metadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metadata").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { data: _, ttl, seq } = self;
        f.debug_struct("Session").field("ttl", ttl).field("seq", seq).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_wire_are_those_of_the_contract() {
        let stale = Some(Stale { id: "ab".into(), ttl: 10 });
        let new = NewSession { data: "AA==".into(), ttl: 60, stale, metadata: vec![] };
        let json = r#"{"data":"AA==","ttl":60,"stale":{"id":"ab","ttl":10}}"#;
        assert_eq!(serde_json::to_string(&new).unwrap(), json);
        let plain = NewSession { stale: None, ..new };
        assert_eq!(serde_json::to_string(&plain).unwrap(), r#"{"data":"AA==","ttl":60}"#);
        let metadata = vec![Metadata { audience: "shop".into(), subject: "ana".into() }];
        let noted = NewSession { metadata, ..plain };
        let json = r#"{"data":"AA==","ttl":60,"metadata":[{"audience":"shop","subject":"ana"}]}"#;
        assert_eq!(serde_json::to_string(&noted).unwrap(), json);
        let session: Session = serde_json::from_str(r#"{"data":"AA==","ttl":1,"mood":2}"#).unwrap();
        assert_eq!((session.ttl, session.seq), (1, None));
    }

    #[test]
    fn sealed_data_and_names_are_shown_on_the_wire_only() {
        let session = Session { data: "hush".into(), ttl: 1, seq: None };
        let metadata = vec![Metadata { audience: "hush".into(), subject: "hush".into() }];
        let shown = format!("{session:?} {metadata:?}");
        let new = NewSession { data: "hush".into(), ttl: 1, stale: None, metadata };
        assert!(!format!("{shown} {new:?}").contains("hush"));
    }
}
