//! A request's way through a filter: events in, steps out.

use crate::{Answer, Call, Edit, Head, Reply, Target};
use std::borrow::Cow;
use std::rc::Rc;

/// What happens to a request, told to its flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What was looked up is here, or is not to be had.
    Found(Result<Finding, Unavailable>),
    /// Its body is here, whole, or cannot be had from the host (it went to a file).
    Body(Result<Vec<u8>, Unavailable>),
    /// A piece of its body is here.
    Chunk(Vec<u8>),
    /// The service that was asked has answered, or has not.
    Answered(Result<Answer, Unavailable>),
}

/// The decision of a flow after an event: edits to the request, and what happens then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The edits that are made to the request first. If one of them fails, the request is refused.
    pub edits: Vec<Edit>,
    /// What happens after the edits.
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

    /// Refuses an event that a flow does not expect in its state. The host broke the order of events,
    /// and a flow refuses rather than guesses.
    #[must_use]
    pub fn out_of_order() -> Self {
        Self::reply(Reply::unexpected())
    }

    /// The step with `edits` instead of its own.
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

    /// Whether [`Flow::on_response`] is to be called.
    fn wants_response(&self) -> bool {
        false
    }

    /// The response on its way to the client: its head can be changed. It comes only to a flow that
    /// has seen its request.
    fn on_response(&mut self, _event: ResponseEvent) -> ResponseStep {
        ResponseStep::Forward(Vec::new())
    }

    /// What is to be shown as it passes by.
    fn watches(&self) -> Watch {
        Watch::default()
    }

    /// A piece of a body that passes by.
    fn on_piece(&mut self, _piece: Piece<'_>) {}

    /// The request is over. `true` where the filter's background work ought not to wait for the
    /// next tick (Kong lets it wait all the same).
    fn on_done(&mut self, _done: &Done) -> bool {
        false
    }

    /// What there is to count since the last time.
    fn tally(&mut self) -> Vec<Tally> {
        Vec::new()
    }
}

/// What happens to a response, told to its flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseEvent {
    /// Its headers are here.
    Head(Box<Response>),
    /// The service that was asked has answered, or has not.
    Answered(Result<Answer, Unavailable>),
}

/// What a flow wants of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseStep {
    /// Let it go on, after these edits.
    Forward(Vec<Edit>),
    /// Hold the response and ask this service; its answer is the next event. Where a response
    /// cannot wait (on Kong), that event says at once that there is none.
    Ask(Rc<Target>, Call),
}

/// What a flow wants to see pass by. Nothing is held for that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watch {
    /// The request's.
    pub request_body: bool,
    /// The response's.
    pub response_body: bool,
    /// Whether [`Flow::on_done`] is to be called.
    pub done: bool,
}

/// A piece of a body that passes by; the last one may be empty. Kong does not always mark the last
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Of the request's, and whether it is the last.
    Request(&'a [u8], bool),
    /// Of the response's, and whether it is the last.
    Response(&'a [u8], bool),
    /// So many octets of the request's body that the host does not hand over (they went to a file).
    RequestLost(usize),
    /// The same of the response's.
    ResponseLost(usize),
}

/// What is known of a request that is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Milliseconds since 1970.
    pub now: u64,
    /// The response's status; `None` where none was sent, or the host does not tell.
    pub status: Option<u16>,
    /// The response's headers, for a flow that has not seen them before, where the host tells.
    pub head: Head,
}

