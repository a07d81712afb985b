//! What a request's header fields are changed to before it goes on: a filter's own edits, completed so that
//! nothing reaches the upstream under a header that the filter owns but what the filter has put there.
//!
//! Every filter's edits come through here, so these rules hold for all of them:
//!
//! - Whatever arrived under a header that the filter owns is removed, unless the filter sets that header.
//! - The identity headers of a filter that owns them say who the request's identity is, and nothing else.
//! - A header that is set or removed is so in every spelling that an upstream may take for it.
//! - Nothing is edited that is as it should be already.

use crate::headers::{Duplicate, identity_headers, trusted};
use crate::identity::Identity;
use crate::known::{CLAIMS, Known, PROPERTY};
use crate::owned::{Owned, is_identity};
use exchange::{Edit, Head, same_name};
use settings::Common;
use std::borrow::Cow;
use std::rc::Rc;

/// One request's header fields on their way through one filter.
#[derive(Debug)]
pub struct Guard {
    owned: Rc<Owned>,
    /// Who the request's identity is.
    who: Option<Identity>,
    /// Whether the host takes every copy of a field out.
    can_remove: bool,
    /// Fields as this filter has left them, by name in lower case; `None` for those that are gone.
    left: Vec<(String, Option<Vec<u8>>)>,
}

impl Guard {
    /// The guard of a request with this head; `known` is what the filters before this one found out.
    ///
    /// # Errors
    /// Where a header that the filter owns came twice, and the host (Kong) could not remove both.
    pub fn new(
        owned: Rc<Owned>,
        common: &Common,
        head: &Head,
        known: Known,
        can_remove: bool,
    ) -> Result<Self, Duplicate> {
        let who = match known {
            Known::Identity(identity) => Some(*identity),
            Known::Nobody if common.trust_consumer_headers && owned.has_identity() => {
                trusted(head, common)?
            }
            Known::Nobody | Known::Refused | Known::Malformed => None,
        };
        let guard = Self { owned, who, can_remove, left: Vec::new() };
        if !can_remove && !guard.owned.is_empty() {
            for (name, _) in head.fields().filter(|(name, _)| guard.owned.has(name)) {
                guard.single(head, &lower(name))?;
            }
        }
        Ok(guard)
    }

    /// The edits to make now, for a filter that lets the request go on (or shows it to later filters) after
    /// `edits`. The identity is the one that these publish, or else the one from before.
    ///
    /// # Errors
    /// Where a field is to be replaced or removed that came twice, and the host (Kong) could not do so to both.
    pub fn settle(&mut self, head: &Head, edits: Vec<Edit>) -> Result<Vec<Edit>, Duplicate> {
        let mut edits = self.identified(edits);
        let mut out = Vec::with_capacity(edits.len());
        if self.owned.has_identity() {
            edits.retain(|edit| !name_of(edit).is_some_and(|name| is_identity(name.as_bytes())));
            let current = |name: &'static str| self.current(head, name);
            let wanted = identity_headers(self.who.as_ref(), &current);
            edits.extend(wanted.into_iter().map(|(name, value)| Edit::set(name, value)));
        }
        for name in self.superfluous(head, &edits)? {
            out.push(Edit::Remove(name.clone().into()));
            self.leave(name, None);
        }
        for edit in edits {
            match &edit {
                Edit::Remove(name) => {
                    // Also where there was none: a trailer may still come under this name.
                    if !self.has_left(name.as_bytes()) {
                        self.leave(name.to_ascii_lowercase(), None);
                    }
                    continue;
                }
                Edit::Set(name, value) => {
                    let known = self.owned.has(name.as_bytes());
                    if known && self.current(head, name) == Some(value.as_slice()) {
                        continue;
                    }
                    self.single(head, name)?;
                    self.leave(name.to_ascii_lowercase(), Some(value.clone()));
                }
                _ => {}
            }
            out.push(edit);
        }
        Ok(out)
    }

    /// Whether a trailer field of this name must not reach the upstream: it would pass for a header that the
    /// filter owns or has set.
    #[must_use]
    pub fn keeps_out(&self, trailer: &[u8]) -> bool {
        self.owned.has(trailer)
            || self.left.iter().any(|(name, _)| same_name(name.as_bytes(), trailer))
    }

