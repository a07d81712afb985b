//! A request as its client and its upstream see it, and as they act on it.

use crate::callouts::Callout;
use crate::message::{Forwarded, Response};
use crate::outcome::{HostCalls, Outcome, Standing};
use crate::stream::{Fate, Hold, Side, Stream as State};
use crate::worker::Inner;
use std::rc::Rc;

/// A request that the gateway is serving or has served.
#[derive(Clone)]
pub struct Stream {
    worker: Rc<Inner>,
    id: u64,
}

impl Stream {
    pub(crate) fn new(worker: Rc<Inner>, id: u64) -> Self {
        Self { worker, id }
    }

    /// The client sends a piece of its body. `end` marks the last one.
    pub fn push(&self, chunk: impl AsRef<[u8]>, end: bool) {
        let chunk = chunk.as_ref();
        if self.worker.is_kong() {
            self.worker.kong_body(self.id, chunk, end);
        } else {
            self.with(|s| s.client_done |= end);
            self.worker.envoy_body(self.id, Side::Request, chunk.to_vec(), end);
        }
        self.worker.pump();
    }

    /// The client ends its body with the request's trailers.
    pub fn push_trailers(&self) {
        if self.worker.is_kong() {
            self.worker.kong_body(self.id, &[], true);
        } else {
            self.with(|s| s.client_done = true);
            self.worker.envoy_trailers(self.id, 0);
        }
        self.worker.pump();
    }

    /// The upstream sends a complete response.
    pub fn respond(&self, response: Response) {
        self.expect_forwarded();
        if self.worker.is_kong() {
            self.worker.kong_respond(self.id, response);
        } else {
            let end = response.body.is_empty();
            self.worker.envoy_response(self.id, &response, end);
            if !end {
                self.worker.envoy_body(self.id, Side::Response, response.body, false);
                self.worker.envoy_body(self.id, Side::Response, Vec::new(), true);
            }
        }
        self.worker.pump();
    }

    /// The upstream sends the head of a response. Pieces of the body follow.
    pub fn respond_head(&self, head: Response) {
        self.expect_forwarded();
        if self.worker.is_kong() {
            self.worker.kong_respond_head(self.id, &head);
        } else {
            self.worker.envoy_response(self.id, &head, false);
        }
        self.worker.pump();
    }

    /// The upstream sends a piece of the body. `end` marks the last one.
    pub fn respond_body(&self, chunk: impl AsRef<[u8]>, end: bool) {
        let chunk = chunk.as_ref().to_vec();
        if self.worker.is_kong() {
            let length = self.with(|s| {
                let length = s.response.as_ref()?.get("content-length")?;
                Some(String::from_utf8_lossy(length).into_owned())
            });
            let whole = length.as_ref().is_some_and(|length| *length == chunk.len().to_string());
            if length.is_some() || !end {
                self.worker.kong_respond_body(self.id, chunk, end, whole);
            } else {
                // Without a length, Kong shows the end in a last empty chunk.
                self.worker.kong_respond_body(self.id, chunk, false, false);
                self.worker.kong_respond_body(self.id, Vec::new(), true, false);
            }
            if end {
                self.worker.kong_respond_end(self.id);
            }
        } else {
            self.worker.envoy_body(self.id, Side::Response, chunk, end);
        }
        self.worker.pump();
    }

    /// The upstream cannot be reached.
    pub fn upstream_fails(&self) {
        self.expect_forwarded();
        if self.worker.is_kong() {
            self.worker.kong_error(self.id, 502);
        } else {
            self.worker.envoy_upstream_failed(self.id);
        }
        self.worker.pump();
    }

    /// The client closes the connection.
    pub fn abort(&self) {
        if self.worker.is_kong() {
            self.worker.kong_finish(self.id, Fate::Closed);
        } else {
            self.worker.envoy_finish(self.id, Fate::Closed);
        }
        self.worker.pump();
    }

    /// The callouts of this request that have not ended.
    pub fn calls(&self) -> Vec<Callout> {
        self.worker.callouts(Some(self.id))
    }

