//! What to do with one request, from its headers to a decision.
//!
//! ```text
//!            ┌─ a credential's ─▶ AskedForHolder ──────────────────────────┐
//! Arrived ───┤                                                             ▼
//!    │       └─ a provider's ─▶ AskedForPath ─▶ AskedForKeys ─▶ AskedForConsumer ─▶ Decided
//!    │                                            │   ▲                       ▲
//!    │                                            └───┘ once, for an unknown key
//!    └─ no token, or one that will not do ───────▶ AskedForAnonymous ─────────┘
//! ```

use crate::bearer::{Carried, carried, hide};
use crate::claims::{self, Clock, Time};
use crate::config::Config;
use crate::credential::{Holder, credential};
use crate::memory::{Digest, KeySet, Memory};
use crate::provider::{Keys, Provider};
use crate::source::{MAX_NAME, by_key, by_name, discovery, key_set};
use consumer::{
    Arrival, CLAIMS, Identity, Known, PROPERTY, announce, at_authentication, refuse_duplicate,
    single_owned,
};
use exchange::{
    Body, Edit, Event, Finding, Flow, Query, Reply, Request, Step, Unavailable, same_name,
};
use jose::{Backend, Malformed, Refused, SetRefused, Token, VerifyingKey};
use serde_json::{Map, Value};
use std::rc::Rc;
use uuid::Uuid;

/// One request's progress.
pub(crate) struct JwtFlow {
    config: Rc<Config>,
    /// None where the host was to compute and cannot.
    backend: Option<Rc<dyn Backend>>,
    state: State,
}

enum State {
    Arrived,
    AskedForHolder(Box<Work>, Box<Bearer>),
    AskedForPath(Box<Work>, Box<Bearer>, usize),
    /// With `true`, for keys that are newer than those that did not do.
    AskedForKeys(Box<Work>, Box<Bearer>, usize, bool),
    /// With the name that the token gave, and the claim that it stood in.
    AskedForConsumer(Box<Work>, Box<Bearer>, usize, String),
    AskedForAnonymous(Box<Work>),
    Decided,
}

/// A request in the making: it, and the edits that go with it.
struct Work {
    request: Box<Request>,
    edits: Vec<Edit>,
}

/// A token that is well formed.
struct Bearer {
    digest: Digest,
    token: Token,
}

impl JwtFlow {
    pub(crate) fn new(config: Rc<Config>, backend: Option<Rc<dyn Backend>>) -> Self {
        Self { config, backend, state: State::Arrived }
    }

    // === From headers to a token ===

    fn arrive(&self, request: Box<Request>) -> (State, Step) {
        let config = &self.config;
        let owned: Vec<&str> = config.owned.iter().map(String::as_str).collect();
        let (identity, edits) = match at_authentication(&request, &config.common, &owned) {
            Arrival::Pass(mut edits) => {
                return match self.forged(&request, &mut edits) {
                    Ok(()) => decided(Step::Forward(edits)),
                    Err(reply) => decided(Step::Reply(reply)),
                };
            }
            Arrival::Refuse(reply) => return decided(Step::Reply(reply)),
            Arrival::Judge(identity, edits) => (identity, edits),
        };
        let mut edits = edits;
        if let Err(reply) = self.forged(&request, &mut edits) {
            return decided(Step::Reply(reply));
        }
        let preflight = request.method == b"OPTIONS" && !config.run_on_preflight;
        // With `anonymous` any earlier authentication will do.
        let done = config.anonymous.is_some()
            && identity.is_some_and(|identity| identity.is_authenticated());
        if preflight || done {
            return decided(Step::Forward(edits));
        }
        self.look(Box::new(Work { request, edits }))
    }

