//! HMAC (RFC 7518 section 3.2).

use crate::algorithm::Algorithm;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

/// Computes the tag of `message`. Returns `None` for an algorithm other than HMAC.
pub(crate) fn tag(algorithm: Algorithm, secret: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    macro_rules! run {
        ($hash:ty) => {{
            // HMAC accepts a key of any length.
            let mut mac = Hmac::<$hash>::new_from_slice(secret).ok()?;
            mac.update(message);
            Some(mac.finalize().into_bytes().to_vec())
        }};
    }
    match algorithm {
        Algorithm::Hs256 => run!(Sha256),
        Algorithm::Hs384 => run!(Sha384),
        Algorithm::Hs512 => run!(Sha512),
        _ => None,
    }
}

/// Returns `true` if `signature` is the whole tag of `message`. The comparison takes constant time.
pub(crate) fn matches(
    algorithm: Algorithm,
    secret: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    tag(algorithm, secret, message).is_some_and(|tag| tag.ct_eq(signature).into())
}
