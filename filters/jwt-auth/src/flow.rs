//! The decision about a request: the search for its token, for the key, and for the consumer.
//!
//! ```text
//!            ┌─ a credential's ─▶ AskedForHolder ──────────────────────────┐
//! start ─────┤                                                             ▼
//!    │       └─ a provider's ─▶ AskedForPath ─▶ AskedForKeys ─▶ AskedForConsumer ─▶ Decided
//!    │                                            │   ▲                       ▲
//!    │                                            └───┘ once, for an unknown key
//!    └─ no token, or a refused one ──────────────▶ AskedForAnonymous ─────────┘
//! ```

use crate::bearer::{Carried, carried, hide};
use crate::claims::{self, Clock, Time};
use crate::config::Config;
use crate::credential::Digest;
use crate::memory::{Bearer, Memory};
use crate::provider::Provider;
use consumer::lookup::Search;
use consumer::{Admitted, CLAIMS, PROPERTY, StandIn, refuse_duplicate, reject_duplicate};
use exchange::{Body, Edit, Event, Flow, Property, Query, Reply, Request, Started, Step};
use jose::{Backend, Malformed, Token};
use serde_json::{Map, Value};
use std::rc::Rc;

mod credentials;
mod providers;

/// The flow of one request.
pub(crate) struct JwtFlow {
    config: Rc<Config>,
    /// The backend that verifies signatures. `None` if the settings demand the gateway's functions,
    /// and they do not work.
    backend: Option<Rc<dyn Backend>>,
    state: State,
}

enum State {
    AskedForHolder {
        work: Box<Work>,
        bearer: Rc<Bearer>,
    },
    AskedForPath(Issued),
    AskedForKeys {
        issued: Issued,
        /// `true` if the keys are newer than those that did not verify the token.
        newest: bool,
    },
    AskedForConsumer {
        issued: Issued,
        /// The name that the token gives the consumer.
        name: String,
        search: Search,
    },
    AskedForAnonymous {
        work: Box<Work>,
        search: Search,
    },
    Decided,
}

/// A request, and the edits that are made when it goes on.
struct Work {
    request: Box<Request>,
    edits: Vec<Edit>,
}

/// A request with the token of a provider.
struct Issued {
    work: Box<Work>,
    bearer: Rc<Bearer>,
    /// The index of the provider in the settings.
    provider: usize,
}

impl JwtFlow {
    /// Judges a request that the gate admitted.
    pub(crate) fn start(
        config: Rc<Config>,
        backend: Option<Rc<dyn Backend>>,
        request: Admitted,
    ) -> Started {
        let mut flow = Self { config, backend, state: State::Decided };
        let (state, step) = flow.judge(request);
        flow.state = state;
        Started::new(step, flow)
    }

    // === From headers to a token ===

    fn judge(&self, Admitted { request, identity }: Admitted) -> (State, Step) {
        let config = &self.config;
        if config.anonymous().skips(&request, identity.as_deref(), config.run_on_preflight) {
            return decided(Step::forward(Vec::new()));
        }
        self.extract_token(Box::new(Work { request, edits: Vec::new() }))
    }

    /// Takes the token out of the request, and finds its issuer.
    fn extract_token(&self, mut work: Box<Work>) -> (State, Step) {
        let config = &self.config;
        let query = Query::of_target(&work.request.target);
        let text = match carried(config, &work.request.head, query) {
            Carried::Token(text) => text,
            Carried::Nothing => {
                let reply = Reply::message(401, "no_token", "Unauthorized");
                let reply = reply.with("www-authenticate", config.challenge.clone());
                return self.fail(work, reply);
            }
            Carried::Several => {
                let reply = self.refusal("several_tokens", "Multiple tokens provided");
                return self.fail_unread(work, reply);
            }
            Carried::Unrecognizable => {
                let reply = self.refusal("malformed_token", "Unrecognizable token");
                return self.fail_unread(work, reply);
            }
        };
        if let Err(reply) = self.hide(&mut work) {
            return decided(Step::reply(reply));
        }
        let bearer = match self.memory(|memory| memory.bearer(&text)).flatten() {
            Some(bearer) => bearer,
            None => {
                let parsed = match config.accept_padding {
                    true => Token::parse_padded(&text),
                    false => Token::parse(&text),
                };
                match parsed {
                    Ok(token) => Rc::new(Bearer::new(text, token)),
                    Err(malformed) => {
                        let reply = self.refusal("malformed_token", kong_message(malformed, &text));
                        return self.fail(work, reply);
                    }
                }
            }
        };
        let issuer = bearer.token.claims().get("iss").and_then(Value::as_str);
        let provider =
            issuer.and_then(|issuer| config.providers.iter().position(|one| one.issuer == issuer));
        match provider {
            Some(provider) => self.find_keys(Issued { work, bearer, provider }),
            None => self.find_holder(work, bearer),
        }
    }

