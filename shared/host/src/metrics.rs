//! Counters, where counting does not trap.

use crate::abi;
use crate::profile::Host;
use std::cell::RefCell;
use std::collections::HashMap;

/// The counters of one filter configuration. Names look like `gatehouse_key_auth_refused_401`.
#[derive(Debug)]
pub(crate) struct Metrics {
    feature: &'static str,
    wanted: Option<bool>,
    ids: RefCell<HashMap<String, Option<u32>>>,
}

impl Metrics {
    /// `wanted` is the operator's word; without one, Envoy counts and Kong does not.
    pub(crate) fn new(feature: &'static str, wanted: Option<bool>) -> Self {
        Self { feature, wanted, ids: RefCell::default() }
    }

    /// Adds one to the counter `what`.
    pub(crate) fn count(&self, host: Host, what: &str) {
        if let Some(id) = self.id(host, what) {
            let _ = abi::increment_metric(id, 1);
        }
    }

    fn id(&self, host: Host, what: &str) -> Option<u32> {
        if !self.wanted.unwrap_or(host == Host::Envoy) || !host.has_metrics() {
            return None;
        }
        let mut ids = self.ids.try_borrow_mut().ok()?;
        if let Some(id) = ids.get(what) {
            return *id;
        }
        let id = abi::define_counter(&format!("gatehouse_{}_{what}", self.feature)).ok();
        ids.insert(what.to_owned(), id);
        id
    }
}
