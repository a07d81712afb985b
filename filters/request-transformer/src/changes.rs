//! The five kinds of change, and their order.

use crate::template::Template;
use crate::values::Values;
use std::collections::HashSet;

/// The changes to one part of a request. Values are templates as long as there is no request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes<V = Template> {
    pub(crate) remove: Vec<String>,
    pub(crate) rename: Vec<(String, String)>,
    pub(crate) replace: Vec<(String, V)>,
    pub(crate) add: Vec<(String, V)>,
    pub(crate) append: Vec<(String, V)>,
}

/// The changes with their values for one request.
pub(crate) type Filled = Changes<Vec<u8>>;

/// A part of a request with named fields: headers, parameters, or members of an object.
pub(crate) trait Fields {
    fn has(&self, name: &str) -> bool;
    /// Removes all fields of this name.
    fn remove(&mut self, name: &str);
    /// Renames all fields `old`, of which there are some, to `new`. They replace the fields `new`.
    fn rename(&mut self, old: &str, new: &str);
    /// Replaces all fields of this name, of which there are some.
    fn replace(&mut self, name: &str, value: &[u8]);
    /// Adds a field of this name, of which there are none.
    fn add(&mut self, name: &str, value: &[u8]);
    /// Adds one more field of this name.
    fn append(&mut self, name: &str, value: &[u8]);
}

impl<V> Changes<V> {
    pub(crate) fn is_empty(&self) -> bool {
        !self.protect() && !self.make_something_of_nothing()
    }

    /// Returns `true` if the changes keep something from the upstream, or replace what a client
    /// sends.
    pub(crate) fn protect(&self) -> bool {
        self.protected().next().is_some()
    }

    /// Returns the names of which the changes keep from the upstream what a client sends.
    pub(crate) fn protected(&self) -> impl Iterator<Item = &str> {
        let renamed = self.rename.iter().map(|(old, _)| old);
        let replaced = self.replace.iter().map(|(name, _)| name);
        self.remove.iter().chain(renamed).chain(replaced).map(String::as_str)
    }

    pub(crate) fn make_something_of_nothing(&self) -> bool {
        !(self.add.is_empty() && self.append.is_empty())
    }
}

impl Changes {
    pub(crate) fn filled(&self, values: &Values<'_>) -> Filled {
        let fill = |list: &[(String, Template)]| {
            list.iter().map(|(name, value)| (name.clone(), value.text(values))).collect()
        };
        Filled {
            remove: self.remove.clone(),
            rename: self.rename.clone(),
            replace: fill(&self.replace),
            add: fill(&self.add),
            append: fill(&self.append),
        }
    }
}

impl Filled {
    /// Applies the changes in Kong's order: a removed field can be added again, and an added one
    /// can be appended to.
    pub(crate) fn apply(&self, fields: &mut dyn Fields) {
        for name in &self.remove {
            fields.remove(name);
        }
        for (old, new) in &self.rename {
            if old != new && fields.has(old) {
                fields.rename(old, new);
            }
        }
        for (name, value) in &self.replace {
            if fields.has(name) {
                fields.replace(name, value);
            }
        }
        for (name, value) in &self.add {
            if !fields.has(name) {
                fields.add(name, value);
            }
        }
        for (name, value) in &self.append {
            fields.append(name, value);
        }
    }

    /// Returns `true` if the changes remove, rename or replace one of these names.
    pub(crate) fn concern_any(&self, mut names: impl Iterator<Item = Vec<u8>>) -> bool {
        let ours: HashSet<&[u8]> = self.protected().map(str::as_bytes).collect();
        !ours.is_empty() && names.any(|name| ours.contains(name.as_slice()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns changes without templates: `[remove, rename, replace, add, append]`, each with a
    /// name or `name:value`.
    pub(crate) fn filled(lists: [&[&str]; 5]) -> Filled {
        let pair = |text: &&str| {
            let (name, value) = text.split_once(':').unwrap();
            (name.to_owned(), value.to_owned())
        };
        let pairs = |list: &[&str]| -> Vec<(String, Vec<u8>)> {
            list.iter().map(pair).map(|(name, value)| (name, value.into_bytes())).collect()
        };
        let [remove, rename, replace, add, append] = lists;
        Filled {
            remove: remove.iter().map(|name| (*name).to_owned()).collect(),
            rename: rename.iter().map(pair).collect(),
            replace: pairs(replace),
            add: pairs(add),
            append: pairs(append),
        }
    }
}
