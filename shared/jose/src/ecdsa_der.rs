//! Conversion of ECDSA signatures: TLS libraries use DER, a JWS uses r and s with a fixed length.

use crate::algorithm::Algorithm;
use der::asn1::UintRef;
use der::{Decode as _, Encode as _, Sequence};

#[derive(Sequence)]
struct EcdsaSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// Returns the length of r and of s in bytes, or `None` for an algorithm other than ES*.
pub(crate) fn half(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::Es256 => Some(32),
        Algorithm::Es384 => Some(48),
        Algorithm::Es512 => Some(66),
        _ => None,
    }
}

/// Converts to DER. Returns `None` if the length is wrong.
pub(crate) fn from_fixed(fixed: &[u8], half: usize) -> Option<Vec<u8>> {
    let (r, s) = fixed.split_at_checked(half)?;
    if s.len() != half {
        return None;
    }
    EcdsaSignature { r: UintRef::new(r).ok()?, s: UintRef::new(s).ok()? }.to_der().ok()
}

/// Converts from DER. Returns `None` if it is malformed or a number is too long.
#[cfg(feature = "sign")]
pub(crate) fn to_fixed(der: &[u8], half: usize) -> Option<Vec<u8>> {
    let EcdsaSignature { r, s } = EcdsaSignature::from_der(der).ok()?;
    let pad = |v: &[u8]| {
        let zeros = half.checked_sub(v.len())?;
        Some([&vec![0; zeros][..], v].concat())
    };
    Some([pad(r.as_bytes())?, pad(s.as_bytes())?].concat())
}

#[cfg(all(test, feature = "sign"))]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let mut fixed = [0; 64];
        (fixed[31], fixed[32]) = (5, 0x80);
        let der = from_fixed(&fixed, 32).unwrap();
        assert_eq!(der[..7], [0x30, 38, 2, 1, 5, 2, 33]);
        assert_eq!(to_fixed(&der, 32), Some(fixed.to_vec()));
    }

    #[test]
    fn other_lengths_and_broken_der_are_refused() {
        assert_eq!(from_fixed(&[1; 63], 32), None);
        assert_eq!(from_fixed(&[1; 65], 32), None);
        assert_eq!(from_fixed(&[], 32), None);
        let der = from_fixed(&[1; 64], 32).unwrap();
        assert_eq!(to_fixed(&der, 31), None);
        for len in 0..der.len() {
            assert_eq!(to_fixed(&der[..len], 32), None);
        }
        assert_eq!(to_fixed(&[&der[..], &[0]].concat(), 32), None);
    }
}
