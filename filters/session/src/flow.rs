//! The way of one request: its session is opened, kept up or ended, or begins with its response.
//!
//! ```text
//! start ─▶ AskedForRow ─▶ AskedForLogin ─▶ AskedForConsumer ─▶ Writing ─▶ AwaitingBody ─┐
//!    └──────────┴──────── any of these may be left out ────────────┴────────────────────┤
//!                                                                                       │
//!                        Over ◀─ Storing ◀─ Forwarded ◀─────────────────────────────────┤
//!                        Over ◀──────────── Ended ◀──────────────── a logout ───────────┘
//! ```

mod ending;
mod keeping;
mod response;

use crate::client::Client;
use crate::config::Phase;
use crate::contents::Held;
use crate::jar::{Jar, MAX_COPIES, hide};
use crate::rows::{Write, row_of};
use crate::secret::Kind;
use crate::sessions::{Before, Presented, Saved, Session, Sessions, Unfit};
use crate::set_cookie::{SetCookie, merge};
use crate::source::{self, ENDED};
use consumer::{Admitted, Duplicate, Identity, refuse_duplicate};
use exchange::{
    Edit, Event, Finding, Flow, Reply, Request, Response, ResponseEvent, ResponseStep, Started,
    Step, Tally, Unavailable,
};
use std::collections::VecDeque;
use std::rc::Rc;

/// The state machine of one request.
pub(crate) struct SessionFlow {
    sessions: Rc<Sessions>,
    state: State,
    counts: Vec<&'static str>,
}

enum State {
    AskedForRow {
        work: Box<Work>,
        presented: Presented,
    },
    AskedForLogin {
        work: Box<Work>,
        session: Session,
    },
    AskedForConsumer {
        work: Box<Work>,
        session: Session,
    },
    Writing {
        work: Box<Work>,
        todo: Todo,
        next: Next,
    },
    /// Everything is decided, but the body may still ask for the session to end.
    AwaitingBody(Box<Work>),
    /// The request went on, and its response is still to come.
    Forwarded(Box<Work>),
    /// The request was a logout, and this filter replied. The cookies are added to the response.
    Ended(Vec<SetCookie>),
    /// The response waits until the new session is stored.
    Storing {
        work: Box<Work>,
        response: Box<Response>,
        todo: Todo,
    },
    Over,
}

/// Pending writes, in order. The cookie of a session is sent only after its write succeeds.
type Todo = VecDeque<(Write, Option<Saved>)>;

/// The next step when all writes are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    /// The logout is answered; `false` if a write failed.
    Answer(bool),
}

/// A request, and the facts that are known about its session so far.
struct Work {
    request: Box<Request>,
    /// The edits that do not depend on the session.
    edits: Vec<Edit>,
    /// The edits that tell the upstream of the session.
    told: Vec<Edit>,
    /// The holder whose identity this filter has published, if it was not looked up.
    published: Option<Rc<Held>>,
    /// The identity that an earlier filter has authenticated.
    identity: Option<Rc<Identity>>,
    jar: Jar,
    /// The number of the next copy to try, where a request has several cookies of one name.
    next: usize,
    client: Client,
    /// Seconds since 1970.
    now: u64,
    logs_out: bool,
    /// The kinds of which the request has cookies, but none that is valid.
    unfit: Vec<Kind>,
    /// The cookies that the response sets.
    cookies: Vec<SetCookie>,
    todo: Todo,
    /// The valid session of the request.
    session: Option<Session>,
    before: Before,
}

impl SessionFlow {
    /// Judges a request that the gate admitted.
    pub(crate) fn start(sessions: Rc<Sessions>, request: Admitted) -> Started {
        let mut flow = Self { sessions, state: State::Over, counts: Vec::new() };
        let (state, step) = flow.judge(request);
        flow.state = state;
        Started::new(step, flow)
    }

