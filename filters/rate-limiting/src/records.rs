//! The records of one identifier: its counts in each period, whichever limits counted them.
//!
//! Requests of one identifier may have different limits, because of a group or of another filter
//! with the same namespace. A request changes the records of its own limits and no others. Fixed
//! and sliding windows of a period are one count. Token buckets have records of their own, so an
//! identifier has at most two records for each period.

use crate::period::Period;
use crate::usage::{Algorithm, Limit, Record, Usage};

/// The records of one identifier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Records(Vec<Kept>);

/// A record, and the kind of limit that it counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) period: Period,
    pub(crate) algorithm: Algorithm,
    pub(crate) record: Record,
}

impl Records {
    /// Returns all records.
    pub(crate) fn all(&self) -> &[Kept] {
        &self.0
    }

    /// Returns the usages for all `limits`, each with its record, and without requests taken in
    /// advance.
    pub(crate) fn usages(&self, limits: &[Limit], now: u64) -> Vec<(Usage, u64)> {
        let usage = |limit: &Limit| {
            let kept = self.0.iter().find(|kept| kept.counts_for(limit));
            (Usage::new(*limit, kept.map(|kept| kept.record), now), 0)
        };
        limits.iter().map(usage).collect()
    }

    /// Stores the records of `usages`. Records of other limits stay until they expire. Returns the
    /// time after which no record has an effect, in seconds since 1970.
    pub(crate) fn keep(&mut self, usages: &[(Usage, u64)], now: u64) -> u64 {
        for (Usage { limit, record, .. }, _) in usages {
            match self.0.iter_mut().find(|kept| kept.counts_for(limit)) {
                Some(kept) => {
                    kept.record = *record;
                    kept.algorithm = kept.algorithm.max(limit.algorithm);
                }
                None => self.0.push(Kept {
                    period: limit.period,
                    algorithm: limit.algorithm,
                    record: *record,
                }),
            }
        }
        if self.0.len() > usages.len() {
            self.0.retain(|kept| kept.expires() > now / 1000);
        }
        self.0.iter().map(Kept::expires).max().unwrap_or(0)
    }

    /// Returns the record of a calendar period, if it is the one that begins at `start`.
    pub(crate) fn window(&mut self, period: Period, start: u64) -> Option<&mut Record> {
        let found = self.0.iter_mut().find(|kept| {
            kept.period == period && kept.algorithm.is_window() && kept.record.start == start
        });
        found.map(|kept| &mut kept.record)
    }
}

impl FromIterator<Kept> for Records {
    fn from_iter<I: IntoIterator<Item = Kept>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl Kept {
    fn counts_for(&self, limit: &Limit) -> bool {
        self.period == limit.period && self.algorithm.is_window() == limit.algorithm.is_window()
    }

    fn expires(&self) -> u64 {
        self.record.expires(self.period, self.algorithm)
    }
}
