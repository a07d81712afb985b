//! Completes a filter's edits, so that the upstream gets owned headers from the filter only.
//!
//! The edits of every filter pass through this file, so these rules hold for all filters:
//!
//! - A client's header under an owned name is removed, unless the filter sets that header.
//! - If a filter owns the identity headers, they state the identity of the request, or are removed.
//! - An edit of a header applies to every spelling that an upstream may take for its name.
//! - An owned header that has the right value already is not edited.

use crate::headers::{Duplicate, identity_headers, trusted};
use crate::identity::Identity;
use crate::known::{CLAIMS, Known, PROPERTY};
use crate::owned::{Owned, is_identity};
use exchange::{Edit, Head, same_name};
use settings::Common;
use std::borrow::Cow;
use std::rc::Rc;

/// The headers of one request on their way through one filter.
#[derive(Debug)]
pub struct Guard {
    owned: Rc<Owned>,
    /// The identity of the request.
    identity: Option<Rc<Identity>>,
    /// `true` if the gateway can remove every copy of a header (Envoy).
    can_remove: bool,
    /// The headers that this filter has edited, by name in lower case. `None` stands for a removed
    /// header.
    edited: Vec<(Cow<'static, str>, Option<Vec<u8>>)>,
}

impl Guard {
    /// Makes the guard of a request with this head. `known` is the result of earlier filters.
    ///
    /// # Errors
    /// Fails if the request has two copies of an owned header, and the gateway (Kong) cannot remove
    /// both.
    pub fn new(
        owned: Rc<Owned>,
        common: &Common,
        head: &Head,
        known: Known,
        can_remove: bool,
    ) -> Result<Self, Duplicate> {
        let identity = match known {
            Known::Identity(identity) => Some(identity),
            Known::Nobody if common.trust_consumer_headers && owned.has_identity() => {
                trusted(head, common)?.map(Rc::new)
            }
            Known::Nobody | Known::Refused | Known::Malformed => None,
        };
        let guard = Self { owned, identity, can_remove, edited: Vec::new() };
        if !can_remove && !guard.owned.is_empty() {
            for (name, _) in head.fields().filter(|(name, _)| guard.owned.has(name)) {
                guard.require_single(head, &lower(name))?;
            }
        }
        Ok(guard)
    }

    /// Returns the edits to carry out when a filter gives `edits`, and the request goes on or later
    /// filters see it. If `edits` publish an identity, it replaces the earlier one.
    ///
    /// # Errors
    /// Fails if a header is to be replaced or removed that the request has twice, and the gateway
    /// (Kong) cannot change both copies.
    pub fn settle(&mut self, head: &Head, edits: Vec<Edit>) -> Result<Vec<Edit>, Duplicate> {
        if edits.is_empty() && self.owned.is_empty() {
            return Ok(edits);
        }
        let mut edits = self.take_identity(edits);
        let mut out = Vec::with_capacity(edits.len());
        if self.owned.has_identity() {
            edits.retain(|edit| !name_of(edit).is_some_and(|name| is_identity(name.as_bytes())));
            let current = |name: &'static str| self.current(head, name);
            let wanted = identity_headers(self.identity.as_deref(), &current);
            edits.extend(wanted.into_iter().map(|(name, value)| Edit::set(name, value)));
        }
        for name in self.names_to_remove(head, &edits)? {
            out.push(Edit::Remove(name.clone().into()));
            self.record(name.into(), None);
        }
        for edit in edits {
            match &edit {
                Edit::Remove(name) => {
                    // An absent header counts as removed too: a trailer of its name may follow.
                    if !self.has_edited(name.as_bytes()) {
                        self.record(lowered(name), None);
                    }
                    continue;
                }
                Edit::Set(name, value) => {
                    let is_owned = self.owned.has(name.as_bytes());
                    if is_owned && self.current(head, name) == Some(value.as_slice()) {
                        continue;
                    }
                    self.require_single(head, name)?;
                    self.record(lowered(name), Some(value.clone()));
                }
                _ => {}
            }
            out.push(edit);
        }
        Ok(out)
    }

    /// Returns `true` if a trailer of this name must not reach the upstream, because an upstream
    /// may take it for a header that the filter owns, answers for or has edited.
    #[must_use]
    pub fn keeps_out(&self, trailer: &[u8]) -> bool {
        self.owned.answers_for(trailer)
            || self.edited.iter().any(|(name, _)| same_name(name.as_bytes(), trailer))
    }