    /// Takes out what a client sent under a header of this filter, also where the identity is known from
    /// elsewhere: only verified claims may stand there.
    fn forged(&self, request: &Request, edits: &mut Vec<Edit>) -> Result<(), Reply> {
        let known = Known::from_property(request.consumer.as_deref());
        if matches!(known, Known::Refused | Known::Malformed) || request.claims.is_some() {
            return Ok(());
        }
        for (name, _) in request.head.fields() {
            if !self.config.owned.iter().any(|own| same_name(name, own.as_bytes())) {
                continue;
            }
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            single_owned(&request.head, &name, request.can_remove)
                .map_err(|duplicate| refuse_duplicate(&duplicate))?;
            let edit = Edit::remove(name);
            if !edits.contains(&edit) {
                edits.push(edit);
            }
        }
        Ok(())
    }

    fn look(&self, mut work: Box<Work>) -> (State, Step) {
        let config = &self.config;
        let query = Query::of_target(&work.request.target);
        let text = match carried(config, &work.request.head, query) {
            Carried::Token(text) => text,
            Carried::Nothing => {
                let reply = Reply::message(401, "Unauthorized");
                let reply = reply.with("www-authenticate", config.challenge.clone());
                return self.fail(work, reply);
            }
            Carried::Several => {
                let reply = self.refusal("Multiple tokens provided");
                return self.fail(work, reply);
            }
            Carried::Unrecognizable => {
                let reply = self.refusal("Unrecognizable token");
                return self.fail(work, reply);
            }
        };
        if config.hide_credentials {
            let hidden = hide(config, &work.request.head, query);
            for edit in &hidden {
                let (Edit::Remove(name) | Edit::Set(name, _)) = edit else { continue };
                if let Err(duplicate) =
                    single_owned(&work.request.head, name, work.request.can_remove)
                {
                    return decided(Step::Reply(refuse_duplicate(&duplicate)));
                }
            }
            work.edits.extend(hidden);
        }
        let token = match Token::parse(&text) {
            Ok(token) => token,
            Err(malformed) => {
                let reply = self.refusal(words(malformed, &text));
                return self.fail(work, reply);
            }
        };
        let bearer = Box::new(Bearer { digest: jose::hash::sha256(&text), token });
        let issuer = bearer.token.claims().get("iss").and_then(Value::as_str);
        let provider =
            issuer.and_then(|issuer| config.providers.iter().position(|one| one.issuer == issuer));
        match provider {
            Some(number) => self.find_keys(work, bearer, number),
            None => self.find_holder(work, bearer),
        }
    }

    // === A token of a consumer's credential ===

    fn find_holder(&self, work: Box<Work>, bearer: Box<Bearer>) -> (State, Step) {
        let name = &self.config.key_claim_name;
        let in_claims = bearer.token.claims().get(name).filter(|value| !is_false(value));
        let value =
            in_claims.or_else(|| bearer.token.header().get(name)).filter(|value| !is_false(value));
        let key = match value {
            None => {
                let reply = self.refusal(format!("No mandatory '{name}' in claims"));
                return self.fail(work, reply);
            }
            Some(Value::String(key)) if !key.is_empty() => key,
            // A number or an object is nobody's key.
            Some(_) => {
                let reply = self.refusal(format!("Invalid '{name}' in claims"));
                return self.fail(work, reply);
            }
        };
        if let Some(holder) = self.config.holders.get(key) {
            let holder = holder.clone();
            return self.verify(work, &bearer, holder);
        }
        if self.config.common.admin.is_none() || key.len() > MAX_NAME {
            return self.unknown(work);
        }
        let step = Step::Find(by_key(key), Vec::new());
        (State::AskedForHolder(work, bearer), step)
    }

    fn hold(
        &self,
        work: Box<Work>,
        bearer: &Bearer,
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        match found {
            Ok(Finding::Value(value)) => match Holder::decode(&value) {
                Some(mut holder) => {
                    holder.material.base64 = self.config.secret_is_base64;
                    self.verify(work, bearer, holder)
                }
                None => decided(unavailable()),
            },
            Ok(Finding::Nothing) => self.unknown(work),
            // Not to be able to ask is not to have failed: nobody becomes anonymous by it.
            Err(Unavailable) => decided(unavailable()),
        }
    }

    fn unknown(&self, work: Box<Work>) -> (State, Step) {
        let name = &self.config.key_claim_name;
        let reply = self.refusal(format!("No credentials found for given '{name}'"));
        self.fail(work, reply)
    }

