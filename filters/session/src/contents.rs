//! The contents of a session, which have one entry for each audience. An entry of Kong's plugin has
//! `[consumer, credential, groups]`, and the name of the consumer as the subject:
//!
//! ```text
//! [[["4f1d...","9a7f...",["agents"]],"default","coop"]]
//! ```
//!
//! Entries of other audiences keep their text.

use consumer::{Credential, Identity};
use exchange::Property;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;
use std::cell::OnceCell;
use std::ops::Deref;
use std::rc::Rc;

/// The greatest number of audiences in a session.
const MAX_AUDIENCES: usize = 64;

/// The contents of a session. A clone shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents(Rc<Vec<Entry>>);

#[derive(Debug, Clone)]
struct Entry {
    audience: String,
    text: String,
    /// The holder that the text names, once it was read.
    held: OnceCell<Option<Rc<Held>>>,
}

/// A holder, and its identity as it is published.
#[derive(Debug)]
pub(crate) struct Held {
    holder: Holder,
    published: OnceCell<Published>,
}

#[derive(Debug)]
struct Published {
    json: Property,
    /// `true` if whoever reads the JSON need not save a session for its identity.
    settles: bool,
}

/// The consumer that a session is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The id of the consumer.
    pub(crate) consumer: String,
    /// The id of the credential that the session began with.
    pub(crate) credential: Option<String>,
    pub(crate) groups: Vec<String>,
    /// The name of the consumer.
    pub(crate) subject: Option<String>,
}

impl Contents {
    /// Reads the contents of a session. Returns `None` if they do not have this form.
    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        let all: Vec<&RawValue> = serde_json::from_slice(json).ok()?;
        if all.is_empty() || all.len() > MAX_AUDIENCES {
            return None;
        }
        let entry = |text: &RawValue| {
            let parts: Vec<&RawValue> = serde_json::from_str(text.get()).ok()?;
            let audience = serde_json::from_str(parts.get(1)?.get()).ok()?;
            (parts.len() <= 3).then(|| Entry::new(audience, text.get().to_owned()))
        };
        all.into_iter().map(entry).collect::<Option<_>>().map(Rc::new).map(Self)
    }

    /// Writes the contents as JSON, in the spelling of Lua's cjson.
    pub(crate) fn json(&self) -> String {
        let texts: Vec<&str> = self.0.iter().map(|entry| entry.text.as_str()).collect();
        format!("[{}]", texts.join(","))
    }

    /// Returns the length of all entries, in bytes.
    pub(crate) fn length(&self) -> usize {
        self.0.iter().map(|entry| entry.text.len()).fold(0, usize::saturating_add)
    }

    /// Returns the holder for `audience`. Returns `None` if there is none, or if another system
    /// wrote the entry.
    pub(crate) fn holder(&self, audience: &str) -> Option<Rc<Held>> {
        let entry = self.0.iter().find(|entry| entry.audience == audience)?;
        let read = || {
            let holder = Holder::read(&entry.text)?;
            Some(Rc::new(Held { holder, published: OnceCell::new() }))
        };
        entry.held.get_or_init(read).clone()
    }

    /// Returns the subject for each audience that has one.
    pub(crate) fn subjects(&self) -> Vec<(&str, String)> {
        let subject = |entry: &Entry| {
            let (_, _, subject): (IgnoredAny, IgnoredAny, Option<String>) =
                serde_json::from_str(&entry.text).ok()?;
            subject.filter(|subject| !subject.is_empty())
        };
        let named = self.0.iter().filter(|entry| !entry.audience.is_empty());
        named.filter_map(|entry| Some((entry.audience.as_str(), subject(entry)?))).collect()
    }

    /// Returns the number of audiences.
    pub(crate) fn audiences(&self) -> usize {
        self.0.len()
    }

    /// Returns the contents with `holder` for `audience`.
    pub(crate) fn with(mut self, audience: &str, holder: &Holder) -> Self {
        let entry = Entry::new(audience.to_owned(), holder.text(audience));
        let entries = Rc::make_mut(&mut self.0);
        match entries.iter_mut().find(|entry| entry.audience == audience) {
            Some(place) => *place = entry,
            None => entries.push(entry),
        }
        self
    }

    /// Returns the contents without the entry for `audience`. Returns `None` if nothing is left.
    pub(crate) fn without(mut self, audience: &str) -> Option<Self> {
        Rc::make_mut(&mut self.0).retain(|entry| entry.audience != audience);
        (!self.0.is_empty()).then_some(self)
    }
}

