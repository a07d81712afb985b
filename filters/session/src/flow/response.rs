//! The response: a consumer who was authenticated meanwhile gets a session, and the browser its
//! cookies.

use super::{SessionFlow, State, Todo, Work};
use crate::config::Phase;
use crate::holder::Holder;
use crate::set_cookie::{SetCookie, merge};
use consumer::{Identity, caller};
use exchange::{Answer, Response, ResponseStep, Unavailable};
use std::rc::Rc;

impl SessionFlow {
    pub(super) fn respond(
        &mut self,
        mut work: Box<Work>,
        response: Box<Response>,
    ) -> (State, ResponseStep) {
        let sessions = Rc::clone(&self.sessions);
        let config = &sessions.config;
        if config.expire_invalid {
            for kind in std::mem::take(&mut work.unfit) {
                let expired = sessions.expire(kind, &work.jar);
                let set =
                    |cookie: &SetCookie| work.cookies.iter().any(|set| set.name == cookie.name);
                let expired: Vec<SetCookie> = expired.into_iter().filter(|c| !set(c)).collect();
                work.cookies.extend(expired);
            }
        }
        // Most often nobody has changed the identity since this filter published it.
        let property = response.consumer.as_deref();
        let published = work.published.as_ref().filter(|_| work.session.is_some());
        let identity = match config.phase {
            Phase::Both if published.is_some_and(|held| held.settles(property)) => None,
            Phase::Both => caller(property).filter(|identity| !self.holds(&work, identity)),
            Phase::Open | Phase::Save => None,
        };
        let mut todo = Todo::new();
        if let Some(holder) = identity.as_ref().and_then(Holder::of) {
            let now = response.now / 1000;
            if work.before.remember.is_none() && config.remember {
                work.before.remember = self.remembered(&work);
            }
            for saved in sessions.start(&holder, &work.before, &work.client, now) {
                match saved.write.clone() {
                    Some(write) => todo.push_back((write, Some(saved))),
                    None => self.give_out(&mut work, saved),
                }
            }
        }
        self.store(work, response, todo)
    }

    /// Returns `true` if the request's session need not be saved again for `identity`.
    fn holds(&self, work: &Work, identity: &Identity) -> bool {
        let held = work.session.as_ref().and_then(|session| self.sessions.holder(session));
        held.is_some_and(|held| held.suits(identity))
    }

    pub(super) fn store(
        &mut self,
        work: Box<Work>,
        response: Box<Response>,
        todo: Todo,
    ) -> (State, ResponseStep) {
        let call = todo.front().map(|(write, _)| write.call());
        match (call, self.sessions.config.admin.clone()) {
            (Some(call), Some(admin)) => {
                (State::Storing { work, response, todo }, ResponseStep::Ask(admin, call))
            }
            (_, _) => {
                let mut edits = merge(&response.head, &work.cookies);
                if let Some(session) = &work.session {
                    let now = response.now / 1000;
                    edits.extend(self.sessions.tell(
                        &self.sessions.config.response_headers,
                        session,
                        now,
                    ));
                }
                (State::Over, ResponseStep::Forward(edits))
            }
        }
    }

    pub(super) fn stored(
        &mut self,
        mut work: Box<Work>,
        response: Box<Response>,
        mut todo: Todo,
        answer: &Result<Answer, Unavailable>,
    ) -> (State, ResponseStep) {
        if let Some((write, saved)) = todo.pop_front() {
            self.finish_write(&mut work, &write, saved, answer);
        }
        self.store(work, response, todo)
    }
}