/// Something to count. The names of metrics are `gatehouse_<filter>_<name>`: few, and never from a
/// request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tally {
    /// The counter of this name grows by so much.
    Count(Cow<'static, str>, u64),
    /// The gauge of this name has this value now.
    Gauge(&'static str, u64),
    /// The histogram of this name sees this value.
    Record(&'static str, u64),
}

/// A response at its headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The headers; empty where the host cannot hand them over safely.
    pub head: Head,
    /// The status.
    pub status: u16,
    /// Milliseconds since 1970.
    pub now: u64,
    /// Whether this flow's own refusal is the response.
    pub ours: bool,
    /// Whether no body follows. Kong never says so.
    pub ends: bool,
    /// The identity as it is now, where the filter asks for it.
    pub consumer: Option<Vec<u8>>,
    /// The verified claims as they are now, where the filter asks for it.
    pub claims: Option<Vec<u8>>,
}

/// A request at its headers, with what the host knows besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The headers.
    pub head: Head,
    /// The method.
    pub method: Vec<u8>,
    /// The raw request target: path and query as the client sent them.
    pub target: Vec<u8>,
    /// Milliseconds since 1970.
    pub now: u64,
    /// The property that carries the identity, as an earlier filter left it.
    pub consumer: Option<Vec<u8>>,
    /// The property that carries the verified claims of a token, where the filter asks for it.
    pub claims: Option<Vec<u8>>,
    /// The address of the client's connection, without port, where the filter asks for it.
    pub peer: Option<String>,
    /// Envoy, for a connection from the machine itself: the last entry of `X-Forwarded-For` is the
    /// gateway's own address, which Envoy has written there, unless it is an address of loopback.
    pub own_hop: bool,
    /// What an earlier filter published under the name that the filter asks for.
    pub mark: Option<Vec<u8>>,
    /// Where the client sent the request, where the filter asks for it.
    pub origin: Origin,
    /// Route and service as objects, where the filter asks for them.
    pub entities: Entities,
    /// The route, where the filter's settings need it.
    pub route: Named,
    /// The service (Kong) or cluster (Envoy), where the filter's settings need it.
    pub service: Named,
    /// Whether a body comes.
    pub body: BodyAhead,
    /// Kong, for a request without a length: a body may come although [`Request::body`] cannot
    /// promise it.
    pub body_may_follow: bool,
    /// Envoy without `allow_on_headers_stop_iteration`: a body may come, and goes on before a flow
    /// could judge it.
    pub body_hidden: bool,
    /// The raw query as the upstream will get it, where the filter asks for it and the host can
    /// tell.
    pub upstream_query: Option<Vec<u8>>,
    /// Whether the host takes every copy of a request header out. Kong does not.
    pub can_remove: bool,
    /// Whether a request that has no body can be given one. Envoy's cannot.
    pub can_make_body: bool,
}

/// Where the client sent a request: before any proxy in front, if the host trusts that one's word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: Option<String>,
    /// The host as the client named it, without port.
    pub host: Option<String>,
    /// The port; `None` where only the scheme's own can be meant.
    pub port: Option<u16>,
}

/// Route and service as the host describes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entities {
    /// The route.
    pub route: Entity,
    /// The service (Kong) or cluster (Envoy).
    pub service: Entity,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Entity {
    /// The host does not say.
    #[default]
    Unknown,
    /// Kong: the entity as JSON.
    Json(Vec<u8>),
    /// Envoy: a serialised `envoy.config.core.v3.Metadata`.
    Metadata(Vec<u8>),
}

/// Id and name of a route or a service, as far as the host knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// The id (Kong only).
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
}

/// Whether the host will hand over a request body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BodyAhead {
    /// It will not: there is none, or the host cannot say so in time to wait for it.
    #[default]
    None,
    /// It will.
    Comes,
}

/// The name of something that can be looked up.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Which of the filter's tables.
    pub table: u8,
    /// The name in the table. Never a secret itself.
    pub name: Vec<u8>,
}

impl Key {
    /// The name `name` in table `table`.
    #[must_use]
    pub fn new(table: u8, name: impl Into<Vec<u8>>) -> Self {
        Self { table, name: name.into() }
    }
}

impl std::fmt::Debug for Key {
    /// The table only: names may be digests of secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.table)
    }
}

/// What was found under a [`Key`].
#[derive(Clone, PartialEq, Eq)]
pub enum Finding {
    /// There is no such thing.
    Nothing,
    /// This, in the form that the filter's own source gave it.
    Value(Vec<u8>),
}

impl std::fmt::Debug for Finding {
    /// Without the value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Value(_) => "Value",
        })
    }
}

/// It could not be found out. That is not "there is none".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;
