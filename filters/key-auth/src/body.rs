//! Finds a key in a form, a JSON object or a multipart body, and removes it.

use exchange::json::{members, object};
use exchange::multipart::{join, parts};
use exchange::{Media, Query};
use std::collections::HashMap;

/// The kinds of body that can contain a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Form,
    Json,
    Multipart(Vec<u8>),
}

/// The values of each field of a body. A value is `None` if it is not a text.
#[derive(Debug, Default)]
pub(crate) struct Fields(HashMap<Vec<u8>, Vec<Option<Vec<u8>>>>);

impl Kind {
    /// Reads a `content-type`. Returns `None` for a body that cannot contain a key.
    pub(crate) fn of(content_type: &str) -> Option<Self> {
        match Media::of(content_type.as_bytes()).ok()? {
            Media::Form => Some(Self::Form),
            Media::Json => Some(Self::Json),
            Media::Multipart(boundary) => Some(Self::Multipart(boundary)),
        }
    }

    /// Returns the fields of `body`, or no fields if it is malformed.
    pub(crate) fn fields(&self, body: &[u8]) -> Fields {
        let mut fields = Fields::default();
        match self {
            Self::Form => {
                for (name, value) in Query::new(body).pairs() {
                    fields.push(name, value);
                }
            }
            Self::Json => {
                for (name, value) in members(body).unwrap_or_default() {
                    match serde_json::from_str(value.get()) {
                        Ok(serde_json::Value::String(text)) => {
                            fields.push(name.into(), Some(text.into()))
                        }
                        // A list or an object counts as several values: both are tables in Lua.
                        Ok(serde_json::Value::Array(_) | serde_json::Value::Object(_)) => {
                            fields.0.entry(name.into()).or_default().extend([None, None])
                        }
                        _ => fields.push(name.into(), None),
                    }
                }
            }
            Self::Multipart(boundary) => {
                for part in parts(body, boundary).unwrap_or_default() {
                    if let Some(name) = &part.name {
                        fields.push(name.clone(), Some(part.content.to_vec()));
                    }
                }
            }
        }
        fields
    }

    /// Returns `body` without the field `name`. Everything else keeps its text.
    pub(crate) fn without(&self, body: &[u8], name: &str) -> Vec<u8> {
        match self {
            Self::Form => Query::new(body).without(|field| field == name.as_bytes()),
            Self::Json => {
                let Some(members) = members(body) else { return body.to_vec() };
                object(members.iter().filter(|(field, _)| field != name))
            }
            Self::Multipart(boundary) => {
                let Some(parts) = parts(body, boundary) else { return body.to_vec() };
                let kept =
                    parts.iter().filter(|part| part.name.as_deref() != Some(name.as_bytes()));
                join(kept.map(|part| part.raw), boundary)
            }
        }
    }
}

impl Fields {
    /// Returns all values of `name`.
    pub(crate) fn values(&self, name: &str) -> &[Option<Vec<u8>>] {
        self.0.get(name.as_bytes()).map_or(&[], Vec::as_slice)
    }

    fn push(&mut self, name: Vec<u8>, value: Option<Vec<u8>>) {
        self.0.entry(name).or_default().push(value);
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
