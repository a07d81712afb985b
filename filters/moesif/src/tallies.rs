//! Counts for the metrics, collected until the next tick.

use exchange::Tally;
use std::cell::RefCell;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Tallies {
    counts: RefCell<BTreeMap<&'static str, u64>>,
    records: RefCell<Vec<(&'static str, u64)>>,
}

/// The greatest number of values of a histogram that are kept between two ticks.
const MAX_RECORDS: usize = 256;

impl Tallies {
    pub(crate) fn count(&self, name: &'static str, by: u64) {
        if let Ok(mut counts) = self.counts.try_borrow_mut()
            && by > 0
        {
            let count = counts.entry(name).or_default();
            *count = count.saturating_add(by);
        }
    }

    pub(crate) fn record(&self, name: &'static str, value: u64) {
        if let Ok(mut records) = self.records.try_borrow_mut()
            && records.len() < MAX_RECORDS
        {
            records.push((name, value));
        }
    }

    /// Takes all counts.
    pub(crate) fn take(&self) -> Vec<Tally> {
        let counts = self.counts.take().into_iter();
        let counts = counts.map(|(name, by)| Tally::Count(name.into(), by));
        let records = self.records.take().into_iter();
        counts.chain(records.map(|(name, value)| Tally::Record(name, value))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_is_reported_once() {
        let tallies = Tallies::default();
        tallies.count("sent", 2);
        tallies.count("sent", 3);
        tallies.count("nothing", 0);
        tallies.record("latency", 7);
        assert_eq!(tallies.take(), [Tally::Count("sent".into(), 5), Tally::Record("latency", 7)]);
        assert_eq!(tallies.take(), []);
    }
}
