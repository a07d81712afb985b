//! SubjectPublicKeyInfo (RFC 5280 section 4.1), which is a public key in DER.

use crate::error::BadKey;
use der::asn1::{AnyRef, BitStringRef};
use der::{Decode as _, Encode as _};
use spki::{AlgorithmIdentifier, ObjectIdentifier, SubjectPublicKeyInfo};

pub(crate) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(crate) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(crate) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(crate) const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
pub(crate) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
pub(crate) const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");

/// A kind of key, with the bytes that define the key.
pub(crate) enum Contents<'a> {
    /// An RSAPublicKey or RSAPrivateKey.
    Rsa(&'a [u8]),
    /// A curve, and a point or an ECPrivateKey.
    Ec(ObjectIdentifier, &'a [u8]),
    /// A point or a CurvePrivateKey.
    Ed25519(&'a [u8]),
}

impl<'a> Contents<'a> {
    /// Determines the kind by the algorithm identifier.
    pub(crate) fn of(
        id: &AlgorithmIdentifier<AnyRef<'_>>,
        bytes: &'a [u8],
    ) -> Result<Self, BadKey> {
        match id.oid {
            RSA => Ok(Contents::Rsa(bytes)),
            EC => {
                let curve = id.parameters_oid().map_err(|_| BadKey::Unsupported)?;
                Ok(Contents::Ec(curve, bytes))
            }
            ED25519 => Ok(Contents::Ed25519(bytes)),
            ED448 => Err(BadKey::Ed448),
            _ => Err(BadKey::Unsupported),
        }
    }
}

/// Reads a SubjectPublicKeyInfo.
pub(crate) fn read<T>(
    der: &[u8],
    use_it: impl FnOnce(Contents<'_>) -> Result<T, BadKey>,
) -> Result<T, BadKey> {
    let info = SubjectPublicKeyInfo::<AnyRef<'_>, BitStringRef<'_>>::from_der(der)
        .map_err(|_| BadKey::Der)?;
    let bytes = info.subject_public_key.as_bytes().ok_or(BadKey::Der)?;
    use_it(Contents::of(&info.algorithm, bytes)?)
}

/// Writes a SubjectPublicKeyInfo. The result is empty if it cannot be encoded, which is impossible.
pub(crate) fn write(
    algorithm: ObjectIdentifier,
    parameters: Option<AnyRef<'_>>,
    key: &[u8],
) -> Vec<u8> {
    let encoded = BitStringRef::from_bytes(key).and_then(|subject_public_key| {
        let algorithm = AlgorithmIdentifier { oid: algorithm, parameters };
        SubjectPublicKeyInfo { algorithm, subject_public_key }.to_der()
    });
    encoded.unwrap_or_default()
}
