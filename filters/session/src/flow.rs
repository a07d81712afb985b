//! What to do with one request: its session is opened, kept up, ended, or begun with its response.
//!
//! ```text
//! Arrived ─▶ AskedForRow ─▶ AskedForLogin ─▶ AskedForConsumer ─▶ Writing ─▶ AwaitingBody ─┬▶ Forwarded ─▶ Storing ─▶ Over
//!    └────────────┴─ any of these may be left out ─┴──────────────────┴──────────┴─────────┴▶ Ended ────────────────▶ Over
//! ```

use crate::client::Client;
use crate::config::Phase;
use crate::contents::Holder;
use crate::header::Header;
use crate::jar::{Jar, hide};
use crate::keeper::{Before, Keeper, Presented, Saved, Session, Unfit};
use crate::mark::{self, MARK};
use crate::rows::{Write, row_of};
use crate::secret::Kind;
use crate::set_cookie::{SetCookie, merge, replace};
use crate::source::{self, ENDED};
use crate::times::Refresh;
use consumer::{
    Arrival, Credential, Duplicate, Identity, Known, PROPERTY, announce, at_authentication,
    refuse_duplicate,
};
use exchange::{
    Answer, Body, BodyAhead, Edit, Event, Finding, Flow, Reply, Request, Response, ResponseEvent,
    ResponseStep, Step, Tally, Unavailable,
};
use std::collections::VecDeque;
use std::rc::Rc;

/// One request's progress.
pub(crate) struct SessionFlow {
    keeper: Rc<Keeper>,
    state: State,
    counts: Vec<&'static str>,
}

enum State {
    Arrived,
    AskedForRow(Box<Work>, Presented),
    AskedForLogin(Box<Work>, Session),
    AskedForConsumer(Box<Work>, Session),
    Writing(Box<Work>, Todo, Then),
    /// Everything is decided, but the body may still ask for the session to end.
    AwaitingBody(Box<Work>),
    /// The request went on, and its response is to come.
    Forwarded(Box<Work>),
    /// The request was a logout; the answer to it is our own.
    Ended(Vec<SetCookie>),
    /// The response waits until the new session is stored.
    Storing(Box<Work>, Box<Response>, Todo),
    Over,
}

/// What is to be written, one after the other. What was saved is given out when its own is done.
type Todo = VecDeque<(Write, Option<Saved>)>;

/// What follows when everything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    /// The logout is answered; `false` if something was not done.
    Answer(bool),
}

/// A request in the making.
struct Work {
    request: Box<Request>,
    /// What is changed in any case.
    edits: Vec<Edit>,
    /// What follows from the session.
    told: Vec<Edit>,
    /// Whom an earlier filter has authenticated.
    identity: Option<Box<Identity>>,
    jar: Jar,
    client: Client,
    /// Seconds since 1970.
    now: u64,
    logs_out: bool,
    /// Kinds of cookies that are there and of no use.
    unfit: Vec<Kind>,
    /// What the response gives out.
    cookies: Vec<SetCookie>,
    todo: Todo,
    /// The session that the request has.
    session: Option<Session>,
    before: Before,
}

impl SessionFlow {
    pub(crate) fn new(keeper: Rc<Keeper>) -> Self {
        Self { keeper, state: State::Arrived, counts: Vec::new() }
    }

    // === Opening ===

