//! Who a credential or a name belongs to.

use serde::{Deserialize, Serialize};

/// The credential type of an API key, as it stands in [`Credential::kind`].
pub const KEY_AUTH: &str = "key-auth";

/// The credential type of a token, as it stands in [`Credential::kind`].
pub const JWT: &str = "jwt";

/// A consumer as far as a gateway needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    /// A UUID in lower case.
    pub id: String,
    /// Its name, if it has one.
    #[serde(default)]
    pub username: Option<String>,
    /// Its name in somebody else's system, if it has one.
    #[serde(default)]
    pub custom_id: Option<String>,
}

/// The credential that proved an identity; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// A UUID in lower case.
    pub id: String,
    /// [`KEY_AUTH`], [`JWT`], and others to come.
    #[serde(rename = "type")]
    pub kind: String,
    /// What an upstream is told as `X-Credential-Identifier`.
    pub identifier: String,
}

/// The answer to "whose key is this" and "who is called this".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Who it is.
    pub consumer: Consumer,
    /// The consumer's groups, sorted.
    #[serde(default)]
    pub groups: Vec<String>,
    /// What was looked up; absent when a consumer was asked for by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
    /// SHA-256 of the API key that was looked up, in lower-case hex; absent when no key was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// When the credential ends, in milliseconds since 1970; absent when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// The newest change at the moment of reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// The answer to "who signs tokens under this key, and how".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtIdentity {
    /// Who it is.
    pub consumer: Consumer,
    /// The consumer's groups, sorted.
    #[serde(default)]
    pub groups: Vec<String>,
    /// What was looked up; its identifier is the key.
    pub credential: Credential,
    /// What verifies the tokens.
    pub jwt: JwtKey,
    /// The newest change at the moment of reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// What verifies the tokens of a JWT credential: a secret for HS*, a public key for any other algorithm.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtKey {
    /// The only algorithm that the tokens may have.
    pub algorithm: String,
    /// The secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The public key as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rsa_public_key: Option<String>,
}

impl std::fmt::Debug for JwtKey {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// One API key, by digest, with everything that a gateway needs to accept it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// SHA-256 of the key in lower-case hex.
    pub digest: String,
    /// Whose it is.
    pub consumer: Consumer,
    /// The consumer's groups, sorted.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The credential that the key belongs to.
    pub credential: Credential,
    /// When the credential ends, in milliseconds since 1970; absent when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// A page of all API keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderPage {
    /// The keys of this page.
    pub data: Vec<Holder>,
    /// Path and query of the next page; absent or null on the last one.
    #[serde(default)]
    pub next: Option<String>,
    /// The cursor of the next page, to be sent as `offset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<String>,
    /// The newest change at the moment of reading.
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
