//! One request and its response: events in, the flow's steps carried out.
//!
//! ```text
//!           ┌── Passed ── refused by an earlier filter
//! Fresh ────┼── Forwarded | Refused
//!           ├── Parked ───────────────────answer──▶ any but Fresh and Passed
//!           └── AwaitingBody | Streaming ──body───▶ any but Fresh and Passed
//! ```
//!
//! Only `Forwarded` and `Passed` let a request through. An event out of order is refused. Kong may
//! go on without a decision when the callback of a body does not come; `response.rs` replaces the
//! response then.

mod additions;
mod response;
mod steps;

use crate::debug::{self, Report};
use crate::instance::Instance;
use crate::platform::capabilities;
use crate::proxy::{CallId, Message, NotTaken, Proxy, Unreadable, Wanted};
use cache::Seat;
use consumer::{Guard, Known, PROPERTY, refuse_duplicate};
use exchange::{
    CallResult, Event, Finding, Flow, Head, Key, Reply, Request, Started, Unavailable, Watch,
};
use response::Progress;
use std::rc::Rc;

/// The action of the gateway on the message of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The message goes on.
    Continue = 0,
    /// The message waits.
    Pause = 1,
}

/// The bytes that a request keeps besides its headers, about.
const KEPT: usize = 2048;

/// One request and its response.
pub struct Stream {
    instance: Rc<Instance>,
    id: u32,
    state: State,
    /// The flow of the request, once the filter has started.
    flow: Option<Box<dyn Flow>>,
    /// The head that the request arrived with, shared with the flow.
    head: Head,
    /// The guard that keeps a client's values of owned headers from the upstream.
    guard: Option<Guard>,
    /// The bytes that the request keeps in memory, about.
    keeps: usize,
    /// The seat of the request while it waits.
    seat: Option<Seat>,
    progress: Progress,
    /// The status of the response, once it was seen.
    status: Option<u16>,
    watch: Watch,
    /// The report for an operator who asks for it.
    report: Option<Report>,
    /// `true` if the filter needs the identity once more at the response.
    at_response: bool,
    /// `true` if an edit of the request was made.
    edited: bool,
    /// The length of the body in bytes, if it completed while the request was parked (Envoy).
    whole: Option<usize>,
    /// `true` if the request is decided for the case that no body comes (Kong).
    body_is_optional: bool,
    body_may_follow: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Fresh,
    Passed,
    Forwarded,
    Refused,
    /// The request waits for a finding, or for the answer to a callout of its own.
    Parked(Wait),
    /// The request waits for its whole body.
    AwaitingBody,
    /// The flow takes the body piece by piece; this many bytes have been seen.
    Streaming(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wait {
    /// A fetch of this key; `true` if the callout is the request's own.
    Key(Key, bool),
    Answer,
}

/// The event in which a step is carried out. Gateways allow different things in each.
#[derive(Clone, Copy)]
enum Phase {
    Headers,
    Body,
    Answer,
}

/// The callout that the carrier has to remember after an event of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The request waits for nothing of its own.
    Nothing,
    /// The answer to this callout belongs to the request, which wants these of its headers.
    ByRequest(CallId, &'static [&'static str]),
    /// The answer to this callout belongs to the response, which wants these of its headers.
    ByResponse(CallId, &'static [&'static str]),
    /// The answer to this callout belongs to every request that waits for the key.
    ByInstance(CallId, Key),
}

impl Stream {
    /// A request of which nothing has been seen. The carrier tells requests apart by `id`.
    #[must_use]
    pub fn new(instance: Rc<Instance>, id: u32) -> Self {
        Self {
            instance,
            id,
            state: State::Fresh,
            flow: None,
            head: Head::default(),
            guard: None,
            keeps: KEPT,
            seat: None,
            progress: Progress::Unseen,
            status: None,
            watch: Watch::default(),
            report: None,
            at_response: false,
            edited: false,
            whole: None,
            body_is_optional: false,
            body_may_follow: false,
        }
    }

    /// The filter configuration that handles the request.
    #[must_use]
    pub fn instance(&self) -> &Rc<Instance> {
        &self.instance
    }

    // === Events ===