    fn arrive(&mut self, request: Box<Request>) -> (State, Step) {
        let keeper = Rc::clone(&self.keeper);
        let config = &keeper.config;
        let owned: Vec<&str> =
            config.request_headers.iter().map(|property| property.header()).collect();
        let (identity, mut edits) = match at_authentication(&request, &config.common, &owned) {
            Arrival::Pass(edits) => return over(Step::Forward(edits)),
            Arrival::Refuse(reply) => return over(Step::Reply(reply)),
            Arrival::Judge(identity, edits) => (identity, edits),
        };
        let names = config.names();
        let jar = Jar::of(&request.head, &names);
        if config.hide_cookie {
            match hide(&request.head, &names, request.can_remove) {
                Ok(edit) => edits.extend(edit),
                Err(()) => {
                    return over(Step::Reply(refuse_duplicate(&Duplicate("cookie".to_owned()))));
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
            jar,
            unfit: Vec::new(),
            cookies: Vec::new(),
            todo: Todo::new(),
            session: None,
        });
        self.seek(work, Kind::Session)
    }

    /// Looks for a cookie of this kind.
    fn seek(&mut self, work: Box<Work>, kind: Kind) -> (State, Step) {
        let keeper = Rc::clone(&self.keeper);
        match keeper.present(kind, &work.jar, &work.client, work.now) {
            Ok(presented) if keeper.config.stored => {
                let name = row_of(&presented.header.id);
                if keeper.has_ended(&name) {
                    return self.unfit(work, kind, Unfit::Invalid);
                }
                (State::AskedForRow(work, presented), Step::Find(source::row(name), Vec::new()))
            }
            Ok(presented) => match keeper.open(presented, &work.jar) {
                Ok(session) => self.opened(work, session),
                Err(unfit) => self.unfit(work, kind, unfit),
            },
            Err(unfit) => self.unfit(work, kind, unfit),
        }
    }

    /// There is no session of this kind. One that is remembered may take its place.
    fn unfit(&mut self, mut work: Box<Work>, kind: Kind, unfit: Unfit) -> (State, Step) {
        if unfit == Unfit::Invalid {
            self.counts.push("invalid");
            work.unfit.push(kind);
        }
        if kind == Kind::Session && self.keeper.config.remember {
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
            Ok(Finding::Value(row)) => self.keeper.open_row(presented, &row, work.request.now),
            Ok(Finding::Nothing) => Err(Unfit::Invalid),
            // Not to be able to ask is not to have no session.
            Err(Unavailable) => return over(unavailable()),
        };
        match opened {
            Ok(session) => self.opened(work, session),
            Err(unfit) => self.unfit(work, kind, unfit),
        }
    }

    fn opened(&mut self, mut work: Box<Work>, session: Session) -> (State, Step) {
        let keeper = Rc::clone(&self.keeper);
        let Some(holder) = keeper.holder(&session) else {
            // It is somebody else's so far. What they have in it is kept when ours is added.
            if session.kind == Kind::Session {
                work.before.session = Some(session.header);
                work.before.contents = session.contents;
            }
            return self.go_on(work);
        };
        if !keeper.config.logout.revokes {
            return self.valid(work, session, &holder);
        }
        let login = keeper.login(session.header.created, &holder);
        if keeper.has_ended(&login) {
            let kind = session.kind;
            return self.unfit(work, kind, Unfit::Invalid);
        }
        (State::AskedForLogin(work, session), Step::Find(source::login(login), Vec::new()))
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
        match self.keeper.holder(&session).filter(|_| lasts) {
            Some(holder) => self.valid(work, session, &holder),
            None => self.unfit(work, session.kind, Unfit::Invalid),
        }
    }

    /// The session is valid. Is it to end, and does its consumer still exist?
    fn valid(&mut self, mut work: Box<Work>, session: Session, holder: &Holder) -> (State, Step) {
        let keeper = Rc::clone(&self.keeper);
        if work.logs_out {
            return self.log_out(work, session, holder);
        }
        work.todo.extend(keeper.settle(&session).into_iter().map(|write| (write, None)));
        if !keeper.config.check_consumer || work.identity.is_some() {
            return self.keep(work, session, holder, None);
        }
        if let Some(identity) = keeper.config.consumers.by_id(&holder.consumer) {
            return self.keep(work, session, holder, Some(identity));
        }
        if keeper.config.admin.is_none() {
            return self.bereft(work, session);
        }
        let key = source::consumer(&holder.consumer);
        (State::AskedForConsumer(work, session), Step::Find(key, Vec::new()))
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
        match (self.keeper.holder(&session), identity) {
            (Some(holder), Some(identity)) => self.keep(work, session, &holder, Some(&identity)),
            _ => self.bereft(work, session),
        }
    }

    /// The consumer is gone, and the session ends with it.
    fn bereft(&mut self, mut work: Box<Work>, session: Session) -> (State, Step) {
        self.counts.push("ended");
        work.cookies.extend(self.keeper.expire(session.kind, &work.jar));
        work.todo.extend(self.keeper.end(&session).into_iter().map(|write| (write, None)));
        self.go_on(work)
    }

    // === Keeping up ===

    /// The session holds: whoever it is for is announced, and it is renewed or touched where that is due.
    fn keep(
        &mut self,
        mut work: Box<Work>,
        mut session: Session,
        holder: &Holder,
        looked_up: Option<&Identity>,
    ) -> (State, Step) {
        let keeper = Rc::clone(&self.keeper);
        let now = work.now;
        let due = match session.kind {
            Kind::Remember => None,
            Kind::Session if keeper.is_superseded(&session, now) => Some(Refresh::Keep),
            Kind::Session if keeper.is_of_before(&session) => Some(Refresh::Renew),
            Kind::Session => Some(keeper.config.timeouts.refresh(&session.header, now)),
        };
        let saved: Vec<Saved> = match due {
            Some(Refresh::Keep) => Vec::new(),
            Some(Refresh::Touch) => {
                self.counts.push("touched");
                work.cookies.extend(keeper.touch(&mut session, &work.client, now));
                Vec::new()
            }
            Some(Refresh::Renew) => {
                keeper.renew(&session, &work.before, &work.client, now).into_iter().collect()
            }
            None => keeper.restore(&session, &work.before, &work.client, now),
        };
        if work.identity.is_none() {
            let identity = identity(holder, looked_up);
            work.told = announce(&work.request.head, &identity);
            work.told.extend(groups(&work.request, &identity));
            work.told.push(Edit::Publish(PROPERTY, identity.to_json()));
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

    /// A session that was saved takes the place of the one before.
    fn give_out(&mut self, work: &mut Work, saved: Saved) {
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

    /// What is to be written is written; then the request goes on.
    fn go_on(&mut self, mut work: Box<Work>) -> (State, Step) {
        let todo = std::mem::take(&mut work.todo);
        self.write(work, todo, Then::GoOn)
    }

    fn write(&mut self, work: Box<Work>, todo: Todo, then: Then) -> (State, Step) {
        let call = todo.front().map(|(write, _)| write.call());
        match (call, self.keeper.config.admin.clone()) {
            (Some(call), Some(admin)) => (State::Writing(work, todo, then), Step::Ask(admin, call)),
            (_, _) => match then {
                Then::GoOn => self.forward(work),
                Then::Answer(done) => self.answer(work, done),
            },
        }
    }

    fn written(
        &mut self,
        mut work: Box<Work>,
        mut todo: Todo,
        then: Then,
        answer: &Result<Answer, Unavailable>,
    ) -> (State, Step) {
        let done = match todo.pop_front() {
            Some((write, saved)) => self.settle(&mut work, &write, saved, answer),
            None => true,
        };
        let then = match then {
            Then::GoOn => Then::GoOn,
            Then::Answer(so_far) => Then::Answer(so_far && done),
        };
        self.write(work, todo, then)
    }

    /// Takes in what became of a wish.
    fn settle(
        &mut self,
        work: &mut Work,
        write: &Write,
        saved: Option<Saved>,
        answer: &Result<Answer, Unavailable>,
    ) -> bool {
        let done = write.done(answer);
        if done {
            self.keeper.note_end(write);
            if let Some(saved) = saved {
                self.give_out(work, saved);
            }
        } else {
            // What was not stored is not given out: its cookie would be of no use.
            self.counts.push("not_stored");
            self.keeper.unsettle(write);
            self.keeper.report("the admin service did not take a change of a session");
        }
        done
    }

    fn forward(&mut self, mut work: Box<Work>) -> (State, Step) {
        let keeper = Rc::clone(&self.keeper);
        if keeper.config.phase == Phase::Open {
            if work.before.remember.is_none() && keeper.config.remember {
                work.before.remember = self.remembered(&work);
            }
            work.told.push(Edit::Publish(MARK, mark::write(&work.before)));
        }
        if let Some(session) = &work.session {
            let told = keeper.tell(&keeper.config.request_headers, session, work.now);
            work.told.extend(told);
        }
        // What is set anyway need not be taken out first.
        let told = std::mem::take(&mut work.told);
        let set_anyway = |edit: &Edit| match edit {
            Edit::Remove(name) => told
                .iter()
                .any(|other| matches!(other, Edit::Set(set, _) | Edit::Remove(set) if set == name)),
            _ => false,
        };
        let mut edits = std::mem::take(&mut work.edits);
        edits.retain(|edit| !set_anyway(edit));
        edits.extend(told);
        // Nobody else's body is waited for. Kong runs the filters behind this one meanwhile, so that they already have
        // to know whose session it is.
        let may_end = work.session.is_some()
            && work.request.body == BodyAhead::Comes
            && keeper.config.logout.may_be_in_body(&work.request);
        match may_end {
            true => (State::AwaitingBody(work), Step::AwaitBody(edits)),
            false => (State::Forwarded(work), Step::Forward(edits)),
        }
    }

    /// The body is here, or not to be had, and then it asks for nothing.
    fn body_came(
        &mut self,
        mut work: Box<Work>,
        body: Result<Vec<u8>, Unavailable>,
    ) -> (State, Step) {
        let asks = |body: &Vec<u8>| self.keeper.config.logout.in_body(&work.request, body);
        if !body.is_ok_and(|body| asks(&body)) {
            return (State::Forwarded(work), Step::Forward(Vec::new()));
        }
        let session = work.session.take();
        let held = session.and_then(|session| Some((self.keeper.holder(&session)?, session)));
        match held {
            Some((holder, session)) => self.log_out(work, session, &holder),
            None => (State::Forwarded(work), Step::Forward(Vec::new())),
        }
    }

    /// The header of what is remembered of the client, whether or not it was needed.
    fn remembered(&self, work: &Work) -> Option<Header> {
        let presented = self.keeper.present(Kind::Remember, &work.jar, &work.client, work.now);
        presented.ok().map(|presented| presented.header)
    }

    // === Ending ===

    /// Ends the session, or what it holds for our audience.
    fn log_out(&mut self, mut work: Box<Work>, session: Session, holder: &Holder) -> (State, Step) {
        let keeper = Rc::clone(&self.keeper);
        let config = &keeper.config;
        self.counts.push("logouts");
        // What the client has, and what was made of it a moment ago.
        let now = work.before.remember.clone();
        let mut remembered = if config.remember { self.remembered(&work) } else { None }
            .into_iter()
            .chain(now.filter(|_| config.remember))
            .collect::<Vec<Header>>();
        remembered.dedup_by_key(|header| header.id);
        let mut ends: Vec<Write> = keeper.end(&session);
        let mut saved = Vec::new();
        match session.contents.clone().without(&config.audience) {
            Some(contents) if session.kind == Kind::Session => {
                let before = Before {
                    session: Some(session.header.clone()),
                    remember: remembered.last().cloned(),
                    contents: contents.clone(),
                    further: work.before.further.clone(),
                };
                saved = keeper.save_all(&contents, &before, false, &work.client, work.now);
                // Nobody is remembered who was not before.
                saved.retain(|saved| saved.session.kind == Kind::Session || !remembered.is_empty());
            }
            _ => {
                // Also what was renewed a moment ago.
                work.cookies = keeper.expire(Kind::Session, &work.jar);
                if config.remember {
                    work.cookies.extend(keeper.expire(Kind::Remember, &work.jar));
                }
            }
        }
        if config.stored {
            ends.extend(remembered.iter().map(|header| Write::End(row_of(&header.id))));
        }
        if config.logout.revokes {
            let (created, now) = (session.header.created, work.now);
            let kinds = [(created, config.timeouts_of(session.kind))];
            let remembered =
                remembered.iter().map(|header| (header.created, config.remember_timeouts));
            for (created, timeouts) in kinds.into_iter().chain(remembered) {
                let login = keeper.login(created, holder);
                ends.push(Write::Revoke(login, timeouts.left(created, now)));
            }
            ends.dedup();
        }
        let mut todo = Todo::new();
        for saved in saved {
            match saved.write.clone() {
                Some(write) => todo.push_back((write, Some(saved))),
                None => self.give_out(&mut work, saved),
            }
        }
        todo.extend(ends.into_iter().map(|write| (write, None)));
        self.write(work, todo, Then::Answer(true))
    }

    /// The answer to a logout. Its cookies come with the response: some hosts give out only one of several
    /// fields of a name in an answer of our own.
    fn answer(&mut self, work: Box<Work>, done: bool) -> (State, Step) {
        let reply = match (&self.keeper.config.logout.redirect_uri, done) {
            // The browser forgets the session in any case, but somebody who has stolen it may use it still.
            (_, false) => Reply::error(503, "Service unavailable"),
            (Some(uri), true) => {
                let reply = Reply { status: 302, headers: Vec::new(), body: Body::Empty };
                reply.with("location", uri.clone())
            }
            (None, true) => Reply { status: 200, headers: Vec::new(), body: Body::Empty },
        };
        (State::Ended(work.cookies), Step::Reply(reply))
    }

    // === The response ===

    fn respond(&mut self, mut work: Box<Work>, response: Box<Response>) -> (State, ResponseStep) {
        let keeper = Rc::clone(&self.keeper);
        let config = &keeper.config;
        if config.expire_invalid {
            for kind in std::mem::take(&mut work.unfit) {
                let expired = keeper.expire(kind, &work.jar);
                let set =
                    |cookie: &SetCookie| work.cookies.iter().any(|set| set.name == cookie.name);
                let expired: Vec<SetCookie> = expired.into_iter().filter(|c| !set(c)).collect();
                work.cookies.extend(expired);
            }
        }
        let known = Known::from_property(response.consumer.as_deref());
        let holder = match config.phase {
            Phase::Both => known.identity().and_then(Holder::of),
            Phase::Open | Phase::Save => None,
        };
        let mut todo = Todo::new();
        if let Some(holder) = holder.filter(|holder| !self.holds(&work, holder)) {
            let now = response.now / 1000;
            if work.before.remember.is_none() && config.remember {
                work.before.remember = self.remembered(&work);
            }
            for saved in keeper.start(&holder, &work.before, &work.client, now) {
                match saved.write.clone() {
                    Some(write) => todo.push_back((write, Some(saved))),
                    None => self.give_out(&mut work, saved),
                }
            }
        }
        self.store(work, response, todo)
    }

    /// Whether the request's session is for `holder` as it is.
    fn holds(&self, work: &Work, holder: &Holder) -> bool {
        let held = work.session.as_ref().and_then(|session| self.keeper.holder(session));
        held.is_some_and(|held| held.is(holder))
    }

    fn store(
        &mut self,
        work: Box<Work>,
        response: Box<Response>,
        todo: Todo,
    ) -> (State, ResponseStep) {
        let call = todo.front().map(|(write, _)| write.call());
        match (call, self.keeper.config.admin.clone()) {
            (Some(call), Some(admin)) => {
                (State::Storing(work, response, todo), ResponseStep::Ask(admin, call))
            }
            (_, _) => {
                let mut edits = merge(&response.head, &work.cookies);
                if let Some(session) = &work.session {
                    let now = response.now / 1000;
                    edits.extend(self.keeper.tell(
                        &self.keeper.config.response_headers,
                        session,
                        now,
                    ));
                }
                (State::Over, ResponseStep::Forward(edits))
            }
        }
    }

    fn stored(
        &mut self,
        mut work: Box<Work>,
        response: Box<Response>,
        mut todo: Todo,
        answer: &Result<Answer, Unavailable>,
    ) -> (State, ResponseStep) {
        if let Some((write, saved)) = todo.pop_front() {
            self.settle(&mut work, &write, saved, answer);
        }
        self.store(work, response, todo)
    }
}

impl Flow for SessionFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Over), event) {
            (State::Arrived, Event::Request(request)) => self.arrive(request),
            (State::AwaitingBody(work), Event::Body(body)) => self.body_came(work, body),
            (State::AskedForRow(work, presented), Event::Found(found)) => {
                self.row_found(work, presented, found)
            }
            (State::AskedForLogin(work, session), Event::Found(found)) => {
                self.login_found(work, session, found)
            }
            (State::AskedForConsumer(work, session), Event::Found(found)) => {
                self.consumer_found(work, session, found)
            }
            (State::Writing(work, todo, then), Event::Answered(answer)) => {
                self.written(work, todo, then, &answer)
            }
            // The host broke the order of events: refuse rather than guess.
            (State::Arrived, Event::Found(_) | Event::Body(_) | Event::Answered(_))
            | (State::AwaitingBody(_), Event::Request(_) | Event::Found(_) | Event::Answered(_))
            | (
                State::AskedForRow(..) | State::AskedForLogin(..) | State::AskedForConsumer(..),
                Event::Request(_) | Event::Body(_) | Event::Answered(_),
            )
            | (State::Writing(..), Event::Request(_) | Event::Found(_) | Event::Body(_))
            | (State::Forwarded(_) | State::Ended(_) | State::Storing(..) | State::Over, _)
            | (_, Event::Chunk(_)) => {
                over(Step::Reply(Reply::error(500, "An unexpected error occurred")))
            }
        };
        self.state = next;
        step
    }

