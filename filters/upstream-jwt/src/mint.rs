//! Makes tokens, and reuses tokens with equal claims while they are young.

use crate::claims::{Claims, Times};
use crate::config::Config;
use jose::hash::sha256;
use jose::{Backend, CannotSign};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

/// The settings, with the signer and the tokens that can be reused.
pub struct Mint {
    config: Config,
    backend: OnceCell<Option<Box<dyn Backend>>>,
    kept: RefCell<HashMap<Name, Kept>>,
}

/// The claims of a token without its times.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Name {
    /// Their text, if it is short: to compare it is cheaper than to hash it by SHA-256.
    Text(String),
    /// The SHA-256 of their text. A weaker hash would let a client prepare claims that get the
    /// token of others.
    Digest([u8; 32]),
}

impl Name {
    fn of(claims: String) -> Self {
        match claims.len() <= MAX_TEXT {
            true => Self::Text(claims),
            false => Self::Digest(sha256(claims.as_bytes())),
        }
    }
}

/// A token that another request may get too.
struct Kept {
    token: String,
    issued: u64,
}

/// The greatest number of reusable tokens. With the greatest length of each in bytes they take 8
/// MiB, and with that of each name half a MiB more.
const MAX_KEPT: usize = 1024;
const MAX_LENGTH: usize = 8192;
const MAX_TEXT: usize = 512;

/// The assumed life of a token without an end but with `iat`, in seconds. It is reused for half of
/// it.
const WITHOUT_END: u64 = 120;

impl Mint {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, backend: OnceCell::new(), kept: RefCell::default() }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Sets the signer, once. Without a signer there are no tokens.
    pub(crate) fn sign_with(&self, signer: impl FnOnce() -> Option<Box<dyn Backend>>) {
        self.backend.get_or_init(signer);
    }

    /// Returns a token with `claims`, made at `now` (in seconds) or shortly before.
    pub(crate) fn token(
        &self,
        claims: &Claims,
        now: u64,
        random: fn(&mut [u8]) -> bool,
    ) -> Result<String, CannotSign> {
        let without_times = Times { issued: None, not_before: None, expires: None };
        let name = claims.can_recur().then(|| Name::of(claims.json(without_times)));
        if let Some(token) = name.as_ref().and_then(|name| self.young(name, now)) {
            return Ok(token);
        }
        let token = self.sign(&claims.json(self.times(now)), random)?;
        if let Some(name) = name.filter(|_| token.len() <= MAX_LENGTH) {
            self.keep(name, Kept { token: token.clone(), issued: now });
        }
        Ok(token)
    }

    fn times(&self, now: u64) -> Times {
        let Config { exp, iat, nbf, .. } = self.config;
        Times {
            issued: iat.then_some(now),
            not_before: nbf.then_some(now),
            expires: (exp > 0).then(|| now.saturating_add(exp)),
        }
    }

    fn sign(&self, claims: &str, random: fn(&mut [u8]) -> bool) -> Result<String, CannotSign> {
        let keys = self.config.keys.as_ref().ok_or(CannotSign::Fault)?;
        let backend = self.backend.get().and_then(Option::as_ref).ok_or(CannotSign::HostFailed)?;
        let mut failed = false;
        let mut fill = |out: &mut [u8]| failed |= !random(out);
        let token = keys.key.sign(&keys.header, claims, backend.as_ref(), &mut fill)?;
        // A signature made with predictable bytes could reveal the key.
        if failed { Err(CannotSign::Randomness) } else { Ok(token) }
    }

    /// Returns a token of this name, if at least half of its life is left.
    fn young(&self, name: &Name, now: u64) -> Option<String> {
        let life = match &self.config {
            Config { exp: 0, iat: false, nbf: false, .. } => u64::MAX,
            Config { exp: 0, .. } => WITHOUT_END,
            Config { exp, .. } => *exp,
        };
        let kept = self.kept.try_borrow().ok()?;
        let kept = kept.get(name)?;
        // If the clock was set back, tokens from its future count as old.
        let age = now.checked_sub(kept.issued)?;
        (age.saturating_mul(2) <= life).then(|| kept.token.clone())
    }

    fn keep(&self, name: Name, token: Kept) {
        let Ok(mut kept) = self.kept.try_borrow_mut() else { return };
        if kept.len() >= MAX_KEPT && !kept.contains_key(&name) {
            let oldest =
                kept.iter().min_by_key(|(_, kept)| kept.issued).map(|(name, _)| name.clone());
            oldest.and_then(|oldest| kept.remove(&oldest));
        }
        kept.insert(name, token);
    }
}

impl std::fmt::Debug for Mint {
    /// Leaves the token out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mint").field("config", &self.config).finish_non_exhaustive()
    }
}
