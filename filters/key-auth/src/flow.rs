//! The decision about a request: the search for its key, and for the owner of the key.
//!
//! ```text
//! start ───────key───────▶ AskedForKey ──▶ Decided
//!    │ └──▶ AwaitingBody ──▲     │            ▲
//!    └─no key──────┴─────────────┴─▶ AskedForAnonymous
//! ```

use crate::api_key::{Carried, carried, hide};
use crate::body::Kind;
use crate::config::Config;
use crate::entry::{by_key, decode};
use consumer::lookup::Search;
use consumer::{Admitted, Identity, PROPERTY, StandIn, key_digest};
use exchange::{
    BodyAhead, Edit, Event, Finding, Flow, Property, Query, Reply, Request, Started, Step,
    Unavailable,
};
use std::rc::Rc;

/// The flow of one request.
pub(crate) struct KeyAuthFlow {
    config: Rc<Config>,
    /// The clock, in milliseconds since 1970.
    now: fn() -> u64,
    state: State,
}

enum State {
    AwaitingBody {
        work: Work,
        kind: Kind,
    },
    AskedForKey {
        work: Work,
        /// The API key of the request.
        key: Vec<u8>,
    },
    AskedForAnonymous {
        work: Work,
        search: Search,
    },
    Decided,
}

/// A request, and the edits that are made when it goes on.
struct Work {
    request: Box<Request>,
    edits: Vec<Edit>,
}

/// The reasons why a request has no authenticated consumer.
#[derive(Debug, Clone, Copy)]
enum Failure {
    NoKey,
    /// Several keys under one name.
    Twice,
    /// A key that nobody has, or that has expired.
    Unknown,
}

impl KeyAuthFlow {
    /// Judges a request that the gate admitted.
    pub(crate) fn start(config: Rc<Config>, now: fn() -> u64, request: Admitted) -> Started {
        let mut flow = Self { config, now, state: State::Decided };
        let (state, step) = flow.judge(request);
        flow.state = state;
        Started::new(step, flow)
    }

    fn judge(&self, Admitted { request, identity }: Admitted) -> (State, Step) {
        let config = &self.config;
        if config.anonymous().skips(&request, identity.as_deref(), config.run_on_preflight) {
            return decided(Step::forward(Vec::new()));
        }
        match self.body_kind(&request) {
            Some(kind) => {
                let work = Work { request, edits: Vec::new() };
                (State::AwaitingBody { work, kind }, Step::await_body(Vec::new()))
            }
            None => self.find_key(Work { request, edits: Vec::new() }, None),
        }
    }

    /// Returns the kind of the request's body, if the filter has to look for the key there.
    fn body_kind(&self, request: &Request) -> Option<Kind> {
        if !self.config.key_in_body || request.body == BodyAhead::None {
            return None;
        }
        Kind::of(request.head.text("content-type")?)
    }

    /// Takes the key out of the request, and looks up its owner.
    fn find_key(&self, mut work: Work, body: Option<(Kind, Vec<u8>)>) -> (State, Step) {
        let config = &self.config;
        let fields = body.as_ref().map(|(kind, body)| kind.fields(body));
        let query = Query::of_target(&work.request.target);
        let (key, name) = match carried(config, &work.request.head, query, fields.as_ref()) {
            Carried::Key(key, name) => (key, name),
            Carried::Nothing => return self.fail(work, Failure::NoKey),
            Carried::Twice => return self.fail(work, Failure::Twice),
        };
        let mut now = Vec::new();
        if config.hide_credentials {
            work.edits.extend(hide(config, query, &name));
            if let Some((kind, body)) = &body {
                let left = kind.without(body, &name);
                if left != *body {
                    now.push(Edit::Body(left));
                }
            }
        }
        let digest = key_digest(&key);
        if let Some(owner) = config.consumers.by_key(&digest) {
            work.edits.extend(now);
            return decided(self.admit_configured(work, owner, key));
        }
        if config.common.admin.is_none() {
            // The key is hidden here too, because the anonymous consumer may stand in.
            work.edits.extend(now);
            return self.fail(work, Failure::Unknown);
        }
        (State::AskedForKey { work, key }, Step::find(by_key(&digest)).with_edits(now))
    }

