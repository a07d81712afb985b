//! One request: its flow's steps, carried out.
//!
//! ```text
//!           ┌── Passed ── refused by an earlier filter
//! Fresh ────┼── Forwarded | Refused
//!           ├── Parked ───────────────────answer──▶ any but Fresh and Passed
//!           └── AwaitingBody | Streaming ──body───▶ any but Fresh and Passed
//! ```
//!
//! Only `Forwarded` and `Passed` let anything through. Whatever comes out of order is refused. Where the host
//! goes on without a decision all the same (Kong, when a body's callback does not come), the response is
//! replaced: `response.rs`.

mod edits;
pub(crate) mod properties;
mod request;
mod response;

use crate::abi::{self, Buffer, Map, RequestHeaders, Status};
use crate::callout;
use crate::entropy;
use crate::kong::Kong;
use crate::profile::Host;
use crate::reply;
use crate::root::Root;
use cache::{Conditions, Lookup, Room, Seat};
use consumer::{Guard, Known, PROPERTY, refuse_duplicate, refused};
use exchange::{
    Call, CallError, CallResult, Edit, Event, Finding, Flow, Head, Key, Reply, Started, Step,
    Target, Then, Unavailable, Watch,
};
use properties::{property, publish};
use response::Progress;
use std::rc::Rc;

/// What the host does with the message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Continue = 0,
    Pause = 1,
}

/// Kong corrupts guest memory when it hands over more than about 96 headers.
const MAX_KONG_HEADERS: usize = 90;
/// What a request keeps besides its headers.
const KEPT: usize = 2048;
pub(crate) struct Stream {
    root: Rc<Root>,
    id: u32,
    state: State,
    /// The request's own state machine, once its headers are here.
    flow: Option<Box<dyn Flow>>,
    /// Shared with the flow.
    head: Head,
    /// Keeps what a client sends under the filter's own headers from the upstream.
    guard: Option<Guard>,
    /// What the request keeps in memory, about.
    keeps: usize,
    /// Its place among those who wait, while it does.
    seat: Option<Seat>,
    progress: Progress,
    /// The response's, once it was seen.
    status: Option<u16>,
    watch: Watch,
    /// Whether the flow wants the identity once more with the response.
    at_response: bool,
    /// Envoy: the body came to its end while the request was parked, and is so long.
    whole: Option<usize>,
    /// Kong: the request has been decided, and no body may come that could change anything.
    body_is_optional: bool,
    body_may_follow: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Fresh,
    Passed,
    Forwarded,
    Refused,
    /// Waits for what is kept under a key, or for the answer to a call of its own.
    Parked(Wait),
    /// Waits for the whole body.
    AwaitingBody,
    /// Takes the body piece by piece; so much of it has been seen.
    Streaming(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wait {
    /// Somebody's call for this key; `true` if it is this request's own.
    Key(Key, bool),
    Answer,
}

/// Where a step is carried out: what the host allows there differs.
#[derive(Clone, Copy)]
enum Phase<'a> {
    /// With what Kong says meanwhile.
    Headers(&'a Kong<'a>),
    Body,
    Answer,
}

/// What the VM has to remember of a request that was just carried on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Nothing,
    /// This token's answer belongs to the request, which wants these of its fields.
    ByRequest(u32, &'static [&'static str]),
    /// The same for the response.
    ByResponse(u32, &'static [&'static str]),
    /// This token's answer belongs to everybody who waits for the key.
    ByRoot(u32, Key),
}

impl Stream {
    pub(crate) fn new(root: Rc<Root>, id: u32) -> Self {
        Self {
            root,
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
            at_response: false,
            whole: None,
            body_is_optional: false,
            body_may_follow: false,
        }
    }

    pub(crate) fn root_id(&self) -> u32 {
        self.root.id()
    }

    // === Events ===

