//! Requirements on keys, by their origin.

/// The requirements on a verifying key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The fewest bits of an RSA modulus. Moduli below 1024 bits are refused in any case.
    pub min_rsa_bits: usize,
    /// `true` if a JWK may be a shared secret (`oct`).
    pub symmetric: bool,
}

impl Policy {
    /// The policy for keys that come over the network: RSA from 2048 bits (RFC 7518 section 3.3),
    /// and no shared secrets.
    pub const REMOTE: Policy = Policy { min_rsa_bits: 2048, symmetric: false };
    /// The policy for keys in the operator's settings. It accepts what Kong accepts, so that
    /// settings can be moved from Kong unchanged.
    pub const INLINE: Policy = Policy { min_rsa_bits: 1024, symmetric: true };
}