    /// Admits the owner of the key, if the lookup found one.
    fn take_owner(
        &self,
        work: Work,
        key: Vec<u8>,
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        match found {
            // The body and the answer may have taken longer than the key lived.
            Ok(Finding::Value(value)) => match decode(&value, self.now) {
                Some(identity) => decided(self.admit(work, identity, Some(key))),
                None => self.fail(work, Failure::Unknown),
            },
            Ok(Finding::Nothing) => self.fail(work, Failure::Unknown),
            // A lookup that failed proves nothing about the key, so the caller is not anonymous.
            Err(Unavailable) => decided(unavailable()),
        }
    }

    /// Refuses the request, or lets the anonymous consumer stand in.
    fn fail(&self, work: Work, failure: Failure) -> (State, Step) {
        let reply = self.challenge(failure);
        let next = self.config.anonymous().stand_in(work.request.now, reply);
        self.stand_in(work, next)
    }

    fn stand_in(&self, work: Work, next: StandIn) -> (State, Step) {
        match next {
            StandIn::Ask(search, step) => (State::AskedForAnonymous { work, search }, step),
            StandIn::Admit(identity) => decided(self.admit(work, identity, None)),
            StandIn::Refuse(reply) => decided(Step::reply(reply)),
        }
    }

    /// Admits a consumer of the settings, whose property is ready unless it has to show the key.
    fn admit_configured(&self, mut work: Work, owner: &Property, key: Vec<u8>) -> Step {
        match owner.stated::<Identity>().filter(|_| self.config.expose_key) {
            Some(identity) => self.admit(work, Identity::clone(&identity), Some(key)),
            None => {
                work.edits.push(Edit::Publish(PROPERTY, owner.clone()));
                Step::forward(work.edits)
            }
        }
    }

    fn admit(&self, mut work: Work, mut identity: Identity, key: Option<Vec<u8>>) -> Step {
        if self.config.expose_key {
            let key = key.and_then(|key| String::from_utf8(key).ok());
            if let Some(credential) = &mut identity.credential {
                credential.key = key;
            }
        }
        work.edits.push(identity.into_edit());
        Step::forward(work.edits)
    }

    fn challenge(&self, failure: Failure) -> Reply {
        let (cause, message) = match failure {
            Failure::NoKey => ("no_key", "No API key found in request"),
            Failure::Twice => ("duplicate_key", "Duplicate API key found"),
            Failure::Unknown => ("unknown_key", "Unauthorized"),
        };
        Reply::error(401, cause, message).with("www-authenticate", self.config.challenge.clone())
    }
}

impl Flow for KeyAuthFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Decided), event) {
            (State::AwaitingBody { work, kind }, Event::Body(Ok(body))) => {
                self.find_key(work, Some((kind, body)))
            }
            // A body that the gateway does not hand over counts as a body without a key.
            (State::AwaitingBody { work, .. }, Event::Body(Err(Unavailable))) => {
                self.find_key(work, None)
            }
            (State::AskedForKey { work, key }, Event::Found(found)) => {
                self.take_owner(work, key, found)
            }
            (State::AskedForAnonymous { work, search }, Event::Found(found)) => {
                self.stand_in(work, self.config.anonymous().answered(search, found))
            }
            (State::AwaitingBody { .. }, Event::Found(_))
            | (State::AskedForKey { .. } | State::AskedForAnonymous { .. }, Event::Body(_))
            | (_, Event::Chunk(_) | Event::Answered(_))
            | (State::Decided, _) => decided(Step::out_of_order()),
        };
        self.state = next;
        step
    }
}

fn decided(step: Step) -> (State, Step) {
    (State::Decided, step)
}

fn unavailable() -> Step {
    Step::reply(Reply::unavailable())
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
