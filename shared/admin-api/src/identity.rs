//! The consumers behind credentials and names.

use serde::{Deserialize, Serialize};

/// The value of [`Credential::kind`] for an API key.
pub const KEY_AUTH: &str = "key-auth";

/// The value of [`Credential::kind`] for a JWT credential.
pub const JWT: &str = "jwt";

/// The part of a consumer that a gateway needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    /// A UUID in lower case.
    pub id: String,
    /// The consumer's name, if it has one.
    #[serde(default)]
    pub username: Option<String>,
    /// The consumer's name in another system, if it has one.
    #[serde(default)]
    pub custom_id: Option<String>,
}

/// The credential that proved an identity, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// A UUID in lower case.
    pub id: String,
    /// [`KEY_AUTH`], [`JWT`] or, from a later version, another type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value of the header `X-Credential-Identifier` for the upstream.
    pub identifier: String,
}

/// The answer about an API key or a consumer's name: the consumer behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The consumer that the credential or the name belongs to.
    pub consumer: Consumer,
    /// The consumer's groups, sorted.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The credential that was looked up; absent if a consumer was looked up by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
    /// SHA-256 of the API key that was looked up, in lower-case hex; absent if no key was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The end of the credential, in milliseconds since 1970; absent if it never ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// The number of the newest change at the moment of reading; absent from a Kong Admin API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// The answer about the key of a JWT credential: the consumer, and what verifies its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtIdentity {
    /// The consumer that the credential or the name belongs to.
    pub consumer: Consumer,
    /// The consumer's groups, sorted.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The credential that was looked up. Its identifier is the key.
    pub credential: Credential,
    /// The key material that verifies the tokens.
    pub jwt: JwtKey,
    /// The number of the newest change at the moment of reading; absent from a Kong Admin API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// The key material of a JWT credential: a secret for HS256, HS384 and HS512, and a public key for
/// any other algorithm.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtKey {
    /// The only algorithm that the tokens may have.
    pub algorithm: String,
    /// The secret, for HS256, HS384 and HS512.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The public key as PEM, for any other algorithm, in spite of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rsa_public_key: Option<String>,
}

impl std::fmt::Debug for JwtKey {
    /// Prints no secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// One API key, with everything that a gateway needs to accept it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// SHA-256 of the key in lower-case hex.
    pub digest: String,
    /// The consumer that the key belongs to.
    pub consumer: Consumer,
    /// The consumer's groups, sorted.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The credential that the key is part of.
    pub credential: Credential,
    /// The end of the credential, in milliseconds since 1970; absent if it never ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// A page of the list of all API keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderPage {
    /// The keys of this page.
    pub data: Vec<Holder>,
    /// The path and query of the next page; absent or null on the last page.
    #[serde(default)]
    pub next: Option<String>,
    /// The cursor of the next page, to be sent as `offset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<String>,
    /// The number of the newest change at the moment of reading; absent from a Kong Admin API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_gain_members_and_leave_out_the_optional_ones() {
        let json = r#"{"consumer":{"id":"c1","colour":"red"},"mood":1}"#;
        let identity: Identity = serde_json::from_str(json).unwrap();
        assert_eq!(identity.consumer.username, None);
        assert_eq!((identity.groups.len(), identity.credential, identity.seq), (0, None, None));
    }

    #[test]
    fn a_jwt_credential_shows_its_secret_on_the_wire_only() {
        let json = r#"{"consumer":{"id":"1"},"groups":[],"credential":{"id":"j","type":"jwt","identifier":"k"},
            "jwt":{"algorithm":"HS256","secret":"hush"},"seq":4}"#;
        let identity: JwtIdentity = serde_json::from_str(json).unwrap();
        assert_eq!(identity.jwt.secret.as_deref(), Some("hush"));
        assert!(!format!("{identity:?}").contains("hush"));
        let text = serde_json::to_string(&identity.jwt).unwrap();
        assert_eq!(text, r#"{"algorithm":"HS256","secret":"hush"}"#);
    }

    #[test]
    fn the_type_of_a_credential_is_called_type_on_the_wire() {
        let credential =
            Credential { id: "a".into(), kind: KEY_AUTH.into(), identifier: "a".into() };
        let json = serde_json::to_string(&credential).unwrap();
        assert_eq!(json, r#"{"id":"a","type":"key-auth","identifier":"a"}"#);
    }
}
