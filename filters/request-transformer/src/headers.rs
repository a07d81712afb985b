//! Changes to headers, and the edits that make them.
//!
//! A name means every spelling that an upstream may take for it ([`same_name`]): `x_tenant` means
//! `X-Tenant`.

use crate::changes::Fields;
use consumer::Duplicate;
use exchange::{Edit, Head, same_name};

/// The headers of a request that can be changed. Only those that a change names are copied from the
/// head: a request has many headers, and most changes name one.
pub(crate) struct Headers {
    head: Head,
    /// The headers that changes have named so far: of each name either every spelling, or none.
    fields: Vec<Field>,
}

struct Field {
    /// The name in lower case.
    name: String,
    /// The position of the first value in the head. A new header has the greatest position.
    place: usize,
    /// The number of values that came with the request.
    came: usize,
    /// The values that are left, and the new ones.
    values: Vec<Value>,
    changed: bool,
}

enum Value {
    Old(Vec<u8>),
    New(Vec<u8>),
}

/// `host` is special: only `replace` changes it.
const HOST: &str = "host";

impl Headers {
    pub(crate) fn of(head: &Head) -> Self {
        Self { head: head.clone(), fields: Vec::new() }
    }

    /// Returns the edits that bring the headers to the upstream as they are now.
    ///
    /// # Errors
    /// [`Duplicate`], if the gateway (Kong) would leave a value that the client has sent.
    pub(crate) fn edits(mut self, can_remove: bool) -> Result<Vec<Edit>, Duplicate> {
        let mut edits = Vec::new();
        self.fields.sort_by_key(|field| field.place);
        for field in self.fields.into_iter().filter(|field| field.changed) {
            let kept = field.values.iter().filter(|value| matches!(value, Value::Old(_))).count();
            let only_more = kept == field.came && kept > 0;
            if !only_more && field.came > 1 && !can_remove {
                return Err(Duplicate(field.name));
            }
            let mut first = !only_more;
            if field.values.is_empty() && field.came > 0 {
                edits.push(Edit::remove(field.name.clone()));
            }
            for value in field.values {
                let bytes = match value {
                    Value::Old(_) if only_more => continue,
                    Value::Old(bytes) => bytes,
                    Value::New(bytes) => harmless(&bytes),
                };
                let name = field.name.clone().into();
                edits.push(match std::mem::replace(&mut first, false) {
                    true => Edit::Set(name, bytes),
                    false => Edit::Add(name, bytes),
                });
            }
        }
        Ok(edits)
    }

    /// Returns the current first value of a header.
    pub(crate) fn first<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        let Some(field) = self.fields.iter().find(|field| field.name == name) else {
            return self.head.first(name);
        };
        field.values.first().map(|value| match value {
            Value::Old(bytes) | Value::New(bytes) => bytes.as_slice(),
        })
    }

    /// Adds a header that is not there.
    pub(crate) fn give(&mut self, name: &str, value: &[u8]) {
        self.change(name, |values| values.push(Value::New(value.to_vec())));
    }

    /// Copies every spelling of a name from the head, unless that was done before.
    fn load(&mut self, name: &str) {
        let Self { head, fields } = self;
        if fields.iter().any(|field| is(field, name)) {
            return;
        }
        for (place, (found, value)) in head.fields().enumerate() {
            if !is_changeable(found) || !same_name(found, name.as_bytes()) {
                continue;
            }
            let value = Value::Old(value.to_vec());
            let known = |field: &&mut Field| field.name.as_bytes().eq_ignore_ascii_case(found);
            if let Some(field) = fields.iter_mut().find(known) {
                field.came = field.came.saturating_add(1);
                field.values.push(value);
                continue;
            }
            // Only text can be the same name as a text.
            let Ok(found) = std::str::from_utf8(found) else { continue };
            let name = found.to_ascii_lowercase();
            fields.push(Field { name, place, came: 1, values: vec![value], changed: false });
        }
    }

    /// Changes the values of the header of this name, which may be there without a value.
    fn change(&mut self, name: &str, values: impl FnOnce(&mut Vec<Value>)) {
        self.load(name);
        let own = |field: &&mut Field| field.name.eq_ignore_ascii_case(name);
        if let Some(field) = self.fields.iter_mut().find(own) {
            field.changed = true;
            return values(&mut field.values);
        }
        let name = name.to_ascii_lowercase();
        let mut field =
            Field { name, place: usize::MAX, came: 0, values: Vec::new(), changed: true };
        values(&mut field.values);
        self.fields.push(field);
    }

    /// Removes all values of a name.
    fn take(&mut self, name: &str) -> Vec<Value> {
        self.load(name);
        let mut taken = Vec::new();
        for field in self.fields.iter_mut().filter(|field| is(field, name)) {
            field.changed = true;
            taken.append(&mut field.values);
        }
        taken
    }
}

fn is(field: &Field, name: &str) -> bool {
    same_name(field.name.as_bytes(), name.as_bytes())
}

impl Fields for Headers {
    fn has(&self, name: &str) -> bool {
        // A request always has a host, whatever the gateway calls it.
        if is_host(name) {
            return true;
        }
        let mut named = self.fields.iter().filter(|field| is(field, name)).peekable();
        match named.peek() {
            Some(_) => named.any(|field| !field.values.is_empty()),
            None => self.head.spellings(name).any(|(found, _)| is_changeable(found)),
        }
    }

    fn remove(&mut self, name: &str) {
        if !is_host(name) {
            self.take(name);
        }
    }

    fn rename(&mut self, old: &str, new: &str) {
        // Names that differ only in case are equal, so there is nothing to do.
        if is_host(old) || is_host(new) || old.eq_ignore_ascii_case(new) {
            return;
        }
        let moved = self.take(old);
        self.take(new);
        let bytes = |value| match value {
            Value::Old(bytes) | Value::New(bytes) => Value::New(bytes),
        };
        self.change(new, |values| *values = moved.into_iter().map(bytes).collect());
    }

    fn replace(&mut self, name: &str, value: &[u8]) {
        self.take(name);
        self.change(name, |values| *values = vec![Value::New(value.to_vec())]);
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        if !is_host(name) {
            self.change(name, |values| values.push(Value::New(value.to_vec())));
        }
    }

    fn append(&mut self, name: &str, value: &[u8]) {
        self.load(name);
        // A new value gets the spelling of those that are there.
        let there = self.fields.iter().find(|field| is(field, name) && !field.values.is_empty());
        let name = there.map_or_else(|| name.to_owned(), |field| field.name.clone());
        self.add(&name, value);
    }
}

/// Returns `false` for pseudo-headers, which are no headers of the client.
fn is_changeable(name: &[u8]) -> bool {
    !name.starts_with(b":")
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case(HOST)
}

/// Percent-encodes control characters, which could end a header.
fn harmless(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_control() {
            out.extend_from_slice(exchange::percent_encode(&[*byte]).as_bytes());
        } else {
            out.push(*byte);
        }
    }
    out
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
