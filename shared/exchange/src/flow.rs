//! The state machine of a request in a filter: events go in, steps come out.

use crate::{Answer, Call, Edit, Finding, Head, Key, Reply, Target, Unasked, Unavailable};
use std::borrow::Cow;
use std::rc::Rc;

/// An event in the life of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The result of [`Then::Find`].
    Found(Result<Finding, Unavailable>),
    /// The whole body of the request, or the rest of it after [`Event::Chunk`]. It is unavailable
    /// if the gateway does not hand it over; Kong puts a large body into a file.
    Body(Result<Vec<u8>, Unavailable>),
    /// A piece of the request's body.
    Chunk(Vec<u8>),
    /// The response to the call of [`Then::Ask`]. It is unavailable if no complete response came.
    Answered(Result<Answer, Unavailable>),
}

/// The decision of a flow after an event: edits to the request, and what happens then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The edits that are made to the request first. If one of them fails, the request is refused.
    pub edits: Vec<Edit>,
    /// The reaction after the edits.
    pub then: Then,
}

/// The second part of a [`Step`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// The request goes on.
    Forward,
    /// The request waits for a look-up in the cache. The result is the next event,
    /// [`Event::Found`].
    ///
    /// The edits of this step are made at once, whatever becomes of the request, because Kong takes
    /// a change of the body only in the body's own callback.
    Find {
        /// The name that is looked up.
        key: Key,
        /// The oldest usable value: a cached value that was read before this time (in milliseconds
        /// since 1970) is fetched again. 0 takes any cached value.
        not_before: u64,
    },
    /// The request waits for a call to this service. The response is the next event,
    /// [`Event::Answered`], and is not cached. A step of this kind has no edits: the runtime drops
    /// them.
    Ask(Rc<Target>, Call),
    /// The request waits for its whole body. The body is the next event, [`Event::Body`]. Only a
    /// request whose [`Request::body`] is [`BodyAhead::Comes`] may wait for it. Kong shows the
    /// edited headers to later filters meanwhile.
    AwaitBody,
    /// The request is held, and its body is handed over piece by piece: any number of
    /// [`Event::Chunk`], each answered with [`Step::stream_body`] again, then [`Event::Body`] with
    /// the rest, which may be empty.
    ///
    /// If a body may follow but none does (see [`Request::body_may_follow`]), the request goes on
    /// after the edits of the first such step, and no other event follows.
    StreamBody,
    /// The client gets this response, and the upstream never sees the request. A step of this kind
    /// has no edits: the runtime drops them.
    Reply(Reply),
}

impl Step {
    /// Lets the request go on after `edits`.
    #[must_use]
    pub fn forward(edits: Vec<Edit>) -> Self {
        Self { edits, then: Then::Forward }
    }

    /// Looks `key` up. Any cached value will do.
    #[must_use]
    pub fn find(key: Key) -> Self {
        Self::find_newer(key, 0)
    }

    /// Looks `key` up, but rejects values that were read before `not_before`, in milliseconds since
    /// 1970.
    #[must_use]
    pub fn find_newer(key: Key, not_before: u64) -> Self {
        Then::Find { key, not_before }.into()
    }

    /// Calls the service at `target`.
    #[must_use]
    pub fn ask(target: Rc<Target>, call: Call) -> Self {
        Then::Ask(target, call).into()
    }

    /// Waits for the whole body after `edits`.
    #[must_use]
    pub fn await_body(edits: Vec<Edit>) -> Self {
        Self { edits, then: Then::AwaitBody }
    }

    /// Takes the body, or its next piece, as it comes.
    #[must_use]
    pub fn stream_body() -> Self {
        Then::StreamBody.into()
    }

    /// Responds to the client with `reply`.
    #[must_use]
    pub fn reply(reply: Reply) -> Self {
        Then::Reply(reply).into()
    }

    /// Refuses an event that a flow does not expect in its state. The gateway broke the order of
    /// events, and a flow refuses rather than guesses.
    #[must_use]
    pub fn out_of_order() -> Self {
        Self::reply(Reply::unexpected())
    }

    /// Replaces the edits of the step.
    #[must_use]
    pub fn with_edits(self, edits: Vec<Edit>) -> Self {
        Self { edits, ..self }
    }
}

impl From<Then> for Step {
    /// A step without edits.
    fn from(then: Then) -> Self {
        Self { edits: Vec::new(), then }
    }
}

/// The answer of a filter to a new request: the first step, and the flow that takes later events.
pub struct Started {
    /// The first step.
    pub step: Step,
    /// The flow that takes every later event of the request.
    pub flow: Box<dyn Flow>,
}

impl Started {
    /// Takes `step` first; `flow` decides from there on.
    #[must_use]
    pub fn new(step: Step, flow: impl Flow + 'static) -> Self {
        Self { step, flow: Box::new(flow) }
    }

    /// Takes `step`, which decides the request, and counts `tally`. No other event may follow.
    #[must_use]
    pub fn counted(step: Step, tally: Vec<Tally>) -> Self {
        Self::new(step, Decided { tally })
    }
}

