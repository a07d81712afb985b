//! How Kong takes one request through the chain: step by step, each step over every filter.

use crate::abi::{Action, Callback, Level};
use crate::callouts::{Answer, Ending, Pending};
use crate::guest::Now;
use crate::message::Response;
use crate::profile::KongVersion;
use crate::stream::Fate;
use crate::vm::{Called, Vm};
use crate::worker::Inner;
use std::rc::Rc;

impl Inner {
    /// A request has arrived; every filter gets its context first.
    pub(crate) fn kong_open(&self, stream: u64) {
        for place in 0..self.chain_length(stream) {
            if !self.kong_context_ready(stream, place) {
                return self.kong_error(stream, 500);
            }
        }
        let lua = self.kong_version() >= KongVersion::V3_8
            && self.with_stream(stream, |s| s.given.lua_buffered) == Some(true);
        let unfiltered = self.with_stream(stream, |s| s.chain.rejected.is_some()) == Some(true);
        if lua || unfiltered {
            self.with_stream(stream, |s| s.step = Callback::ResponseHeaders);
        }
        self.kong_resume(stream);
    }

    /// A piece of the request's body has arrived; filters see it only when all of it has.
    pub(crate) fn kong_body(&self, stream: u64, chunk: &[u8], end: bool) {
        self.with_stream(stream, |s| {
            if !s.body_changed {
                s.body.extend(chunk);
            }
            s.client_done |= end;
        });
        if end {
            self.kong_resume(stream);
        }
    }

    /// Runs the request's steps until something holds them up.
    fn kong_resume(&self, stream: u64) {
        loop {
            let open = self.with_stream(stream, |s| (s.fate == Fate::Open && !s.paused, s.step));
            let Some((true, step)) = open else { return };
            match step {
                Callback::RequestHeaders => {
                    if !self.kong_step(stream, step) {
                        return;
                    }
                    if self.kong_stashed(stream) {
                        return self.kong_local_reply(stream);
                    }
                    self.kong_next(stream, Callback::RequestBody);
                }
                Callback::RequestBody => {
                    let (done, empty) = self
                        .with_stream(stream, |s| (s.client_done, s.body.is_empty()))
                        .unwrap_or((false, true));
                    if !done {
                        return;
                    }
                    // Filters are not asked about an empty body.
                    if !empty && !self.kong_step(stream, step) {
                        return;
                    }
                    if self.kong_stashed(stream) {
                        return self.kong_local_reply(stream);
                    }
                    self.kong_next(stream, Callback::ResponseHeaders);
                }
                _ if self.with_stream(stream, |s| s.client_done) == Some(true) => {
                    return self.kong_forward(stream);
                }
                _ => return,
            }
        }
    }

    fn kong_next(&self, stream: u64, step: Callback) {
        self.with_stream(stream, |s| (s.step, s.turn) = (step, 0));
    }

    /// Runs one request step over the filters that have not had it. False: it did not finish.
    fn kong_step(&self, stream: u64, step: Callback) -> bool {
        loop {
            let Some(place) = self.with_stream(stream, |s| s.turn) else { return false };
            if place >= self.chain_length(stream) {
                return true;
            }
            let already = self.kong_stashed(stream);
            let args = self.with_stream(stream, |s| match step {
                Callback::RequestHeaders => [s.request.sent().len() as i32, 0],
                _ => [s.body.len() as i32, 1],
            });
            let called = self.kong_call(stream, place, step, &args.unwrap_or_default());
            if called.trapped {
                self.kong_failed(stream, place);
                // What was stashed before is what the client gets.
                if already {
                    self.kong_local_reply(stream);
                } else {
                    self.kong_error(stream, 500);
                }
                return false;
            }
            if !already && self.kong_stashed(stream) {
                self.kong_local_reply(stream);
                return false;
            }
            self.with_stream(stream, |s| s.turn += 1);
            if Action::from_result(called.result) == Action::Pause {
                let waits = self.kong_waits(stream);
                self.with_stream(stream, |s| {
                    s.paused = true;
                    // Nothing will wake it: there is no callout to come back.
                    s.fate = if waits { Fate::Open } else { Fate::Hung };
                });
                return false;
            }
        }
    }

    /// Delivers the end of a callout, by the rules of this version.
    pub(crate) fn kong_answer(&self, call: Pending, answer: Answer) {
        let Some(vm) = self.vm(call.vm) else { return };
        let ending = answer.ending(&self.node.borrow().profile);
        let Some((stream, place)) = call.stream else {
            if let Ending::Callback(received) = ending {
                self.kong_root_answer(&vm, &call, received);
            }
            return;
        };
        if self.with_stream(stream, |s| s.finished) != Some(false) {
            return;
        }
        match ending {
            Ending::Fails => return self.kong_error(stream, 500),
            Ending::GoesOn => {}
            Ending::Callback(received) => {
                if !self.kong_deliver(&call, stream, place, received) {
                    return;
                }
            }
        }
        if !self.kong_waits(stream) {
            // The last callout wakes the request, whatever the filter thinks of its answer.
            self.with_stream(stream, |s| s.paused = false);
            self.kong_resume(stream);
        }
    }

