//! The consumer that a session is for. The data of an entry begin with what Kong's plugin seals,
//! `[consumer, credential, groups]`. The subject is the username, or else the custom id, or else
//! the id. Kong reads no further:
//!
//! ```text
//! [["4f1d...","9a7f...",["agents"]],"default","coop"]
//! [["4f1d...","9a7f...",false,{"custom_id":"7","login":1700000000}],"default","7"]
//! ```
//!
//! The fourth element has the names of the consumer, unless they are what one would take the
//! subject for: a username and no custom id. It also has the time of the login, where that is
//! needed and not the time of the session. Kong keeps the element when it renews a session, and
//! drops it when another login replaces the data. Where there are no groups it follows `false`,
//! which Kong takes for none.

use consumer::{Credential, Identity};
use serde_json::Value;

/// The kind of the credential in an identity that a session has brought.
const KIND: &str = "session";

/// The consumer that a session is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The id of the consumer.
    pub(crate) consumer: String,
    /// The id of the credential that the session began with.
    pub(crate) credential: Option<String>,
    pub(crate) groups: Vec<String>,
    /// The username and the custom id.
    pub(crate) username: Option<String>,
    pub(crate) custom_id: Option<String>,
    /// The time of the login in seconds since 1970. It is that of the session if it is missing.
    pub(crate) login: Option<u64>,
    /// The username, or the custom id, or the id.
    pub(crate) subject: Option<String>,
}

impl Holder {
    /// Reads the holder that an entry names. Returns `None` if another system wrote the entry.
    pub(crate) fn read(entry: &str) -> Option<Self> {
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
        let further = |name: &str| data.get(3)?.get(name);
        let name = |name: &str| further(name)?.as_str().map(str::to_owned);
        let consumer = text(0)?;
        let (username, custom_id) = match (name("username"), name("custom_id")) {
            (None, None) => (presumed(&consumer, subject.as_ref()).cloned(), None),
            names => names,
        };
        Some(Self {
            credential: text(1),
            groups: groups.filter_map(|group| group.as_str().map(str::to_owned)).collect(),
            consumer,
            username,
            custom_id,
            login: further("login").and_then(Value::as_u64),
            subject,
        })
    }

    /// Returns the identity of the holder. `looked_up` is the consumer as it is now, if it was
    /// looked up.
    pub(crate) fn identity(&self, looked_up: Option<&Identity>) -> Identity {
        let credential = self.credential.as_ref().map(|id| Credential {
            id: id.clone(),
            kind: KIND.to_owned(),
            identifier: Some(id.clone()),
            key: None,
        });
        match looked_up {
            // The groups of now count. A consumer who left a group loses its rights at once.
            Some(found) => Identity { credential, anonymous: false, ..found.clone() },
            None => Identity {
                id: self.consumer.clone(),
                username: self.username.clone(),
                custom_id: self.custom_id.clone(),
                groups: self.groups.clone(),
                credential,
                ..Identity::default()
            },
        }
    }

    /// Makes a holder of an authenticated identity. Returns `None` for an identity without a
    /// credential.
    pub(crate) fn of(identity: &Identity) -> Option<Self> {
        let (_, credential) = proof(identity)?;
        let name = identity.username.as_ref().or(identity.custom_id.as_ref());
        Some(Self {
            consumer: identity.id.clone(),
            credential: Some(credential.to_owned()),
            groups: identity.groups.clone(),
            username: identity.username.clone(),
            custom_id: identity.custom_id.clone(),
            login: None,
            subject: Some(name.unwrap_or(&identity.id).clone()),
        })
    }

    /// Returns `true` if a session for the holder need not be saved for `identity`. The subject is
    /// not compared, because it follows from the names. Neither are the names that a session has
    /// brought: they are its own, or they were looked up and will be again.
    pub(crate) fn suits(&self, identity: &Identity) -> bool {
        let Some((kind, credential)) = proof(identity) else { return false };
        let names = (&self.username, &self.custom_id) == (&identity.username, &identity.custom_id);
        (self.consumer == identity.id && self.groups == identity.groups)
            && self.credential.as_deref() == Some(credential)
            && (names || kind == KIND)
    }

    /// Returns the entry for `audience`.
    pub(crate) fn text(&self, audience: &str) -> String {
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
        if !self.groups.is_empty() {
            out.push(']');
        }
        self.further(&mut out);
        out.push_str("],");
        lua_text(audience, &mut out);
        if let Some(subject) = &self.subject {
            out.push(',');
            lua_text(subject, &mut out);
        }
        out.push(']');
        out
    }

    /// Writes the fourth element of the data, if it says anything.
    fn further(&self, out: &mut String) {
        let mut before = if self.groups.is_empty() { ",false,{" } else { ",{" };
        let mut named = |name: &str, out: &mut String| {
            out.push_str(std::mem::replace(&mut before, ","));
            lua_text(name, out);
            out.push(':');
        };
        let presumed = presumed(&self.consumer, self.subject.as_ref());
        let tells = self.custom_id.is_some() || self.username.as_ref() != presumed;
        for (name, value) in [("username", &self.username), ("custom_id", &self.custom_id)] {
            if let Some(value) = value.as_ref().filter(|_| tells) {
                named(name, out);
                lua_text(value, out);
            }
        }
        if let Some(login) = self.login {
            named("login", out);
            out.push_str(&login.to_string());
        }
        if before == "," {
            out.push('}');
        }
    }
}

/// Returns the username in a session that tells no names: the subject, unless it is the id.
fn presumed<'a>(consumer: &str, subject: Option<&'a String>) -> Option<&'a String> {
    subject.filter(|subject| !subject.is_empty() && *subject != consumer)
}

/// Returns the kind and the id of the credential that proves an identity. As in Kong, the id of the
/// consumer stands in for an id that is missing.
fn proof(identity: &Identity) -> Option<(&str, &str)> {
    let credential = identity.credential.as_ref().filter(|_| !identity.anonymous)?;
    let id = if credential.id.is_empty() { &identity.id } else { &credential.id };
    Some((&credential.kind, id))
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
