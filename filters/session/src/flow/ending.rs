//! A logout: the session ends in the browser, in the storage and, if the login is revoked, in every
//! copy of its cookie.

use super::{Next, SessionFlow, State, Todo, Work};
use crate::header::Header;
use crate::holder::Holder;
use crate::rows::{Write, row_of};
use crate::secret::Kind;
use crate::sessions::{Before, Session};
use exchange::{Body, Reply, Step};
use std::rc::Rc;

impl SessionFlow {
    /// Ends the session, or removes this configuration's audience from it if it has others too.
    pub(super) fn log_out(
        &mut self,
        mut work: Box<Work>,
        session: Session,
        holder: &Holder,
    ) -> (State, Step) {
        let sessions = Rc::clone(&self.sessions);
        let config = &sessions.config;
        self.counts.push("logouts");
        // The client has sent a remembered session, and this flow may have renewed it since.
        let now = work.before.remember.clone();
        let mut remembered = if config.remember { self.remembered(&work) } else { None }
            .into_iter()
            .chain(now.filter(|_| config.remember))
            .collect::<Vec<Header>>();
        remembered.dedup_by_key(|header| header.id);
        let mut ends: Vec<Write> = sessions.end(&session);
        let mut saved = Vec::new();
        match session.contents.clone().without(&config.audience) {
            Some(contents) if session.kind == Kind::Session => {
                let before = Before {
                    session: Some(session.header.clone()),
                    remember: remembered.last().cloned(),
                    contents: contents.clone(),
                    further: work.before.further.clone(),
                };
                saved = sessions.save_all(&contents, &before, false, &work.client, work.now);
                // A logout does not begin to remember anybody.
                saved.retain(|saved| saved.session.kind == Kind::Session || !remembered.is_empty());
            }
            _ => {
                // These replace the cookies of a session that this flow has just renewed.
                work.cookies = sessions.expire(Kind::Session, &work.jar);
                if config.remember {
                    work.cookies.extend(sessions.expire(Kind::Remember, &work.jar));
                }
            }
        }
        if config.stored {
            ends.extend(remembered.iter().map(|header| Write::End(row_of(&header.id))));
        }
        if config.logout.revokes {
            ends.extend(sessions.revoke(&session.header, holder, &remembered, work.now));
        }
        let mut todo = Todo::new();
        for saved in saved {
            match saved.write.clone() {
                Some(write) => todo.push_back((write, Some(saved))),
                None => self.give_out(&mut work, saved),
            }
        }
        todo.extend(ends.into_iter().map(|write| (write, None)));
        self.write(work, todo, Next::Answer(true))
    }

    /// Replies to a logout. The cookies are added at the response, because some gateways send only
    /// one of several equal header names in a filter's reply.
    pub(super) fn answer(&mut self, work: Box<Work>, done: bool) -> (State, Step) {
        let reply = match (&self.sessions.config.logout.redirect_uri, done) {
            // The browser forgets the session, but a stolen copy of it may still be valid.
            (_, false) => Reply::unavailable(),
            (Some(uri), true) => {
                let reply = Reply::new(302, "logged_out", Body::Empty);
                reply.with("location", uri.clone())
            }
            (None, true) => Reply::new(200, "logged_out", Body::Empty),
        };
        (State::Ended(work.cookies), Step::reply(reply))
    }
}