    pub(crate) fn request_headers(
        &mut self,
        phase: &RequestHeaders,
        count: usize,
        end: bool,
    ) -> (Action, Asked) {
        if self.state != State::Fresh {
            return self.refuse(Reply::unexpected(), Phase::Body);
        }
        let kong = &Kong::of(phase, self.root.host());
        let host = self.root.at_request(kong);
        // First of all: after a refusal from a callout's answer Kong still runs the next filter, and a second
        // answer would trap.
        let consumer = property(host, PROPERTY);
        let known = Known::from_property(consumer.as_deref());
        if known == Known::Refused {
            self.state = State::Passed;
            return (Action::Continue, Asked::Nothing);
        }
        let Some(ready) = self.root.ready(host) else {
            let message = format!("{} is misconfigured", self.root.name());
            return self.refuse(Reply::message(500, message), Phase::Headers(kong));
        };
        if host.may_be_kong() && count > MAX_KONG_HEADERS {
            return self.refuse(
                Reply::error(431, "Request header fields too large"),
                Phase::Headers(kong),
            );
        }
        let Some(head) = callout::head(Map::Request) else {
            return self.refuse(Reply::error(400, "Bad request"), Phase::Headers(kong));
        };
        let request = request::request(kong, &ready, host, head, consumer, end);
        self.at_response = ready.needs().at_response;
        self.head = request.head.clone();
        // The flow shares the headers; it has the target once more, and makes edits of parts of both.
        let twice = request.target.len().saturating_mul(2);
        self.keeps = request.head.size().saturating_add(twice).saturating_add(KEPT);
        self.body_may_follow = request.body_may_follow;
        self.root.seen(request.now, &request);
        match Guard::new(ready.owned(), ready.common(), &request.head, known, host.can_remove()) {
            Ok(guard) => self.guard = Some(guard),
            Err(duplicate) => {
                return self.refuse(refuse_duplicate(&duplicate), Phase::Headers(kong));
            }
        }
        let Started { step, flow } = ready.start(request);
        self.follow(flow, step, Phase::Headers(kong))
    }

    pub(crate) fn request_body(&mut self, size: usize, end: bool) -> (Action, Asked) {
        match self.state {
            State::Forwarded | State::Passed => {
                if self.watch.request_body {
                    self.show(Buffer::RequestBody, size, end);
                }
                (Action::Continue, Asked::Nothing)
            }
            State::Refused => (Action::Pause, Asked::Nothing),
            State::Parked(_) => {
                // It does not come a second time, to a flow that asks for it only then.
                self.whole = end.then_some(size);
                (Action::Pause, Asked::Nothing)
            }
            State::AwaitingBody if !end => (Action::Pause, Asked::Nothing),
            State::AwaitingBody => {
                self.tell(Event::Body(body(Buffer::RequestBody, size)), Phase::Body)
            }
            State::Streaming(seen) => {
                let rest = rest(self.root.host(), Buffer::RequestBody, seen, Some(size));
                self.piece(rest, (!end).then_some(size))
            }
            // The headers were never seen: the host runs Lua's buffered response, or lost this VM's state.
            State::Fresh => self.refuse(Reply::unexpected(), Phase::Body),
        }
    }

    /// Trailers end the body, and do not say how long it is. An upstream may read them like headers, so that none
    /// goes on under the name of a header that is the filter's own.
    pub(crate) fn request_trailers(&mut self) -> (Action, Asked) {
        if self.strip_trailers().is_err() {
            return self.refuse(Reply::unexpected(), Phase::Body);
        }
        let before = match self.state {
            State::Streaming(seen) => seen,
            State::AwaitingBody | State::Parked(_) => 0,
            _ => return self.request_body(0, true),
        };
        let rest = rest(self.root.host(), Buffer::RequestBody, before, None);
        match self.state {
            State::Streaming(_) => self.piece(rest, None),
            State::AwaitingBody => self.tell(Event::Body(rest), Phase::Body),
            _ => self.request_body(rest.map_or(0, |body| body.len()), true),
        }
    }

