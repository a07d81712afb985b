//! The signature algorithms of RFC 7518 section 3 and RFC 8037, and sets of them.

use core::fmt;

/// A signature algorithm of a JWS. There is no variant for `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of RFC 7518")]
#[repr(u8)]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    /// EdDSA with Ed25519 (RFC 8037). Ed448, which shares the name EdDSA, is not supported.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Algorithm; 13] = {
        use Algorithm::*;
        [Hs256, Hs384, Hs512, Rs256, Rs384, Rs512, Ps256, Ps384, Ps512, Es256, Es384, Es512, EdDsa]
    };

    /// Returns the name that stands in a header or a JWK.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::Hs384 => "HS384",
            Algorithm::Hs512 => "HS512",
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Ps256 => "PS256",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Es512 => "ES512",
            Algorithm::EdDsa => "EdDSA",
        }
    }

    /// Returns the algorithm with exactly this name. RFC 9864 calls EdDSA with Ed25519 `Ed25519`;
    /// both names mean one algorithm.
    pub fn parse(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Algorithm::EdDsa);
        }
        Self::ALL.into_iter().find(|a| a.name() == name)
    }

    /// Returns `true` if signer and verifier share one secret.
    pub const fn is_symmetric(self) -> bool {
        Algorithms::HMAC.contains(self)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of algorithms.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Algorithms(u16);

impl Algorithms {
    /// No algorithm.
    pub const NONE: Algorithms = Algorithms(0);
    /// HMAC: HS256, HS384 and HS512.
    pub const HMAC: Algorithms = Self::of(&[Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512]);
    /// RSA: all RS* and PS*.
    pub const RSA: Algorithms = Self::of(&[
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ]);
    /// Every algorithm.
    pub const ALL: Algorithms = Self::of(&Algorithm::ALL);

    /// Makes the set of the algorithms in `list`.
    pub const fn of(mut list: &[Algorithm]) -> Self {
        let mut bits = 0;
        while let [first, rest @ ..] = list {
            bits |= 1 << *first as u8;
            list = rest;
        }
        Algorithms(bits)
    }

    /// Returns `true` if the set contains `algorithm`.
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & 1 << algorithm as u8 != 0
    }

    /// Returns the algorithms that both sets contain.
    #[must_use]
    pub const fn and(self, other: Algorithms) -> Self {
        Algorithms(self.0 & other.0)
    }

    /// Returns the algorithms that either set contains.
    #[must_use]
    pub const fn or(self, other: Algorithms) -> Self {
        Algorithms(self.0 | other.0)
    }

    /// Returns `true` if the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the algorithms of the set in the order of [`Algorithm::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |a| self.contains(*a))
    }
}

impl fmt::Debug for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for a in Algorithm::ALL {
            assert_eq!(Algorithm::parse(a.name()), Some(a));
            assert_eq!(Algorithm::parse(&a.name().to_lowercase()), None);
        }
        let others =
            ["none", "None", "NONE", "", "HS256 ", "ES256K", "RS1", "ed25519", "Ed448", "ESP256"];
        for name in others {
            assert_eq!(Algorithm::parse(name), None);
        }
    }

    #[test]
    fn both_names_of_ed25519_are_one_algorithm() {
        assert_eq!(Algorithm::parse("Ed25519"), Algorithm::parse("EdDSA"));
    }

    #[test]
    fn sets_hold_what_they_are_made_of() {
        let set = Algorithms::of(&[Algorithm::Rs256, Algorithm::EdDsa]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Algorithm::Rs256, Algorithm::EdDsa]);
        assert_eq!(set.and(Algorithms::RSA), Algorithms::of(&[Algorithm::Rs256]));
        assert!(set.and(Algorithms::HMAC).is_empty());
        assert_eq!(Algorithms::ALL.iter().count(), 13);
    }
}
