//! The places that were searched, as a table.

use crate::planted::Planted;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What was written to places that people read.
#[derive(Default)]
pub struct Places {
    places: Vec<Place>,
}

struct Place {
    name: &'static str,
    text: Vec<u8>,
    may_hold: &'static [&'static str],
    why: &'static str,
}

impl Places {
    /// A place that must hold no secret.
    pub fn add(&mut self, name: &'static str, text: impl Into<Vec<u8>>) {
        self.places.push(Place { name, text: text.into(), may_hold: &[], why: "" });
    }

    /// A place that holds the secrets of these names, as a document says.
    pub fn add_but(
        &mut self,
        name: &'static str,
        text: impl Into<Vec<u8>>,
        may_hold: &'static [&'static str],
        why: &'static str,
    ) {
        self.places.push(Place { name, text: text.into(), may_hold, why });
    }

    /// Prints the table, and returns what was found where it must not be.
    pub fn search(&self, planted: &Planted) -> Vec<String> {
        let mut table =
            String::from("| where | bytes searched | secrets looked for | found | documented |\n");
        table.push_str("|---|---:|---:|---:|---|\n");
        let mut wrong = Vec::new();
        for Place { name, text, may_hold, why } in &self.places {
            let found = planted.search(text, may_hold);
            let looked_for = planted.count() - may_hold.len();
            writeln!(
                table,
                "| {name} | {} | {looked_for} | {} | {why} |",
                found.bytes,
                found.secrets.len()
            )
            .expect("text");
            wrong.extend(
                found.secrets.iter().map(|(secret, form)| format!("{name}: {secret}, {form}")),
            );
            // A place that never holds what it may hold has a document that says too much.
            let there = planted.search(text, &[]).secrets;
            for allowed in *may_hold {
                if !there.iter().any(|(secret, _)| secret == allowed) {
                    wrong.push(format!("{name}: {allowed} is not there, though it may be"));
                }
            }
        }
        println!("\n{table}");
        wrong
    }

    /// The number of bytes at each place, for tests that a place was filled at all.
    pub fn sizes(&self) -> BTreeMap<&'static str, usize> {
        self.places.iter().map(|place| (place.name, place.text.len())).collect()
    }
}
