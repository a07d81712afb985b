//! The identity of a request: a consumer, and the credential that proved it.

use crate::known::PROPERTY;
use exchange::{Edit, Property};
use serde::{Deserialize, Deserializer, Serialize};
use std::rc::Rc;

/// The consumer that a request belongs to, with the credential that proved it. The JSON form is the
/// contract between filters, and with operators who read it in Kong's `post-function`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The consumer's id, as [`folded`] returns it.
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
    /// The credential that proved the identity; `None` for an anonymous consumer.
    #[serde(default)]
    pub credential: Option<Credential>,
    /// `true` if the consumer stands in for a caller who could not be authenticated.
    #[serde(default)]
    pub anonymous: bool,
}

/// The credential that proved an identity.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The credential's id.
    pub id: String,
    /// The kind of the credential: `key-auth`, `jwt` or `session` from our filters, `kong` from
    /// trusted headers, or the text that a `post-function` of Kong wrote.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The value of the header `X-Credential-Identifier`.
    #[serde(default)]
    pub identifier: Option<String>,
    /// The API key itself, if the operator asked for it (`expose_key` of key_auth).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Identity {
    /// Reads the JSON form. Returns `None` if `json` is something else, or has an empty id.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().filter(|identity: &Self| !identity.id.is_empty())
    }

    /// Writes the JSON form.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // An identity consists of texts, a list and a flag, so JSON can always express it.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Returns the edit that publishes the identity.
    #[must_use]
    pub fn into_edit(self) -> Edit {
        Edit::Publish(PROPERTY, self.into_property())
    }

    /// Returns the property that states the identity, which is the one that [`Self::from_json`]
    /// reads from its bytes.
    #[must_use]
    pub fn into_property(mut self) -> Property {
        let json = self.to_json();
        if self.id.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.id = folded(&self.id);
        }
        match self.id.is_empty() {
            true => json.into(),
            false => Property::stating(Rc::new(self), &json),
        }
    }

    /// Returns every name that a list of consumers in `match` may use: the id, the username, and
    /// `custom_id:` with the custom id.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let custom = self.custom_id.as_ref().map(|id| format!("custom_id:{id}"));
        [Some(self.id.clone()), self.username.clone(), custom].into_iter().flatten().collect()
    }

    /// Makes the consumer the one that stands in for a caller who could not be authenticated.
    #[must_use]
    pub fn into_anonymous(self) -> Self {
        Self { credential: None, anonymous: true, ..self }
    }

    /// Returns `true` if a credential proved the identity.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        self.credential.is_some() && !self.anonymous
    }
}

impl std::fmt::Debug for Credential {
    /// Leaves the key out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Returns an id in the form in which it is stored, compared and shown. A UUID becomes lower case,
/// because case does not matter in it (RFC 9562, section 4). Any other id stays as it is.
#[must_use]
pub fn folded(id: &str) -> String {
    if is_uuid(id) { id.to_ascii_lowercase() } else { id.to_owned() }
}

/// Returns `true` if `text` is a UUID in its usual form of 36 characters.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|id| folded(&id))
}

/// Reads a list of texts. Lua's cjson writes an empty list as `{}`.
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
    fn a_property_states_what_a_reader_of_its_bytes_finds() {
        for id in ["1", "Ana", "", "0AA00000-0000-4000-8000-00000000000F"] {
            let identity = Identity {
                id: id.into(),
                custom_id: Some(String::new()),
                groups: vec!["g\"".into()],
                credential: Some(Credential { id: "C".into(), ..Credential::default() }),
                ..Identity::default()
            };
            let property = identity.into_property();
            let stated = property.stated::<Identity>().as_deref().cloned();
            assert_eq!(stated, Identity::from_json(&property), "{id}");
        }
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
    fn an_empty_list_of_lua_is_read() {
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
