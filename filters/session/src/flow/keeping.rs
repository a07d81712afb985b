//! A valid session: its identity is published, it is renewed or touched, and changes are stored.

use super::{Next, SessionFlow, State, Todo, Work};
use crate::config::Phase;
use crate::contents::Held;
use crate::header::Header;
use crate::mark::{self, MARK};
use crate::rows::Write;
use crate::secret::Kind;
use crate::sessions::{Saved, Session};
use crate::set_cookie::replace;
use crate::times::Refresh;
use consumer::{Identity, PROPERTY};
use exchange::{Answer, BodyAhead, Edit, Step, Unavailable};
use std::rc::Rc;

impl SessionFlow {
    /// Publishes the identity of a valid session, and renews or touches it if that is due.
    pub(super) fn keep(
        &mut self,
        mut work: Box<Work>,
        mut session: Session,
        holder: &Rc<Held>,
        looked_up: Option<&Identity>,
    ) -> (State, Step) {
        let sessions = Rc::clone(&self.sessions);
        let now = work.now;
        let due = match session.kind {
            Kind::Remember => None,
            Kind::Session if sessions.is_superseded(&session, now) => Some(Refresh::Keep),
            Kind::Session if sessions.is_from_former_secret(&session) => Some(Refresh::Renew),
            Kind::Session => Some(sessions.config.timeouts.refresh(&session.header, now)),
        };
        let saved: Vec<Saved> = match due {
            Some(Refresh::Keep) => Vec::new(),
            Some(Refresh::Touch) => {
                self.counts.push("touched");
                work.cookies.extend(sessions.touch(&mut session, &work.client, now));
                Vec::new()
            }
            Some(Refresh::Renew) => {
                sessions.renew(&session, &work.before, &work.client, now).into_iter().collect()
            }
            None => sessions.restore(&session, &work.before, &work.client, now),
        };
        if work.identity.is_none() {
            let identity = match looked_up {
                Some(_) => holder.identity(looked_up).into_property(),
                None => {
                    work.published = Some(Rc::clone(holder));
                    holder.published().clone()
                }
            };
            work.told.push(Edit::Publish(PROPERTY, identity));
        }
        work.before.contents = session.contents.clone();
        match session.kind {
            Kind::Session => work.before.session = Some(session.header.clone()),
            Kind::Remember => work.before.remember = Some(session.header.clone()),
        }
        work.session = Some(session);
        for saved in saved {
            match saved.write.clone() {
                Some(write) => work.todo.push_back((write, Some(saved))),
                None => self.give_out(&mut work, saved),
            }
        }
        self.go_on(work)
    }

    /// Puts a saved session in the place of the one before, and its cookies into the response.
    pub(super) fn give_out(&mut self, work: &mut Work, saved: Saved) {
        let Saved { session, cookies, .. } = saved;
        replace(&mut work.cookies, cookies);
        match session.kind {
            Kind::Session => {
                self.counts.push("saved");
                work.before.session = Some(session.header.clone());
                work.before.contents = session.contents.clone();
                work.session = Some(session);
            }
            Kind::Remember => work.before.remember = Some(session.header),
        }
    }

    /// Makes the pending writes, and then lets the request go on.
    pub(super) fn go_on(&mut self, mut work: Box<Work>) -> (State, Step) {
        let todo = std::mem::take(&mut work.todo);
        self.write(work, todo, Next::GoOn)
    }

    /// Makes the first of the pending writes, or takes the next step if there is none.
    pub(super) fn write(&mut self, work: Box<Work>, todo: Todo, next: Next) -> (State, Step) {
        let call = todo.front().map(|(write, _)| write.call());
        match (call, self.sessions.config.admin.clone()) {
            (Some(call), Some(admin)) => {
                (State::Writing { work, todo, next }, Step::ask(admin, call))
            }
            (_, _) => match next {
                Next::GoOn => self.forward(work),
                Next::Answer(done) => self.answer(work, done),
            },
        }
    }

