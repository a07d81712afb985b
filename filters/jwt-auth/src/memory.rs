//! The memory of a VM for expensive results: usable keys, sets of keys, and tokens with a verified
//! signature.
//!
//! A token in this memory means only "this signature verified with this key". Issuer, audience,
//! times and consumer are checked at each request. Every table is bounded.
//!
//! A token enters after a key has verified it, so that invented tokens displace none. It is found by
//! its whole text, compared byte for byte, or by the SHA-256 of it; a weaker hash would let an
//! attacker prepare a second token of the same hash. The table chooses the candidate by a keyed hash
//! of the whole text, so the time of the comparison tells nothing about the tokens in it.

use crate::credential::{Digest, Material, VerifyingMaterial};
use exchange::{Bounded, Property};
use jose::{JwkSet, Token};
use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::rc::Rc;

/// The number of tokens with a verified signature whose digests are kept.
const TOKENS: usize = 4096;
/// The number of such tokens that are kept as they were read.
const READ: usize = 256;
/// The greatest length of a token that is kept as it was read, in bytes.
const LONGEST: usize = 2048;
/// The number of keys of credentials.
const KEYS: usize = 512;
/// The time after a lookup of a set during which no new lookup is necessary, in milliseconds.
const FRESH: u64 = 1000;

/// A well-formed token.
pub(crate) struct Bearer {
    text: Vec<u8>,
    pub(crate) token: Token,
    /// The SHA-256 of the text.
    digest: OnceCell<Digest>,
    /// The digest of the key that has verified the token, if one has.
    verified: Cell<Option<Digest>>,
    /// The property that states the identity, if it depends on token and settings only.
    pub(crate) identity: OnceCell<Property>,
}

impl Bearer {
    pub(crate) fn new(text: Vec<u8>, token: Token) -> Self {
        let (digest, verified) = (OnceCell::new(), Cell::new(None));
        Self { text, token, digest, verified, identity: OnceCell::new() }
    }

    fn digest(&self) -> &Digest {
        self.digest.get_or_init(|| jose::hash::sha256(&self.text))
    }
}

/// A parsed set of keys.
#[derive(Debug)]
pub(crate) struct KeySet {
    pub(crate) set: JwkSet,
    /// The SHA-256 of the text that was parsed.
    pub(crate) print: Digest,
}

/// The memory of one configuration in one VM.
pub(crate) struct Memory {
    /// Tokens as they were read, by their text.
    read: Bounded<Vec<u8>, Rc<Bearer>>,
    /// The digests of tokens, each with that of the key that verified it.
    tokens: Bounded<Digest, Digest>,
    keys: Bounded<Material, Rc<VerifyingMaterial>>,
    /// For each provider: the text of its set, the set, and the time of its last lookup in
    /// milliseconds.
    sets: HashMap<usize, (Vec<u8>, Rc<KeySet>, u64)>,
    /// For each provider: the path of its set, if discovery found one.
    paths: HashMap<usize, String>,
}

impl std::fmt::Debug for Memory {
    /// Leaves tokens and secrets out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            read: Bounded::new(READ),
            tokens: Bounded::new(TOKENS),
            keys: Bounded::new(KEYS),
            sets: HashMap::new(),
            paths: HashMap::new(),
        }
    }
}

impl Memory {
    /// Returns the token with this text, if a key has verified it and it is still kept.
    pub(crate) fn bearer(&mut self, text: &Vec<u8>) -> Option<Rc<Bearer>> {
        self.read.get(text).cloned()
    }

    /// Returns `true` if the key of this digest has verified the token.
    pub(crate) fn knows(&mut self, bearer: &Rc<Bearer>, print: &Digest) -> bool {
        if bearer.verified.get().as_ref() == Some(print) {
            return true;
        }
        // The digest of a token with a shared secret is never recorded.
        let symmetric = bearer.token.algorithm().is_symmetric();
        let known = !symmetric && self.tokens.get(bearer.digest()) == Some(print);
        if known {
            self.keep(bearer, print);
        }
        known
    }

    /// Records that the key of this digest has verified the token.
    pub(crate) fn learn(&mut self, bearer: &Rc<Bearer>, print: &Digest) {
        // To verify a token with a shared secret is about as cheap as to hash it.
        if !bearer.token.algorithm().is_symmetric() {
            self.tokens.put(*bearer.digest(), *print);
        }
        self.keep(bearer, print);
    }

    fn keep(&mut self, bearer: &Rc<Bearer>, print: &Digest) {
        bearer.verified.set(Some(*print));
        if bearer.text.len() <= LONGEST {
            self.read.put(bearer.text.clone(), Rc::clone(bearer));
        }
    }

    /// Returns the key of a credential, prepared for verification.
    pub(crate) fn key(&mut self, material: &Material) -> Rc<VerifyingMaterial> {
        if let Some(key) = self.keys.get(material) {
            return Rc::clone(key);
        }
        let key = Rc::new(material.usable());
        self.keys.put(material.clone(), Rc::clone(&key));
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

    fn bearer(algorithm: &str, claims: &str) -> Rc<Bearer> {
        let header = format!(r#"{{"alg":"{algorithm}"}}"#);
        let [header, claims] = [&header, claims].map(jose::base64url::encode);
        let text = format!("{header}.{claims}.AAAA").into_bytes();
        let token = Token::parse(&text).unwrap();
        Rc::new(Bearer::new(text, token))
    }

    #[test]
    fn a_token_is_known_with_the_key_that_verified_it_only() {
        for algorithm in ["ES256", "HS256"] {
            let mut memory = Memory::default();
            let (one, other) = (bearer(algorithm, "{}"), bearer(algorithm, r#"{"a":1}"#));
            memory.learn(&one, &[2; 32]);
            for one in [&one, &memory.bearer(&one.text).unwrap()] {
                assert!(memory.knows(one, &[2; 32]));
                assert!(!memory.knows(one, &[3; 32]));
            }
            assert!(!memory.knows(&other, &[2; 32]));
            assert!(memory.bearer(&other.text).is_none());
            // Another key has verified it since.
            memory.learn(&one, &[3; 32]);
            assert!(memory.knows(&one, &[3; 32]) && !memory.knows(&one, &[2; 32]));
        }
    }

    #[test]
    fn a_token_that_was_displaced_is_known_by_its_digest() {
        let mut memory = Memory::default();
        let kept = |n: usize| bearer("ES256", &format!(r#"{{"n":{n}}}"#));
        for n in 0..=2 * READ {
            memory.learn(&kept(n), &[2; 32]);
        }
        assert!(memory.bearer(&kept(0).text).is_none());
        assert!(memory.knows(&kept(0), &[2; 32]) && !memory.knows(&kept(0), &[3; 32]));
        assert!(memory.bearer(&kept(0).text).is_some(), "it is in use again");
    }

    #[test]
    fn a_long_token_is_not_kept_whole() {
        let mut memory = Memory::default();
        let long = bearer("ES256", &format!(r#"{{"a":"{}"}}"#, "x".repeat(LONGEST)));
        memory.learn(&long, &[2; 32]);
        assert!(memory.bearer(&long.text).is_none());
        let again = Rc::new(Bearer::new(long.text.clone(), long.token.clone()));
        assert!(memory.knows(&again, &[2; 32]));
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
