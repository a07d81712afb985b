//! What can go wrong. No message contains a secret, a key or a token.

use core::fmt;

/// Why bytes are not a JWS or a JWT. The order is that in which they are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Longer than [`crate::MAX_TOKEN`].
    TooLong,
    /// Not `header.payload.signature`: a part is missing.
    Segments,
    /// The header is not base64url of a JSON object without duplicate members.
    Header,
    /// The claims are not base64url of JSON without duplicate members.
    Payload,
    /// `alg` is missing, no string, or no algorithm that is supported. `none` is one of these.
    Algorithm,
    /// `crit` (or `b64`) asks for something that is not understood.
    Critical,
    /// `kid` is not a string.
    KeyId,
    /// The claims are JSON, but no object.
    Claims,
    /// The signature is not base64url, or a fourth part follows it.
    Signature,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::TooLong => "the token is too long",
            Malformed::Segments => "the token does not have three parts",
            Malformed::Header => "the token's header is not a base64url JSON object",
            Malformed::Payload => "the token's claims are not base64url JSON",
            Malformed::Algorithm => "the token's algorithm is not supported",
            Malformed::Critical => "the token has a critical header that is not understood",
            Malformed::KeyId => "the token's key id is not a string",
            Malformed::Claims => "the token's claims are not an object",
            Malformed::Signature => "the token's signature is not base64url",
        })
    }
}

/// Why a token or signature was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The token's algorithm is not one of the key's.
    Algorithm,
    /// The signature is not one of this message by this key.
    Signature,
    /// The host could not be asked, and was to be.
    HostFailed,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Algorithm => "the token's algorithm is not the key's",
            Refused::Signature => "the signature does not verify",
            Refused::HostFailed => "the host's signature verification failed to answer",
        })
    }
}

/// Why there is no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotSign {
    /// The header is not a JSON object, or its `alg` is not the key's.
    Header,
    /// The claims are not a JSON object.
    Claims,
    /// The key is too short for its algorithm.
    KeyTooShort,
    /// The source of randomness is broken.
    Randomness,
    /// The computed signature did not verify, or could not be computed.
    Fault,
    /// The host could not be asked, and was to be.
    HostFailed,
}

impl fmt::Display for CannotSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CannotSign::Header => "the header is not a JSON object with the key's algorithm",
            CannotSign::Claims => "the claims are not a JSON object",
            CannotSign::KeyTooShort => "the key is too short for its algorithm",
            CannotSign::Randomness => "the source of randomness is broken",
            CannotSign::Fault => "the computed signature did not verify",
            CannotSign::HostFailed => "the host's signing function failed to answer",
        })
    }
}

/// Why something is not a key that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadKey {
    /// Not PEM with the right kind of content.
    Pem,
    /// An encrypted private key.
    Encrypted,
    /// Not DER of a key or certificate.
    Der,
    /// A kind of key, or a curve, that this build does not know.
    Unsupported,
    /// Ed448, for which there is no implementation to trust yet.
    Ed448,
    /// The algorithm is not one for this kind of key.
    Algorithm,
    /// Not a JWK, or one with a member that is missing or wrong.
    Jwk,
    /// `use` or `key_ops` keeps the key from this purpose.
    Purpose,
    /// A shared secret where none is acceptable.
    Symmetric,
    /// An RSA modulus shorter than the policy allows.
    TooShort,
    /// An RSA modulus or exponent that cannot be used, or a private key that does not fit together.
    Rsa,
    /// An RSA modulus with the mark of a generator whose primes can be found (CVE-2017-15361).
    Marked,
    /// A point that is not on its curve, or a private key outside of its range.
    Point,
    /// An empty secret.
    Empty,
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadKey::Pem => "not a PEM key or certificate of the expected kind",
            BadKey::Encrypted => "the private key is encrypted; decrypt it first",
            BadKey::Der => "not the DER of a key or certificate",
            BadKey::Unsupported => "this kind of key is not supported",
            BadKey::Ed448 => "Ed448 keys are not supported",
            BadKey::Algorithm => "the algorithm is not one for this kind of key",
            BadKey::Jwk => "not a JWK, or one with a missing or wrong member",
            BadKey::Purpose => "`use` or `key_ops` does not allow this purpose",
            BadKey::Symmetric => "a shared secret is not acceptable here",
            BadKey::TooShort => "the RSA modulus is too short",
            BadKey::Rsa => {
                "the RSA key must have an odd modulus of at most 8192 bits and numbers that fit together"
            }
            BadKey::Marked => {
                "the RSA key was made by a generator whose primes can be found (ROCA, CVE-2017-15361)"
            }
            BadKey::Point => "the key is not on its curve",
            BadKey::Empty => "the secret is empty",
        })
    }
}

impl core::error::Error for Malformed {}
impl core::error::Error for Refused {}
impl core::error::Error for CannotSign {}
impl core::error::Error for BadKey {}
