//! The contents of a session, which have one entry for each audience: its data, the audience, and
//! the subject. Entries of other audiences keep their text.

use crate::holder::Holder;
use consumer::Identity;
use exchange::Property;
use serde::de::IgnoredAny;
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

    /// Returns the contents in which the entry for `audience` says that its login was at `login`,
    /// in seconds since 1970. An entry that names a login already keeps it.
    pub(crate) fn with_login(self, audience: &str, login: u64) -> Self {
        match self.holder(audience).filter(|held| held.login.is_none()) {
            Some(held) => {
                self.with(audience, &Holder { login: Some(login), ..Holder::clone(&held) })
            }
            None => self,
        }
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
            let settles = json.stated::<Identity>().is_some_and(|read| self.suits(&read));
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

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