    /// Runs the callback. False: the request went another way.
    fn kong_deliver(
        &self,
        call: &Pending,
        stream: u64,
        place: usize,
        received: crate::callouts::Received,
    ) -> bool {
        let sizes = (received.header_count as i32, received.body_size as i32);
        let args = [call.token as i32, sizes.0, sizes.1, 0];
        let already = self.kong_stashed(stream);
        let called = if self.kong_context_ready(stream, place) {
            let Some((vm, root)) = self.link(stream, place) else { return false };
            let now = Now {
                callback: Callback::CallResponse,
                // The callback names the root context; host calls act on the request.
                context: root,
                stream: Some((stream, place)),
                root,
                received: Some(Rc::new(received)),
            };
            vm.call(now, &[root as i32, args[0], args[1], args[2], args[3]])
        } else {
            Called { trapped: true, ..Called::default() }
        };
        if called.trapped {
            self.kong_failed(stream, place);
            self.kong_cancel(stream, None);
            match (already || self.kong_stashed(stream), self.kong_version() >= KongVersion::V3_8) {
                (true, _) => self.kong_local_reply(stream),
                (false, true) => {
                    // Unchecked, and neither response hooks nor log will tell.
                    self.with_stream(stream, |s| {
                        (s.hooks_lost, s.paused, s.step) = (true, false, Callback::ResponseHeaders);
                    });
                    self.kong_resume(stream);
                }
                (false, false) => self.kong_error(stream, 500),
            }
            return false;
        }
        if !already && self.kong_stashed(stream) {
            self.kong_cancel(stream, Some(place));
        }
        true
    }

    fn kong_root_answer(&self, vm: &Rc<Vm>, call: &Pending, received: crate::callouts::Received) {
        if !self.root_ready(vm, call.root) {
            return;
        }
        let sizes = (received.header_count as i32, received.body_size as i32);
        let args = [call.root as i32, call.token as i32, sizes.0, sizes.1, 0];
        let now = Now {
            received: Some(Rc::new(received)),
            ..Now::root(Callback::CallResponse, call.root)
        };
        let called = vm.call(now, &args);
        self.after_root(vm, called);
    }

    /// The upstream's headers have arrived. False: the response did not get through.
    pub(crate) fn kong_response_headers(&self, stream: u64) -> bool {
        if self.with_stream(stream, |s| s.hooks_lost || s.chain.rejected.is_some()) != Some(false) {
            return true;
        }
        for place in 0..self.chain_length(stream) {
            if self.with_stream(stream, |s| s.slots.get(place).is_some_and(|slot| slot.failed))
                != Some(false)
            {
                return true;
            }
            let count = self
                .with_stream(stream, |s| s.response.as_ref().map_or(0, |r| r.len()))
                .unwrap_or(0);
            let called =
                self.kong_call(stream, place, Callback::ResponseHeaders, &[count as i32, 0]);
            if called.trapped {
                self.kong_failed(stream, place);
                return true;
            }
            let overridden = self.with_stream(stream, |s| s.stashed.is_some()) == Some(true);
            if overridden {
                return true;
            }
            if Action::from_result(called.result) == Action::Pause {
                let text = "\"ResponseHeaders\" returned \"PAUSE\": local response expected but \
                            none produced";
                self.node.borrow_mut().log_line(Level::Warn, text);
                self.with_stream(stream, |s| s.fate = Fate::Hung);
                return false;
            }
        }
        true
    }

    /// A chunk of the response's body goes through the filters from `from` on.
    pub(crate) fn kong_response_body(
        &self,
        stream: u64,
        from: usize,
        chunk: Vec<u8>,
        eof: bool,
        again: bool,
    ) -> Option<Vec<u8>> {
        if self.with_stream(stream, |s| s.hooks_lost || s.chain.rejected.is_some()) != Some(false) {
            return Some(chunk);
        }
        let mut chunk = chunk;
        for place in from..self.chain_length(stream) {
            let failed =
                self.with_stream(stream, |s| s.slots.get(place).is_some_and(|slot| slot.failed));
            if failed != Some(false) {
                return Some(chunk);
            }
            self.with_stream(stream, |s| s.chunk = Some(chunk.clone()));
            let args = [chunk.len() as i32, i32::from(eof)];
            let called = self.kong_call(stream, place, Callback::ResponseBody, &args);
            let after = self.with_stream(stream, |s| s.chunk.take()).flatten();
            if called.trapped {
                self.kong_failed(stream, place);
                return Some(chunk);
            }
            chunk = after.unwrap_or_default();
            if Action::from_result(called.result) == Action::Pause {
                if again && place == from {
                    let text = "invalid \"on_response_body\" return action (PAUSE): response \
                                body buffering already requested";
                    self.node.borrow_mut().log_line(Level::Error, text);
                    continue;
                }
                self.with_stream(stream, |s| {
                    (s.turn, s.paused) = (place, true);
                    s.body = chunk;
                });
                return None;
            }
        }
        Some(chunk)
    }

