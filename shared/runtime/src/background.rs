//! The calls of a filter's worker: sending them, and waiting for their answers.

use crate::proxy::CallId;
use exchange::{
    BackgroundCall, Call, CallError, CallResult, Pause, Tally, Target, Worker, longest_wait,
};
use std::collections::HashMap;

/// The most calls that are sent at a time. A worker that answers each failure with another call
/// does not hang the VM.
const MAX_AT_ONCE: usize = 256;
/// The longest time that a configuration waits for answers before it goes away, in milliseconds.
const MAX_STAY: u64 = 30_000;

/// A call on its way: the carrier's number, the worker's number, and the headers of the answer that
/// are to be read.
pub(crate) type Sent = (u32, u64, &'static [&'static str]);

/// Sends a background call, and returns the carrier's number of it.
type Send<'a> = &'a dyn Fn(&Target, &Call) -> Result<CallId, CallError>;

/// The background calls of one filter configuration.
pub(crate) struct BackgroundCalls {
    work: Box<dyn Worker>,
    /// The calls on their way by the worker's number, each with the wait after which no answer can
    /// come.
    out: HashMap<u64, Pause>,
    /// The calls that an answer made due where the gateway cannot send from an answer (Kong).
    held: Vec<BackgroundCall>,
    /// The time at which the configuration was asked to go, in milliseconds since 1970.
    leaving: Option<u64>,
}

impl BackgroundCalls {
    pub(crate) fn new(work: Box<dyn Worker>) -> Self {
        Self { work, out: HashMap::new(), held: Vec::new(), leaving: None }
    }

    /// Gives up calls that cannot be answered any more, and sends the calls that are due.
    pub(crate) fn run(&mut self, send: Send<'_>, now: u64) -> Vec<Sent> {
        let mut queue = std::mem::take(&mut self.held);
        let waits = self.out.iter_mut().map(|(id, wait)| (*id, wait.end(now)));
        let late: Vec<u64> = waits.filter(|(_, end)| *end < now).map(|(id, _)| id).collect();
        for id in late {
            self.out.remove(&id);
            queue.extend(self.work.answered(id, Err(CallError::NoAnswer), now));
        }
        if self.leaving.is_none() {
            queue.extend(self.work.due(now));
        }
        self.send(send, queue, now)
    }

    /// Takes an answer; the answer to a call that was given up is ignored. The calls that it makes
    /// due are sent at once, or at the next [`BackgroundCalls::run`] where `can_send` is `false`.
    pub(crate) fn answered(
        &mut self,
        send: Send<'_>,
        id: u64,
        result: CallResult,
        now: u64,
        can_send: bool,
    ) -> Vec<Sent> {
        if self.out.remove(&id).is_none() {
            return Vec::new();
        }
        let next = self.work.answered(id, result, now);
        if !can_send {
            self.held.extend(next);
            return Vec::new();
        }
        self.send(send, next, now)
    }

    /// Sends the worker's last calls: the configuration is going away.
    pub(crate) fn leave(&mut self, send: Send<'_>, now: u64) -> Vec<Sent> {
        self.leaving = Some(now);
        let last = self.work.leave(now);
        self.send(send, last, now)
    }

    /// Returns `true` if the configuration has been asked to go and waits for no answer any more.
    pub(crate) fn may_go(&self, now: u64) -> bool {
        self.leaving
            .is_some_and(|since| self.out.is_empty() || now.saturating_sub(since) > MAX_STAY)
    }

    pub(crate) fn tally(&mut self) -> Vec<Tally> {
        self.work.tally()
    }

