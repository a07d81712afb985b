//! A consumer with the credential that proved it.

use serde::{Deserialize, Deserializer, Serialize};

/// Who is calling. Its JSON form is the contract between filters (and with Kong's `post-function`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The consumer's id, as [`folded`] gives it.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The consumer's username.
    #[serde(default)]
    pub username: Option<String>,
    /// The consumer's custom id.
    #[serde(default)]
    pub custom_id: Option<String>,
    /// The groups of the consumer.
    #[serde(default, deserialize_with = "list")]
    pub groups: Vec<String>,
    /// What proved it; none for an anonymous consumer.
    #[serde(default)]
    pub credential: Option<Credential>,
    /// Whether nothing proved it: the consumer stands in for whoever could not be authenticated.
    #[serde(default)]
    pub anonymous: bool,
}

/// What proved an identity.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The credential's id.
    pub id: String,
    /// `key-auth`, `jwt`, `session`, or what Kong says.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// What Kong sends as `X-Credential-Identifier`.
    #[serde(default)]
    pub identifier: Option<String>,
    /// The key itself, only where the operator asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Identity {
    /// Reads the JSON form. `None` if it is not one, or names nobody.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().filter(|identity: &Self| !identity.id.is_empty())
    }

    /// The JSON form.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Strings, lists and a flag: there is nothing in it that JSON cannot hold.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Every name that a `match` list may use for the consumer.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let custom = self.custom_id.as_ref().map(|id| format!("custom_id:{id}"));
        [Some(self.id.clone()), self.username.clone(), custom].into_iter().flatten().collect()
    }

    /// The same consumer standing in for somebody who could not be authenticated.
    #[must_use]
    pub fn into_anonymous(self) -> Self {
        Self { credential: None, anonymous: true, ..self }
    }

    /// Whether a credential proved it.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        self.credential.is_some() && !self.anonymous
    }
}

impl std::fmt::Debug for Credential {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// An id as it is kept, compared and shown: a UUID is the same in any case (RFC 9562 section 4).
#[must_use]
pub fn folded(id: &str) -> String {
    if is_uuid(id) { id.to_ascii_lowercase() } else { id.to_owned() }
}

/// Whether a text is a UUID in the usual form.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|id| folded(&id))
}

/// A list of texts; Lua's cjson writes an empty one as `{}`.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Lua {
        List(Vec<String>),
        Empty {},
        Null,
    }
    Ok(match Lua::deserialize(deserializer)? {
        Lua::List(items) => items,
        Lua::Empty {} | Lua::Null => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_form_is_the_contract() {
        let identity = Identity {
            id: "1".into(),
            username: Some("ana".into()),
            groups: vec!["g".into()],
            credential: Some(Credential {
                id: "c".into(),
                kind: "key-auth".into(),
                identifier: Some("c".into()),
                key: None,
            }),
            ..Identity::default()
        };
        let json = identity.to_json();
        assert_eq!(
            String::from_utf8(json.clone()).unwrap(),
            r#"{"id":"1","username":"ana","custom_id":null,"groups":["g"],"credential":{"id":"c","type":"key-auth","identifier":"c"},"anonymous":false}"#
        );
        assert_eq!(Identity::from_json(&json), Some(identity));
    }

    #[test]
    fn an_id_is_the_same_in_any_case_and_other_texts_are_not() {
        let upper = "0AA00000-0000-4000-8000-00000000000F";
        let json = format!(r#"{{"id":"{upper}"}}"#);
        assert_eq!(Identity::from_json(json.as_bytes()).unwrap().id, upper.to_lowercase());
        for other in ["Ana", "0AA00000000040008000-00000000000F", "0AA0"] {
            assert_eq!(folded(other), other);
        }
    }

    #[test]
    fn what_lua_writes_is_read() {
        let identity =
            Identity::from_json(br#"{"id":"1","groups":{},"credential":{"id":"c"}}"#).unwrap();
        assert!(identity.groups.is_empty() && identity.is_authenticated());
    }

    #[test]
    fn a_text_that_names_nobody_is_no_identity() {
        for json in [
            "",
            "{}",
            r#"{"id":""}"#,
            r#"{"id":1}"#,
            r#"{"id":"1","anonymous":"no"}"#,
            "[]",
            "null",
        ] {
            assert_eq!(Identity::from_json(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn an_anonymous_consumer_is_not_authenticated() {
        let json = br#"{"id":"1","credential":{"id":"c"},"anonymous":true}"#;
        assert!(!Identity::from_json(json).unwrap().is_authenticated());
        assert!(!Identity { id: "1".into(), ..Identity::default() }.is_authenticated());
    }
}