    /// The answer that a filter stashed goes to the client, through every filter's response hooks.
    fn kong_local_reply(&self, stream: u64) {
        self.kong_cancel(stream, None);
        let Some(Some(reply)) = self.with_stream(stream, |s| s.stashed.take()) else { return };
        let mut body = reply.body;
        if !body.is_empty() {
            body.push(b'\n');
        }
        let mut response = Response::new(reply.status).with_body(body);
        for (name, value) in reply.headers {
            // Set, not added: the last of a name remains.
            response.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(&name));
            response.headers.push((name, value));
        }
        self.with_stream(stream, |s| {
            (s.local, s.details, s.paused) = (true, reply.details, false);
        });
        self.kong_respond(stream, response);
    }

    /// nginx answers by itself: the request's module contexts are gone, and with them every hook
    /// but the deletion.
    pub(crate) fn kong_error(&self, stream: u64, status: u16) {
        self.kong_cancel(stream, None);
        self.with_stream(stream, |s| {
            s.hooks_lost = true;
            s.reply = Some(Response::json(status, r#"{"message":"An unexpected error occurred"}"#));
            s.reply_started = true;
        });
        self.kong_finish(stream, Fate::Answered);
    }

    /// Log and deletion.
    pub(crate) fn kong_finish(&self, stream: u64, fate: Fate) {
        self.kong_cancel(stream, None);
        let first = self.with_stream(stream, |s| {
            s.fate = fate;
            (!std::mem::replace(&mut s.finished, true), s.hooks_lost || s.chain.rejected.is_some())
        });
        let Some((true, lost)) = first else { return };
        for place in 0..self.chain_length(stream) {
            let skip = lost
                || self.with_stream(stream, |s| s.slots.get(place).is_some_and(|s| s.failed))
                    != Some(false);
            if skip {
                continue;
            }
            for callback in [Callback::Done, Callback::Log] {
                if self.kong_call(stream, place, callback, &[]).trapped {
                    self.kong_failed(stream, place);
                    break;
                }
            }
        }
        for place in 0..self.chain_length(stream) {
            // Not for a context that went with its instance.
            let Some((vm, root)) = self.link(stream, place) else { continue };
            let context = self.context(stream, place);
            if vm.knows_context(context) {
                let now = Now {
                    callback: Callback::Delete,
                    context,
                    stream: Some((stream, place)),
                    root,
                    received: None,
                };
                if vm.call(now, &[context as i32]).trapped {
                    self.trapped(&vm);
                }
            }
        }
        self.release(stream);
    }

    fn kong_call(&self, stream: u64, place: usize, callback: Callback, args: &[i32]) -> Called {
        if !self.kong_context_ready(stream, place) {
            return Called { trapped: true, ..Called::default() };
        }
        let Some((vm, root)) = self.link(stream, place) else { return Called::default() };
        let context = self.context(stream, place);
        let now = Now { callback, context, stream: Some((stream, place)), root, received: None };
        let mut all = vec![context as i32];
        all.extend(args);
        vm.call(now, &all)
    }

    /// Makes the instance, the root and the context where a trap took them.
    fn kong_context_ready(&self, stream: u64, place: usize) -> bool {
        let Some((vm, root)) = self.link(stream, place) else { return false };
        if !self.root_ready(&vm, root) {
            return false;
        }
        let context = self.context(stream, place);
        if vm.knows_context(context) {
            return true;
        }
        let now = Now {
            callback: Callback::ContextCreate,
            context,
            stream: Some((stream, place)),
            root,
            received: None,
        };
        let called = vm.call(now, &[context as i32, root as i32]);
        if called.trapped {
            self.trapped(&vm);
        }
        !called.trapped
    }

    fn kong_failed(&self, stream: u64, place: usize) {
        self.with_stream(stream, |s| {
            if let Some(slot) = s.slots.get_mut(place) {
                slot.failed = true;
            }
        });
        if let Some((vm, _)) = self.link(stream, place) {
            self.trapped(&vm);
        }
    }

    /// Drops the pending callouts of a request, or of one of its filters.
    fn kong_cancel(&self, stream: u64, place: Option<usize>) {
        let mine = |at: Option<(u64, usize)>| {
            at.is_some_and(|(of, by)| of == stream && place.is_none_or(|place| place == by))
        };
        self.state.borrow_mut().calls.retain(|call| !mine(call.stream));
    }

    fn kong_waits(&self, stream: u64) -> bool {
        let state = self.state.borrow();
        state.calls.iter().any(|c| c.stream.is_some_and(|(of, _)| of == stream))
    }

    fn kong_stashed(&self, stream: u64) -> bool {
        self.with_stream(stream, |s| s.stashed.is_some()) == Some(true)
    }

    pub(crate) fn kong_version(&self) -> KongVersion {
        let node = self.node.borrow();
        node.profile.kong_settings().map_or(KongVersion::V3_9, |kong| kong.version)
    }
}
