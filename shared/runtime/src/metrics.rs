//! The metrics of one filter configuration.

use crate::platform::{
    MetricKind, capabilities, declare_family, declare_metric, increment, record,
};
use exchange::Tally;
use std::cell::RefCell;

/// The metrics of one filter configuration. Names look like `gatehouse_key_auth_refused_401`.
#[derive(Debug)]
pub(crate) struct Metrics {
    filter: &'static str,
    wanted: Option<bool>,
    /// The metrics that were counted before. They are few, and the first ones are the usual ones.
    ids: RefCell<Vec<(String, Option<u32>)>>,
}

impl Metrics {
    /// `wanted` is the setting `metrics`; without it the gateway's habit decides.
    pub(crate) fn new(filter: &'static str, wanted: Option<bool>) -> Self {
        declare_family(filter);
        Self { filter, wanted, ids: RefCell::default() }
    }

    /// Adds one to the counter `what`.
    pub(crate) fn count(&self, what: &str) {
        self.add(what, 1);
    }

    /// Takes one count of the filter's own.
    pub(crate) fn take(&self, tally: &Tally) {
        match tally {
            Tally::Count(what, by) => self.add(what, *by),
            Tally::Gauge(what, value) => self.record(MetricKind::Gauge, what, *value),
            Tally::Record(what, value) => self.record(MetricKind::Histogram, what, *value),
        }
    }

    fn add(&self, what: &str, by: u64) {
        if let Some(id) = self.id(MetricKind::Counter, what) {
            increment(id, by);
        }
    }

    fn record(&self, kind: MetricKind, what: &str, value: u64) {
        if let Some(id) = self.id(kind, what) {
            record(id, value);
        }
    }

    fn id(&self, kind: MetricKind, what: &str) -> Option<u32> {
        let able = capabilities();
        if !self.wanted.unwrap_or(able.counts_by_default) || !able.has_metrics {
            return None;
        }
        let mut ids = self.ids.try_borrow_mut().ok()?;
        if let Some((_, id)) = ids.iter().find(|(name, _)| name == what) {
            return *id;
        }
        let id = declare_metric(kind, self.filter, what);
        ids.push((what.to_owned(), id));
        id
    }
}