impl From<Step> for Started {
    /// Takes `step`, which decides the request. No other event may follow.
    fn from(step: Step) -> Self {
        Self::counted(step, Vec::new())
    }
}

/// The flow of a request that its first step decided.
struct Decided {
    tally: Vec<Tally>,
}

impl Flow for Decided {
    fn on(&mut self, _event: Event) -> Step {
        Step::out_of_order()
    }

    fn tally(&mut self) -> Vec<Tally> {
        std::mem::take(&mut self.tally)
    }
}

/// The pure state machine of one admitted request, from its second event on. It answers an event
/// that it does not expect with [`Step::out_of_order`].
pub trait Flow {
    /// Takes one event and says what to do next.
    fn on(&mut self, event: Event) -> Step;

    /// Takes the news that the look-up of [`Then::Find`] was not made, and says what to do next. To
    /// most flows that is a look-up that failed.
    fn on_unasked(&mut self, _why: Unasked) -> Step {
        self.on(Event::Found(Err(Unavailable)))
    }

    /// Returns `true` if [`Flow::on_response`] is to be called with the response. The runtime asks
    /// when the response's headers arrive.
    fn wants_response(&self) -> bool {
        false
    }

    /// Takes an event of the response on its way to the client, and says how its headers change. It
    /// is called only if the flow has forwarded the request, or has replied to it.
    fn on_response(&mut self, _event: ResponseEvent) -> ResponseStep {
        ResponseStep::Forward(Vec::new())
    }

    /// Returns the messages that the flow wants to see from now on. The runtime asks after each
    /// event.
    fn watches(&self) -> Watch {
        Watch::default()
    }

    /// Takes a piece of a body that passes by. It is called only for the bodies of
    /// [`Flow::watches`].
    fn on_piece(&mut self, _piece: Piece<'_>) {}

    /// Takes the end of the request. Returns `true` if the worker should be asked for calls at
    /// once, and not at the next tick. (On Kong, it is asked at the tick even so.)
    fn on_done(&mut self, _done: &Done) -> bool {
        false
    }

    /// Returns everything to count since the previous call of this function.
    fn tally(&mut self) -> Vec<Tally> {
        Vec::new()
    }
}

/// An event in the life of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseEvent {
    /// The headers of the response.
    Head(Box<Response>),
    /// The response to the call of [`ResponseStep::Ask`]. It is unavailable if no complete response
    /// came.
    Answered(Result<Answer, Unavailable>),
}

/// The decision of a flow after an event of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseStep {
    /// The response goes on, after these edits.
    Forward(Vec<Edit>),
    /// The response waits for a call to this service. The result is the next event,
    /// [`ResponseEvent::Answered`]. On Kong, where a response cannot wait, the call is not made,
    /// and the event says at once that its response is unavailable.
    Ask(Rc<Target>, Call),
}

/// The messages that a flow wants to see as they pass by. Nothing is held for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watch {
    /// `true` to get the pieces of the request's body.
    pub request_body: bool,
    /// `true` to get the pieces of the response's body.
    pub response_body: bool,
    /// `true` to get the end of the request, [`Flow::on_done`].
    pub done: bool,
}

/// A piece of a body that passes by. The last piece may be empty, and Kong does not always mark it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A piece of the request's body. The flag is `true` if it is the last.
    Request(&'a [u8], bool),
    /// A piece of the response's body. The flag is `true` if it is the last.
    Response(&'a [u8], bool),
    /// This number of bytes of the request's body passed by unseen: the gateway does not hand them
    /// over, because they went to a file.
    RequestLost(usize),
    /// This number of bytes of the response's body passed by unseen.
    ResponseLost(usize),
}

/// The end of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The time in milliseconds since 1970.
    pub now: u64,
    /// The status of the response. `None` if no response was sent or the gateway does not tell.
    pub status: Option<u16>,
    /// The headers of the response, if the flow has not seen them before and the gateway can still
    /// read them. Otherwise empty.
    pub head: Head,
}

/// Something to count, under the metric `gatehouse_<filter>_<name>`. A name must not come from a
/// request, because each name is a metric for as long as the gateway runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tally {
    /// Adds this number to the counter of this name.
    Count(Cow<'static, str>, u64),
    /// Sets the gauge of this name to this value.
    Gauge(&'static str, u64),
    /// Adds this value to the histogram of this name.
    Record(&'static str, u64),
}

/// A response at its headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The headers. They are empty if the gateway cannot hand them over safely.
    pub head: Head,
    /// The status code.
    pub status: u16,
    /// The time in milliseconds since 1970.
    pub now: u64,
    /// `true` if the response is this flow's own reply.
    pub ours: bool,
    /// `true` if no body follows. Kong never says so.
    pub ends: bool,
    /// The identity as later filters have left it, if the filter asks for it.
    pub consumer: Option<Vec<u8>>,
    /// The verified claims as later filters have left them, if the filter asks for them.
    pub claims: Option<Vec<u8>>,
}
