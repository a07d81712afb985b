//! The places that were searched, as a table.

use crate::planted::{Found, Planted};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What was written to places that people read.
#[derive(Default)]
pub struct Places {
    places: Vec<Place>,
}

struct Place {
    name: &'static str,
    content: Content,
    rule: Rule,
    why: &'static str,
}

enum Content {
    Text(Vec<u8>),
    /// A memory, which was searched while it was read.
    Searched(Found),
}

/// The secrets that a place may hold.
enum Rule {
    /// Exactly these. A place that never holds what it may hold has a document that says too much.
    Just(&'static [&'static str]),
    /// Any but these.
    Never(Vec<String>),
}

impl Places {
    /// A place that must hold no secret.
    pub fn add(&mut self, name: &'static str, text: impl Into<Vec<u8>>) {
        self.add_but(name, text, &[], "");
    }

    /// A place that holds the secrets of these names, as a document says.
    pub fn add_but(
        &mut self,
        name: &'static str,
        text: impl Into<Vec<u8>>,
        holds: &'static [&'static str],
        why: &'static str,
    ) {
        let content = Content::Text(text.into());
        self.places.push(Place { name, content, rule: Rule::Just(holds), why });
    }

    /// A place of somebody else's that may hold any secret but those of the names `never`.
    pub fn add_theirs<'a>(
        &mut self,
        name: &'static str,
        text: impl Into<Vec<u8>>,
        never: impl IntoIterator<Item = &'a str>,
        why: &'static str,
    ) {
        let rule = Rule::Never(never.into_iter().map(str::to_owned).collect());
        self.places.push(Place { name, content: Content::Text(text.into()), rule, why });
    }

    /// A memory that may hold any secret but those of the names `never`.
    pub fn add_memory<'a>(
        &mut self,
        name: &'static str,
        found: Found,
        never: impl IntoIterator<Item = &'a str>,
        why: &'static str,
    ) {
        let rule = Rule::Never(never.into_iter().map(str::to_owned).collect());
        self.places.push(Place { name, content: Content::Searched(found), rule, why });
    }

    /// Prints the table, and returns what was found where it must not be.
    pub fn search(&self, planted: &Planted) -> Vec<String> {
        let mut table = String::from(
            "| where | bytes searched | secrets looked for | found | documented there | why |\n",
        );
        table.push_str("|---|---:|---:|---:|---:|---|\n");
        let mut wrong = Vec::new();
        for Place { name, content, rule, why } in &self.places {
            let searched;
            let found = match content {
                Content::Text(text) => {
                    searched = planted.search(text, &[]);
                    &searched
                }
                Content::Searched(found) => found,
            };
            let there = found.names();
            let may = |secret: &str| match rule {
                Rule::Just(holds) => holds.contains(&secret),
                Rule::Never(never) => !never.iter().any(|name| name == secret),
            };
            let looked_for = planted.names().filter(|secret| !may(secret)).count();
            let documented = there.iter().filter(|secret| may(secret)).count();
            let bad = found.secrets.iter().filter(|(secret, _)| !may(secret));
            wrong.extend(bad.map(|(secret, form)| format!("{name}: {secret}, {form}")));
            let number = there.len() - documented;
            writeln!(
                table,
                "| {name} | {} | {looked_for} | {number} | {documented} | {why} |",
                found.bytes
            )
            .expect("text");
            if let Rule::Just(holds) = rule {
                for allowed in holds.iter().filter(|allowed| !there.contains(**allowed)) {
                    wrong.push(format!("{name}: {allowed} is not there, though it may be"));
                }
            }
        }
        println!("\n{table}");
        wrong
    }

    /// The number of bytes at each place, for tests that a place was filled at all.
    pub fn sizes(&self) -> BTreeMap<&'static str, usize> {
        let size = |place: &Place| match &place.content {
            Content::Text(text) => text.len(),
            Content::Searched(found) => found.bytes,
        };
        self.places.iter().map(|place| (place.name, size(place))).collect()
    }
}