    /// Takes over the identity that `edits` publish, if they do. Claims belong to the token of an
    /// earlier identity, and are removed together with it.
    fn take_identity(&mut self, mut edits: Vec<Edit>) -> Vec<Edit> {
        let published = edits.iter().find_map(|edit| match edit {
            Edit::Publish(PROPERTY, property) => {
                Some(property.stated().or_else(|| Identity::from_json(property).map(Rc::new)))
            }
            _ => None,
        });
        let Some(now) = published else { return edits };
        let before = std::mem::replace(&mut self.identity, now);
        let replaced = before
            .is_some_and(|before| self.identity.as_ref().is_none_or(|now| now.id != before.id));
        let has_claims = edits.iter().any(|edit| matches!(edit, Edit::Publish(CLAIMS, _)));
        if replaced && !has_claims {
            edits.push(Edit::publish(CLAIMS, Vec::new()));
        }
        edits
    }

    /// Returns the names in lower case of the present headers that have to be removed.
    fn names_to_remove(&self, head: &Head, edits: &[Edit]) -> Result<Vec<String>, Duplicate> {
        let mut names: Vec<String> = Vec::new();
        let sent = head.fields().map(|(name, _)| Cow::Borrowed(name));
        let edited = self.edited.iter().map(|(name, _)| Cow::Borrowed(name.as_bytes()));
        for name in sent.chain(edited) {
            let touched = |edit: &Edit| {
                replaced_name(edit).is_some_and(|own| same_name(own.as_bytes(), &name))
            };
            let foreign = self.owned.has(&name) && !self.has_edited(&name);
            if !foreign && !edits.iter().any(touched) {
                continue;
            }
            let name = lower(&name);
            let set =
                |edit: &Edit| matches!(edit, Edit::Set(own, _) if own.eq_ignore_ascii_case(&name));
            if edits.iter().any(set) || names.contains(&name) || !self.is_present(head, &name) {
                continue;
            }
            self.require_single(head, &name)?;
            names.push(name);
        }
        Ok(names)
    }

    /// Returns `true` if the upstream would get a value for this header. `name` is in lower case.
    fn is_present(&self, head: &Head, name: &str) -> bool {
        match self.edited.iter().find(|(edited, _)| edited == name) {
            Some((_, value)) => value.is_some(),
            // A gateway that cannot remove a header (Kong) empties it: an empty one is gone.
            None => head.values(name).any(|value| self.can_remove || !value.is_empty()),
        }
    }

    /// Returns the current value of a header if it has exactly one. Other spellings of the name do
    /// not count.
    fn current<'a>(&'a self, head: &'a Head, name: &'a str) -> Option<&'a [u8]> {
        match self.edited.iter().find(|(edited, _)| edited.eq_ignore_ascii_case(name)) {
            Some((_, value)) => value.as_deref(),
            None => {
                let mut values = head.values(name);
                values.next().filter(|_| values.next().is_none())
            }
        }
    }

    fn has_edited(&self, name: &[u8]) -> bool {
        self.edited.iter().any(|(edited, _)| edited.as_bytes().eq_ignore_ascii_case(name))
    }

    fn record(&mut self, name: Cow<'static, str>, value: Option<Vec<u8>>) {
        match self.edited.iter_mut().find(|(edited, _)| *edited == name) {
            Some((_, old)) => *old = value,
            None => self.edited.push((name, value)),
        }
    }

    fn require_single(&self, head: &Head, name: &str) -> Result<(), Duplicate> {
        match self.can_remove || head.values(name).nth(1).is_none() {
            true => Ok(()),
            false => Err(Duplicate(name.to_ascii_lowercase())),
        }
    }
}

fn name_of(edit: &Edit) -> Option<&str> {
    match edit {
        Edit::Set(name, _) | Edit::Add(name, _) | Edit::Remove(name) => Some(name),
        Edit::Method(_)
        | Edit::Target(_)
        | Edit::Query(_)
        | Edit::DropParameters(_)
        | Edit::Requery { .. }
        | Edit::Body(_)
        | Edit::Publish(..) => None,
    }
}

/// Returns the name of the header that the edit removes or replaces.
fn replaced_name(edit: &Edit) -> Option<&str> {
    match edit {
        Edit::Set(name, _) | Edit::Remove(name) => Some(name),
        _ => None,
    }
}

/// Returns the name in lower case. The names that filters themselves give are most often so
/// already.
#[allow(
    clippy::ptr_arg,
    reason = "a borrowed name is cloned for nothing, and a `str` would not be"
)]
fn lowered(name: &Cow<'static, str>) -> Cow<'static, str> {
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => name.to_ascii_lowercase().into(),
        false => name.clone(),
    }
}

/// Converts a name to lower case. A header's name is ASCII, so the conversion loses nothing.
fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
