//! ECDSA verification with tables of multiples of the key.
//!
//! A key of a JWK Set verifies many tokens, so it is worth a table. With one table for the
//! generator and one for the key, u1 G + u2 Q takes additions only. The curve crates also double
//! once for each bit of the scalars, because they know the key only when the signature comes. All
//! values here are public, and the time depends on them.

#![expect(clippy::arithmetic_side_effects, reason = "of points and scalars: modulo a prime")]

use p_curve::ops::{Invert as _, Reduce};
use p_curve::point::AffineCoordinates as _;
use p_curve::{BatchNormalize, FieldBytes, NonZeroScalar, PrimeField as _, Scalar};
use primeorder::Double as _;
use primeorder::elliptic_curve as p_curve;
use primeorder::{AffinePoint, PrimeCurveParams, ProjectivePoint};

/// Digits go from -8 to 8, so that a table needs eight multiples for each.
const MULTIPLES: usize = 8;

/// A table of multiples of a point. Row 0 has 1 to 8 times the point; each further row has 256
/// times the row before it.
pub(crate) struct Table<C: PrimeCurveParams>(Vec<[AffinePoint<C>; MULTIPLES]>);

impl<C: PrimeCurveParams> Table<C> {
    /// Computes the table of `point`, which takes about 270 additions and 260 doublings: the time
    /// of one verification without a table. The table takes 16 KiB on P-256.
    pub(crate) fn new(point: ProjectivePoint<C>) -> Self {
        // One more row than the scalar has bytes, for the carry out of the last digit.
        let rows = (Scalar::<C>::NUM_BITS as usize).div_ceil(8).saturating_add(1);
        let mut all = Vec::with_capacity(rows.saturating_mul(MULTIPLES));
        let mut base = point;
        for _ in 0..rows {
            let mut multiple = base;
            for _ in 0..MULTIPLES {
                all.push(multiple);
                multiple += base;
            }
            for _ in 0..8 {
                base = base.double();
            }
        }
        let all: Vec<AffinePoint<C>> = ProjectivePoint::<C>::batch_normalize(all.as_slice());
        Table(all.as_chunks().0.to_vec())
    }

    pub(crate) fn generator() -> Self {
        Self::new(ProjectivePoint::<C>::GENERATOR)
    }

    /// Returns the multiple of the row's point for `digit`, or `None` for the digit 0.
    fn entry(&self, row: usize, digit: i8) -> Option<AffinePoint<C>> {
        let index = usize::from(digit.unsigned_abs()).checked_sub(1)?;
        let point = *self.0.get(row)?.get(index)?;
        Some(if digit < 0 { -point } else { point })
    }
}

/// Writes a number in base 16 with digits from -8 to 7, little-endian. There is one digit more than
/// the number has nibbles.
fn digits(big_endian: &[u8]) -> Vec<i8> {
    let nibbles = big_endian.iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
    let mut carry = 0;
    nibbles
        .chain([0])
        .map(|nibble| {
            // The sum is at most 16.
            let v = i8::try_from(nibble).unwrap_or_default().wrapping_add(carry);
            carry = i8::from(v >= 8);
            v.wrapping_sub(carry << 4)
        })
        .collect()
}

/// Returns the sum over both tables of the table's point times its digits.
fn sum<C: PrimeCurveParams>(terms: [(&Table<C>, &[i8]); 2]) -> ProjectivePoint<C> {
    let mut sum = ProjectivePoint::<C>::IDENTITY;
    let add = |sum: &mut ProjectivePoint<C>, odd: usize| {
        for (table, digits) in terms {
            for (row, digit) in digits.iter().skip(odd).step_by(2).enumerate() {
                if let Some(point) = table.entry(row, *digit) {
                    *sum += point;
                }
            }
        }
    };
    // A digit at an odd place counts 16 times as much.
    add(&mut sum, 1);
    for _ in 0..4 {
        sum = sum.double();
    }
    add(&mut sum, 0);
    sum
}

/// Returns `true` if (r, s) is the key's signature of a message with this digest. The digest is no
/// longer than a scalar.
pub(crate) fn verifies<C>(
    generator: &Table<C>,
    key: &Table<C>,
    digest: &[u8],
    (r, s): (NonZeroScalar<C>, NonZeroScalar<C>),
) -> bool
where
    C: PrimeCurveParams,
    Scalar<C>: Reduce<FieldBytes<C>>,
{
    let mut z = FieldBytes::<C>::default();
    let Some(start) = z.len().checked_sub(digest.len()) else { return false };
    for (z, byte) in z.iter_mut().skip(start).zip(digest) {
        *z = *byte;
    }
    let inverse = *s.invert_vartime();
    let u1 = Scalar::<C>::reduce(&z) * inverse;
    let u2 = *r * inverse;
    let (u1, u2) = (digits(u1.to_repr().as_ref()), digits(u2.to_repr().as_ref()));
    let x = sum([(generator, &u1), (key, &u2)]).to_affine().x();
    // The x of the point at infinity reads as 0, which r never is.
    Scalar::<C>::reduce(&x) == *r
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_add_up_to_the_number() {
        for bytes in [[0u8; 4], [0xff; 4], [0x88; 4], [0x77, 0x80, 0x08, 0x7f], [1, 2, 3, 4]] {
            let digits = digits(&bytes);
            assert!(digits.len() == 9 && digits.iter().all(|d| (-8..8).contains(d)));
            let value = digits.iter().rev().fold(0i64, |v, d| v * 16 + i64::from(*d));
            assert_eq!(value, i64::from(u32::from_be_bytes(bytes)));
        }
    }
}