    fn send(&mut self, send: Send<'_>, mut queue: Vec<BackgroundCall>, now: u64) -> Vec<Sent> {
        let mut sent = Vec::new();
        queue.reverse();
        for _ in 0..MAX_AT_ONCE {
            let Some(BackgroundCall { id, target, call }) = queue.pop() else { break };
            match send(&target, &call) {
                Ok(token) => {
                    self.out.insert(id, Pause::begun(now, longest_wait(target.timeout)));
                    sent.push((token, id, call.wanted));
                }
                Err(error) => queue.extend(self.work.answered(id, Err(error), now)),
            }
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    /// A gateway that sends nothing, so that every call fails at once.
    fn not_sent(_: &Target, _: &Call) -> Result<CallId, CallError> {
        Err(CallError::NotSent)
    }

    type Seen = Rc<RefCell<Vec<(u64, bool)>>>;

    /// A worker that tries each call again for ever.
    struct Stubborn(Seen, u64);

    impl Stubborn {
        fn call(&mut self) -> Vec<BackgroundCall> {
            self.1 = self.1.wrapping_add(1);
            let target = Target {
                upstream: "collector".into(),
                authority: "collector".into(),
                tls: false,
                prefix: vec![],
                timeout: Duration::from_secs(1),
                token: None,
            };
            vec![BackgroundCall { id: self.1, target: Rc::new(target), call: Call::get(["x"]) }]
        }
    }

    impl Worker for Stubborn {
        fn due(&mut self, _: u64) -> Vec<BackgroundCall> {
            self.call()
        }

        fn answered(&mut self, id: u64, result: CallResult, _: u64) -> Vec<BackgroundCall> {
            self.0.borrow_mut().push((id, result.is_ok()));
            self.call()
        }
    }

    #[test]
    fn a_background_that_never_gives_up_does_not_hang_the_vm() {
        let seen = Seen::default();
        let mut calls = BackgroundCalls::new(Box::new(Stubborn(Rc::clone(&seen), 0)));
        assert!(calls.run(&not_sent, 0).is_empty());
        assert_eq!(seen.borrow().len(), MAX_AT_ONCE);
    }

    #[test]
    fn a_call_without_an_answer_fails_in_the_end_and_its_late_answer_is_passed_over() {
        let seen = Seen::default();
        let mut calls = BackgroundCalls::new(Box::new(Stubborn(Rc::clone(&seen), 0)));
        calls.leaving = Some(0);
        calls.out.insert(77, Pause::begun(0, 5000));
        calls.run(&not_sent, 5000);
        assert!(seen.borrow().is_empty() && !calls.may_go(5000));
        calls.run(&not_sent, 5001);
        assert_eq!(seen.borrow().first(), Some(&(77, false)));
        let before = seen.borrow().len();
        calls.answered(&not_sent, 77, Err(CallError::NoAnswer), 5002, true);
        assert_eq!(seen.borrow().len(), before);
        assert!(calls.may_go(5002));
    }

    #[test]
    fn a_call_without_an_answer_fails_no_later_where_the_clock_is_set_back() {
        let seen = Seen::default();
        let mut calls = BackgroundCalls::new(Box::new(Stubborn(Rc::clone(&seen), 0)));
        calls.leaving = Some(0);
        calls.out.insert(77, Pause::begun(7_200_000, 5000));
        calls.run(&not_sent, 3_600_000);
        assert!(seen.borrow().is_empty());
        calls.run(&not_sent, 3_605_001);
        assert_eq!(seen.borrow().first(), Some(&(77, false)));
    }

    #[test]
    fn what_is_due_from_an_answer_waits_for_the_tick_where_the_host_cannot_send_from_there() {
        let seen = Seen::default();
        let mut calls = BackgroundCalls::new(Box::new(Stubborn(Rc::clone(&seen), 0)));
        calls.out.insert(77, Pause::begun(0, 5000));
        calls.answered(&not_sent, 77, Err(CallError::NoAnswer), 1, false);
        assert_eq!(seen.borrow().as_slice(), [(77, false)], "nothing was tried");
        calls.run(&not_sent, 2);
        assert_eq!(seen.borrow().get(1), Some(&(1, false)), "it was tried at the tick");
    }

    #[test]
    fn a_configuration_does_not_stay_for_ever() {
        let mut calls = BackgroundCalls::new(Box::new(Stubborn(Seen::default(), 0)));
        assert!(!calls.may_go(0), "nobody has asked it to go");
        calls.leaving = Some(0);
        calls.out.insert(1, Pause::begun(0, u64::MAX));
        assert!(!calls.may_go(MAX_STAY) && calls.may_go(MAX_STAY + 1));
    }
}
