//! The way of one request through the chain on Envoy, and of its response in the reverse order.

use crate::abi::{Action, Callback};
use crate::callouts::{Answer, Ending, Pending};
use crate::guest::{After, Now};
use crate::headers::HeaderMap;
use crate::message::Response;
use crate::profile::Host;
use crate::stream::{Half, Hold, Side, Stream};
use crate::vm::Called;
use crate::worker::Inner;
use std::rc::Rc;

/// The answer of one filter: the message may go on to the next filter, or it stops.
#[derive(PartialEq, Eq)]
pub(crate) enum Step {
    On,
    Stop,
}

impl Inner {
    /// Receives the client's headers. `end` means that neither body nor trailers follow.
    pub(crate) fn envoy_open(&self, stream: u64, end: bool) {
        self.envoy_headers(stream, Side::Request, 0, end);
    }

    /// Receives a piece of the body of the request or response.
    pub(crate) fn envoy_body(&self, stream: u64, side: Side, chunk: Vec<u8>, end: bool) {
        if self.is_open(stream, side) {
            self.envoy_data(stream, side, 0, chunk, end);
        }
    }

    /// Receives the upstream's headers.
    pub(crate) fn envoy_response(&self, stream: u64, response: &Response, end: bool) {
        if !self.is_open(stream, Side::Response) {
            return;
        }
        self.start_response(stream, response.status, &response.headers, end);
        self.envoy_headers(stream, Side::Response, 0, end);
    }

    /// Delivers the end of a callout to the root context, even if the request is over.
    pub(crate) fn envoy_answer(&self, call: Pending, answer: Answer) {
        let Ending::Callback(received) = answer.ending(&self.node.borrow().profile) else { return };
        let Some(vm) = self.vm(call.vm) else { return };
        if vm.failed.get() {
            return;
        }
        let args = [
            call.root as i32,
            call.token as i32,
            received.header_count as i32,
            received.body_size as i32,
            0,
        ];
        let now = Now {
            // The running context is the root context. The request is named only to count its host
            // calls.
            stream: call.stream,
            received: Some(Rc::new(received)),
            ..Now::root(Callback::CallResponse, call.root)
        };
        let called = vm.call(now, &args);
        // A trap does not reach a request that waits for this callout: the request hangs.
        // (Measured.)
        self.after_root(&vm, called);
    }

    /// Carries out the requests of a callback that Envoy puts off until the callback has returned.
    pub(crate) fn run_after(&self, after: Vec<After>) {
        for action in after {
            match action {
                After::Continue { stream, place, request } => {
                    let side = if request { Side::Request } else { Side::Response };
                    self.envoy_continue(stream, side, place);
                }
                After::Reply { stream, reply } => self.envoy_local_reply(stream, reply),
                After::Close { stream } => self.envoy_close(stream),
            }
        }
    }

    /// Shows the headers to the filters from number `from` on, counted in the direction of the
    /// message.
    pub(crate) fn envoy_headers(&self, stream: u64, side: Side, from: usize, end: bool) {
        for nth in from..self.chain_length(stream) {
            let place = self.place(stream, side, nth);
            let Some(count) = self.enter_headers(stream, side, place, end) else { continue };
            let callback = match side {
                Side::Request => Callback::RequestHeaders,
                Side::Response => Callback::ResponseHeaders,
            };
            let called = self.envoy_call(stream, place, callback, &[count, i32::from(end)]);
            if self.after_headers(stream, side, place, called) == Step::Stop {
                return;
            }
        }
        self.headers_left(stream, side, end);
    }

    /// Marks the headers as shown to this filter. Returns `None` if Envoy does not call the filter.
    pub(crate) fn enter_headers(
        &self,
        stream: u64,
        side: Side,
        place: usize,
        end: bool,
    ) -> Option<i32> {
        let mut state = self.state.borrow_mut();
        let stream = state.stream(stream)?;
        let count = match side {
            Side::Request => stream.request.len(),
            Side::Response => stream.response.as_ref().map_or(0, HeaderMap::len),
        };
        let slot = stream.slots.get_mut(place)?;
        // A filter that never saw the request does not see the response.
        if side == Side::Response && !slot.request.seen {
            return None;
        }
        let half = slot.half(side);
        (half.seen, half.map, half.ended) = (true, true, end);
        Some(count as i32)
    }

