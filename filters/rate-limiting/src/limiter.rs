//! The counters of one configuration in this VM, made at their first use.

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
    /// Makes the counters of this node, as soon as `make` succeeds, and returns them.
    pub(crate) fn open(&self, make: impl FnOnce() -> Option<Table>) -> Option<&Table> {
        if self.table.get().is_none()
            && let Some(table) = make()
        {
            let _ = self.table.set(table);
        }
        self.table.get()
    }

    /// Returns the counters of this node, if they have been made.
    pub(crate) fn table(&self) -> Option<&Table> {
        self.table.get()
    }

    /// Calls `work` with the ledger. The result is never `None`, because nobody borrows the ledger
    /// for longer than a call.
    pub(crate) fn ledger<R>(&self, work: impl FnOnce(&mut Ledger) -> R) -> Option<R> {
        self.ledger.try_borrow_mut().ok().map(|mut ledger| work(&mut ledger))
    }
}
