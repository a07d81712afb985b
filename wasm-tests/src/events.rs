//! Events that reach a worker from outside: time passes, callouts end, queues fill.

use crate::abi::Callback;
use crate::callouts::{Answer, Callout, Pending, Responder};
use crate::guest::Now;
use crate::state::Timer;
use crate::vm::{Called, Vm};
use crate::worker::Inner;
use std::rc::Rc;

impl Inner {
    /// Delivers the end of a callout.
    pub(crate) fn answer(&self, token: u32, answer: Answer) {
        let call = {
            let mut state = self.state.borrow_mut();
            let at = state.calls.iter().position(|call| call.token == token);
            let at = at.unwrap_or_else(|| panic!("call {token} has ended already"));
            state.calls.remove(at)
        };
        if self.is_kong() {
            self.kong_answer(call, answer)
        } else {
            self.envoy_answer(call, answer)
        }
    }

    /// Runs everything that can run now: queue callbacks, and callouts that the responder answers.
    pub(crate) fn pump(self: &Rc<Self>) {
        loop {
            let done = self.state.borrow_mut().done.pop();
            if let Some((vm, root)) = done {
                self.envoy_root_over(vm, root);
                continue;
            }
            let ready = self.state.borrow_mut().queue_ready.pop();
            if let Some((vm, root, queue)) = ready {
                self.queue_ready(vm, root, queue);
                continue;
            }
            let made = {
                let state = self.state.borrow();
                state.calls.iter().find_map(|c| c.made.clone().map(|made| (c.token, made)))
            };
            if let Some((token, made)) = made {
                self.answer(token, made.into());
                continue;
            }
            let Some(call) = self.next_unasked() else { return };
            // The responder is taken out of the node while it runs, because the closure may read
            // the node.
            let responder: Option<Responder> = self.node.borrow_mut().responder.take();
            let Some(mut responder) = responder else { return };
            let answer = responder(&call);
            self.node.borrow_mut().responder.get_or_insert(responder);
            match answer {
                Some(answer) => self.answer(call.token, answer),
                None => self.leave(call.token),
            }
        }
    }

    pub(crate) fn next_unasked(self: &Rc<Self>) -> Option<Callout> {
        let state = self.state.borrow();
        let call = state.calls.iter().find(|call| !call.left)?;
        Some(self.callout(call))
    }

    pub(crate) fn leave(&self, token: u32) {
        let mut state = self.state.borrow_mut();
        state.calls.iter_mut().filter(|c| c.token == token).for_each(|c| c.left = true);
    }

    pub(crate) fn callout(self: &Rc<Self>, call: &Pending) -> Callout {
        let (worker, token) = (self.clone(), call.token);
        let end = move |answer| {
            worker.answer(token, answer);
            worker.pump();
        };
        Callout {
            token,
            end: Rc::new(end),
            upstream: call.upstream.clone(),
            headers: call.headers.clone(),
            body: call.body.clone(),
            timeout_ms: call.timeout_ms,
        }
    }

    /// The callouts that have not ended, of one request or of all.
    pub(crate) fn callouts(self: &Rc<Self>, of: Option<u64>) -> Vec<Callout> {
        let state = self.state.borrow();
        let mine = |call: &&Pending| of.is_none() || call.stream.map(|(stream, _)| stream) == of;
        state.calls.iter().filter(mine).map(|call| self.callout(call)).collect()
    }

    /// The time at which the next timer or timeout of this worker is due, in nanoseconds.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let state = self.state.borrow();
        let ticks = state.timers.iter().map(|t| t.due_ns);
        ticks.chain(state.calls.iter().filter_map(|c| c.deadline_ns)).min()
    }

    /// Runs every timer and timeout that is due.
    pub(crate) fn run_due(self: &Rc<Self>) {
        let now = self.node.borrow().clock_ns;
        let due: Vec<Timer> = {
            let mut state = self.state.borrow_mut();
            let due = state.timers.iter_mut().filter(|t| t.due_ns <= now);
            due.map(|timer| {
                timer.due_ns = now + timer.period_ns;
                timer.clone()
            })
            .collect()
        };
        for timer in due {
            self.tick(timer.vm, timer.root);
        }
        loop {
            let late = {
                let state = self.state.borrow();
                let late = |c: &&Pending| c.deadline_ns.is_some_and(|at| at <= now);
                state.calls.iter().find(late).map(|c| c.token)
            };
            let Some(token) = late else { break };
            self.answer(token, Answer::Timeout);
        }
        self.pump();
    }

    /// Runs one tick of a root context.
    pub(crate) fn tick(&self, vm: usize, root: u32) {
        let Some(vm) = self.vm(vm) else { return };
        if !self.root_ready(&vm, root) {
            return;
        }
        let called = vm.call(Now::root(Callback::Tick, root), &[root as i32]);
        self.after_root(&vm, called);
    }

    pub(crate) fn queue_ready(&self, vm: usize, root: u32, queue: u32) {
        let Some(vm) = self.vm(vm) else { return };
        let called = vm.call(Now::root(Callback::QueueReady, root), &[root as i32, queue as i32]);
        self.after_root(&vm, called);
    }

    pub(crate) fn after_root(&self, vm: &Rc<Vm>, called: Called) {
        if called.trapped {
            self.trapped(vm);
        }
        self.run_after(called.after);
    }
}
