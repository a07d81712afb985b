//! The way of one request through an instance with `phase` `save`: the consumer that earlier
//! filters have authenticated gets a session.
//!
//! The session is stored while the request is held, because a response on Kong cannot wait.
//!
//! ```text
//! start ─▶ Writing ─▶ Forwarded ─▶ Over
//! ```

use crate::client::Client;
use crate::holder::Holder;
use crate::mark;
use crate::rows::Write;
use crate::sessions::{Saved, Session, Sessions};
use crate::set_cookie::{SetCookie, merge, replace};
use consumer::Known;
use exchange::{
    Answer, Event, Flow, Reply, Request, ResponseEvent, ResponseStep, Started, Step, Tally,
    Unavailable,
};
use std::collections::VecDeque;
use std::rc::Rc;

/// The state machine of one request.
pub(crate) struct SaveFlow {
    sessions: Rc<Sessions>,
    state: State,
    session: Option<Session>,
    cookies: Vec<SetCookie>,
    counts: Vec<&'static str>,
}

enum State {
    Writing(VecDeque<(Write, Saved)>),
    Forwarded,
    Over,
}

impl SaveFlow {
    /// Judges a request that the gate admitted.
    pub(crate) fn start(sessions: Rc<Sessions>, request: &Request) -> Started {
        let mut flow = Self {
            sessions,
            state: State::Over,
            session: None,
            cookies: Vec::new(),
            counts: Vec::new(),
        };
        let (state, step) = flow.judge(request);
        flow.state = state;
        Started::new(step, flow)
    }

    fn judge(&mut self, request: &Request) -> (State, Step) {
        let sessions = Rc::clone(&self.sessions);
        // Only an identity that a filter published starts a session. Headers never do.
        let known = Known::from_property(request.consumer.as_deref());
        let Some(identity) = known.identity() else { return self.forward() };
        let Some(holder) = Holder::of(identity) else { return self.forward() };
        let Some(before) = request.mark.as_deref().and_then(mark::read) else {
            sessions.report("a session is to be saved that no instance with `phase` \"open\" has looked at before");
            return (State::Over, Step::reply(Reply::unexpected()));
        };
        let held = before.contents.holder(&sessions.config.audience);
        if before.session.is_some() && held.is_some_and(|held| held.suits(identity)) {
            return self.forward();
        }
        let client = Client::of(request);
        let mut todo = VecDeque::new();
        for saved in sessions.start(&holder, &before, &client, request.now / 1000) {
            match saved.write.clone() {
                Some(write) => todo.push_back((write, saved)),
                None => self.give_out(saved),
            }
        }
        self.write(todo)
    }

    fn write(&mut self, todo: VecDeque<(Write, Saved)>) -> (State, Step) {
        let call = todo.front().map(|(write, _)| write.call());
        match (call, self.sessions.config.admin.clone()) {
            (Some(call), Some(admin)) => (State::Writing(todo), Step::ask(admin, call)),
            (_, _) => self.forward(),
        }
    }

    fn written(
        &mut self,
        mut todo: VecDeque<(Write, Saved)>,
        answer: &Result<Answer, Unavailable>,
    ) -> (State, Step) {
        match todo.pop_front() {
            Some((write, saved)) if write.done(answer) => self.give_out(saved),
            Some(_) => {
                // This request has its identity. Only the next one must authenticate again.
                self.counts.push("not_stored");
                self.sessions
                    .report("the admin service did not take a session, so it is not begun");
            }
            None => {}
        }
        self.write(todo)
    }

    fn give_out(&mut self, saved: Saved) {
        replace(&mut self.cookies, saved.cookies);
        if saved.session.kind == crate::secret::Kind::Session {
            self.counts.push("saved");
            self.session = Some(saved.session);
        }
    }

    fn forward(&mut self) -> (State, Step) {
        (State::Forwarded, Step::forward(Vec::new()))
    }
}

impl Flow for SaveFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Over), event) {
            (State::Writing(todo), Event::Answered(answer)) => self.written(todo, &answer),
            (State::Writing(_), _) | (State::Forwarded | State::Over, _) => {
                (State::Over, Step::out_of_order())
            }
        };
        self.state = next;
        step
    }

    fn wants_response(&self) -> bool {
        matches!(self.state, State::Forwarded) && !self.cookies.is_empty()
    }

    fn on_response(&mut self, event: ResponseEvent) -> ResponseStep {
        let ResponseEvent::Head(response) = event else {
            return ResponseStep::Forward(Vec::new());
        };
        let mut edits = merge(&response.head, &self.cookies);
        if let Some(session) = &self.session {
            let headers = &self.sessions.config.response_headers;
            edits.extend(self.sessions.tell(headers, session, response.now / 1000));
        }
        ResponseStep::Forward(edits)
    }

    fn tally(&mut self) -> Vec<Tally> {
        std::mem::take(&mut self.counts)
            .into_iter()
            .map(|what| Tally::Count(what.into(), 1))
            .collect()
    }
}

#[cfg(test)]
#[path = "save_flow_tests.rs"]
mod tests;