    fn verify(&self, work: Box<Work>, bearer: &Bearer, holder: Holder) -> (State, Step) {
        let config = &self.config;
        let Holder { identity, material } = holder;
        if bearer.token.algorithm().name() != material.algorithm {
            let reply = self.refusal("Invalid algorithm");
            return self.fail(work, reply);
        }
        let Some(usable) = self.memory(|memory| memory.key(&material)) else {
            return decided(broken());
        };
        let Some(key) = &usable.key else {
            let reply = self.refusal("Invalid key/secret");
            return self.fail(work, reply);
        };
        match self.verifies(bearer, key, &usable.print, seconds(&work.request)) {
            Ok(()) => {}
            Err(Refused::HostFailed) => return decided(broken()),
            Err(Refused::Algorithm | Refused::Signature) => {
                let reply = self.refusal("Invalid signature");
                return self.fail(work, reply);
            }
        }
        let rule = |wanted| if wanted { Time::Required } else { Time::Ignored };
        let clock = Clock { now: seconds(&work.request), skew: 0 };
        let (exp, nbf) = (rule(config.verify_exp), rule(config.verify_nbf));
        if let Some(reply) = self.ill_timed(bearer, exp, nbf, clock) {
            return self.fail(work, reply);
        }
        decided(self.admit(*work, identity, Some((bearer, None))))
    }

    /// Whether the signature is the key's. A token that was verified with this key before is not computed
    /// again, unless it has ended; a shared secret costs no more than the look-up would.
    fn verifies(
        &self,
        bearer: &Bearer,
        key: &VerifyingKey,
        print: &Digest,
        now: u64,
    ) -> Result<(), Refused> {
        let backend = self.backend.as_deref().ok_or(Refused::HostFailed)?;
        if bearer.token.algorithm().is_symmetric() {
            return key.verify(&bearer.token, backend);
        }
        if self.remembers(bearer, print, now) {
            return Ok(());
        }
        key.verify(&bearer.token, backend)?;
        self.remember(bearer, print, now);
        Ok(())
    }

    // === A token of a provider ===

    fn find_keys(&self, work: Box<Work>, bearer: Box<Bearer>, number: usize) -> (State, Step) {
        let Some(provider) = self.config.providers.get(number) else { return decided(broken()) };
        if !provider.algorithms.contains(bearer.token.algorithm()) {
            let reply = self.refusal("Invalid algorithm");
            return self.fail(work, reply);
        }
        let fresh = self.memory(|memory| memory.fresh_set(number, work.request.now)).flatten();
        match &provider.keys {
            Keys::Inline(set) => self.try_keys(work, bearer, number, set, true),
            Keys::Remote(_) | Keys::Discovered(_) if fresh.is_some() => match fresh {
                Some(set) => self.try_keys(work, bearer, number, &set, false),
                None => decided(broken()),
            },
            Keys::Remote(place) => {
                let step = Step::Find(key_set(number, &place.uri.path), Vec::new());
                (State::AskedForKeys(work, bearer, number, false), step)
            }
            Keys::Discovered(_) => {
                let step = Step::Find(discovery(number), Vec::new());
                (State::AskedForPath(work, bearer, number), step)
            }
        }
    }

    /// Where the keys are is known, or not to be had.
    fn go_there(
        &self,
        work: Box<Work>,
        bearer: Box<Bearer>,
        number: usize,
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        let Ok(Finding::Value(path)) = found else { return decided(unavailable()) };
        let Ok(path) = String::from_utf8(path) else { return decided(unavailable()) };
        self.memory(|memory| memory.set_path(number, &path));
        let step = Step::Find(key_set(number, &path), Vec::new());
        (State::AskedForKeys(work, bearer, number, false), step)
    }

