//! The public keys of X.509 certificates (RFC 5280), and the value of `x5c`.
//!
//! Nothing else in a certificate is checked: the operator who configures it vouches for it.

use crate::error::BadKey;
use crate::pem;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::asn1::AnyRef;
use der::{Decode as _, Encode as _, Tag, TagNumber, Tagged as _};

/// Returns the SubjectPublicKeyInfo of a certificate as DER.
pub(crate) fn public_key(certificate: &[u8]) -> Result<Vec<u8>, BadKey> {
    subject_public_key_info(certificate).map_err(|_| BadKey::Der)
}

fn subject_public_key_info(certificate: &[u8]) -> der::Result<Vec<u8>> {
    let outer = AnyRef::from_der(certificate)?;
    outer.tag().assert_eq(Tag::Sequence)?;
    let mut outer = der::SliceReader::new(outer.value())?;
    let signed = AnyRef::decode(&mut outer)?;
    signed.tag().assert_eq(Tag::Sequence)?;
    let mut fields = der::SliceReader::new(signed.value())?;
    let version = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    if Tag::peek(&fields)? == version {
        AnyRef::decode(&mut fields)?;
    }
    // These are serialNumber, signature, issuer, validity and subject.
    for tag in [Tag::Integer, Tag::Sequence, Tag::Sequence, Tag::Sequence, Tag::Sequence] {
        AnyRef::decode(&mut fields)?.tag().assert_eq(tag)?;
    }
    let key = AnyRef::decode(&mut fields)?;
    key.tag().assert_eq(Tag::Sequence)?;
    key.to_der()
}

/// Returns the certificates of a PEM text as DER, in their order. Other blocks are ignored.
///
/// # Errors
///
/// [`BadKey::Pem`] if there is no certificate, [`BadKey::Der`] if one is malformed.
pub fn certificates_from_pem(text: &str) -> Result<Vec<Vec<u8>>, BadKey> {
    let certificates: Vec<Vec<u8>> = pem::blocks(text)?
        .into_iter()
        .filter(|block| {
            matches!(block.label, "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE")
        })
        .map(|block| block.der.to_vec())
        .collect();
    if certificates.is_empty() {
        return Err(BadKey::Pem);
    }
    certificates.iter().try_for_each(|c| public_key(c).map(drop))?;
    Ok(certificates)
}

/// Returns the value of the header `x5c` (RFC 7515 section 4.1.6). It is in base64, not in
/// base64url.
pub fn x5c(certificates: &[Vec<u8>]) -> Vec<String> {
    certificates.iter().map(|c| STANDARD.encode(c)).collect()
}
