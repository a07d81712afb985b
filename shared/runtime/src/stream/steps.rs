//! The steps of a flow, carried out on the gateway.

use super::additions;
use super::{Action, Asked, Phase, State, Stream, Wait};
use crate::callout;
use crate::debug;
use crate::entropy;
use crate::instance::Instance;
use crate::platform::{Level, capabilities, log, now};
use crate::proxy::{CallId, CallOwner, Message, NotTaken, Proxy};
use crate::reply;
use cache::{Conditions, Lookup, Room};
use consumer::{PROPERTY, refuse_duplicate, refused_as};
use exchange::{
    Call, CallError, Edit, Event, Finding, Flow, Key, Reply, Step, Target, Then, Unasked,
    Unavailable,
};

impl Stream {
    /// Gives the flow an event, and carries its step out.
    pub(super) fn tell<P: Proxy>(
        &mut self,
        proxy: &P,
        event: Event,
        phase: Phase,
    ) -> (Action, Asked) {
        // Whatever goes wrong from here on, the request does not go on.
        self.state = State::Refused;
        let Some(mut flow) = self.flow.take() else {
            return self.refuse(proxy, Reply::unexpected());
        };
        let step = flow.on(event);
        self.follow(proxy, flow, step, phase)
    }

    /// Carries `step` and the steps after it out, until the request waits or is decided.
    pub(super) fn follow<P: Proxy>(
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

    /// Gives the flow the new piece of the body. `seen` is the number of bytes that have come by
    /// now; `None` with the last piece.
    pub(super) fn piece<P: Proxy>(
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
                // Between two pieces the flow changes nothing.
                Then::StreamBody if matches!(phase, Phase::Body) && edits.is_empty() => Ok(()),
                Then::Forward | Then::AwaitBody | Then::StreamBody => self.release(proxy, edits),
                Then::Find { .. } => self.edit(proxy, edits),
                Then::Ask(..) | Then::Reply(_) => Ok(()),
            };
            if let Err(reply) = made {
                return self.refuse(proxy, reply);
            }
            let event = match then {
                Then::Forward => {
                    self.instance.count("passed");
                    self.state = State::Forwarded;
                    return (Action::Continue, Asked::Nothing);
                }
                Then::Reply(reply) => return self.refuse(proxy, reply),
                Then::AwaitBody => match self.whole.take() {
                    Some(size) => Event::Body(proxy.body(Message::Request, size)),
                    None if !self.sit(Room::Body) => {
                        return self.refuse(proxy, Reply::unavailable());
                    }
                    None => return self.hold(State::AwaitingBody),
                },
                // A body that may follow takes its seat with its first piece: most such requests
                // have none, and last for as long as their response.
                Then::StreamBody
                    if (matches!(phase, Phase::Body) || !self.body_may_follow)
                        && !self.sit(Room::Body) =>
                {
                    return self.refuse(proxy, Reply::unavailable());
                }
                Then::StreamBody => {
                    self.body_is_optional = self.body_may_follow;
                    return self.hold(State::Streaming(0));
                }
                Then::Find { key, not_before } => match self.find(proxy, key, not_before, phase) {
                    Found::Now(result) => Event::Found(result),
                    Found::Unasked(why) => {
                        step = flow.on_unasked(why);
                        continue;
                    }
                    Found::Later(asked) => return (Action::Pause, asked),
                },
                Then::Ask(..) if !self.sit(Room::Asking) => {
                    return self.refuse(proxy, Reply::unavailable());
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

    /// Makes the edits to a request that goes on or that later filters see from now on, completed
    /// by the guard.
    fn release<P: Proxy>(&mut self, proxy: &P, edits: Vec<Edit>) -> Result<(), Reply> {
        let Some(guard) = self.guard.as_mut() else { return Err(Reply::unexpected()) };
        let edits = guard.settle(&self.head, edits).map_err(|twice| refuse_duplicate(&twice))?;
        self.edit(proxy, edits)
    }

    /// Takes a seat in `room` for as long as the request waits. Returns `false` when the room is
    /// full.
    fn sit(&mut self, room: Room) -> bool {
        if self.seat.as_ref().is_none_or(|seat| seat.room() != room) {
            self.seat = None;
            self.seat = self.instance.seat(room, self.keeps);
        }
        self.seat.is_some()
    }

    fn hold(&mut self, state: State) -> (Action, Asked) {
        self.state = state;
        // Kong hands the body over only to a request that goes on; the upstream gets nothing
        // before.
        let action = if capabilities().pauses_for_body { Action::Pause } else { Action::Continue };
        (action, Asked::Nothing)
    }

    /// Makes edits to the request. A request of which an edit failed must not go on, and is
    /// refused. So is one whose edit would add a line to it.
    fn edit<P: Proxy>(&mut self, proxy: &P, mut edits: Vec<Edit>) -> Result<(), Reply> {
        if !edits.iter().all(Edit::stays_in_its_line) {
            log(Level::Error, "an edit that would add a line to a request was not made");
            return Err(Reply::unexpected());
        }
        if capabilities().can_remove && !self.edited {
            additions::prefer(&self.head, &mut edits);
        }
        self.edited |= !edits.is_empty();
        for edit in &edits {
            match (proxy.edit_request(&self.head, edit), edit) {
                (Ok(()), _) => {}
                // The filter can do without this property.
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
        callout::send(proxy, CallOwner::Request, target, call, Some(&self.head)).ok()
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
        let found = self.instance.find(&key, self.id, conditions);
        if let Some(report) = &mut self.report {
            report.note(&found);
        }
        let outgoing = match found {
            Lookup::Hit(finding) | Lookup::Stale(finding) => return Found::Now(Ok(finding)),
            // While the service is away, a look-up that was not made would have failed.
            Lookup::Unavailable | Lookup::Queued if self.instance.service_is_away() => {
                return Found::Now(Err(Unavailable));
            }
            Lookup::Unavailable => return Found::Unasked(Unasked::TooMany),
            Lookup::Queued => return Found::Unasked(Unasked::CannotWait),
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
        // Where requests can be woken, the callout belongs to the filter configuration and outlives
        // this request: other requests may wait for it, too.
        let owner = if able.can_wake { CallOwner::Instance } else { CallOwner::Request };
        let ready = prepare_wait(proxy, phase);
        let sent = ready.and_then(|()| Instance::send(proxy, owner, &outgoing, Some(&self.head)));
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
                // No other request can be waiting yet: the fetch has just begun.
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

    /// Answers the client. Kong runs later filters even after a refusal, if this or an earlier
    /// filter has waited for a callout; the identity property tells them to stand down.
    pub(super) fn refuse<P: Proxy>(&mut self, proxy: &P, reply: Reply) -> (Action, Asked) {
        self.state = State::Refused;
        if !capabilities().refusal_is_final {
            let known = proxy.property(PROPERTY);
            let _ = proxy.publish(PROPERTY, &refused_as(known.as_deref()));
        }
        self.instance.count(&format!("refused_{}", reply.status));
        let id = || proxy.request_id(&self.head).and_then(|id| reply::plain_id(&id));
        let request_id = || id().unwrap_or_else(entropy::random_hex);
        let name = self.instance.name();
        let mut local = reply::local(name, &reply, &self.head, request_id);
        if let Some(report) = self.report.take() {
            let text = report.text(name, Some(reply.cause));
            local.headers.push((debug::HEADER.into(), text.into_bytes().into()));
        }
        if proxy.reply(&local).is_err() {
            // The request stays paused, and is never let through.
            log(Level::Error, "the proxy did not take a local response");
        }
        (Action::Pause, Asked::Nothing)
    }
}

/// Prepares a request to wait for a callout. Only the headers' event leaves anything to do.
fn prepare_wait<P: Proxy>(proxy: &P, phase: Phase) -> Result<(), CallError> {
    match phase {
        Phase::Headers => proxy.prepare_wait().map_err(|_| CallError::NotSent),
        Phase::Body | Phase::Answer => Ok(()),
    }
}

enum Found {
    Now(Result<Finding, Unavailable>),
    Unasked(Unasked),
    Later(Asked),
}