    fn strip_trailers(&self) -> Result<(), Status> {
        let Some(guard) = &self.guard else { return Ok(()) };
        let trailers = callout::head(Map::RequestTrailers).ok_or(Status::BadArgument)?;
        for (name, _) in trailers.fields().filter(|(name, _)| guard.keeps_out(name)) {
            abi::map_remove(Map::RequestTrailers, &String::from_utf8_lossy(name))?;
        }
        Ok(())
    }

    /// The answer to the call that this request made itself.
    pub(crate) fn answered(&mut self, answer: CallResult) -> (Action, Asked) {
        self.seat = None;
        match &self.state {
            State::Parked(Wait::Key(key, true)) => {
                let result = self.root.answered_own(&key.clone(), &answer);
                self.tell(Event::Found(result), Phase::Answer)
            }
            State::Parked(Wait::Answer) => {
                self.tell(Event::Answered(answer.map_err(|_| Unavailable)), Phase::Answer)
            }
            _ => self.refuse(Reply::unexpected(), Phase::Answer),
        }
    }

    /// What the request waited for is known.
    pub(crate) fn woken(&mut self, result: Result<Finding, Unavailable>) -> (Action, Asked) {
        self.seat = None;
        self.tell(Event::Found(result), Phase::Answer)
    }

    /// Whether the request waits to be woken.
    pub(crate) fn is_parked(&self) -> bool {
        matches!(self.state, State::Parked(Wait::Key(..)))
    }

    /// The request is gone.
    pub(crate) fn gone(&mut self) {
        if let State::Parked(Wait::Key(key, own_call)) = &self.state {
            self.root.left(key, self.id, *own_call);
        }
        self.vanished();
    }

    // === Steps ===

    /// Tells the flow, and does what it says.
    fn tell(&mut self, event: Event, phase: Phase<'_>) -> (Action, Asked) {
        // Whatever goes wrong from here on, the request does not go on.
        self.state = State::Refused;
        let Some(mut flow) = self.flow.take() else {
            return self.refuse(Reply::unexpected(), phase);
        };
        let step = flow.on(event);
        self.follow(flow, step, phase)
    }

    /// Does what the flow said, until the request waits or is decided.
    fn follow(&mut self, mut flow: Box<dyn Flow>, step: Step, phase: Phase<'_>) -> (Action, Asked) {
        // Whatever goes wrong from here on, the request does not go on.
        self.state = State::Refused;
        let (action, asked) = self.carry_out(flow.as_mut(), step, phase);
        self.watched(flow.as_mut());
        self.flow = Some(flow);
        if matches!(self.state, State::Forwarded | State::Refused) {
            self.seat = None;
        }
        (action, asked)
    }

    /// A piece of the body: what is new of it. `seen` is how much there is by now; `None` when it is the last.
    fn piece(&mut self, new: Result<Vec<u8>, Unavailable>, seen: Option<usize>) -> (Action, Asked) {
        let Ok(new) = new else { return self.tell(Event::Body(Err(Unavailable)), Phase::Body) };
        if !new.is_empty() {
            let (action, asked) = self.tell(Event::Chunk(new), Phase::Body);
            if !matches!(self.state, State::Streaming(_)) {
                return (action, asked);
            }
        }
        let Some(seen) = seen else { return self.tell(Event::Body(Ok(Vec::new())), Phase::Body) };
        self.state = State::Streaming(seen);
        (Action::Pause, Asked::Nothing)
    }

