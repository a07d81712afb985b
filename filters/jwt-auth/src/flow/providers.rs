//! Tokens that the published keys of a provider verify, and the consumers that they stand for.

use super::{Issued, JwtFlow, State, Work, decided, seconds, unavailable, unexpected};
use crate::claims::{self, Clock, Time};
use crate::credential::credential;
use crate::memory::KeySet;
use crate::provider::{Keys, Provider};
use crate::tables::{discovery, key_set};
use consumer::Identity;
use consumer::lookup::{MAX_NAME, Progress, Search};
use exchange::{Finding, Step, Unavailable};
use jose::{Refused, SetRefused};
use serde_json::Value;
use uuid::Uuid;

impl JwtFlow {
    /// Finds the keys of the provider that issued the token.
    pub(super) fn find_keys(&self, issued: Issued) -> (State, Step) {
        let Some(provider) = self.config.providers.get(issued.provider) else {
            return decided(unexpected());
        };
        if !provider.algorithms.contains(issued.bearer.token.algorithm()) {
            let reply = self.refusal("wrong_algorithm", "Invalid algorithm");
            return self.fail(issued.work, reply);
        }
        let fresh = self
            .memory(|memory| memory.fresh_set(issued.provider, issued.work.request.now))
            .flatten();
        match &provider.keys {
            Keys::Inline(set) => self.try_keys(issued, set, true),
            Keys::Remote(_) | Keys::Discovered(_) if fresh.is_some() => match fresh {
                Some(set) => self.try_keys(issued, &set, false),
                None => decided(unexpected()),
            },
            Keys::Remote(place) => {
                let step = Step::find(key_set(&place.name, &place.uri.path));
                (State::AskedForKeys { issued, newest: false }, step)
            }
            Keys::Discovered(place) => {
                let step = Step::find(discovery(&place.name));
                (State::AskedForPath(issued), step)
            }
        }
    }

    /// Looks the keys up at the path that the provider's discovery document named.
    pub(super) fn fetch_keys(
        &self,
        issued: Issued,
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        let Ok(Finding::Value(path)) = found else { return decided(unavailable()) };
        let Ok(path) = String::from_utf8(path) else { return decided(unavailable()) };
        let place = self.config.providers.get(issued.provider).and_then(Provider::place);
        let Some(place) = place else { return decided(unexpected()) };
        self.memory(|memory| memory.set_path(issued.provider, &path));
        let step = Step::find(key_set(&place.name, &path));
        (State::AskedForKeys { issued, newest: false }, step)
    }

    /// Verifies the token with the keys that were found.
    pub(super) fn verify_with(
        &self,
        issued: Issued,
        newest: bool,
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        let Ok(Finding::Value(text)) = found else { return decided(unavailable()) };
        let now = issued.work.request.now;
        match self.memory(|memory| memory.set(issued.provider, text, now)).flatten() {
            Some(set) => self.try_keys(issued, &set, newest),
            None => decided(unavailable()),
        }
    }

    /// Verifies the token with one of the keys in `set`. If no key fits, newer keys are looked up,
    /// unless these are the `newest`.
    fn try_keys(&self, issued: Issued, set: &KeySet, newest: bool) -> (State, Step) {
        let now = seconds(&issued.work.request);
        let Some(backend) = self.backend.as_deref() else { return decided(unexpected()) };
        if self.remembers(&issued.bearer, &set.print, now) {
            return self.check_claims(issued);
        }
        let refused = match set.set.verify(&issued.bearer.token, backend) {
            Ok(_) => {
                self.remember(&issued.bearer, &set.print, now);
                return self.check_claims(issued);
            }
            Err(refused) => refused,
        };
        // If a token does not name its key, the lack of a new key looks like a wrong signature.
        let unknown = match refused {
            SetRefused::Key(Refused::HostFailed) => return decided(unexpected()),
            SetRefused::UnknownKey => true,
            SetRefused::Key(_) => issued.bearer.token.key_id().is_none(),
        };
        let key =
            self.config.providers.get(issued.provider).and_then(|provider| match &provider.keys {
                Keys::Inline(_) => None,
                Keys::Remote(place) => Some(key_set(&place.name, &place.uri.path)),
                Keys::Discovered(place) => self.memory(|memory| {
                    memory.path(issued.provider).map(|path| key_set(&place.name, path))
                })?,
            });
        match key.filter(|_| unknown && !newest) {
            Some(key) => {
                let than = issued.work.request.now.saturating_sub(self.config.jwks_min_refresh);
                (State::AskedForKeys { issued, newest: true }, Step::find_newer(key, than))
            }
            None => {
                let reply = match refused {
                    SetRefused::UnknownKey => {
                        self.refusal("unknown_key", "No key found for the token")
                    }
                    SetRefused::Key(_) => self.refusal("wrong_signature", "Invalid signature"),
                };
                self.fail(issued.work, reply)
            }
        }
    }