    /// The keys are here, or not to be had.
    fn take_keys(
        &self,
        work: Box<Work>,
        bearer: Box<Bearer>,
        number: usize,
        newer: bool,
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        let Ok(Finding::Value(text)) = found else { return decided(unavailable()) };
        let now = work.request.now;
        match self.memory(|memory| memory.set(number, text, now)).flatten() {
            Some(set) => self.try_keys(work, bearer, number, &set, newer),
            None => decided(unavailable()),
        }
    }

    /// Verifies with one of the keys. `newest`: no newer ones are to be asked for.
    fn try_keys(
        &self,
        work: Box<Work>,
        bearer: Box<Bearer>,
        number: usize,
        set: &KeySet,
        newest: bool,
    ) -> (State, Step) {
        let now = seconds(&work.request);
        let Some(backend) = self.backend.as_deref() else { return decided(broken()) };
        if self.remembers(&bearer, &set.print, now) {
            return self.check_claims(work, bearer, number);
        }
        let refused = match set.set.verify(&bearer.token, backend) {
            Ok(_) => {
                self.remember(&bearer, &set.print, now);
                return self.check_claims(work, bearer, number);
            }
            Err(refused) => refused,
        };
        // Where a token does not name its key, a new key looks like a wrong signature.
        let unknown = match refused {
            SetRefused::Key(Refused::HostFailed) => return decided(broken()),
            SetRefused::UnknownKey => true,
            SetRefused::Key(_) => bearer.token.key_id().is_none(),
        };
        let key = self.config.providers.get(number).and_then(|provider| match &provider.keys {
            Keys::Inline(_) => None,
            Keys::Remote(place) => Some(key_set(number, &place.uri.path)),
            Keys::Discovered(_) => {
                self.memory(|memory| memory.path(number).map(|path| key_set(number, path)))?
            }
        });
        match key.filter(|_| unknown && !newest) {
            Some(key) => {
                let than = work.request.now.saturating_sub(self.config.jwks_min_refresh);
                (State::AskedForKeys(work, bearer, number, true), Step::FindNewer(key, than))
            }
            None => {
                let reply = self.refusal(match refused {
                    SetRefused::UnknownKey => "No key found for the token",
                    SetRefused::Key(_) => "Invalid signature",
                });
                self.fail(work, reply)
            }
        }
    }

    fn check_claims(&self, work: Box<Work>, bearer: Box<Bearer>, number: usize) -> (State, Step) {
        let Some(provider) = self.config.providers.get(number) else { return decided(broken()) };
        let exp = if provider.require_exp { Time::Required } else { Time::Optional };
        let clock = Clock { now: seconds(&work.request), skew: provider.clock_skew };
        if let Some(reply) = self.ill_timed(&bearer, exp, Time::Optional, clock) {
            return self.fail(work, reply);
        }
        let audiences = &provider.audiences;
        if !audiences.is_empty() && !claims::is_for(bearer.token.claims(), audiences) {
            let reply = self.refusal("Invalid 'aud' in claims");
            return self.fail(work, reply);
        }
        let path = provider.consumer_claim.as_deref().unwrap_or("sub");
        let name = match claims::claim(bearer.token.claims(), path) {
            None => {
                let reply = self.refusal(format!("No mandatory '{path}' in claims"));
                return self.fail(work, reply);
            }
            Some(Value::String(name)) if !name.is_empty() && name.len() <= MAX_NAME => name.clone(),
            Some(_) => {
                let reply = self.refusal(format!("Invalid '{path}' in claims"));
                return self.fail(work, reply);
            }
        };
        if provider.consumer_claim.is_none() {
            let identity = virtual_consumer(provider, &name);
            return decided(self.admit(*work, identity, Some((&bearer, Some(provider)))));
        }
        if let Some(identity) = self.config.consumers.by_name(&name) {
            let identity = as_holder(Identity::clone(identity), provider, &name);
            return decided(self.admit(*work, identity, Some((&bearer, Some(provider)))));
        }
        if self.config.common.admin.is_none() {
            return self.nobody(work, provider, &name);
        }
        let step = Step::Find(by_name(&name), Vec::new());
        (State::AskedForConsumer(work, bearer, number, name), step)
    }

