//! What one filter configuration sends on its own account.

use super::{Purpose, Root};
use crate::errands::{Errands, Sent};
use crate::stream::now;

impl Root {
    /// Sends what the filter has to send on its own account.
    pub(crate) fn run_errands(&self) -> Vec<(u32, Purpose)> {
        self.with_errands(|errands| errands.run(now()))
    }

    /// The configuration is going away. The second value says whether it may go at once.
    pub(crate) fn leave(&self) -> (Vec<(u32, Purpose)>, bool) {
        let sent = self.with_errands(|errands| errands.leave(now()));
        (sent, self.has_left() || self.errands.try_borrow().is_ok_and(|errands| errands.is_none()))
    }

    /// Whether the configuration was asked to go, and nothing keeps it any more.
    pub(crate) fn has_left(&self) -> bool {
        let now = now();
        let errands = self.errands.try_borrow();
        errands.is_ok_and(|errands| errands.as_ref().is_some_and(|errands| errands.may_go(now)))
    }

    pub(super) fn with_errands(
        &self,
        work: impl FnOnce(&mut Errands) -> Vec<Sent>,
    ) -> Vec<(u32, Purpose)> {
        let Ok(mut errands) = self.errands.try_borrow_mut() else { return Vec::new() };
        let Some(errands) = errands.as_mut() else { return Vec::new() };
        let sent = work(errands);
        self.tally(errands.tally());
        sent.into_iter().map(|(token, id, wanted)| (token, Purpose::Errand(id, wanted))).collect()
    }
}