    /// Takes the headers of the request, `count` of them; `ends` says that no body follows.
    pub fn request_headers<P: Proxy>(
        &mut self,
        proxy: &P,
        count: usize,
        ends: bool,
    ) -> (Action, Asked) {
        if self.state != State::Fresh {
            return self.refuse(proxy, Reply::unexpected());
        }
        // This comes first: Kong runs later filters even after a refusal from a callout's answer,
        // and a second reply would trap.
        let consumer =
            if self.instance.ignores_identity() { None } else { proxy.property(PROPERTY) };
        let known = Known::from_property(consumer.as_deref());
        if known == Known::Refused {
            self.state = State::Passed;
            return (Action::Continue, Asked::Nothing);
        }
        let Some(configured) = self.instance.configured(proxy) else {
            let message = format!("{} is misconfigured", self.instance.name());
            return self.refuse(proxy, Reply::message(500, "misconfigured", message));
        };
        let needs = configured.needs();
        let holds_headers = configured.common().holds_headers;
        let request = match proxy.request(&Wanted { needs, holds_headers, count, ends }) {
            Ok(request) => Request { consumer, ..request },
            Err(Unreadable::TooMany) => {
                let reply =
                    Reply::error(431, "too_many_headers", "Request header fields too large");
                return self.refuse(proxy, reply);
            }
            Err(Unreadable::Malformed) => {
                return self.refuse(proxy, Reply::error(400, "malformed_headers", "Bad request"));
            }
        };
        self.at_response = needs.at_response;
        self.head = request.head.clone();
        let token = configured.common().debug_token.as_deref();
        let request = match token.and_then(|_| self.head.spellings(debug::HEADER).next()) {
            None => request,
            Some(_) => Request { head: debug::without_token(&request.head), ..request },
        };
        self.report = Report::begin(proxy, token, &self.head);
        // The flow shares the headers. It has a copy of the target, and makes edits of parts of
        // both.
        let twice = request.target.len().saturating_mul(2);
        self.keeps = request.head.size().saturating_add(twice).saturating_add(KEPT);
        self.body_may_follow = request.body_may_follow;
        self.instance.seen(request.now, &request);
        let can_remove = capabilities().can_remove;
        let (owned, common) = (configured.owned(), configured.common());
        match Guard::new(owned, common, &self.head, known.clone(), can_remove) {
            Ok(guard) => self.guard = Some(guard),
            Err(duplicate) => {
                return self.refuse(proxy, refuse_duplicate(&duplicate));
            }
        }
        let Started { step, flow } = configured.start(request, known);
        self.follow(proxy, flow, step, Phase::Headers)
    }

    /// Takes a piece of the body, which has `size` bytes by now; `end` says that these are all.
    pub fn request_body<P: Proxy>(&mut self, proxy: &P, size: usize, end: bool) -> (Action, Asked) {
        match self.state {
            State::Forwarded | State::Passed => {
                if self.watch.request_body {
                    self.show(proxy, Message::Request, size, end);
                }
                (Action::Continue, Asked::Nothing)
            }
            State::Refused => (Action::Pause, Asked::Nothing),
            State::Parked(_) => {
                // The end of a body comes once, and perhaps before the flow asks for the body.
                self.whole = end.then_some(size);
                (Action::Pause, Asked::Nothing)
            }
            State::AwaitingBody if !end => (Action::Pause, Asked::Nothing),
            State::AwaitingBody => {
                self.tell(proxy, Event::Body(proxy.body(Message::Request, size)), Phase::Body)
            }
            State::Streaming(seen) => {
                let rest = proxy.body_from(seen, Some(size));
                self.piece(proxy, rest, (!end).then_some(size))
            }
            // The headers were never seen: Kong runs a buffered response, or the VM lost its state.
            State::Fresh => self.refuse(proxy, Reply::unexpected()),
        }
    }

    /// Takes the trailers, which end the body without saying how long it is. An upstream may read
    /// trailers like headers, so that none goes on under the name of an owned header.
    pub fn request_trailers<P: Proxy>(&mut self, proxy: &P) -> (Action, Asked) {
        if self.strip_trailers(proxy).is_err() {
            return self.refuse(proxy, Reply::unexpected());
        }
        let before = match self.state {
            State::Streaming(seen) => seen,
            State::AwaitingBody | State::Parked(_) => 0,
            _ => return self.request_body(proxy, 0, true),
        };
        let rest = proxy.body_from(before, None);
        match self.state {
            State::Streaming(_) => self.piece(proxy, rest, None),
            State::AwaitingBody => self.tell(proxy, Event::Body(rest), Phase::Body),
            _ => self.request_body(proxy, rest.map_or(0, |body| body.len()), true),
        }
    }

    fn strip_trailers<P: Proxy>(&self, proxy: &P) -> Result<(), NotTaken> {
        let Some(guard) = &self.guard else { return Ok(()) };
        let trailers = proxy.trailers().ok_or(NotTaken::Failed)?;
        for (name, _) in trailers.fields().filter(|(name, _)| guard.keeps_out(name)) {
            proxy.remove_trailer(&String::from_utf8_lossy(name))?;
        }
        Ok(())
    }

    /// Takes the answer to the callout that this request made itself.
    pub fn answered<P: Proxy>(&mut self, proxy: &P, answer: CallResult) -> (Action, Asked) {
        self.seat = None;
        match &self.state {
            State::Parked(Wait::Key(key, true)) => {
                let result = self.instance.answered_own(proxy, &key.clone(), &answer);
                self.tell(proxy, Event::Found(result), Phase::Answer)
            }
            State::Parked(Wait::Answer) => {
                self.tell(proxy, Event::Answered(answer.map_err(|_| Unavailable)), Phase::Answer)
            }
            _ => self.refuse(proxy, Reply::unexpected()),
        }
    }

    /// Takes the finding that the request waited for.
    pub fn woken<P: Proxy>(
        &mut self,
        proxy: &P,
        result: Result<Finding, Unavailable>,
    ) -> (Action, Asked) {
        self.seat = None;
        self.tell(proxy, Event::Found(result), Phase::Answer)
    }

    /// Returns `true` if the request waits to be woken.
    pub fn is_parked(&self) -> bool {
        matches!(self.state, State::Parked(Wait::Key(..)))
    }

    /// Ends the request: the carrier has no further event of it.
    pub fn gone(&mut self) {
        if let State::Parked(Wait::Key(key, own_call)) = &self.state {
            self.instance.left(key, self.id, *own_call);
        }
        self.vanished();
    }
}