    /// The consumer that a claim named is known, or not to be had.
    fn name_consumer(
        &self,
        work: Box<Work>,
        bearer: &Bearer,
        (number, name): (usize, &str),
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        let Some(provider) = self.config.providers.get(number) else { return decided(broken()) };
        match found {
            Ok(Finding::Value(value)) => match Identity::from_json(&value) {
                Some(identity) => {
                    let identity = as_holder(identity, provider, name);
                    decided(self.admit(*work, identity, Some((bearer, Some(provider)))))
                }
                None => decided(unavailable()),
            },
            Ok(Finding::Nothing) => self.nobody(work, provider, name),
            Err(Unavailable) => decided(unavailable()),
        }
    }

    fn nobody(&self, work: Box<Work>, provider: &Provider, name: &str) -> (State, Step) {
        let claim = provider.consumer_claim.as_deref().unwrap_or_default();
        // Kong answers this one without a challenge.
        let reply = Reply::message(401, format!("Could not find consumer for '{claim}={name}'"));
        self.fail(work, reply)
    }

    // === Decisions ===

    /// What Kong says of times that are not right: each claim and what is wrong with it.
    fn ill_timed(&self, bearer: &Bearer, exp: Time, nbf: Time, clock: Clock) -> Option<Reply> {
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
        let reply = Reply { status: 401, headers: Vec::new(), body };
        Some(reply.with("www-authenticate", self.config.invalid_token.clone()))
    }

    fn refusal(&self, message: impl Into<std::borrow::Cow<'static, str>>) -> Reply {
        Reply::message(401, message).with("www-authenticate", self.config.invalid_token.clone())
    }

    /// Refuses, or lets the anonymous consumer stand in.
    fn fail(&self, work: Box<Work>, reply: Reply) -> (State, Step) {
        let Some(name) = &self.config.anonymous else {
            return decided(Step::Reply(reply));
        };
        if let Some(identity) = self.config.consumers.by_name(name) {
            let identity = Identity::clone(identity).into_anonymous();
            return decided(self.admit(*work, identity, None));
        }
        if self.config.common.admin.is_none() {
            return decided(no_anonymous(name));
        }
        (State::AskedForAnonymous(work), Step::Find(by_name(name), Vec::new()))
    }

    /// Who the anonymous consumer is is known, or not to be had.
    fn stand_in(&self, work: Work, found: Result<Finding, Unavailable>) -> Step {
        let name = self.config.anonymous.as_deref().unwrap_or_default();
        match found {
            Ok(Finding::Value(value)) => match Identity::from_json(&value) {
                Some(identity) => self.admit(work, identity.into_anonymous(), None),
                None => unavailable(),
            },
            Ok(Finding::Nothing) => no_anonymous(name),
            Err(Unavailable) => unavailable(),
        }
    }

    fn admit(
        &self,
        work: Work,
        identity: Identity,
        proof: Option<(&Bearer, Option<&Provider>)>,
    ) -> Step {
        let mut set = announce(&work.request.head, &identity);
        if let Some((bearer, Some(provider))) = proof {
            let claims = bearer.token.claims();
            for (path, header) in &provider.claims_to_headers {
                let value = claims::claim(claims, path).and_then(claims::header);
                set.extend(value.map(|value| Edit::set(header.clone(), value)));
            }
            if let Some(header) = &provider.forward_payload_header {
                let payload = jose::base64url::encode(bearer.token.payload());
                set.push(Edit::set(header.clone(), payload));
            }
        }
        // What is set anyway need not be taken out first.
        let set_anyway = |edit: &Edit| match edit {
            Edit::Remove(name) => set
                .iter()
                .any(|other| matches!(other, Edit::Set(set, _) | Edit::Remove(set) if set == name)),
            _ => false,
        };
        let mut edits: Vec<Edit> =
            work.edits.into_iter().filter(|edit| !set_anyway(edit)).collect();
        edits.extend(set);
        edits.push(Edit::Publish(PROPERTY, identity.to_json()));
        if let Some((bearer, _)) = proof {
            edits.push(Edit::Publish(CLAIMS, bearer.token.payload().to_vec()));
        }
        Step::Forward(edits)
    }

