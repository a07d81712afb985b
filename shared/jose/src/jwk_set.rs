//! JWK Sets (RFC 7517 section 5): the keys of an issuer.

use crate::backend::Backend;
use crate::error::{BadKey, Refused};
use crate::json;
use crate::jws::Jws;
use crate::policy::Policy;
use crate::verifying_key::VerifyingKey;
use core::fmt;
use serde_json::Value;

/// The greatest length of a set in bytes.
const MAX_BYTES: usize = 262_144;
/// The greatest number of keys in a set, unusable ones included.
const MAX_KEYS: usize = 100;
/// The greatest number of keys that one token is tried with. Each costs a verification.
const MAX_TRIES: usize = 8;

/// The usable keys of a JWK Set.
#[derive(Debug)]
pub struct JwkSet {
    keys: Vec<VerifyingKey>,
    unusable: Vec<(usize, BadKey)>,
}

/// The reason why bytes are not a JWK Set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSet {
    /// The set is longer than 256 KiB.
    TooLong,
    /// The text is not a JSON object with an array `keys`, or has duplicate members.
    Json,
    /// The set has more than 100 keys.
    TooManyKeys,
}

/// The reason why a set does not accept a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetRefused {
    /// No key has the token's key id. For a token without a key id: no key has its algorithm. A
    /// newer set may have such a key.
    UnknownKey,
    /// The token's key refuses it.
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
    /// Reads a set. As RFC 7517 section 5 recommends, keys that cannot be used (of unknown kind,
    /// too short, not for signatures) are left out; [`Self::unusable`] tells the reasons.
    ///
    /// # Errors
    ///
    /// [`BadSet`], if the text is not a set, or too large.
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

    /// Returns the usable keys.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// Returns the positions of the keys that were left out, with the reasons.
    pub fn unusable(&self) -> &[(usize, BadKey)] {
        &self.unusable
    }

    /// Verifies a token, and returns the key that accepts it.
    ///
    /// The key with the token's key id is tried first. Keys without a key id follow, and for a
    /// token without a key id all keys, if they have the token's algorithm. At most eight keys are
    /// tried.
    ///
    /// # Errors
    ///
    /// [`SetRefused`]. The key is unknown if a token with a key id was tried with keys without one
    /// only.
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
                // Keys of different kinds may share a key id. The error is that of the key with the
                // right algorithm.
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