    pub(crate) fn after_headers(
        &self,
        stream: u64,
        side: Side,
        place: usize,
        called: Called,
    ) -> Step {
        if called.trapped {
            self.envoy_trapped(stream, place);
            return Step::Stop;
        }
        let pause = called.stopped || Action::from_result(called.result) == Action::Pause;
        self.with_half(stream, place, side, |half| {
            half.map = pause;
            half.hold = match (pause, self.allows_stop_iteration() && !called.stopped) {
                (false, _) => Hold::Nothing,
                (true, true) => Hold::Headers,
                (true, false) => Hold::Everything,
            };
        });
        self.run_after(called.after);
        if pause { Step::Stop } else { Step::On }
    }

    /// Shows data to the filters from number `from` on.
    pub(crate) fn envoy_data(
        &self,
        stream: u64,
        side: Side,
        from: usize,
        chunk: Vec<u8>,
        end: bool,
    ) {
        let mut chunk = chunk;
        for nth in from..self.chain_length(stream) {
            let place = self.place(stream, side, nth);
            let Some(size) = self.enter_data(stream, side, place, &chunk, end) else {
                if self.seen(stream, side, place) {
                    return self.check_limit(stream, side, place);
                }
                continue;
            };
            let callback = match side {
                Side::Request => Callback::RequestBody,
                Side::Response => Callback::ResponseBody,
            };
            let called = self.envoy_call(stream, place, callback, &[size, i32::from(end)]);
            if called.trapped {
                return self.envoy_trapped(stream, place);
            }
            let pause = called.stopped || Action::from_result(called.result) == Action::Pause;
            let mut released = false;
            self.with_half(stream, place, side, |half| {
                half.buffering = pause;
                half.ended |= end;
                if !pause {
                    chunk = half.view.take().unwrap_or_default();
                    released = half.hold == Hold::Headers;
                    half.hold = Hold::Nothing;
                }
            });
            self.run_after(called.after);
            if pause {
                return self.check_limit(stream, side, place);
            }
            if released {
                // `Continue` from a body callback also releases the headers that the filter held.
                self.envoy_headers(stream, side, nth + 1, false);
            }
        }
        self.data_left(stream, side, &chunk, end);
    }

    /// Shows the request's trailers to the filters from number `from` on. A filter that answers
    /// `Continue` releases all that it holds.
    pub(crate) fn envoy_trailers(&self, stream: u64, from: usize) {
        if !self.is_open(stream, Side::Request) {
            return;
        }
        for place in from..self.chain_length(stream) {
            if !self.seen(stream, Side::Request, place) {
                continue;
            }
            let mut shown = false;
            self.with_half(stream, place, Side::Request, |half| {
                shown = half.hold != Hold::Everything;
                (half.trailers, half.trailers_queued) = (shown, !shown);
            });
            if !shown {
                return;
            }
            let count = self.with_stream(stream, |s| s.trailers.len() as i32).unwrap_or(0);
            let called = self.envoy_call(stream, place, Callback::RequestTrailers, &[count]);
            if called.trapped {
                return self.envoy_trapped(stream, place);
            }
            let pause = called.stopped || Action::from_result(called.result) == Action::Pause;
            if !pause {
                self.with_half(stream, place, Side::Request, |half| half.trailers = false);
                self.envoy_let_go(stream, Side::Request, place);
            }
            self.run_after(called.after);
            if pause {
                return;
            }
        }
        self.with_stream(stream, |s| {
            let trailers = s.trailers.sent();
            if let Some(forwarded) = &mut s.forwarded {
                (forwarded.trailers, forwarded.complete) = (trailers, true);
            }
        });
    }

    /// Puts data before this filter. Returns `None` if Envoy does not call the filter, because it
    /// holds everything back or never saw the message.
    pub(crate) fn enter_data(
        &self,
        stream: u64,
        side: Side,
        place: usize,
        chunk: &[u8],
        end: bool,
    ) -> Option<i32> {
        let mut state = self.state.borrow_mut();
        let half = state.stream(stream)?.slots.get_mut(place)?.half(side);
        if !half.seen {
            return None;
        }
        if half.hold == Hold::Everything {
            half.queued.extend(chunk);
            half.ended |= end;
            return None;
        }
        let mut kept = half.view.take().filter(|_| half.buffering).unwrap_or_default();
        kept.extend(chunk);
        let size = kept.len() as i32;
        half.view = Some(kept);
        Some(size)
    }