    fn carry_out(
        &mut self,
        flow: &mut dyn Flow,
        mut step: Step,
        phase: Phase<'_>,
    ) -> (Action, Asked) {
        let host = self.root.host();
        loop {
            let Step { edits, then } = step;
            let made = match &then {
                // The flow takes one piece after the other, and changes nothing in between.
                Then::StreamBody if matches!(phase, Phase::Body) && edits.is_empty() => Ok(()),
                Then::Forward | Then::AwaitBody | Then::StreamBody => self.release(host, edits),
                Then::Find { .. } => self.edit(host, &edits).map_err(|()| Reply::unexpected()),
                Then::Ask(..) | Then::Reply(_) => Ok(()),
            };
            if let Err(reply) = made {
                return self.refuse(reply, phase);
            }
            let event = match then {
                Then::Forward => {
                    self.root.count("passed");
                    self.state = State::Forwarded;
                    return (Action::Continue, Asked::Nothing);
                }
                Then::Reply(reply) => return self.refuse(reply, phase),
                Then::AwaitBody => match self.whole.take() {
                    Some(size) => Event::Body(body(Buffer::RequestBody, size)),
                    None if !self.sit(Room::Body) => {
                        return self.refuse(Reply::unavailable(), phase);
                    }
                    None => return self.hold(host, State::AwaitingBody),
                },
                Then::StreamBody if !self.sit(Room::Body) => {
                    return self.refuse(Reply::unavailable(), phase);
                }
                Then::StreamBody => {
                    self.body_is_optional = self.body_may_follow;
                    return self.hold(host, State::Streaming(0));
                }
                Then::Find { key, not_before } => match self.find(host, key, not_before, phase) {
                    Found::Now(result) => Event::Found(result),
                    Found::Later(asked) => return (Action::Pause, asked),
                },
                Then::Ask(..) if !self.sit(Room::Asking) => {
                    return self.refuse(Reply::unavailable(), phase);
                }
                Then::Ask(target, call) => match self.ask(host, &target, &call, phase) {
                    Some(token) => {
                        self.state = State::Parked(Wait::Answer);
                        return (Action::Pause, Asked::ByRequest(token, call.wanted));
                    }
                    None => Event::Answered(Err(Unavailable)),
                },
            };
            step = flow.on(event);
        }
    }

    /// Makes a filter's edits to a request that goes on, or that later filters see from now on, with all that
    /// follows from them.
    fn release(&mut self, host: Host, edits: Vec<Edit>) -> Result<(), Reply> {
        let Some(guard) = self.guard.as_mut() else { return Err(Reply::unexpected()) };
        let edits = guard.settle(&self.head, edits).map_err(|twice| refuse_duplicate(&twice))?;
        self.edit(host, &edits).map_err(|()| Reply::unexpected())
    }

    /// Takes a seat in `room`, for as long as the request waits. `false` when there is none.
    fn sit(&mut self, room: Room) -> bool {
        if self.seat.as_ref().is_none_or(|seat| seat.room() != room) {
            self.seat = None;
            self.seat = self.root.seat(room, self.keeps);
        }
        self.seat.is_some()
    }

    fn hold(&mut self, host: Host, state: State) -> (Action, Asked) {
        self.state = state;
        // Kong hands the body over only to a request that goes on; it reaches nobody before.
        let action = if host == Host::Envoy { Action::Pause } else { Action::Continue };
        (action, Asked::Nothing)
    }

    /// What has to be done before the request waits for a callout.
    fn prepare_wait(host: Host, phase: Phase<'_>) -> Result<(), CallError> {
        match phase {
            Phase::Headers(kong) if host.may_be_kong() => {
                kong.leave().map_err(|_| CallError::NotSent)
            }
            _ => Ok(()),
        }
    }

    fn ask(&self, host: Host, target: &Target, call: &Call, phase: Phase<'_>) -> Option<u32> {
        if !host.can_park() || Self::prepare_wait(host, phase).is_err() {
            return None;
        }
        callout::send(target, call).ok()
    }

