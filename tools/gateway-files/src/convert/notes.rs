//! The notes of a conversion to the operator.

use crate::documents::Place;
use std::fmt;

/// The weight of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something of the old file has no counterpart in the new one.
    NotCarriedOver,
    /// Something was carried over, and behaves otherwise or needs a step of the operator.
    Differs,
}

/// One thing that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The weight.
    pub kind: Kind,
    /// The place in the old file. It is empty for the whole file.
    pub place: String,
    /// The thing and the reason. The text never quotes a secret.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::NotCarriedOver => "not carried over",
            Kind::Differs => "differs",
        };
        match self.place.as_str() {
            "" => write!(f, "{kind}: {}", self.message),
            place => write!(f, "{kind}: {place}: {}", self.message),
        }
    }
}

/// The notes of a conversion. A note about a plugin comes once, on however many routes it is.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Note>);

impl Notes {
    pub(super) fn lost(&mut self, place: &Place, message: impl Into<String>) {
        self.add(Kind::NotCarriedOver, place, message.into());
    }

    pub(super) fn differs(&mut self, place: &Place, message: impl Into<String>) {
        self.add(Kind::Differs, place, message.into());
    }

    fn add(&mut self, kind: Kind, place: &Place, message: String) {
        let note = Note { kind, place: place.as_str().to_owned(), message };
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    /// Returns the notes: first what was not carried over, each in the order of the file.
    pub(super) fn sorted(mut self) -> Vec<Note> {
        self.0.sort_by_key(|note| note.kind);
        self.0
    }
}
