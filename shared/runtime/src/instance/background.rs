//! The background calls of one filter configuration.

use super::{Instance, Purpose};
use crate::background::{BackgroundCalls, Sent};
use crate::callout;
use crate::platform::{capabilities, now};
use crate::proxy::{CallId, CallOwner, Proxy};
use exchange::{Call, CallError, CallResult, Target};

impl Instance {
    /// Asks the worker for calls, and sends them.
    pub fn run_worker<P: Proxy>(&self, proxy: &P) -> Vec<(CallId, Purpose)> {
        self.with_calls(|calls| calls.run(&sender(proxy), now()))
    }

    /// Tells the worker that the configuration is going away. The second value is `true` if the
    /// configuration may go at once.
    pub fn leave<P: Proxy>(&self, proxy: &P) -> (Vec<(CallId, Purpose)>, bool) {
        let sent = self.with_calls(|calls| calls.leave(&sender(proxy), now()));
        (sent, self.has_left() || self.calls.try_borrow().is_ok_and(|calls| calls.is_none()))
    }

    /// Returns `true` if the configuration was asked to go and waits for no answer any more.
    pub fn has_left(&self) -> bool {
        let now = now();
        let calls = self.calls.try_borrow();
        calls.is_ok_and(|calls| calls.as_ref().is_some_and(|calls| calls.may_go(now)))
    }

    /// Takes the answer to the background call `id`, and sends the calls that it makes due.
    pub(super) fn call_answered<P: Proxy>(
        &self,
        proxy: &P,
        id: u64,
        result: &CallResult,
    ) -> Vec<(CallId, Purpose)> {
        let can_send = capabilities().can_send_from_answers;
        self.with_calls(|calls| calls.answered(&sender(proxy), id, result.clone(), now(), can_send))
    }

    fn with_calls(
        &self,
        work: impl FnOnce(&mut BackgroundCalls) -> Vec<Sent>,
    ) -> Vec<(CallId, Purpose)> {
        let Ok(mut calls) = self.calls.try_borrow_mut() else { return Vec::new() };
        let Some(calls) = calls.as_mut() else { return Vec::new() };
        let sent = work(calls);
        self.tally(calls.tally());
        sent.into_iter()
            .map(|(token, id, wanted)| (token, Purpose::BackgroundCall(id, wanted)))
            .collect()
    }
}

/// Sends calls that belong to the filter configuration, and outlive every request.
fn sender<P: Proxy>(proxy: &P) -> impl Fn(&Target, &Call) -> Result<CallId, CallError> {
    |target, call| callout::send(proxy, CallOwner::Instance, target, call, None)
}