    /// Refuses the request whose tokens were not read. With the anonymous consumer, none of them
    /// goes on.
    fn fail_unread(&self, mut work: Box<Work>, reply: Reply) -> (State, Step) {
        if self.config.anonymous.is_some()
            && let Err(reply) = self.hide(&mut work)
        {
            return decided(Step::reply(reply));
        }
        self.fail(work, reply)
    }

    /// Adds the edits that hide the tokens, if the settings want that. Returns the response to a
    /// request from which they cannot be removed.
    fn hide(&self, work: &mut Work) -> Result<(), Reply> {
        if !self.config.hide_credentials {
            return Ok(());
        }
        let Work { request, edits } = work;
        let hidden = hide(&self.config, &request.head, Query::of_target(&request.target));
        for edit in &hidden {
            let (Edit::Remove(name) | Edit::Set(name, _)) = edit else { continue };
            reject_duplicate(&request.head, name, request.can_remove)
                .map_err(|duplicate| refuse_duplicate(&duplicate))?;
        }
        edits.extend(hidden);
        Ok(())
    }

    // === Decisions ===

    /// Checks the times of the token. Returns Kong's response if one is wrong: it names each wrong
    /// claim with its fault.
    fn refuse_by_time(&self, bearer: &Bearer, exp: Time, nbf: Time, clock: Clock) -> Option<Reply> {
        let claims = bearer.token.claims();
        let mut wrong = claims::times(claims, exp, nbf, clock);
        let longest = self.config.maximum_expiration;
        if wrong.is_empty() && longest > 0 && !claims::ends_within(claims, longest, clock) {
            wrong.push(("exp", "exceeds maximum allowed expiration"));
        }
        if wrong.is_empty() {
            return None;
        }
        let document: Map<String, Value> =
            wrong.into_iter().map(|(name, words)| (name.to_owned(), words.into())).collect();
        let body = Value::Object(document).to_string().into_bytes();
        let body = Body::Raw(Some("application/json; charset=utf-8".into()), body);
        let reply = Reply::new(401, "expired_token", body);
        Some(reply.with("www-authenticate", self.config.invalid_token.clone()))
    }

