//! The end of a callout on Kong, by the rules of the Kong version.

use crate::abi::Callback;
use crate::callouts::{Answer, Ending, Pending, Received};
use crate::guest::Now;
use crate::profile::KongVersion;
use crate::vm::{Called, Vm};
use crate::worker::Inner;
use std::rc::Rc;

impl Inner {
    /// Delivers the end of a callout, by the rules of the version.
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
        self.with_stream(stream, |s| s.continued = true);
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
            // The end of the last callout wakes the request, whatever the filter thinks of the
            // response.
            self.with_stream(stream, |s| s.paused = false);
            self.kong_resume(stream);
        }
    }

    /// Runs the callback. Returns `false` if the request took another way.
    pub(crate) fn kong_deliver(
        &self,
        call: &Pending,
        stream: u64,
        place: usize,
        received: Received,
    ) -> bool {
        let sizes = (received.header_count as i32, received.body_size as i32);
        let args = [call.token as i32, sizes.0, sizes.1, 0];
        let already = self.kong_stashed(stream);
        let called = if self.kong_context_ready(stream, place) {
            let Some((vm, root)) = self.link(stream, place) else { return false };
            let now = Now {
                callback: Callback::CallResponse,
                // The callback names the root context, but host calls act on the request.
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
                    // The request goes on unchecked, and neither response callbacks nor log run for
                    // it.
                    self.with_stream(stream, |s| {
                        (s.callbacks_lost, s.paused, s.step) =
                            (true, false, Callback::ResponseHeaders);
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

    pub(crate) fn kong_root_answer(&self, vm: &Rc<Vm>, call: &Pending, received: Received) {
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

    /// Drops the pending callouts of a request, or of one of its filters.
    pub(crate) fn kong_cancel(&self, stream: u64, place: Option<usize>) {
        let mine = |at: Option<(u64, usize)>| {
            at.is_some_and(|(of, by)| of == stream && place.is_none_or(|place| place == by))
        };
        self.state.borrow_mut().calls.retain(|call| !mine(call.stream));
    }

    pub(crate) fn kong_waits(&self, stream: u64) -> bool {
        let state = self.state.borrow();
        state.calls.iter().any(|c| c.stream.is_some_and(|(of, _)| of == stream))
    }
}