    fn check_claims(&self, issued: Issued) -> (State, Step) {
        let Some(provider) = self.config.providers.get(issued.provider) else {
            return decided(unexpected());
        };
        let config = &self.config;
        // A time that is there is checked in any case.
        let rule = |required| if required { Time::Required } else { Time::Optional };
        let exp = rule(provider.require_exp || config.verify_exp);
        let nbf = rule(config.verify_nbf);
        let clock = Clock { now: seconds(&issued.work.request), skew: provider.clock_skew };
        if let Some(reply) = self.refuse_by_time(&issued.bearer, exp, nbf, clock) {
            return self.fail(issued.work, reply);
        }
        let audiences = &provider.audiences;
        if !audiences.is_empty() && !claims::is_for(issued.bearer.token.claims(), audiences) {
            let reply = self.refusal("wrong_audience", "Invalid 'aud' in claims");
            return self.fail(issued.work, reply);
        }
        let path = provider.consumer_claim.as_deref().unwrap_or("sub");
        let name = match claims::claim(issued.bearer.token.claims(), path) {
            None => {
                let reply = self.refusal("no_claim", format!("No mandatory '{path}' in claims"));
                return self.fail(issued.work, reply);
            }
            Some(Value::String(name)) if !name.is_empty() && name.len() <= MAX_NAME => name.clone(),
            Some(_) => {
                let reply = self.refusal("invalid_claim", format!("Invalid '{path}' in claims"));
                return self.fail(issued.work, reply);
            }
        };
        if provider.consumer_claim.is_none() {
            return self.admit_of_settings(issued, || virtual_consumer(provider, &name), provider);
        }
        let by = provider.consumer_by;
        if let Some(identity) = self.config.consumers.by(by, &name) {
            let identity = || as_holder(Identity::clone(identity), provider, &name);
            return self.admit_of_settings(issued, identity, provider);
        }
        if self.config.common.admin.is_none() {
            return self.nobody(issued.work, provider, &name);
        }
        let (search, step) = Search::begin(by, &name, issued.work.request.now);
        (State::AskedForConsumer { issued, name, search }, step)
    }

    /// Admits an identity that depends on token and settings only. It is made once for each token
    /// in the memory.
    fn admit_of_settings(
        &self,
        issued: Issued,
        identity: impl FnOnce() -> Identity,
        provider: &Provider,
    ) -> (State, Step) {
        let Issued { work, bearer, .. } = issued;
        let identity = bearer.identity.get_or_init(|| identity().into_property()).clone();
        decided(self.admit(*work, identity, Some((&bearer, Some(provider)))))
    }

    /// Admits the consumer that a claim of the token names, if one was found.
    pub(super) fn name_consumer(
        &self,
        issued: Issued,
        name: String,
        search: Search,
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        let Some(provider) = self.config.providers.get(issued.provider) else {
            return decided(unexpected());
        };
        match search.on(found) {
            Progress::Ask(search, step) => (State::AskedForConsumer { issued, name, search }, step),
            Progress::Found(identity) => {
                let identity = as_holder(identity, provider, &name).into_property();
                decided(self.admit(*issued.work, identity, Some((&issued.bearer, Some(provider)))))
            }
            Progress::Nobody => self.nobody(issued.work, provider, &name),
            Progress::Unavailable => decided(unavailable()),
        }
    }

    fn nobody(&self, work: Box<Work>, provider: &Provider, name: &str) -> (State, Step) {
        let claim = provider.consumer_claim.as_deref().unwrap_or_default();
        let message = format!("Could not find consumer for '{claim}={name}'");
        let reply = self.refusal("unknown_consumer", message);
        self.fail(work, reply)
    }
}

/// Makes the virtual consumer for a user of a provider. No other consumer has its name or id.
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

/// Gives a consumer that a provider's token names the credential of that token.
fn as_holder(identity: Identity, provider: &Provider, name: &str) -> Identity {
    let credential = credential(&derived(provider, name), &format!("{}:{name}", provider.name));
    Identity { credential: Some(credential), ..identity }
}

/// Derives an id from issuer and name (UUIDv5), so that all nodes use one id.
fn derived(provider: &Provider, name: &str) -> String {
    let issuer = Uuid::new_v5(&Uuid::NAMESPACE_URL, provider.issuer.as_bytes());
    Uuid::new_v5(&issuer, name.as_bytes()).to_string()
}
