//! What is counted under one configuration in this VM: made when it is first needed.

use crate::ledger::Ledger;
use crate::table::Table;
use std::cell::{OnceCell, RefCell};

/// The counters of one configuration.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    table: OnceCell<Table>,
    ledger: RefCell<Ledger>,
}

impl Limiter {
    /// Makes the counters of this node, as soon as `make` can.
    pub(crate) fn open(&self, make: impl FnOnce() -> Option<Table>) -> Option<&Table> {
        if self.table.get().is_none()
            && let Some(table) = make()
        {
            let _ = self.table.set(table);
        }
        self.table.get()
    }

    /// The counters of this node.
    pub(crate) fn table(&self) -> Option<&Table> {
        self.table.get()
    }

    /// What is compared with other nodes. `None` cannot happen: nobody holds it for longer than a call.
    pub(crate) fn ledger<R>(&self, work: impl FnOnce(&mut Ledger) -> R) -> Option<R> {
        self.ledger.try_borrow_mut().ok().map(|mut ledger| work(&mut ledger))
    }
}
