//! JWK Sets (RFC 7517 section 5): the keys of an issuer.

use crate::backend::Backend;
use crate::error::{BadKey, Refused};
use crate::json;
use crate::jws::Jws;
use crate::policy::Policy;
use crate::verifying_key::VerifyingKey;
use core::fmt;
use serde_json::Value;

/// Largest set in bytes.
const MAX_BYTES: usize = 262_144;
/// Most keys of a set, usable or not.
const MAX_KEYS: usize = 100;
/// Most keys that one token without a key id is tried with: each costs a verification.
const MAX_TRIES: usize = 8;

/// The usable keys of a JWK Set.
#[derive(Debug)]
pub struct JwkSet {
    keys: Vec<VerifyingKey>,
    unusable: Vec<(usize, BadKey)>,
}

/// Why bytes are not a JWK Set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSet {
    /// More than 256 KiB.
    TooLong,
    /// Not a JSON object without duplicate members that has an array `keys`.
    Json,
    /// More than 100 keys.
    TooManyKeys,
}

/// Why no key of a set accepts a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetRefused {
    /// No key has the token's key id, or, where it names none, none has its algorithm. A newer set may
    /// have one.
    UnknownKey,
    /// The key says no.
    Key(Refused),
}

impl fmt::Display for BadSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadSet::TooLong => "the JWK Set is longer than 256 KiB",
            BadSet::Json => "not a JWK Set, or one with duplicate members",
            BadSet::TooManyKeys => "the JWK Set has more than 100 keys",
        })
    }
}

impl fmt::Display for SetRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetRefused::UnknownKey => f.write_str("no key of the set is the token's"),
            SetRefused::Key(refused) => refused.fmt(f),
        }
    }
}

impl core::error::Error for BadSet {}
impl core::error::Error for SetRefused {}

impl JwkSet {
    /// Reads a set. A key that cannot be used (unknown kind, too short, not for signatures) is left out, as
    /// RFC 7517 section 5 wants it; [`Self::unusable`] says why.
    ///
    /// # Errors
    ///
    /// [`BadSet`].
    pub fn parse(json: &[u8], policy: Policy) -> Result<Self, BadSet> {
        if json.len() > MAX_BYTES {
            return Err(BadSet::TooLong);
        }
        let set = json::parse_object(json).ok_or(BadSet::Json)?;
        let Some(Value::Array(list)) = set.get("keys") else { return Err(BadSet::Json) };
        if list.len() > MAX_KEYS {
            return Err(BadSet::TooManyKeys);
        }
        let (mut keys, mut unusable) = (Vec::new(), Vec::new());
        for (index, jwk) in list.iter().enumerate() {
            let jwk = jwk.as_object().ok_or(BadKey::Jwk);
            match jwk.and_then(|jwk| VerifyingKey::from_jwk(jwk, policy)) {
                Ok(key) => keys.push(key),
                Err(why) => unusable.push((index, why)),
            }
        }
        Ok(JwkSet { keys, unusable })
    }

    /// The usable keys.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// The positions of keys that were left out, and why.
    pub fn unusable(&self) -> &[(usize, BadKey)] {
        &self.unusable
    }

    /// Verifies a token with the key that it names, and with keys that have its algorithm where the token names
    /// none or they have no name: the named one first, eight in all.
    ///
    /// # Errors
    ///
    /// [`SetRefused`]. Where only keys without a name were tried for a token that names one, its key is unknown.
    pub fn verify(&self, token: &Jws, backend: &dyn Backend) -> Result<&VerifyingKey, SetRefused> {
        let fits = |key: &&VerifyingKey| key.algorithms().contains(token.algorithm());
        let named = |key: &&VerifyingKey| match token.key_id() {
            Some(kid) => key.key_id() == Some(kid),
            None => fits(key),
        };
        let nameless =
            |key: &&VerifyingKey| token.key_id().is_some() && key.key_id().is_none() && fits(key);
        let some_named = self.keys.iter().any(|key| named(&key));
        let mut answer = SetRefused::UnknownKey;
        let candidates = self.keys.iter().filter(named).chain(self.keys.iter().filter(nameless));
        for key in candidates.take(MAX_TRIES) {
            match key.verify(token, backend) {
                Ok(()) => return Ok(key),
                // Keys of different kinds may share a name: say what the fitting one says.
                Err(Refused::Algorithm) if answer != SetRefused::UnknownKey => {}
                Err(refused) => answer = SetRefused::Key(refused),
            }
        }
        match answer {
            SetRefused::Key(Refused::HostFailed) => Err(answer),
            _ if !some_named => Err(SetRefused::UnknownKey),
            _ => Err(answer),
        }
    }
}
