//! Sessions that are kept for the gateways, and revocations of those that are not.

use serde::{Deserialize, Serialize};

/// The body of `PUT /sessions/{id}`. The id is a digest of 64 lower-case hex digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// Base64 of sealed octets: the service cannot read them.
    pub data: String,
    /// Seconds from now; 1 to [`crate::TTL_MAX`].
    pub ttl: u64,
    /// The session that this one takes the place of, shortened in the same transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<Stale>,
    /// Whom the session is for, where an operator is to find it by that; at most [`crate::METADATA_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<Metadata>,
}

/// For whom a session is, and where. Unlike the session itself, the service can read this.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The applications that the session is good for; see [`crate::is_metadata`].
    pub audience: String,
    /// The name of whoever has logged in, or a digest of it; see [`crate::is_metadata`].
    pub subject: String,
}

/// An older session and how long it may still last. Its time is never made longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stale {
    /// Its id.
    pub id: String,
    /// Seconds from now.
    pub ttl: u64,
}

/// The body of `PATCH /sessions/{id}`, which only ever shortens, and of `PUT /revocations/{id}`, which only ever
/// prolongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ttl {
    /// Seconds from now; 1 to [`crate::TTL_MAX`].
    pub ttl: u64,
}

/// A session as it is kept: the answer to GET, PUT and PATCH of `/sessions/{id}`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Base64 of sealed octets.
    pub data: String,
    /// Seconds that it still lasts, at least 1.
    pub ttl: u64,
    /// The newest change at the moment of reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// A revocation: the answer to GET and PUT of `/revocations/{id}`. A session that was not revoked is a 404.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Seconds that it still lasts, at least 1.
    pub ttl: u64,
    /// The newest change at the moment of reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

// === Debug, without what is sealed, and without names ===

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