    /// Releases what a filter held, at its own request.
    pub(crate) fn envoy_continue(&self, stream: u64, side: Side, place: usize) {
        if !self.is_open(stream, side) {
            return;
        }
        self.envoy_let_go(stream, side, place);
        let mut from = None;
        self.with_half(stream, place, side, |half| {
            if std::mem::take(&mut half.trailers_queued) {
                from = Some(place);
            } else if std::mem::take(&mut half.trailers) {
                from = Some(place + 1);
            }
        });
        if let Some(from) = from {
            self.envoy_trailers(stream, from);
        }
    }

    /// Sends the headers and data that a filter holds on to the next filter.
    fn envoy_let_go(&self, stream: u64, side: Side, place: usize) {
        let nth = self.place(stream, side, place);
        let mut released = None;
        self.with_half(stream, place, side, |half| {
            half.map = false;
            let held = std::mem::take(&mut half.hold);
            let buffered = std::mem::take(&mut half.buffering);
            if held == Hold::Nothing && !buffered {
                return;
            }
            // Data that this filter was never shown is shown to it now.
            let (data, from) = match half.view.take().filter(|_| buffered) {
                Some(kept) => (kept, nth + 1),
                None => (std::mem::take(&mut half.queued), nth),
            };
            released = Some((held, data, from, half.ended));
        });
        let Some((held, data, from, ended)) = released else { return };
        let has_data = self.with_stream(stream, |s| match side {
            Side::Request => s.given.has_body() || s.given.tunnel,
            Side::Response => s.response_has_body,
        });
        let has_data = has_data.unwrap_or(false);
        if held != Hold::Nothing {
            self.envoy_headers(stream, side, nth + 1, ended && !has_data);
        }
        if has_data && (!data.is_empty() || ended) && self.is_open(stream, side) {
            self.envoy_data(stream, side, from, data, ended);
        }
    }

    pub(crate) fn envoy_call(
        &self,
        stream: u64,
        place: usize,
        callback: Callback,
        args: &[i32],
    ) -> Called {
        let Some((vm, root)) = self.link(stream, place) else { return Called::default() };
        if vm.failed.get() {
            return Called { trapped: true, ..Called::default() };
        }
        let context = self.context(stream, place);
        let now = Now { callback, context, stream: Some((stream, place)), root, received: None };
        if !self.created(stream, place) {
            let now = Now { callback: Callback::ContextCreate, ..now.clone() };
            let called = vm.call(now, &[context as i32, root as i32]);
            if called.trapped {
                return called;
            }
        }
        let mut all = vec![context as i32];
        all.extend(args);
        vm.call(now, &all)
    }

    pub(crate) fn allows_stop_iteration(&self) -> bool {
        match self.node.borrow().profile.host() {
            Host::Envoy(envoy) => envoy.allow_on_headers_stop_iteration,
            Host::Kong(_) => false,
        }
    }

    /// Returns the place of the n-th filter in a direction: responses pass the chain from its end.
    /// The function is its own inverse.
    pub(crate) fn place(&self, stream: u64, side: Side, nth: usize) -> usize {
        match side {
            Side::Request => nth,
            Side::Response => self.chain_length(stream).saturating_sub(nth + 1),
        }
    }

    pub(crate) fn seen(&self, stream: u64, side: Side, place: usize) -> bool {
        let mut seen = false;
        self.with_half(stream, place, side, |half| seen = half.seen);
        seen
    }

    /// Returns `true` while a message of this direction can still arrive.
    pub(crate) fn is_open(&self, stream: u64, side: Side) -> bool {
        let open = self.with_stream(stream, |s| match side {
            Side::Request => !s.finished && s.response.is_none(),
            Side::Response => !s.finished,
        });
        open.unwrap_or(false)
    }

    pub(crate) fn with_half(
        &self,
        stream: u64,
        place: usize,
        side: Side,
        change: impl FnOnce(&mut Half),
    ) {
        self.with_stream(stream, |s| {
            if let Some(slot) = s.slots.get_mut(place) {
                change(slot.half(side));
            }
        });
    }

    pub(crate) fn with_stream<T>(
        &self,
        stream: u64,
        change: impl FnOnce(&mut Stream) -> T,
    ) -> Option<T> {
        self.state.borrow_mut().stream(stream).map(change)
    }
}