    fn judge(&mut self, Admitted { request, identity }: Admitted) -> (State, Step) {
        let sessions = Rc::clone(&self.sessions);
        let config = &sessions.config;
        let mut edits = Vec::new();
        let names = config.names();
        let jar = Jar::of(&request.head, &names);
        if config.hide_cookie {
            match hide(&request.head, &names, request.can_remove) {
                Ok(edit) => edits.extend(edit),
                Err(()) => {
                    return over(Step::reply(refuse_duplicate(&Duplicate("cookie".to_owned()))));
                }
            }
        }
        let work = Box::new(Work {
            client: Client::of(&request),
            now: request.now / 1000,
            logs_out: config.logout.in_query(&request),
            identity: identity.filter(|identity| identity.is_authenticated()),
            before: Before {
                further: [Kind::Session, Kind::Remember]
                    .map(|kind| jar.further(config.name_of(kind))),
                ..Before::default()
            },
            request,
            edits,
            told: Vec::new(),
            published: None,
            jar,
            next: 0,
            unfit: Vec::new(),
            cookies: Vec::new(),
            todo: Todo::new(),
            session: None,
        });
        self.seek(work, Kind::Session)
    }

    /// Looks for a valid session in the next cookie of this kind.
    fn seek(&mut self, mut work: Box<Work>, kind: Kind) -> (State, Step) {
        let sessions = Rc::clone(&self.sessions);
        let presented = sessions.present(kind, &work.jar, work.next, &work.client, work.now);
        work.next = presented.as_ref().map_or(MAX_COPIES, |it| it.copy.saturating_add(1));
        match presented {
            Ok(presented) if sessions.config.stored => {
                let name = row_of(&presented.header.id);
                if sessions.has_ended(&name) {
                    return self.unfit(work, kind, Unfit::Invalid);
                }
                (State::AskedForRow { work, presented }, Step::find(source::row(name)))
            }
            Ok(presented) => match sessions.open(presented, &work.jar) {
                Ok(session) => self.opened(work, session),
                Err(unfit) => self.unfit(work, kind, unfit),
            },
            Err(unfit) => self.unfit(work, kind, unfit),
        }
    }

    /// Goes on after a cookie that is missing or invalid: to the next cookie of this kind, or to
    /// the remembered session, or without a session.
    fn unfit(&mut self, mut work: Box<Work>, kind: Kind, unfit: Unfit) -> (State, Step) {
        let copies = work.jar.copies(self.sessions.config.name_of(kind)).len();
        if unfit == Unfit::Invalid && work.next < copies {
            return self.seek(work, kind);
        }
        work.next = 0;
        if unfit == Unfit::Invalid {
            self.counts.push("invalid");
            work.unfit.push(kind);
        }
        if kind == Kind::Session && self.sessions.config.remember {
            self.seek(work, Kind::Remember)
        } else {
            self.go_on(work)
        }
    }

    fn row_found(
        &mut self,
        work: Box<Work>,
        presented: Presented,
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        let kind = presented.kind;
        let opened = match found {
            Ok(Finding::Value(row)) => self.sessions.open_row(presented, &row, work.request.now),
            Ok(Finding::Nothing) => Err(Unfit::Invalid),
            // The session may exist, so the request must not go on without one.
            Err(Unavailable) => return over(unavailable()),
        };
        match opened {
            Ok(session) => self.opened(work, session),
            Err(unfit) => self.unfit(work, kind, unfit),
        }
    }

    fn opened(&mut self, mut work: Box<Work>, session: Session) -> (State, Step) {
        let sessions = Rc::clone(&self.sessions);
        let Some(holder) = sessions.holder(&session) else {
            // The session has entries of other audiences only. They stay when an entry is added.
            if session.kind == Kind::Session {
                work.before.session = Some(session.header);
                work.before.contents = session.contents;
            }
            return self.go_on(work);
        };
        if !sessions.config.logout.revokes {
            return self.valid(work, session, &holder);
        }
        let login = sessions.login(&session.header, &holder);
        if sessions.has_ended(&login) {
            let kind = session.kind;
            return self.unfit(work, kind, Unfit::Invalid);
        }
        (State::AskedForLogin { work, session }, Step::find(source::login(login)))
    }

    fn login_found(
        &mut self,
        work: Box<Work>,
        session: Session,
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        let lasts = match found {
            Ok(Finding::Value(value)) => value != ENDED,
            Ok(Finding::Nothing) => false,
            Err(Unavailable) => return over(unavailable()),
        };
        match self.sessions.holder(&session).filter(|_| lasts) {
            Some(holder) => self.valid(work, session, &holder),
            None => self.unfit(work, session.kind, Unfit::Invalid),
        }
    }

