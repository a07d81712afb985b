//! Metrics, where counting does not trap.

use crate::abi::{self, Kind};
use crate::profile::Host;
use exchange::Tally;
use std::cell::RefCell;
use std::collections::HashMap;

/// The metrics of one filter configuration. Names look like `gatehouse_key_auth_refused_401`.
#[derive(Debug)]
pub(crate) struct Metrics {
    filter: &'static str,
    wanted: Option<bool>,
    ids: RefCell<HashMap<String, Option<u32>>>,
}

impl Metrics {
    /// `wanted` is the operator's word; without one, Envoy counts and Kong does not.
    pub(crate) fn new(filter: &'static str, wanted: Option<bool>) -> Self {
        Self { filter, wanted, ids: RefCell::default() }
    }

    /// Adds one to the counter `what`.
    pub(crate) fn count(&self, host: Host, what: &str) {
        self.add(host, what, 1);
    }

    /// Counts what a filter itself has counted.
    pub(crate) fn take(&self, host: Host, tally: &Tally) {
        match tally {
            Tally::Count(what, by) => self.add(host, what, *by),
            Tally::Gauge(what, value) => self.record(host, Kind::Gauge, what, *value),
            Tally::Record(what, value) => self.record(host, Kind::Histogram, what, *value),
        }
    }

    fn add(&self, host: Host, what: &str, by: u64) {
        if let Some(id) = self.id(host, Kind::Counter, what) {
            let _ = abi::increment_metric(id, i64::try_from(by).unwrap_or(i64::MAX));
        }
    }

    fn record(&self, host: Host, kind: Kind, what: &str, value: u64) {
        if let Some(id) = self.id(host, kind, what) {
            let _ = abi::record_metric(id, value);
        }
    }

    fn id(&self, host: Host, kind: Kind, what: &str) -> Option<u32> {
        if !self.wanted.unwrap_or(host == Host::Envoy) || !host.has_metrics() {
            return None;
        }
        let mut ids = self.ids.try_borrow_mut().ok()?;
        if let Some(id) = ids.get(what) {
            return *id;
        }
        let id = abi::define_metric(kind, &format!("gatehouse_{}_{what}", self.filter)).ok();
        ids.insert(what.to_owned(), id);
        id
    }
}