impl Entry {
    fn new(audience: String, text: String) -> Self {
        Self { audience, text, held: OnceCell::new() }
    }
}

impl Held {
    /// Returns the property that states the identity of the holder.
    pub(crate) fn published(&self) -> &Property {
        &self.as_published().json
    }

    /// Returns `true` if `property` is [`Held::published`], and no session need be saved for it.
    pub(crate) fn settles(&self, property: Option<&[u8]>) -> bool {
        let Published { json, settles } = self.as_published();
        *settles && property == Some(&**json)
    }

    fn as_published(&self) -> &Published {
        self.published.get_or_init(|| {
            let json = self.identity(None).into_property();
            // The reader may see another spelling of the consumer's id.
            let read = json.stated::<Identity>().as_deref().and_then(Holder::of);
            let settles = read.is_some_and(|read| self.is(&read));
            Published { json, settles }
        })
    }
}

impl Deref for Held {
    type Target = Holder;

    fn deref(&self) -> &Holder {
        &self.holder
    }
}

impl Holder {
    /// Reads the holder that an entry names. Returns `None` if another system wrote the entry.
    fn read(entry: &str) -> Option<Self> {
        let (data, _, subject): (Value, String, Option<String>) = match serde_json::from_str(entry)
        {
            Ok(parts) => parts,
            // Lua leaves out a missing subject.
            Err(_) => {
                let (data, audience) = serde_json::from_str(entry).ok()?;
                (data, audience, None)
            }
        };
        let text =
            |n: usize| data.get(n)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let groups = data.get(2).and_then(Value::as_array).into_iter().flatten();
        Some(Self {
            consumer: text(0)?,
            credential: text(1),
            groups: groups.filter_map(|group| group.as_str().map(str::to_owned)).collect(),
            subject,
        })
    }

    /// Returns the identity of the holder. `looked_up` is the consumer as it is now, if it was
    /// looked up.
    pub(crate) fn identity(&self, looked_up: Option<&Identity>) -> Identity {
        let credential = self.credential.as_ref().map(|id| Credential {
            id: id.clone(),
            kind: "session".to_owned(),
            identifier: Some(id.clone()),
            key: None,
        });
        match looked_up {
            // The groups of now count. A consumer who left a group loses its rights at once.
            Some(found) => Identity { credential, anonymous: false, ..found.clone() },
            None => Identity {
                id: self.consumer.clone(),
                username: self.subject.clone().filter(|subject| *subject != self.consumer),
                groups: self.groups.clone(),
                credential,
                ..Identity::default()
            },
        }
    }

    /// Makes a holder of an authenticated identity. Returns `None` for an identity without a
    /// credential.
    pub(crate) fn of(identity: &Identity) -> Option<Self> {
        let credential = identity.credential.as_ref().filter(|_| !identity.anonymous)?;
        let name = identity.username.as_ref().or(identity.custom_id.as_ref());
        let credential = Some(&credential.id).filter(|id| !id.is_empty());
        Some(Self {
            consumer: identity.id.clone(),
            credential: Some(credential.unwrap_or(&identity.id).clone()),
            groups: identity.groups.clone(),
            subject: Some(name.unwrap_or(&identity.id).clone()),
        })
    }

    /// Returns `true` if a session for `self` need not be saved for `other`. The subject is not
    /// compared, because it follows from the consumer.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (&self.consumer, &self.credential, &self.groups)
            == (&other.consumer, &other.credential, &other.groups)
    }

    fn text(&self, audience: &str) -> String {
        let mut out = String::from("[[");
        lua_text(&self.consumer, &mut out);
        out.push(',');
        match &self.credential {
            Some(credential) => lua_text(credential, &mut out),
            None => out.push_str("null"),
        }
        for (n, group) in self.groups.iter().enumerate() {
            out.push_str(if n == 0 { ",[" } else { "," });
            lua_text(group, &mut out);
        }
        out.push_str(if self.groups.is_empty() { "]," } else { "]]," });
        lua_text(audience, &mut out);
        if let Some(subject) = &self.subject {
            out.push(',');
            lua_text(subject, &mut out);
        }
        out.push(']');
        out
    }
}

/// Writes a JSON string as Lua's cjson does, which escapes `/` and DEL too.
fn lua_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c.is_ascii_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
