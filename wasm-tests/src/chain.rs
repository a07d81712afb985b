//! A list of filters that one route's requests go through.

use crate::vm::Vm;
use std::rc::Rc;

/// One filter of a chain in one worker.
pub(crate) struct Link {
    pub(crate) vm: Rc<Vm>,
    /// Its root context.
    pub(crate) root: u32,
}

/// The filters of one route in one worker.
pub(crate) struct Chain {
    pub(crate) links: Vec<Link>,
    /// What the log said when the gateway refused the configuration.
    pub(crate) rejected: Option<String>,
}
