//! Public keys, which verify signatures.

use crate::digits::{
    self, Number, W, from_bytes, less, regroup, regroup_secret, strip, to_bytes, zero,
};
use crate::mont::Mont;
use crate::radix::Radix;
use crate::scheme::{Scheme, pkcs1_encode, pss_matches};
use crate::wide::{Wide, WideMont};
use crate::{BadKey, BadSignature};
use core::fmt;

/// The allowed lengths of a modulus, in bits.
pub const MODULUS_BITS: core::ops::RangeInclusive<usize> = 1024..=8192;

/// A public key. Its modulus is odd and has a length in [`MODULUS_BITS`]; its exponent is odd, from
/// 3 to 2^64 - 1.
pub struct PublicKey {
    n: Mont,
    wide: WideMont,
    /// The modulus in the digits of `wide`, and the square of its R.
    cut: Number,
    r2: Wide,
    /// One over the top three digits of the modulus, and the index of the lowest of them.
    inverse: f64,
    base: usize,
    /// The exponent, lower half first. It is not an `i64` in WebAssembly, because only values that
    /// may be secret are.
    e: [u32; 2],
    /// The length of the modulus in bytes.
    size: usize,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} bits)", self.bits())
    }
}

impl PublicKey {
    /// Makes a key of modulus and exponent, both big-endian. Leading zeros are allowed.
    ///
    /// # Errors
    ///
    /// [`BadKey::Modulus`] or [`BadKey::Exponent`], if one is out of range.
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, BadKey> {
        let (modulus, exponent) = (strip(modulus), strip(exponent));
        if exponent.len() > 8 {
            return Err(BadKey::Exponent);
        }
        let e = exponent.iter().fold(0u64, |e, b| e << 8 | u64::from(*b));
        if e < 3 || e & 1 == 0 {
            return Err(BadKey::Exponent);
        }
        Self::build(modulus, e).ok_or(BadKey::Modulus)
    }

    fn build(modulus: &[u8], e: u64) -> Option<Self> {
        let size = modulus.len();
        let bits = (size * 8).checked_sub(modulus.first()?.leading_zeros() as usize)?;
        if !MODULUS_BITS.contains(&bits) {
            return None;
        }
        let n = Mont::new(from_bytes(modulus, digits::digits(bits))?)?;
        let (radix, len) = Radix::for_modulus(bits)?;
        let cut = regroup(n.modulus().iter().copied(), W, len, radix.bits)?;
        let wide = WideMont::new(radix, &cut)?;
        let r2 = wide.pack_from(&n.plain_power_of_two(2 * wide.r_bits()), W);
        let base = ((bits - 1) / radix.bits as usize).checked_sub(2)?;
        let inverse = 1.0 / top(cut.get(base..)?, radix);
        let e = [e as u32, (e >> 32) as u32];
        Some(PublicKey { n, wide, cut, r2, inverse, base, e, size })
    }

    /// Returns the length of the modulus in bits.
    pub fn bits(&self) -> usize {
        self.n.bits()
    }

    /// Returns the length of a signature in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Returns the modulus, big-endian, without leading zeros.
    pub fn modulus(&self) -> Vec<u8> {
        to_bytes(self.n.modulus(), self.size).unwrap_or_default()
    }

    /// Returns the exponent.
    pub fn exponent(&self) -> u64 {
        let [low, high] = self.e.map(u64::from);
        high << 32 | low
    }

    /// Verifies a signature of `message`.
    ///
    /// # Errors
    ///
    /// [`BadSignature`], whatever the fault.
    pub fn verify(
        &self,
        scheme: Scheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        match self.matches(scheme, message, signature) {
            Some(true) => Ok(()),
            Some(false) | None => Err(BadSignature),
        }
    }

    fn matches(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Option<bool> {
        // A signature with another length is another signature, even if its number is equal.
        if signature.len() != self.size {
            return None;
        }
        let s = from_bytes(signature, self.n.len())?;
        if !less(&s, self.n.modulus()) {
            return None;
        }
        let em = to_bytes(&self.power(&s)?, self.size)?;
        Some(match scheme {
            Scheme::Pkcs1(hash) => em == pkcs1_encode(hash, message, self.size)?,
            Scheme::Pss(hash) => pss_matches(hash, message, &em, self.bits()),
        })
    }

    /// Returns `base`^e mod n, big-endian and as long as the modulus. `base` has this length, too,
    /// and is below the modulus; otherwise the result is `None`.
    #[cfg(feature = "raised")]
    pub fn raised(&self, base: &[u8]) -> Option<Vec<u8>> {
        let s = from_bytes(base, self.n.len()).filter(|_| base.len() == self.size)?;
        less(&s, self.n.modulus())
            .then(|| self.power(&s))
            .flatten()
            .and_then(|x| to_bytes(&x, self.size))
    }

    /// Computes s^e mod n for s < n, which may be secret. The exponent is public and odd.
    #[inline(never)]
    pub(crate) fn power(&self, s: &[u64]) -> Option<Number> {
        let w = &self.wide;
        let s = w.pack_from(s, W);
        let mut t = w.scratch();
        let mut m = s.clone();
        w.mul(&mut m, &self.r2, &mut t);
        let mut acc = m.clone();
        let [low, high] = self.e;
        let zeros = if high == 0 { 32 + low.leading_zeros() } else { high.leading_zeros() };
        for bit in (1..63 - zeros).rev() {
            w.square(&mut acc, &mut t);
            let half = if bit < 32 { low } else { high };
            if half >> (bit & 31) & 1 == 1 {
                w.mul(&mut acc, &m, &mut t);
            }
        }
        w.square(&mut acc, &mut t);
        // The last factor is not in Montgomery form, so the result is not either.
        w.mul(&mut acc, &s, &mut t);
        self.fold(&w.unpack(&acc))
    }

    /// Computes v mod n for v below 2^(B+1) n, where B is at most 24.
    ///
    /// The quotient is below 2^25. Its estimate divides by the top three digits of n, which have
    /// more than 2 B bits, so its relative error is below 2^-43 and it is off by one at most. With
    /// one less, the remainder is non-negative and below 3 n.
    fn fold(&self, v: &[u64]) -> Option<Number> {
        let radix = self.wide.radix();
        let q = (top(v.get(self.base..)?, radix) * self.inverse) as i64 - 1;
        let mut k = 0i64;
        let mut rest = zero(v.len());
        for ((out, v), n) in rest.iter_mut().zip(v).zip(self.cut.iter()) {
            let d = v.cast_signed() - q * n.cast_signed() + k;
            k = d >> radix.bits;
            *out = d.cast_unsigned() & radix.mask();
        }
        let out = regroup_secret(rest.iter().copied(), radix.bits, self.n.len(), W);
        Some(self.n.canonical(&self.n.canonical(&out)))
    }

    #[cfg(feature = "sign")]
    pub(crate) fn field(&self) -> &Mont {
        &self.n
    }
}

/// Returns the approximate value of a few digits.
fn top(a: &[u64], radix: Radix) -> f64 {
    a.iter().rev().fold(0.0, |t, &d| t * (radix.mask() + 1) as f64 + d as f64)
}