    fn find(&mut self, host: Host, key: Key, not_before: u64, phase: Phase<'_>) -> Found {
        let (can_park, can_wake) = (host.can_park(), host.can_wake());
        let conditions =
            Conditions { now: now(), not_before, can_park, can_wake, bytes: self.keeps };
        let outgoing = match self.root.find(&key, self.id, conditions) {
            Lookup::Hit(finding) => return Found::Now(Ok(finding)),
            Lookup::Unavailable => return Found::Now(Err(Unavailable)),
            Lookup::Join(seat) => {
                self.seat = Some(seat);
                self.state = State::Parked(Wait::Key(key, false));
                return Found::Later(Asked::Nothing);
            }
            Lookup::Fetch(outgoing, seat) => {
                self.seat = Some(seat);
                outgoing
            }
        };
        let root = host.can_wake().then(|| self.root.id());
        // On Envoy the root makes the call, so that it outlives this request: others may wait for it too.
        if let Some(root) = root {
            let _ = abi::set_effective_context(root);
        }
        let ready = Self::prepare_wait(host, phase);
        let sent = ready.and_then(|()| Root::send(&outgoing));
        if root.is_some() {
            let _ = abi::set_effective_context(self.id);
        }
        match (sent, root) {
            (Ok(token), root) => {
                self.state = State::Parked(Wait::Key(key.clone(), root.is_none()));
                Found::Later(if root.is_some() {
                    Asked::ByRoot(token, key)
                } else {
                    Asked::ByRequest(token, &[])
                })
            }
            (Err(error), Some(_)) => {
                // Nobody else can be waiting yet: the fetch began a moment ago.
                let (_, woken) = self.root.cache_answered(&outgoing.purpose, &Err(error));
                let mine = woken.into_iter().find(|(id, _)| *id == self.id);
                Found::Now(mine.map_or(Err(Unavailable), |(_, result)| result))
            }
            (Err(error), None) => Found::Now(self.root.answered_own(&key, &Err(error))),
        }
    }

    /// Answers the client. Kong runs later filters even after a refusal from a callout response: the identity's
    /// variable tells them to stand down.
    fn refuse(&mut self, reply: Reply, phase: Phase<'_>) -> (Action, Asked) {
        let host = self.root.host();
        self.state = State::Refused;
        if matches!(phase, Phase::Answer) && host.may_be_kong() {
            let _ = publish(host, PROPERTY, refused());
        }
        self.root.count(&format!("refused_{}", reply.status));
        let request_id = || self.request_id(host);
        if reply::send(&reply, &self.head, request_id).is_err() {
            // The request stays where it is: paused, and never let through.
            abi::log(abi::Level::Error, "the proxy did not take a local response");
        }
        (Action::Pause, Asked::Nothing)
    }

    fn request_id(&self, host: Host) -> String {
        let kong = || abi::property(&["ngx", "kong_request_id"]).ok().filter(|id| !id.is_empty());
        let known = match host {
            Host::Envoy => self.head.first("x-request-id").map(<[u8]>::to_vec),
            _ => kong().or_else(|| abi::property(&["ngx", "request_id"]).ok()),
        };
        known.and_then(|id| reply::plain_id(&id)).unwrap_or_else(entropy::random_hex)
    }
}

enum Found {
    Now(Result<Finding, Unavailable>),
    Later(Asked),
}

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> u64 {
    abi::now_ns() / 1_000_000
}

/// A body, or the part of it that the host holds now.
fn body(buffer: Buffer, size: usize) -> Result<Vec<u8>, Unavailable> {
    if size == 0 {
        return Ok(Vec::new());
    }
    match abi::buffer(buffer) {
        Ok(body) if body.len() == size => Ok(body),
        // It went to a file, or is larger than the host hands over.
        _ => Err(Unavailable),
    }
}

/// What comes after the first `seen` bytes of a body that the host holds, and of which it said that it has
/// `size` bytes. Only that is read where the host can do so: whoever sends a body byte by byte would otherwise
/// have all of it copied for each.
fn rest(
    host: Host,
    buffer: Buffer,
    seen: usize,
    size: Option<usize>,
) -> Result<Vec<u8>, Unavailable> {
    if size.is_some_and(|size| size <= seen) {
        return Ok(Vec::new());
    }
    let (new, before) = match host {
        Host::Envoy => (abi::buffer_from(buffer, seen), seen),
        // Kong ignores where to begin.
        Host::Kong(_) | Host::Unknown => (abi::buffer(buffer), 0),
    };
    let mut new = new.map_err(|_| Unavailable)?;
    let complete = before.checked_add(new.len());
    if size.is_some_and(|size| complete != Some(size)) {
        // It went to a file, or is larger than the host hands over.
        return Err(Unavailable);
    }
    let known = seen.saturating_sub(before).min(new.len());
    Ok(new.split_off(known))
}
