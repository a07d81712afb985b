//! The errors of this crate. No message contains a secret, a key or a token.

use core::fmt;

/// The reason why bytes are not a JWS or a JWT. Parsing checks the reasons in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The token is longer than [`crate::MAX_TOKEN`].
    TooLong,
    /// The token is not `header.payload.signature`, because a part is missing.
    Segments,
    /// The header is not base64url of a JSON object without duplicate members.
    Header,
    /// The claims are not base64url of JSON without duplicate members.
    Payload,
    /// `alg` is missing, is not a string, or names an algorithm that is not supported, such as
    /// `none`.
    Algorithm,
    /// The header has `crit` or `b64`. No critical extension is supported.
    Critical,
    /// `kid` is not a string.
    KeyId,
    /// The claims are JSON, but not an object.
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

/// The reason why a token or a signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The token's algorithm is not among the key's.
    Algorithm,
    /// The key did not make this signature of this message.
    Signature,
    /// The host, which was configured to verify, failed to answer.
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

/// The reason why no signature was made.
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
    /// The host, which was configured to sign, failed to answer.
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

/// The reason why something is not a usable key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadKey {
    /// The text is not PEM, or has no block of the right kind.
    Pem,
    /// The private key is encrypted.
    Encrypted,
    /// The bytes are not the DER of a key or certificate.
    Der,
    /// This build does not support the kind of key, or the curve.
    Unsupported,
    /// The key is for Ed448, for which no implementation is trusted yet.
    Ed448,
    /// The algorithm does not fit the kind of key.
    Algorithm,
    /// The object is not a JWK, or has a missing or wrong member.
    Jwk,
    /// `use` or `key_ops` forbids this purpose.
    Purpose,
    /// The key is a shared secret, and the policy allows none.
    Symmetric,
    /// The RSA modulus is shorter than the policy allows.
    TooShort,
    /// The RSA modulus or exponent is unusable, or the numbers of the private key do not belong
    /// together.
    Rsa,
    /// The RSA modulus comes from a generator whose primes can be found (CVE-2017-15361).
    Marked,
    /// The point is not on its curve, or the private key is out of its range.
    Point,
    /// The secret is empty.
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
