//! Tokens that a consumer's own credential verifies, as with Kong's plugin.

use super::{JwtFlow, State, Work, decided, is_false, seconds, unavailable, unexpected};
use crate::claims::{Clock, Time};
use crate::credential::{Digest, Holder, Material, VerifyingMaterial};
use crate::memory::Bearer;
use crate::tables::by_key;
use consumer::lookup::MAX_NAME;
use exchange::{Finding, Property, Step, Unavailable};
use jose::{Algorithm, Refused, VerifyingKey};
use serde_json::Value;
use std::rc::Rc;

impl JwtFlow {
    /// Finds the credential that the token names with its key claim.
    pub(super) fn find_holder(&self, work: Box<Work>, bearer: Rc<Bearer>) -> (State, Step) {
        let name = &self.config.key_claim_name;
        let in_claims = bearer.token.claims().get(name).filter(|value| !is_false(value));
        let value =
            in_claims.or_else(|| bearer.token.header().get(name)).filter(|value| !is_false(value));
        let key = match value {
            None => {
                let reply = self.refusal("no_claim", format!("No mandatory '{name}' in claims"));
                return self.fail(work, reply);
            }
            Some(Value::String(key)) if !key.is_empty() => key,
            // A value that is not a text is not a key.
            Some(_) => {
                let reply = self.refusal("invalid_claim", format!("Invalid '{name}' in claims"));
                return self.fail(work, reply);
            }
        };
        if let Some(holder) = self.config.holders.get(key) {
            let identity = || holder.identity.clone();
            return self.verify(work, &bearer, &holder.material, &holder.key, identity);
        }
        if self.config.common.admin.is_none() || key.len() > MAX_NAME {
            return self.unknown(work);
        }
        let step = Step::find(by_key(key));
        (State::AskedForHolder { work, bearer }, step)
    }

    /// Verifies the token with the credential that was found, which belongs to a consumer.
    pub(super) fn verify_for_consumer(
        &self,
        work: Box<Work>,
        bearer: &Rc<Bearer>,
        found: Result<Finding, Unavailable>,
    ) -> (State, Step) {
        match found {
            Ok(Finding::Value(value)) => match Holder::decode(&value) {
                Some(Holder { identity, mut material }) => {
                    material.base64 = self.config.secret_is_base64;
                    match self.memory(|memory| memory.key(&material)) {
                        Some(key) => {
                            self.verify(work, bearer, &material, &key, || identity.into_property())
                        }
                        None => decided(unexpected()),
                    }
                }
                None => decided(unavailable()),
            },
            Ok(Finding::Nothing) => self.unknown(work),
            // A lookup that failed proves nothing about the token, so the caller is not anonymous.
            Err(Unavailable) => decided(unavailable()),
        }
    }

    fn unknown(&self, work: Box<Work>) -> (State, Step) {
        let name = &self.config.key_claim_name;
        let message = format!("No credentials found for given '{name}'");
        let reply = self.refusal("unknown_credential", message);
        self.fail(work, reply)
    }

    /// Verifies the token with the `key` made of `material`, and admits `identity`.
    fn verify(
        &self,
        work: Box<Work>,
        bearer: &Rc<Bearer>,
        material: &Material,
        usable: &VerifyingMaterial,
        identity: impl FnOnce() -> Property,
    ) -> (State, Step) {
        let config = &self.config;
        if Algorithm::parse(&material.algorithm) != Some(bearer.token.algorithm()) {
            let reply = self.refusal("wrong_algorithm", "Invalid algorithm");
            return self.fail(work, reply);
        }
        let short = config.require_strong_secrets && material.is_short();
        let Some(key) = usable.key.as_ref().filter(|_| !short) else {
            let reply = self.refusal("unusable_key", "Invalid key/secret");
            return self.fail(work, reply);
        };
        match self.verify_signature(bearer, key, &usable.print, seconds(&work.request)) {
            Ok(()) => {}
            Err(Refused::HostFailed) => return decided(unexpected()),
            Err(Refused::Algorithm | Refused::Signature) => {
                let reply = self.refusal("wrong_signature", "Invalid signature");
                return self.fail(work, reply);
            }
        }
        let rule = |wanted| if wanted { Time::Required } else { Time::Ignored };
        let clock = Clock { now: seconds(&work.request), skew: 0 };
        let (exp, nbf) = (rule(config.verify_exp), rule(config.verify_nbf));
        if let Some(reply) = self.refuse_by_time(bearer, exp, nbf, clock) {
            return self.fail(work, reply);
        }
        decided(self.admit(*work, identity(), Some((bearer, None))))
    }

    /// Verifies the signature with `key`, whose digest is `print`. `now` is in seconds since 1970.
    ///
    /// A token that this key has verified before is not computed again until it expires.
    fn verify_signature(
        &self,
        bearer: &Rc<Bearer>,
        key: &VerifyingKey,
        print: &Digest,
        now: u64,
    ) -> Result<(), Refused> {
        let backend = self.backend.as_deref().ok_or(Refused::HostFailed)?;
        if self.remembers(bearer, print, now) {
            return Ok(());
        }
        key.verify(&bearer.token, backend)?;
        self.remember(bearer, print, now);
        Ok(())
    }
}
