//! The findings of a check.

use crate::documents::Place;
use std::fmt;

/// The weight of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The filter works, and an operator should know something.
    Warning,
    /// The filter refuses its settings, or the gateway does not start.
    Error,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The weight.
    pub level: Level,
    /// The document, where the file has several, and the place in it.
    pub place: String,
    /// The filter, if it is known.
    pub filter: Option<&'static str>,
    /// The finding, the expectation and the advice. The text never quotes a secret.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(f, "{level}: {}: ", self.place)?;
        if let Some(filter) = self.filter {
            write!(f, "{filter}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// The result of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of filters that were found.
    pub filters: usize,
    /// The findings, in the order of the file.
    pub findings: Vec<Finding>,
    /// The variables that are not set here: each with the first place, its filter, and the number
    /// of further filters.
    pub(super) unset: Vec<(String, String, &'static str, usize)>,
}

impl Report {
    /// Returns the number of findings with this weight.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// Adds one warning for each variable that is not set here.
    pub(super) fn tell_unset(&mut self) {
        for (variable, place, filter, more) in std::mem::take(&mut self.unset) {
            let more = match more {
                0 => String::new(),
                more => format!(" and in {more} more"),
            };
            let message = format!(
                "found the variable {} here{more}, which is not set: set it in the gateway's environment (with `--env`, \
                 an unset variable is an error)",
                settings::shown_variable(&variable)
            );
            let filter = Some(filter);
            self.findings.push(Finding { level: Level::Warning, place, filter, message });
        }
    }
}

/// The part of a report that is about one document.
pub(super) struct Part<'a> {
    pub(super) report: &'a mut Report,
    pub(super) label: Option<String>,
}

impl Part<'_> {
    pub(super) fn add(
        &mut self,
        level: Level,
        place: &Place,
        filter: Option<&'static str>,
        message: impl Into<String>,
    ) {
        let place = self.place(place);
        self.report.findings.push(Finding { level, place, filter, message: message.into() });
    }

    /// Records that `variable` is not set.
    pub(super) fn misses(&mut self, variable: String, place: &Place, filter: &'static str) {
        match self.report.unset.iter_mut().find(|(known, ..)| *known == variable) {
            Some((.., more)) => *more += 1,
            None => {
                let place = self.place(place);
                self.report.unset.push((variable, place, filter, 0));
            }
        }
    }

    fn place(&self, place: &Place) -> String {
        match (&self.label, place.as_str()) {
            (None, place) => place.to_owned(),
            (Some(label), "") => label.clone(),
            (Some(label), place) => format!("{label}: {place}"),
        }
    }
}