    /// The only callout that the request waits for. Panics if there is another number of them.
    pub fn call(&self) -> Callout {
        let outcome = self.outcome();
        assert!(
            outcome.standing == Standing::Waiting,
            "expected a request that waits for a callout: {outcome:#?}"
        );
        one(self.calls())
    }

    /// The request as the upstream has received it. Panics if the upstream has received nothing, or
    /// if a filter trapped.
    pub fn forwarded(&self) -> Forwarded {
        let outcome = self.sound();
        match (outcome.standing, outcome.forwarded.clone()) {
            (Standing::Forwarded, Some(forwarded)) => forwarded,
            (_, Some(forwarded)) if !outcome.local => forwarded,
            _ => panic!("expected a request that reached the upstream: {outcome:#?}"),
        }
    }

    /// The response as the client has received it. Panics if the client has received nothing, or if
    /// a filter trapped.
    pub fn reply(&self) -> Response {
        let outcome = self.sound();
        match outcome.reply.clone() {
            Some(reply) => reply,
            None => panic!("expected a request that was answered: {outcome:#?}"),
        }
    }

    /// The reply of a filter to a request that never reached the upstream. Panics if there is none,
    /// or if a filter trapped.
    pub fn refused(&self) -> Response {
        let outcome = self.sound();
        match (outcome.local && outcome.forwarded.is_none(), outcome.reply.clone()) {
            (true, Some(reply)) => reply,
            _ => panic!("expected a request that a filter answered: {outcome:#?}"),
        }
    }

    /// The state of the request.
    pub fn standing(&self) -> Standing {
        self.outcome().standing
    }

    /// The value of a property that filters have left: `gatehouse_consumer` on Envoy, on Kong the
    /// variable `ngx.gatehouse_consumer`.
    pub fn property(&self, path: &str) -> Option<String> {
        let value = self.with(|s| s.properties.get(path.as_bytes()).cloned());
        value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Everything that has happened to the request so far, traps included.
    pub fn outcome(&self) -> Outcome {
        let waits = !self.calls().is_empty();
        let kong = self.worker.is_kong();
        let faults = self.worker.node.borrow().faults_of(self.id);
        let (traps, violations) = faults.into_iter().partition(|fault| fault.trap);
        self.with(|s| Outcome {
            standing: match s.fate {
                Fate::Open if waits => Standing::Waiting,
                Fate::Open if !kong && holds(s) => Standing::Held,
                Fate::Open => Standing::Reading,
                Fate::Hung => Standing::Hung,
                Fate::Forwarded => Standing::Forwarded,
                Fate::Answered => Standing::Answered,
                Fate::Closed => Standing::Closed,
            },
            forwarded: s.forwarded.clone(),
            reply: s.reply.clone(),
            local: s.local,
            details: s.details.clone(),
            traps,
            violations,
            host_calls: HostCalls(s.counts.clone()),
            callouts: s.callouts,
            callbacks: s.callbacks.clone(),
        })
    }

    fn sound(&self) -> Outcome {
        let outcome = self.outcome();
        assert!(outcome.traps.is_empty(), "a filter trapped: {:#?}", outcome.traps);
        outcome
    }

    fn expect_forwarded(&self) {
        let outcome = self.outcome();
        assert!(
            outcome.standing == Standing::Forwarded,
            "an upstream that has received nothing cannot answer: {outcome:#?}"
        );
    }

    fn with<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.worker.state.borrow_mut();
        read(state.stream(self.id).expect("a request is kept as long as its worker"))
    }
}

/// Returns `true` if a filter holds the request, and `false` if everybody waits for the client.
fn holds(s: &State) -> bool {
    let all = s.slots.iter();
    let mut holding = all.filter(|slot| {
        let half = &slot.request;
        half.hold != Hold::Nothing || half.buffering
    });
    holding.any(|slot| {
        // A filter that may still be called for data is waiting for the client.
        slot.request.hold == Hold::Everything || s.client_done
    })
}

/// The only element of the list. Panics if there is another number of them.
pub(crate) fn one(calls: Vec<Callout>) -> Callout {
    match <[Callout; 1]>::try_from(calls) {
        Ok([call]) => call,
        Err(calls) => panic!("expected one callout in flight, found {calls:?}"),
    }
}