    /// Takes a valid session: logs out if the request asks for that, or else checks that the
    /// consumer still exists.
    fn valid(&mut self, mut work: Box<Work>, session: Session, holder: &Rc<Held>) -> (State, Step) {
        let sessions = Rc::clone(&self.sessions);
        if work.logs_out {
            return self.log_out(work, session, holder);
        }
        work.todo.extend(sessions.retire_replaced(&session).into_iter().map(|write| (write, None)));
        if !sessions.config.check_consumer || work.identity.is_some() {
            return self.keep(work, session, holder, None);
        }
        if let Some(identity) = sessions.config.consumers.by_id(&holder.consumer) {
            return self.keep(work, session, holder, Some(identity));
        }
        if sessions.config.admin.is_none() {
            return self.consumer_gone(work, session);
        }
        let key = source::consumer(&holder.consumer);
        (State::AskedForConsumer { work, session }, Step::find(key))
    }

    fn consumer_found(
        &mut self,
        work: Box<Work>,
        session: Session,
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        let identity = match found {
            Ok(Finding::Value(value)) => Identity::from_json(&value),
            Ok(Finding::Nothing) => None,
            Err(Unavailable) => return over(unavailable()),
        };
        match (self.sessions.holder(&session), identity) {
            (Some(holder), Some(identity)) => self.keep(work, session, &holder, Some(&identity)),
            _ => self.consumer_gone(work, session),
        }
    }

    /// Ends a session whose consumer does not exist any more.
    fn consumer_gone(&mut self, mut work: Box<Work>, session: Session) -> (State, Step) {
        self.counts.push("ended");
        work.cookies.extend(self.sessions.expire(session.kind, &work.jar));
        work.todo.extend(self.sessions.end(&session).into_iter().map(|write| (write, None)));
        self.go_on(work)
    }
}

impl Flow for SessionFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Over), event) {
            (State::AwaitingBody(work), Event::Body(body)) => self.body_came(work, body),
            (State::AskedForRow { work, presented }, Event::Found(found)) => {
                self.row_found(work, presented, found)
            }
            (State::AskedForLogin { work, session }, Event::Found(found)) => {
                self.login_found(work, session, found)
            }
            (State::AskedForConsumer { work, session }, Event::Found(found)) => {
                self.consumer_found(work, session, found)
            }
            (State::Writing { work, todo, next }, Event::Answered(answer)) => {
                self.written(work, todo, next, &answer)
            }
            (State::AwaitingBody(_), Event::Found(_) | Event::Answered(_))
            | (
                State::AskedForRow { .. }
                | State::AskedForLogin { .. }
                | State::AskedForConsumer { .. },
                Event::Body(_) | Event::Answered(_),
            )
            | (State::Writing { .. }, Event::Found(_) | Event::Body(_))
            | (State::Forwarded(_) | State::Ended(_) | State::Storing { .. } | State::Over, _)
            | (_, Event::Chunk(_)) => over(Step::out_of_order()),
        };
        self.state = next;
        step
    }

    fn wants_response(&self) -> bool {
        match &self.state {
            State::Ended(_) => true,
            State::Forwarded(work) => {
                let config = &self.sessions.config;
                config.phase == Phase::Both
                    || !work.cookies.is_empty()
                    || (config.expire_invalid && !work.unfit.is_empty())
                    || (work.session.is_some() && !config.response_headers.is_empty())
            }
            _ => false,
        }
    }

    fn on_response(&mut self, event: ResponseEvent) -> ResponseStep {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Over), event) {
            (State::Ended(cookies), ResponseEvent::Head(response)) => {
                (State::Over, ResponseStep::Forward(merge(&response.head, &cookies)))
            }
            (State::Forwarded(work), ResponseEvent::Head(response)) => self.respond(work, response),
            (State::Storing { work, response, todo }, ResponseEvent::Answered(answer)) => {
                self.stored(work, response, todo, &answer)
            }
            // An unexpected response is not changed.
            (_, ResponseEvent::Head(_) | ResponseEvent::Answered(_)) => {
                (State::Over, ResponseStep::Forward(Vec::new()))
            }
        };
        self.state = next;
        step
    }

    fn tally(&mut self) -> Vec<Tally> {
        std::mem::take(&mut self.counts)
            .into_iter()
            .map(|what| Tally::Count(what.into(), 1))
            .collect()
    }
}

fn over(step: Step) -> (State, Step) {
    (State::Over, step)
}

fn unavailable() -> Step {
    Step::reply(Reply::unavailable())
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