    fn wants_response(&self) -> bool {
        match &self.state {
            State::Ended(_) => true,
            State::Forwarded(work) => {
                let config = &self.keeper.config;
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
            (State::Storing(work, response, todo), ResponseEvent::Answered(answer)) => {
                self.stored(work, response, todo, &answer)
            }
            // A response that is not expected is not changed.
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

/// The identity that a session is.
fn identity(holder: &Holder, looked_up: Option<&Identity>) -> Identity {
    let credential = holder.credential.as_ref().map(|id| Credential {
        id: id.clone(),
        kind: "session".to_owned(),
        identifier: Some(id.clone()),
        key: None,
    });
    match looked_up {
        // Groups are what they are now: leaving one ends what it allowed.
        Some(found) => Identity { credential, anonymous: false, ..found.clone() },
        None => Identity {
            id: holder.consumer.clone(),
            username: holder.subject.clone().filter(|subject| *subject != holder.consumer),
            groups: holder.groups.clone(),
            credential,
            ..Identity::default()
        },
    }
}

/// Kong's header for the groups that come from a session.
fn groups(request: &Request, identity: &Identity) -> Option<Edit> {
    const NAME: &str = "x-authenticated-groups";
    let joined = identity.groups.join(", ");
    if joined.is_empty() || joined.bytes().any(|byte| byte.is_ascii_control()) {
        return request.head.first(NAME).map(|_| Edit::remove(NAME));
    }
    Some(Edit::set(NAME, joined))
}

fn over(step: Step) -> (State, Step) {
    (State::Over, step)
}

fn unavailable() -> Step {
    Step::Reply(Reply::error(503, "Service unavailable"))
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
