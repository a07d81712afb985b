//! The memory of a VM for expensive results: usable keys, sets of keys, and tokens with a verified
//! signature.
//!
//! A token in this memory means only "this signature verified with this key". Issuer, audience,
//! times and consumer are checked at each request. Every table is bounded.

use crate::credential::{Digest, Material, VerifyingMaterial};
use exchange::Bounded;
use jose::JwkSet;
use std::collections::HashMap;
use std::rc::Rc;

/// The number of tokens with a verified signature.
const TOKENS: usize = 4096;
/// The number of public keys of credentials.
const KEYS: usize = 512;
/// The time after a lookup of a set during which no new lookup is necessary, in milliseconds.
const FRESH: u64 = 1000;

/// A parsed set of keys.
#[derive(Debug)]
pub(crate) struct KeySet {
    pub(crate) set: JwkSet,
    /// The SHA-256 of the text that was parsed.
    pub(crate) print: Digest,
}

/// The memory of one configuration in one VM.
#[derive(Debug)]
pub(crate) struct Memory {
    tokens: Bounded<Digest, Digest>,
    keys: Bounded<Material, Rc<VerifyingMaterial>>,
    /// For each provider: the text of its set, the set, and the time of its last lookup in
    /// milliseconds.
    sets: HashMap<usize, (Vec<u8>, Rc<KeySet>, u64)>,
    /// For each provider: the path of its set, if discovery found one.
    paths: HashMap<usize, String>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            tokens: Bounded::new(TOKENS),
            keys: Bounded::new(KEYS),
            sets: HashMap::new(),
            paths: HashMap::new(),
        }
    }
}

impl Memory {
    /// Returns `true` if the key of this digest has verified the token.
    pub(crate) fn knows(&mut self, token: &Digest, print: &Digest) -> bool {
        self.tokens.get(token) == Some(print)
    }

    /// Records that the key of this digest has verified the token.
    pub(crate) fn learn(&mut self, token: Digest, print: Digest) {
        self.tokens.put(token, print);
    }

    /// Returns the key of a credential, prepared for verification.
    pub(crate) fn key(&mut self, material: &Material) -> Rc<VerifyingMaterial> {
        if let Some(key) = self.keys.get(material) {
            return Rc::clone(key);
        }
        let key = Rc::new(material.usable());
        // A shared secret needs no preparation and is not kept.
        if material.is_public() {
            self.keys.put(material.clone(), Rc::clone(&key));
        }
        key
    }

    /// Returns the set of `provider`, if it was looked up less than [`FRESH`] ago.
    pub(crate) fn fresh_set(&self, provider: usize, now: u64) -> Option<Rc<KeySet>> {
        let (_, set, at) = self.sets.get(&provider)?;
        (now >= *at && now.saturating_sub(*at) < FRESH).then(|| Rc::clone(set))
    }

    /// Returns the set in `text`. It is parsed only if the text has changed.
    pub(crate) fn set(&mut self, provider: usize, text: Vec<u8>, now: u64) -> Option<Rc<KeySet>> {
        if let Some((known, set, at)) = self.sets.get_mut(&provider)
            && *known == text
        {
            *at = now;
            return Some(Rc::clone(set));
        }
        let set = JwkSet::parse(&text, jose::Policy::REMOTE).ok()?;
        let set = Rc::new(KeySet { set, print: jose::hash::sha256(&text) });
        self.sets.insert(provider, (text, Rc::clone(&set), now));
        Some(set)
    }

    /// Returns the path at which discovery found the set of `provider`.
    pub(crate) fn path(&self, provider: usize) -> Option<&str> {
        self.paths.get(&provider).map(String::as_str)
    }

    pub(crate) fn set_path(&mut self, provider: usize, path: &str) {
        if self.path(provider) != Some(path) {
            self.paths.insert(provider, path.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_with_the_key_that_verified_it_only() {
        let mut memory = Memory::default();
        memory.learn([1; 32], [2; 32]);
        assert!(memory.knows(&[1; 32], &[2; 32]));
        assert!(!memory.knows(&[1; 32], &[3; 32]));
        assert!(!memory.knows(&[4; 32], &[2; 32]));
    }

    #[test]
    fn a_set_is_parsed_again_only_when_it_differs() {
        let one = br#"{"keys":[]}"#.to_vec();
        let mut memory = Memory::default();
        let first = memory.set(0, one.clone(), 10).unwrap();
        let again = memory.set(0, one.clone(), 20).unwrap();
        assert!(Rc::ptr_eq(&first, &again));
        let other = memory.set(0, br#"{"keys":[] }"#.to_vec(), 30).unwrap();
        assert!(!Rc::ptr_eq(&first, &other) && first.print != other.print);
        assert!(memory.fresh_set(0, 1029).is_some());
        assert!(memory.fresh_set(0, 1030).is_none());
        assert!(memory.fresh_set(0, 29).is_none(), "the clock went back");
        assert!(memory.fresh_set(1, 30).is_none());
        assert!(memory.set(1, b"{".to_vec(), 0).is_none());
    }
}
