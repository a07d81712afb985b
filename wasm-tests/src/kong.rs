//! The way of one request through the chain on Kong. Each step runs over every filter.

use crate::abi::{Action, Callback, Level};
use crate::guest::Now;
use crate::message::Response;
use crate::profile::KongVersion;
use crate::stream::Fate;
use crate::vm::Called;
use crate::worker::Inner;

impl Inner {
    /// Receives a request. Every filter gets its context first.
    pub(crate) fn kong_open(&self, stream: u64) {
        if self.state.borrow().dead {
            self.with_stream(stream, |s| (s.fate, s.finished) = (Fate::Closed, true));
            return;
        }
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

    /// Receives a piece of the request's body. Filters see the body only when it is complete.
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

    /// Runs the request's steps until one of them has to wait.
    pub(crate) fn kong_resume(&self, stream: u64) {
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
                    let unseen = self.with_stream(stream, |s| s.given.body_unseen) == Some(true);
                    // Kong does not call filters for an empty body.
                    if !empty && !unseen && !self.kong_step(stream, step) {
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

    pub(crate) fn kong_next(&self, stream: u64, step: Callback) {
        self.with_stream(stream, |s| (s.step, s.turn) = (step, 0));
    }

    /// Runs one request step over the filters that have not had it. Returns `false` if it did not
    /// finish.
    pub(crate) fn kong_step(&self, stream: u64, step: Callback) -> bool {
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
                // The reply that was stashed earlier goes to the client.
                if already {
                    self.kong_local_reply(stream);
                } else {
                    self.kong_error(stream, 500);
                }
                return false;
            }
            if !already && self.kong_stashed(stream) {
                // After a callout, nginx enters the phase anew and runs the later filters, too,
                // before it sends the response (measured on 3.9.3).
                if self.with_stream(stream, |s| s.continued) != Some(true) {
                    self.kong_local_reply(stream);
                    return false;
                }
                self.with_stream(stream, |s| s.turn += 1);
                continue;
            }
            self.with_stream(stream, |s| s.turn += 1);
            if Action::from_result(called.result) == Action::Pause {
                let waits = self.kong_waits(stream);
                self.with_stream(stream, |s| {
                    s.paused = true;
                    // Without a callout nothing will wake the request.
                    s.fate = if waits { Fate::Open } else { Fate::Hung };
                });
                return false;
            }
        }
    }

    /// Receives the upstream's headers. Returns `false` if the response did not get through.
    pub(crate) fn kong_response_headers(&self, stream: u64) -> bool {
        if self.with_stream(stream, |s| s.callbacks_lost || s.chain.rejected.is_some())
            != Some(false)
        {
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

    /// Shows a chunk of the response's body to the filters from place `from` on.
    pub(crate) fn kong_response_body(
        &self,
        stream: u64,
        from: usize,
        chunk: Vec<u8>,
        eof: bool,
        again: bool,
    ) -> Option<Vec<u8>> {
        if self.with_stream(stream, |s| s.callbacks_lost || s.chain.rejected.is_some())
            != Some(false)
        {
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

    /// Sends the reply that a filter stashed to the client, through the response callbacks of every
    /// filter.
    pub(crate) fn kong_local_reply(&self, stream: u64) {
        self.kong_cancel(stream, None);
        let Some(Some(reply)) = self.with_stream(stream, |s| s.stashed.take()) else { return };
        let mut body = reply.body;
        if !body.is_empty() {
            body.push(b'\n');
        }
        let mut response = Response::new(reply.status).with_body(body);
        for (name, value) in reply.headers {
            // Headers are set, not added: the last one of a name remains.
            response.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(&name));
            response.headers.push((name, value));
        }
        self.with_stream(stream, |s| {
            (s.local, s.details, s.paused) = (true, reply.details, false);
        });
        self.kong_respond(stream, response);
    }

    /// Answers in place of nginx. nginx drops the module contexts of the request, so that no
    /// callback but the deletion runs.
    pub(crate) fn kong_error(&self, stream: u64, status: u16) {
        if self.state.borrow().dead {
            return;
        }
        self.kong_cancel(stream, None);
        self.with_stream(stream, |s| {
            s.callbacks_lost = true;
            s.reply = Some(Response::json(status, r#"{"message":"An unexpected error occurred"}"#));
            s.reply_started = true;
        });
        self.kong_finish(stream, Fate::Answered);
    }

    /// Runs the log and delete callbacks.
    pub(crate) fn kong_finish(&self, stream: u64, fate: Fate) {
        if self.state.borrow().dead {
            return;
        }
        self.kong_cancel(stream, None);
        let first = self.with_stream(stream, |s| {
            s.fate = fate;
            (
                !std::mem::replace(&mut s.finished, true),
                s.callbacks_lost || s.chain.rejected.is_some(),
            )
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
            // A context that was lost with its instance is not called.
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

    pub(crate) fn kong_call(
        &self,
        stream: u64,
        place: usize,
        callback: Callback,
        args: &[i32],
    ) -> Called {
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

    /// Creates the instance, the root context and the context again if a trap took them.
    pub(crate) fn kong_context_ready(&self, stream: u64, place: usize) -> bool {
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

    pub(crate) fn kong_failed(&self, stream: u64, place: usize) {
        self.with_stream(stream, |s| {
            if let Some(slot) = s.slots.get_mut(place) {
                slot.failed = true;
            }
        });
        if let Some((vm, _)) = self.link(stream, place) {
            self.trapped(&vm);
        }
    }

    pub(crate) fn kong_stashed(&self, stream: u64) -> bool {
        self.with_stream(stream, |s| s.stashed.is_some()) == Some(true)
    }

    pub(crate) fn kong_version(&self) -> KongVersion {
        let node = self.node.borrow();
        node.profile.kong_settings().map_or(KongVersion::V3_9, |kong| kong.version)
    }
}
