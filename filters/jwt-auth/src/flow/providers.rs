//! Tokens that a provider's published keys verify, and whom they stand for.

use super::{Bearer, JwtFlow, State, Work, broken, decided, seconds, unavailable};
use crate::claims::{self, Clock, Time};
use crate::credential::credential;
use crate::memory::KeySet;
use crate::provider::{Keys, Provider};
use crate::source::{discovery, key_set};
use consumer::Identity;
use consumer::lookup::{MAX_NAME, Progress, Search};
use exchange::{Finding, Reply, Step, Unavailable};
use jose::{Refused, SetRefused};
use serde_json::Value;
use uuid::Uuid;

impl JwtFlow {
    pub(super) fn find_keys(
        &self,
        work: Box<Work>,
        bearer: Box<Bearer>,
        number: usize,
    ) -> (State, Step) {
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
                let step = Step::find(key_set(number, &place.uri.path));
                (State::AskedForKeys(work, bearer, number, false), step)
            }
            Keys::Discovered(_) => {
                let step = Step::find(discovery(number));
                (State::AskedForPath(work, bearer, number), step)
            }
        }
    }

    /// Where the keys are is known, or not to be had.
    pub(super) fn go_there(
        &self,
        work: Box<Work>,
        bearer: Box<Bearer>,
        number: usize,
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        let Ok(Finding::Value(path)) = found else { return decided(unavailable()) };
        let Ok(path) = String::from_utf8(path) else { return decided(unavailable()) };
        self.memory(|memory| memory.set_path(number, &path));
        let step = Step::find(key_set(number, &path));
        (State::AskedForKeys(work, bearer, number, false), step)
    }

    /// The keys are here, or not to be had.
    pub(super) fn take_keys(
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
                (State::AskedForKeys(work, bearer, number, true), Step::find_newer(key, than))
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
        let by = provider.consumer_by;
        if let Some(identity) = self.config.consumers.by(by, &name) {
            let identity = as_holder(Identity::clone(identity), provider, &name);
            return decided(self.admit(*work, identity, Some((&bearer, Some(provider)))));
        }
        if self.config.common.admin.is_none() {
            return self.nobody(work, provider, &name);
        }
        let (search, step) = Search::begin(by, &name, work.request.now);
        (State::AskedForConsumer(work, bearer, number, name, search), step)
    }

    /// The consumer that a claim named is known, or not to be had.
    pub(super) fn name_consumer(
        &self,
        work: Box<Work>,
        bearer: Box<Bearer>,
        (number, name): (usize, String),
        search: Search,
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        let Some(provider) = self.config.providers.get(number) else { return decided(broken()) };
        match search.on(found) {
            Progress::Ask(search, step) => {
                (State::AskedForConsumer(work, bearer, number, name, search), step)
            }
            Progress::Found(identity) => {
                let identity = as_holder(identity, provider, &name);
                decided(self.admit(*work, identity, Some((&bearer, Some(provider)))))
            }
            Progress::Nobody => self.nobody(work, provider, &name),
            Progress::Unavailable => decided(unavailable()),
        }
    }

    fn nobody(&self, work: Box<Work>, provider: &Provider, name: &str) -> (State, Step) {
        let claim = provider.consumer_claim.as_deref().unwrap_or_default();
        // Kong answers this one without a challenge.
        let reply = Reply::message(401, format!("Could not find consumer for '{claim}={name}'"));
        self.fail(work, reply)
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
