//! A request's way through a filter: events in, steps out.

use crate::{Edit, Head, Reply};

/// What happens to a request, told to its flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Its headers are here.
    Request(Box<Request>),
    /// What was looked up is here, or is not to be had.
    Found(Result<Finding, Unavailable>),
    /// Its body is here, whole, or cannot be had from the host (it went to a file).
    Body(Result<Vec<u8>, Unavailable>),
}

/// What a flow wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Let the request go on, after these edits.
    Forward(Vec<Edit>),
    /// Make these edits now, whatever comes of the request, and look this up; the result is the next event.
    /// (Kong takes a change of the body in the body's own callback only.)
    Find(Key, Vec<Edit>),
    /// Hold the request until its body is here; that is the next event. Only for a request whose
    /// [`Request::body`] says that one comes.
    AwaitBody,
    /// Answer the client now; the upstream never sees the request.
    Reply(Reply),
}

/// The pure state machine of one request. An event out of order is answered with a refusal.
pub trait Flow {
    /// Takes one event and says what to do next.
    fn on(&mut self, event: Event) -> Step;
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
    /// The route, where the filter's settings need it.
    pub route: Named,
    /// The service (Kong) or cluster (Envoy), where the filter's settings need it.
    pub service: Named,
    /// Whether a body comes.
    pub body: BodyAhead,
    /// Whether the host takes every copy of a request header out. Kong does not.
    pub can_remove: bool,
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
