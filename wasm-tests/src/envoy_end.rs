//! The end of a request on Envoy: a local reply, a closed connection, a failed upstream, the log.

use crate::abi::Callback;
use crate::guest::Now;
use crate::headers::{HeaderMap, Rules};
use crate::message::{LocalReply, Response};
use crate::profile::Host;
use crate::stream::{Fate, Half, Side};
use crate::worker::Inner;

impl Inner {
    /// Removes the configuration and tells every root context.
    pub(crate) fn envoy_drain(&self) {
        let vms = self.vms.borrow().clone();
        for vm in vms {
            for root in vm.roots() {
                let called = vm.call(Now::root(Callback::Done, root), &[root as i32]);
                let lingers = called.result == Some(0);
                self.after_root(&vm, called);
                if lingers {
                    self.state.borrow_mut().lingering.push((vm.index, root));
                } else {
                    self.envoy_root_over(vm.index, root);
                }
            }
        }
    }

    pub(crate) fn envoy_root_over(&self, vm: usize, root: u32) {
        let Some(vm) = self.vm(vm) else { return };
        let called = vm.call(Now::root(Callback::Delete, root), &[root as i32]);
        self.after_root(&vm, called);
        let mut state = self.state.borrow_mut();
        state.timers.retain(|t| t.vm != vm.index || t.root != root);
        state.calls.retain(|c| c.vm != vm.index || c.root != root);
    }

    /// Answers the client when the upstream cannot be reached.
    pub(crate) fn envoy_upstream_failed(&self, stream: u64) {
        let body = "upstream connect error or disconnect/reset before headers. \
                    reset reason: connection failure";
        let reply = LocalReply {
            status: 503,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
            details: "upstream_reset_before_response_started".to_owned(),
        };
        self.envoy_local_reply(stream, reply);
    }

    /// Enforces `per_connection_buffer_limit_bytes` on a body that a filter keeps waiting.
    pub(crate) fn check_limit(&self, stream: u64, side: Side, place: usize) {
        let Host::Envoy(envoy) = self.node.borrow().profile.host().clone() else { return };
        let mut kept = 0;
        self.with_half(stream, place, side, |half| {
            kept = half.queued.len() + half.view.as_ref().map_or(0, Vec::len);
        });
        // Behind `Hold::Everything` Envoy slows the client down instead.
        let buffering = self.with_stream(stream, |s| {
            s.slots.get_mut(place).is_some_and(|slot| slot.half(side).buffering)
        });
        if kept > envoy.buffer_limit && buffering == Some(true) {
            let status = if side == Side::Request { 413 } else { 500 };
            let reply = LocalReply {
                status,
                headers: Vec::new(),
                body: b"Payload Too Large".to_vec(),
                details: "payload_too_large".to_owned(),
            };
            self.envoy_local_reply(stream, reply);
        }
    }

    /// Answers the client with a reply that Envoy or a filter made. The reply passes the response
    /// callbacks of the filters that saw the request.
    pub(crate) fn envoy_local_reply(&self, stream: u64, reply: LocalReply) {
        let reached = self.with_stream(stream, |s| {
            if s.finished {
                return None;
            }
            let encoding = s.response.is_some();
            (s.local, s.details) = (true, reply.details.clone());
            Some((encoding, s.reply_started))
        });
        let Some(Some((encoding, started))) = reached else { return };
        let mut headers = reply.headers;
        if !reply.body.is_empty() {
            let typed = headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-type"));
            headers.push(("content-length".to_owned(), reply.body.len().to_string().into_bytes()));
            if !typed {
                headers.push(("content-type".to_owned(), b"text/plain".to_vec()));
            }
        }
        if started {
            return self.envoy_finish(stream, Fate::Closed);
        }
        self.with_stream(stream, |s| s.slots.iter_mut().for_each(|slot| slot.request = seen(slot)));
        if encoding {
            // Within a response, the reply replaces it, and no callback runs again.
            let headers = HeaderMap::new(Rules::Envoy, &headers).sent();
            let reply = Response { status: reply.status, headers, body: reply.body };
            self.with_stream(stream, |s| s.reply = Some(reply));
            return self.envoy_finish(stream, Fate::Answered);
        }
        let end = reply.body.is_empty();
        self.start_response(stream, reply.status, &headers, end);
        self.envoy_headers(stream, Side::Response, 0, end);
        if !end {
            self.envoy_body(stream, Side::Response, reply.body, true);
        }
    }

    /// Closes the connection without a response.
    pub(crate) fn envoy_close(&self, stream: u64) {
        self.envoy_finish(stream, Fate::Closed);
    }

    /// Runs the log, done and delete callbacks of every filter, including filters that saw nothing.
    pub(crate) fn envoy_finish(&self, stream: u64, fate: Fate) {
        let first = self.with_stream(stream, |s| {
            s.fate = fate;
            !std::mem::replace(&mut s.finished, true)
        });
        if first != Some(true) {
            return;
        }
        let places = 0..self.chain_length(stream);
        let mut last = places.clone().map(|place| (place, Callback::Log)).collect::<Vec<_>>();
        last.extend(places.flat_map(|p| [(p, Callback::Done), (p, Callback::Delete)]));
        for (place, callback) in last {
            let called = self.envoy_call(stream, place, callback, &[]);
            if called.trapped {
                self.envoy_vm_failed(stream, place);
            }
            self.run_after(called.after);
        }
        self.release(stream);
    }

    pub(crate) fn envoy_trapped(&self, stream: u64, place: usize) {
        self.envoy_vm_failed(stream, place);
        self.fail_stream(stream);
    }

    pub(crate) fn envoy_vm_failed(&self, stream: u64, place: usize) {
        if let Some((vm, _)) = self.link(stream, place) {
            self.trapped(&vm);
        }
    }

    pub(crate) fn fail_stream(&self, stream: u64) {
        let reply = LocalReply {
            status: 503,
            headers: Vec::new(),
            body: Vec::new(),
            details: "wasm_fail_stream".to_owned(),
        };
        self.envoy_local_reply(stream, reply);
    }
}

/// The part of a filter's state that remains after the request has been answered.
fn seen(slot: &crate::stream::Slot) -> Half {
    Half { seen: slot.request.seen, ..Half::default() }
}