    pub(super) fn written(
        &mut self,
        mut work: Box<Work>,
        mut todo: Todo,
        next: Next,
        answer: &Result<Answer, Unavailable>,
    ) -> (State, Step) {
        let done = match todo.pop_front() {
            Some((write, saved)) => self.finish_write(&mut work, &write, saved, answer),
            None => true,
        };
        let next = match next {
            Next::GoOn => Next::GoOn,
            Next::Answer(so_far) => Next::Answer(so_far && done),
        };
        self.write(work, todo, next)
    }

    /// Takes the answer to a write. Returns `true` if the write succeeded.
    pub(super) fn finish_write(
        &mut self,
        work: &mut Work,
        write: &Write,
        saved: Option<Saved>,
        answer: &Result<Answer, Unavailable>,
    ) -> bool {
        let done = write.done(answer);
        if done {
            self.sessions.note_end(write);
            if let Some(saved) = saved {
                self.give_out(work, saved);
            }
        } else {
            // The cookie of a session that was not stored would be useless, so it is not sent.
            self.counts.push("not_stored");
            self.sessions.unretire(write);
            self.sessions.report("the admin service did not take a change of a session");
        }
        done
    }

    pub(super) fn forward(&mut self, mut work: Box<Work>) -> (State, Step) {
        let sessions = Rc::clone(&self.sessions);
        if sessions.config.phase == Phase::Open {
            if work.before.remember.is_none() && sessions.config.remember {
                work.before.remember = self.remembered(&work);
            }
            work.told.push(Edit::publish(MARK, mark::write(&work.before)));
        }
        // The upstream is not told of a session whose consumer is not that of the request.
        if let Some(session) = work.session.as_ref().filter(|session| self.is_known(&work, session))
        {
            let told = sessions.tell(&sessions.config.request_headers, session, work.now);
            work.told.extend(told);
        }
        let mut edits = std::mem::take(&mut work.edits);
        edits.append(&mut work.told);
        // Only a request with a session waits for its body. Kong runs the later filters meanwhile,
        // so the edits that tell them of the session are made first.
        let may_end = work.session.is_some()
            && work.request.body == BodyAhead::Comes
            && sessions.config.logout.may_be_in_body(&work.request);
        match may_end {
            true => (State::AwaitingBody(work), Step::await_body(edits)),
            false => (State::Forwarded(work), Step::forward(edits)),
        }
    }

    /// Returns `true` if the session is for the consumer that an earlier filter has authenticated,
    /// or if no filter has authenticated one.
    fn is_known(&self, work: &Work, session: &Session) -> bool {
        let Some(identity) = &work.identity else { return true };
        self.sessions.holder(session).is_some_and(|holder| holder.consumer == identity.id)
    }

    /// Takes the body, which may ask for a logout. A body that the gateway cannot hand over asks
    /// for nothing.
    pub(super) fn body_came(
        &mut self,
        mut work: Box<Work>,
        body: Result<Vec<u8>, Unavailable>,
    ) -> (State, Step) {
        let asks = |body: &Vec<u8>| self.sessions.config.logout.in_body(&work.request, body);
        if !body.is_ok_and(|body| asks(&body)) {
            return (State::Forwarded(work), Step::forward(Vec::new()));
        }
        let session = work.session.take();
        let held = session.and_then(|session| Some((self.sessions.holder(&session)?, session)));
        match held {
            Some((holder, session)) => self.log_out(work, session, &holder),
            None => (State::Forwarded(work), Step::forward(Vec::new())),
        }
    }

    /// Returns the header of the client's remembered session, if it is valid.
    pub(super) fn remembered(&self, work: &Work) -> Option<Header> {
        let presented = self.sessions.present(Kind::Remember, &work.jar, 0, &work.client, work.now);
        presented.ok().map(|presented| presented.header)
    }
}
