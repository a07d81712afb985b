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

mod response;

use crate::callout;
use crate::entropy;
use crate::instance::Instance;
use crate::platform::{Level, capabilities, log, now};
use crate::proxy::{CallId, CallOwner, Message, NotTaken, Proxy, Unreadable, Wanted};
use crate::reply;
use cache::{Conditions, Lookup, Room, Seat};
use consumer::{Guard, Known, PROPERTY, refuse_duplicate, refused};
use exchange::{
    Call, CallError, CallResult, Edit, Event, Finding, Flow, Head, Key, Reply, Request, Started,
    Step, Target, Then, Unavailable, Watch,
};
use response::Progress;
use std::rc::Rc;

/// What the host does with the message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The message goes on.
    Continue = 0,
    /// The message waits.
    Pause = 1,
}

/// What a request keeps besides its headers.
const KEPT: usize = 2048;

/// One request and its response.
pub struct Stream {
    instance: Rc<Instance>,
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
enum Phase {
    Headers,
    Body,
    Answer,
}

/// What the VM has to remember of a request that was just carried on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The request waits for nothing of its own.
    Nothing,
    /// This token's answer belongs to the request, which wants these of its fields.
    ByRequest(CallId, &'static [&'static str]),
    /// The same for the response.
    ByResponse(CallId, &'static [&'static str]),
    /// This token's answer belongs to everybody who waits for the key.
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
            at_response: false,
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

    /// The headers of the request are here, `count` of them; `ends` says that no body follows.
    pub fn request_headers<P: Proxy>(
        &mut self,
        proxy: &P,
        count: usize,
        ends: bool,
    ) -> (Action, Asked) {
        if self.state != State::Fresh {
            return self.refuse(proxy, Reply::unexpected(), Phase::Body);
        }
        // First of all: after a refusal from a callout's answer Kong still runs the next filter, and a second
        // answer would trap.
        let consumer = proxy.property(PROPERTY);
        let known = Known::from_property(consumer.as_deref());
        if known == Known::Refused {
            self.state = State::Passed;
            return (Action::Continue, Asked::Nothing);
        }
        let Some(configured) = self.instance.configured(proxy) else {
            let message = format!("{} is misconfigured", self.instance.name());
            return self.refuse(proxy, Reply::message(500, message), Phase::Headers);
        };
        let needs = configured.needs();
        let holds_headers = configured.common().holds_headers;
        let request = match proxy.request(&Wanted { needs, holds_headers, count, ends }) {
            Ok(request) => Request { consumer, ..request },
            Err(Unreadable::TooMany) => {
                let reply = Reply::error(431, "Request header fields too large");
                return self.refuse(proxy, reply, Phase::Headers);
            }
            Err(Unreadable::Malformed) => {
                return self.refuse(proxy, Reply::error(400, "Bad request"), Phase::Headers);
            }
        };
        self.at_response = needs.at_response;
        self.head = request.head.clone();
        // The flow shares the headers; it has the target once more, and makes edits of parts of both.
        let twice = request.target.len().saturating_mul(2);
        self.keeps = request.head.size().saturating_add(twice).saturating_add(KEPT);
        self.body_may_follow = request.body_may_follow;
        self.instance.seen(request.now, &request);
        let can_remove = capabilities().can_remove;
        match Guard::new(configured.owned(), configured.common(), &request.head, known, can_remove)
        {
            Ok(guard) => self.guard = Some(guard),
            Err(duplicate) => {
                return self.refuse(proxy, refuse_duplicate(&duplicate), Phase::Headers);
            }
        }
        let Started { step, flow } = configured.start(request);
        self.follow(proxy, flow, step, Phase::Headers)
    }

    /// The body has `size` bytes by now; `end` says that these are all.
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
                // It does not come a second time, to a flow that asks for it only then.
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
            // The headers were never seen: the host runs Lua's buffered response, or lost this VM's state.
            State::Fresh => self.refuse(proxy, Reply::unexpected(), Phase::Body),
        }
    }

    /// Trailers end the body, and do not say how long it is. An upstream may read them like headers, so that none
    /// goes on under the name of a header that is the filter's own.
    pub fn request_trailers<P: Proxy>(&mut self, proxy: &P) -> (Action, Asked) {
        if self.strip_trailers(proxy).is_err() {
            return self.refuse(proxy, Reply::unexpected(), Phase::Body);
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

    /// The answer to the call that this request made itself.
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
            _ => self.refuse(proxy, Reply::unexpected(), Phase::Answer),
        }
    }

    /// What the request waited for is known.
    pub fn woken<P: Proxy>(
        &mut self,
        proxy: &P,
        result: Result<Finding, Unavailable>,
    ) -> (Action, Asked) {
        self.seat = None;
        self.tell(proxy, Event::Found(result), Phase::Answer)
    }

    /// Whether the request waits to be woken.
    pub fn is_parked(&self) -> bool {
        matches!(self.state, State::Parked(Wait::Key(..)))
    }

    /// The request is gone.
    pub fn gone(&mut self) {
        if let State::Parked(Wait::Key(key, own_call)) = &self.state {
            self.instance.left(key, self.id, *own_call);
        }
        self.vanished();
    }

    // === Steps ===

    /// Tells the flow, and does what it says.
    fn tell<P: Proxy>(&mut self, proxy: &P, event: Event, phase: Phase) -> (Action, Asked) {
        // Whatever goes wrong from here on, the request does not go on.
        self.state = State::Refused;
        let Some(mut flow) = self.flow.take() else {
            return self.refuse(proxy, Reply::unexpected(), phase);
        };
        let step = flow.on(event);
        self.follow(proxy, flow, step, phase)
    }

    /// Does what the flow said, until the request waits or is decided.
    fn follow<P: Proxy>(
        &mut self,
        proxy: &P,
        mut flow: Box<dyn Flow>,
        step: Step,
        phase: Phase,
    ) -> (Action, Asked) {
        // Whatever goes wrong from here on, the request does not go on.
        self.state = State::Refused;
        let (action, asked) = self.carry_out(proxy, flow.as_mut(), step, phase);
        self.watched(flow.as_mut());
        self.flow = Some(flow);
        if matches!(self.state, State::Forwarded | State::Refused) {
            self.seat = None;
        }
        (action, asked)
    }

    /// A piece of the body: what is new of it. `seen` is how much there is by now; `None` when it is the last.
    fn piece<P: Proxy>(
        &mut self,
        proxy: &P,
        new: Result<Vec<u8>, Unavailable>,
        seen: Option<usize>,
    ) -> (Action, Asked) {
        let Ok(new) = new else {
            return self.tell(proxy, Event::Body(Err(Unavailable)), Phase::Body);
        };
        if !new.is_empty() {
            let (action, asked) = self.tell(proxy, Event::Chunk(new), Phase::Body);
            if !matches!(self.state, State::Streaming(_)) {
                return (action, asked);
            }
        }
        let Some(seen) = seen else {
            return self.tell(proxy, Event::Body(Ok(Vec::new())), Phase::Body);
        };
        self.state = State::Streaming(seen);
        (Action::Pause, Asked::Nothing)
    }

    fn carry_out<P: Proxy>(
        &mut self,
        proxy: &P,
        flow: &mut dyn Flow,
        mut step: Step,
        phase: Phase,
    ) -> (Action, Asked) {
        loop {
            let Step { edits, then } = step;
            let made = match &then {
                // The flow takes one piece after the other, and changes nothing in between.
                Then::StreamBody if matches!(phase, Phase::Body) && edits.is_empty() => Ok(()),
                Then::Forward | Then::AwaitBody | Then::StreamBody => self.release(proxy, edits),
                Then::Find { .. } => self.edit(proxy, &edits),
                Then::Ask(..) | Then::Reply(_) => Ok(()),
            };
            if let Err(reply) = made {
                return self.refuse(proxy, reply, phase);
            }
            let event = match then {
                Then::Forward => {
                    self.instance.count("passed");
                    self.state = State::Forwarded;
                    return (Action::Continue, Asked::Nothing);
                }
                Then::Reply(reply) => return self.refuse(proxy, reply, phase),
                Then::AwaitBody => match self.whole.take() {
                    Some(size) => Event::Body(proxy.body(Message::Request, size)),
                    None if !self.sit(Room::Body) => {
                        return self.refuse(proxy, Reply::unavailable(), phase);
                    }
                    None => return self.hold(State::AwaitingBody),
                },
                Then::StreamBody if !self.sit(Room::Body) => {
                    return self.refuse(proxy, Reply::unavailable(), phase);
                }
                Then::StreamBody => {
                    self.body_is_optional = self.body_may_follow;
                    return self.hold(State::Streaming(0));
                }
                Then::Find { key, not_before } => match self.find(proxy, key, not_before, phase) {
                    Found::Now(result) => Event::Found(result),
                    Found::Later(asked) => return (Action::Pause, asked),
                },
                Then::Ask(..) if !self.sit(Room::Asking) => {
                    return self.refuse(proxy, Reply::unavailable(), phase);
                }
                Then::Ask(target, call) => match self.ask(proxy, &target, &call, phase) {
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
    fn release<P: Proxy>(&mut self, proxy: &P, edits: Vec<Edit>) -> Result<(), Reply> {
        let Some(guard) = self.guard.as_mut() else { return Err(Reply::unexpected()) };
        let edits = guard.settle(&self.head, edits).map_err(|twice| refuse_duplicate(&twice))?;
        self.edit(proxy, &edits)
    }

    /// Takes a seat in `room`, for as long as the request waits. `false` when there is none.
    fn sit(&mut self, room: Room) -> bool {
        if self.seat.as_ref().is_none_or(|seat| seat.room() != room) {
            self.seat = None;
            self.seat = self.instance.seat(room, self.keeps);
        }
        self.seat.is_some()
    }

    fn hold(&mut self, state: State) -> (Action, Asked) {
        self.state = state;
        // Kong hands the body over only to a request that goes on; it reaches nobody before.
        let action = if capabilities().pauses_for_body { Action::Pause } else { Action::Continue };
        (action, Asked::Nothing)
    }

    /// Makes edits to the request. An edit that fails could leave something that must not go on, so
    /// that the request is refused then.
    fn edit<P: Proxy>(&self, proxy: &P, edits: &[Edit]) -> Result<(), Reply> {
        for edit in edits {
            match (proxy.edit_request(&self.head, edit), edit) {
                (Ok(()), _) => {}
                // A property that the filter can do without is left where there is a place for it.
                (Err(NotTaken::Missing), Edit::Publish(name, _))
                    if !self.instance.has_to_leave(name) => {}
                (Err(_), _) => return Err(Reply::unexpected()),
            }
        }
        Ok(())
    }

    fn ask<P: Proxy>(
        &self,
        proxy: &P,
        target: &Target,
        call: &Call,
        phase: Phase,
    ) -> Option<CallId> {
        if !capabilities().can_park || prepare_wait(proxy, phase).is_err() {
            return None;
        }
        callout::send(proxy, CallOwner::Request, target, call).ok()
    }

    fn find<P: Proxy>(&mut self, proxy: &P, key: Key, not_before: u64, phase: Phase) -> Found {
        let able = capabilities();
        let conditions = Conditions {
            now: now(),
            not_before,
            can_park: able.can_park,
            can_wake: able.can_wake,
            bytes: self.keeps,
        };
        let outgoing = match self.instance.find(&key, self.id, conditions) {
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
        // Where a request can be woken, its filter configuration makes the call, so that the call outlives
        // this request: others may wait for it too.
        let owner = if able.can_wake { CallOwner::Instance } else { CallOwner::Request };
        let ready = prepare_wait(proxy, phase);
        let sent = ready.and_then(|()| Instance::send(proxy, owner, &outgoing));
        match (sent, owner) {
            (Ok(id), CallOwner::Instance) => {
                self.state = State::Parked(Wait::Key(key.clone(), false));
                Found::Later(Asked::ByInstance(id, key))
            }
            (Ok(id), CallOwner::Request) => {
                self.state = State::Parked(Wait::Key(key, true));
                Found::Later(Asked::ByRequest(id, &[]))
            }
            (Err(error), CallOwner::Instance) => {
                // Nobody else can be waiting yet: the fetch began a moment ago.
                let (_, woken) =
                    self.instance.cache_answered(proxy, &outgoing.purpose, &Err(error));
                let mine = woken.into_iter().find(|(id, _)| *id == self.id);
                Found::Now(mine.map_or(Err(Unavailable), |(_, result)| result))
            }
            (Err(error), CallOwner::Request) => {
                Found::Now(self.instance.answered_own(proxy, &key, &Err(error)))
            }
        }
    }

    /// Answers the client. Where later filters run even after a refusal from a callout's answer (Kong), the
    /// identity's property tells them to stand down.
    fn refuse<P: Proxy>(&mut self, proxy: &P, reply: Reply, phase: Phase) -> (Action, Asked) {
        self.state = State::Refused;
        if matches!(phase, Phase::Answer) && !capabilities().refusal_is_final {
            let _ = proxy.publish(PROPERTY, refused());
        }
        self.instance.count(&format!("refused_{}", reply.status));
        let id = || proxy.request_id(&self.head).and_then(|id| reply::plain_id(&id));
        let request_id = || id().unwrap_or_else(entropy::random_hex);
        if proxy.reply(&reply::local(&reply, &self.head, request_id)).is_err() {
            // The request stays where it is: paused, and never let through.
            log(Level::Error, "the proxy did not take a local response");
        }
        (Action::Pause, Asked::Nothing)
    }
}

/// Whatever has to be done before the request waits for a callout. Only in the headers' event there is
/// anything to do.
fn prepare_wait<P: Proxy>(proxy: &P, phase: Phase) -> Result<(), CallError> {
    match phase {
        Phase::Headers => proxy.prepare_wait().map_err(|_| CallError::NotSent),
        Phase::Body | Phase::Answer => Ok(()),
    }
}

enum Found {
    Now(Result<Finding, Unavailable>),
    Later(Asked),
}