    /// Takes in who the request's identity is now. Claims are of the token of whoever was there before, and go
    /// with them.
    fn identified(&mut self, mut edits: Vec<Edit>) -> Vec<Edit> {
        let published = edits.iter().find_map(|edit| match edit {
            Edit::Publish(PROPERTY, json) => Some(Identity::from_json(json)),
            _ => None,
        });
        let Some(now) = published else { return edits };
        let before = std::mem::replace(&mut self.who, now);
        let replaced =
            before.is_some_and(|before| self.who.as_ref().is_none_or(|now| now.id != before.id));
        let has_claims = edits.iter().any(|edit| matches!(edit, Edit::Publish(CLAIMS, _)));
        if replaced && !has_claims {
            edits.push(Edit::Publish(CLAIMS, Vec::new()));
        }
        edits
    }

    /// The names, in lower case, of fields that are there and have to go.
    fn superfluous(&self, head: &Head, edits: &[Edit]) -> Result<Vec<String>, Duplicate> {
        let mut names: Vec<String> = Vec::new();
        let there = head.fields().map(|(name, _)| Cow::Borrowed(name));
        let left = self.left.iter().map(|(name, _)| Cow::Borrowed(name.as_bytes()));
        for name in there.chain(left) {
            let touched =
                |edit: &Edit| replaces(edit).is_some_and(|own| same_name(own.as_bytes(), &name));
            let stranger = self.owned.has(&name) && !self.has_left(&name);
            if !stranger && !edits.iter().any(touched) {
                continue;
            }
            let name = lower(&name);
            let set =
                |edit: &Edit| matches!(edit, Edit::Set(own, _) if own.eq_ignore_ascii_case(&name));
            if edits.iter().any(set) || names.contains(&name) || !self.is_there(head, &name) {
                continue;
            }
            self.single(head, &name)?;
            names.push(name);
        }
        Ok(names)
    }

    /// Whether the field, by name in lower case, would reach the upstream with a value.
    fn is_there(&self, head: &Head, name: &str) -> bool {
        match self.left.iter().find(|(left, _)| left == name) {
            Some((_, value)) => value.is_some(),
            // Where a field cannot be removed it arrives empty, and more cannot be done to it.
            None => head.values(name).any(|value| self.can_remove || !value.is_empty()),
        }
    }

    /// The only value of a field as it is now. Not that of a client's further spellings.
    fn current<'a>(&'a self, head: &'a Head, name: &'a str) -> Option<&'a [u8]> {
        match self.left.iter().find(|(left, _)| left.eq_ignore_ascii_case(name)) {
            Some((_, value)) => value.as_deref(),
            None => {
                let mut values = head.values(name);
                values.next().filter(|_| values.next().is_none())
            }
        }
    }

    fn has_left(&self, name: &[u8]) -> bool {
        self.left.iter().any(|(left, _)| left.as_bytes().eq_ignore_ascii_case(name))
    }

    fn leave(&mut self, name: String, value: Option<Vec<u8>>) {
        match self.left.iter_mut().find(|(left, _)| *left == name) {
            Some((_, old)) => *old = value,
            None => self.left.push((name, value)),
        }
    }

    fn single(&self, head: &Head, name: &str) -> Result<(), Duplicate> {
        match self.can_remove || head.values(name).nth(1).is_none() {
            true => Ok(()),
            false => Err(Duplicate(name.to_ascii_lowercase())),
        }
    }
}

fn name_of(edit: &Edit) -> Option<&str> {
    match edit {
        Edit::Set(name, _) | Edit::Add(name, _) | Edit::Remove(name) => Some(name),
        Edit::Method(_) | Edit::Target(_) | Edit::Query(_) | Edit::Body(_) | Edit::Publish(..) => {
            None
        }
    }
}

/// The name that the edit leaves no other field of.
fn replaces(edit: &Edit) -> Option<&str> {
    match edit {
        Edit::Set(name, _) | Edit::Remove(name) => Some(name),
        _ => None,
    }
}

/// Names are what HTTP allows, so this loses nothing.
fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