    fn refusal(
        &self,
        cause: &'static str,
        message: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Reply {
        Reply::message(401, cause, message)
            .with("www-authenticate", self.config.invalid_token.clone())
    }

    /// Refuses the request, or lets the anonymous consumer stand in.
    fn fail(&self, work: Box<Work>, reply: Reply) -> (State, Step) {
        let next = self.config.anonymous().stand_in(work.request.now, reply);
        self.stand_in(work, next)
    }

    fn stand_in(&self, work: Box<Work>, next: StandIn) -> (State, Step) {
        match next {
            StandIn::Ask(search, step) => (State::AskedForAnonymous { work, search }, step),
            StandIn::Admit(identity) => decided(self.admit(*work, identity.into_property(), None)),
            StandIn::Refuse(reply) => decided(Step::reply(reply)),
        }
    }

    /// Admits the request of the caller whose identity this property states.
    fn admit(
        &self,
        work: Work,
        identity: Property,
        proof: Option<(&Bearer, Option<&Provider>)>,
    ) -> Step {
        let mut edits = work.edits;
        if let Some((bearer, Some(provider))) = proof {
            let claims = bearer.token.claims();
            for (path, header) in &provider.claims_to_headers {
                let value = claims::claim(claims, path).and_then(claims::header);
                edits.extend(value.map(|value| Edit::set(header.clone(), value)));
            }
            if let Some(header) = &provider.forward_payload_header {
                let payload = jose::base64url::encode(bearer.token.payload());
                edits.push(Edit::set(header.clone(), payload));
            }
        }
        edits.push(Edit::Publish(PROPERTY, identity));
        if let Some((bearer, _)) = proof {
            edits.push(Edit::publish(CLAIMS, bearer.token.payload().to_vec()));
        }
        Step::forward(edits)
    }

    // === Memory ===

    /// Runs `work` with the memory. Returns `None` if the memory is in use, which does not happen:
    /// no `work` calls this function.
    fn memory<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> Option<T> {
        self.config.memory.try_borrow_mut().ok().map(|mut memory| work(&mut memory))
    }

    /// Returns `true` if the key with the digest `print` has verified the token before, and the
    /// token has not expired. `now` is in seconds since 1970.
    fn remembers(&self, bearer: &Rc<Bearer>, print: &Digest, now: u64) -> bool {
        !claims::has_ended(bearer.token.claims(), now)
            && self.memory(|memory| memory.knows(bearer, print)).unwrap_or(false)
    }

    /// Records that the key with the digest `print` has verified the token.
    fn remember(&self, bearer: &Rc<Bearer>, print: &Digest, now: u64) {
        if !claims::has_ended(bearer.token.claims(), now) {
            self.memory(|memory| memory.learn(bearer, print));
        }
    }
}

impl Flow for JwtFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Decided), event) {
            (State::AskedForHolder { work, bearer }, Event::Found(found)) => {
                self.verify_for_consumer(work, &bearer, found)
            }
            (State::AskedForPath(issued), Event::Found(found)) => self.fetch_keys(issued, found),
            (State::AskedForKeys { issued, newest }, Event::Found(found)) => {
                self.verify_with(issued, newest, found)
            }
            (State::AskedForConsumer { issued, name, search }, Event::Found(found)) => {
                self.name_consumer(issued, name, search, found)
            }
            (State::AskedForAnonymous { work, search }, Event::Found(found)) => {
                self.stand_in(work, self.config.anonymous().answered(search, found))
            }
            (_, Event::Body(_) | Event::Chunk(_) | Event::Answered(_)) | (State::Decided, _) => {
                decided(Step::out_of_order())
            }
        };
        self.state = next;
        step
    }
}

/// Returns Kong's message for a malformed token.
fn kong_message(malformed: Malformed, text: &[u8]) -> &'static str {
    match malformed {
        // A header that is JSON, but not an object, has no algorithm.
        Malformed::Header if has_json_header(text) => "Bad token; invalid alg",
        Malformed::TooLong | Malformed::Segments | Malformed::Header | Malformed::Payload => {
            "Bad token; invalid JSON"
        }
        Malformed::Algorithm => "Bad token; invalid alg",
        Malformed::Critical => "Bad token; unsupported crit",
        Malformed::KeyId => "Bad token; invalid kid",
        Malformed::Claims => "Bad token; invalid claims",
        Malformed::Signature => "Bad token; invalid signature",
    }
}

fn has_json_header(text: &[u8]) -> bool {
    let header = text.split(|byte| *byte == b'.').next().unwrap_or_default();
    jose::base64url::decode(header).and_then(|header| jose::json::parse(&header)).is_some()
}

/// Returns `true` if a claim is `false`. Kong treats it as absent, because Lua does.
fn is_false(value: &Value) -> bool {
    *value == Value::Bool(false)
}

/// Returns the time of the request in seconds since 1970.
fn seconds(request: &Request) -> u64 {
    request.now / 1000
}

fn decided(step: Step) -> (State, Step) {
    (State::Decided, step)
}

fn unavailable() -> Step {
    Step::reply(Reply::unavailable())
}

fn unexpected() -> Step {
    Step::reply(Reply::unexpected())
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