    // === Memory ===

    /// Nothing here is re-entered; if it were, the answer would be "not known".
    fn memory<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> Option<T> {
        self.config.memory.try_borrow_mut().ok().map(|mut memory| work(&mut memory))
    }

    fn remembers(&self, bearer: &Bearer, print: &Digest, now: u64) -> bool {
        !claims::has_ended(bearer.token.claims(), now)
            && self.memory(|memory| memory.knows(&bearer.digest, print)).unwrap_or(false)
    }

    fn remember(&self, bearer: &Bearer, print: &Digest, now: u64) {
        let worth_it = !bearer.token.algorithm().is_symmetric();
        if worth_it && !claims::has_ended(bearer.token.claims(), now) {
            self.memory(|memory| memory.learn(bearer.digest, *print));
        }
    }
}

impl Flow for JwtFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Decided), event) {
            (State::Arrived, Event::Request(request)) => self.arrive(request),
            (State::AskedForHolder(work, bearer), Event::Found(found)) => {
                self.hold(work, &bearer, found)
            }
            (State::AskedForPath(work, bearer, number), Event::Found(found)) => {
                self.go_there(work, bearer, number, found)
            }
            (State::AskedForKeys(work, bearer, number, newer), Event::Found(found)) => {
                self.take_keys(work, bearer, number, newer, found)
            }
            (State::AskedForConsumer(work, bearer, number, name), Event::Found(found)) => {
                self.name_consumer(work, &bearer, (number, &name), found)
            }
            (State::AskedForAnonymous(work), Event::Found(found)) => {
                decided(self.stand_in(*work, found))
            }
            // The host broke the order of events: refuse rather than guess.
            (State::Arrived, Event::Found(_))
            | (
                State::AskedForHolder(..)
                | State::AskedForPath(..)
                | State::AskedForKeys(..)
                | State::AskedForConsumer(..)
                | State::AskedForAnonymous(_),
                Event::Request(_),
            )
            | (_, Event::Body(_) | Event::Chunk(_) | Event::Answered(_))
            | (State::Decided, _) => decided(broken()),
        };
        self.state = next;
        step
    }
}

/// The consumer that stands for a user of a provider. No real one has such a name or id.
fn virtual_consumer(provider: &Provider, subject: &str) -> Identity {
    let username = format!("{}:{subject}", provider.name);
    let id = derived(provider, subject);
    Identity {
        credential: Some(credential(&id, &username)),
        id,
        username: Some(username),
        ..Identity::default()
    }
}

/// A consumer whom a provider's token names.
fn as_holder(identity: Identity, provider: &Provider, name: &str) -> Identity {
    let credential = credential(&derived(provider, name), &format!("{}:{name}", provider.name));
    Identity { credential: Some(credential), ..identity }
}

/// `UUIDv5(issuer, name)`: the same on every node.
fn derived(provider: &Provider, name: &str) -> String {
    let issuer = Uuid::new_v5(&Uuid::NAMESPACE_URL, provider.issuer.as_bytes());
    Uuid::new_v5(&issuer, name.as_bytes()).to_string()
}

/// Kong's words for a token that is none.
fn words(malformed: Malformed, text: &[u8]) -> &'static str {
    match malformed {
        // A header that is JSON and no object has no algorithm.
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

/// Lua takes `false` for nothing.
fn is_false(value: &Value) -> bool {
    *value == Value::Bool(false)
}

fn seconds(request: &Request) -> u64 {
    request.now / 1000
}

fn decided(step: Step) -> (State, Step) {
    (State::Decided, step)
}

fn unavailable() -> Step {
    Step::Reply(Reply::error(503, "Service unavailable"))
}

fn broken() -> Step {
    Step::Reply(Reply::error(500, "An unexpected error occurred"))
}

fn no_anonymous(name: &str) -> Step {
    Step::Reply(Reply::error(
        500,
        format!("anonymous consumer {name} is configured but doesn't exist"),
    ))
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
