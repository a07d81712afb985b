//! The background calls of one filter configuration.

use super::{Instance, Purpose};
use crate::background::{BackgroundCalls, Sent};
use crate::platform::now;
use crate::proxy::Proxy;

impl Instance {
    /// Asks the worker for calls, and sends them.
    pub fn run_worker<P: Proxy>(&self, proxy: &P) -> Vec<(u32, Purpose)> {
        self.with_calls(|calls| calls.run(proxy, now()))
    }

    /// Tells the worker that the configuration is going away. The second value is `true` if the
    /// configuration may go at once.
    pub fn leave<P: Proxy>(&self, proxy: &P) -> (Vec<(u32, Purpose)>, bool) {
        let sent = self.with_calls(|calls| calls.leave(proxy, now()));
        (sent, self.has_left() || self.calls.try_borrow().is_ok_and(|calls| calls.is_none()))
    }

    /// Returns `true` if the configuration was asked to go and waits for no answer any more.
    pub fn has_left(&self) -> bool {
        let now = now();
        let calls = self.calls.try_borrow();
        calls.is_ok_and(|calls| calls.as_ref().is_some_and(|calls| calls.may_go(now)))
    }

    pub(super) fn with_calls(
        &self,
        work: impl FnOnce(&mut BackgroundCalls) -> Vec<Sent>,
    ) -> Vec<(u32, Purpose)> {
        let Ok(mut calls) = self.calls.try_borrow_mut() else { return Vec::new() };
        let Some(calls) = calls.as_mut() else { return Vec::new() };
        let sent = work(calls);
        self.tally(calls.tally());
        sent.into_iter()
            .map(|(token, id, wanted)| (token, Purpose::BackgroundCall(id, wanted)))
            .collect()
    }
}
