//! Which keys are good enough, by where they come from.

/// What is demanded of a verifying key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Fewest bits of an RSA modulus. Never below 1024, whatever this says.
    pub min_rsa_bits: usize,
    /// Whether a JWK may be a shared secret (`oct`).
    pub symmetric: bool,
}

impl Policy {
    /// For keys that come over the network: RSA from 2048 bits (RFC 7518 section 3.3), no shared secrets.
    pub const REMOTE: Policy = Policy { min_rsa_bits: 2048, symmetric: false };
    /// For keys that the operator wrote down: what Kong takes, so that a migration is a copy.
    pub const INLINE: Policy = Policy { min_rsa_bits: 1024, symmetric: true };
}
