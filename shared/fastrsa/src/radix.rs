//! Signed digits in `f64`: their width, and why every sum is exact.
//!
//! # The bound
//!
//! Numbers have D signed digits of B bits. Write h = 2^(B-1).
//!
//! 1. [`Radix::split`] is exact for |x| <= 2^(51+B): the constant 1.5 * 2^(52+B) puts the sum into
//!    [2^(52+B), 2^(53+B)), where the spacing of `f64` is 2^B, so the sum is x rounded to a
//!    multiple of 2^B; both differences are then exact, and the remainder is at most h.
//! 2. Assume that every column is an integer of absolute value below 2^53, which is what is to be
//!    shown. Settling splits a column into a remainder of at most h and a carry of at most
//!    2^(53-B) + 1; their sum splits again into at most h and a carry of at most
//!    (h + 2^(53-B) + 1) / 2^B + 1 < 2^(53-2B) + 2 =: c. So digits are at most M = h + c.
//! 3. A column collects at most D products of two such digits, at most D products of a quotient
//!    digit (at most h, by 1) with a digit of the modulus (at most M), and one carry from the
//!    column below, at most 2^(53-B) + 1: in all D M^2 + D h M + 2^(53-B) + 1. [`fits`] demands
//!    that this is below 2^53, which closes the circle. It is the sum of absolute values, so it
//!    holds for the partial sums in any order too, and for doubled digits in squares.
//! 4. The modulus is replaced by its multiple N that is -1 mod 2^B, with 8 N <= R = 2^(B D). For
//!    |a|, |b| <= N the result (a b + m N) / R has |m| < R (1/2 + 2^-B), so it is at most
//!    N (1/8 + 1/2 + 2^-B) < N: nothing is ever subtracted. Since -1 is the lowest digit of N, the
//!    quotient digit is the lowest digit of the column itself.
//! 5. The top digit is not split. It is at most |a| / 2^(B(D-1)) + 1 <= 2^(B-3) + 1, because the
//!    digits below it are worth less than one of it. In the vector form, which splits the column
//!    2 D - 2, its carry is at most (2^(B-3) + 1)(2^(B-3) + 1 + h) / 2^B + 1 < h, so that splitting
//!    it once more yields nothing that could be lost.
//!
//! `tests` below evaluate 3 for every modulus length that keys can have, and compare the operations
//! with big integers on digits at their limits.

use crate::exact;
use crate::lane::{Digit, Pair};

/// The width B of the digits, with the two constants that splitting needs.
#[derive(Clone, Copy)]
pub(crate) struct Radix {
    pub(crate) bits: u32,
    big: f64,
    unit: f64,
}

/// Returns `true` if D digits of B bits never leave the integers that `f64` represents (step 3).
const fn fits(bits: u32, digits: u64) -> bool {
    // A `u128` is wide enough for `digits` up to 2^20 and B up to 26.
    let h = 1u128 << (bits - 1);
    let m = h + (1 << (53 - 2 * bits)) + 2;
    let d = digits as u128;
    d < 1 << 20 && d * m * m + d * h * m + (1 << (53 - bits)) + 1 < 1 << 53
}

impl Radix {
    /// Returns the widest digits for a modulus of `bits` bits, and their number: a multiple of
    /// four, with R >= 8 N (step 4).
    pub(crate) fn for_modulus(bits: usize) -> Option<(Radix, usize)> {
        [24u32, 23, 22].into_iter().find_map(|b| {
            let digits = (bits + b as usize + 3).div_ceil(4 * b as usize).max(2) * 4;
            fits(b, digits as u64).then(|| (Radix::new(b), digits))
        })
    }

    fn new(bits: u32) -> Self {
        let unit = (1u64 << bits) as f64;
        Radix { bits, big: 1.5 * (1u64 << 52) as f64 * unit, unit: 1.0 / unit }
    }

    /// Returns the remainder of x modulo 2^B nearest to zero, and the rest divided by 2^B, for each
    /// lane.
    #[inline(always)]
    pub(crate) fn split(self, x: Pair) -> (Pair, Pair) {
        let big = Pair::splat(self.big);
        // Adding the constant rounds, and that is its purpose.
        let r = x.sum(big).difference(big);
        let (rest, up) = (x.difference(r), r.product(Pair::splat(self.unit)));
        if exact::is_checked() {
            let ([x, y], [r, s], [u, v]) = (x.get(), rest.get(), up.get());
            exact::halves(x, (r, u), self.bits);
            exact::halves(y, (s, v), self.bits);
        }
        (rest, up)
    }

    /// Returns remainder and rest of one number, as [`Self::split`] does for each lane.
    #[inline(always)]
    pub(crate) fn split_one(self, Digit(x): Digit) -> (Digit, Digit) {
        let r = x + self.big - self.big;
        let (rest, up) = exact::halves(x, (x - r, r * self.unit), self.bits);
        (Digit(rest), Digit(up))
    }

    pub(crate) fn mask(self) -> u64 {
        (1 << self.bits) - 1
    }

    /// Returns the multiple of an odd n (in unsigned digits) that is -1 mod 2^B, if eight times the
    /// multiple fits.
    pub(crate) fn scale(self, n: &[u64]) -> Option<crate::digits::Number> {
        let low = *n.first()?;
        let room = crate::digits::bit_length(n, self.bits) + self.bits as usize + 3;
        if low & 1 == 0 || room > self.bits as usize * n.len() {
            return None;
        }
        let k = crate::digits::inverse(low).wrapping_neg() & self.mask();
        let mut c = 0;
        let mut out = crate::digits::zero(n.len());
        for (out, v) in out.iter_mut().zip(n) {
            let s = v * k + c;
            c = s >> self.bits;
            *out = s & self.mask();
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_digits_whose_sums_are_exact() {
        for bits in 256..=8192 {
            let (radix, digits) = Radix::for_modulus(bits).unwrap();
            assert!(digits % 4 == 0 && digits >= 8);
            assert!(bits + radix.bits as usize + 3 <= radix.bits as usize * digits);
            assert!(fits(radix.bits, digits as u64));
        }
        let of = |bits| Radix::for_modulus(bits).map(|(r, d)| (r.bits, d)).unwrap();
        assert_eq!((of(1024), of(1536), of(2048)), ((24, 44), (23, 68), (23, 92)));
        assert_eq!((of(4096), of(8192)), ((23, 180), (22, 376)));
    }

    #[test]
    fn the_bound_is_not_met_by_too_many_digits() {
        assert!(fits(24, 60) && !fits(24, 64));
        assert!(fits(23, 252) && !fits(23, 256));
    }

    #[test]
    fn splitting_is_exact_at_the_limits() {
        for (radix, x) in [24u32, 23, 22].into_iter().flat_map(|b| {
            let r = Radix::new(b);
            let half = (1i64 << (b - 1)) as f64;
            [0.0, 1.0, half, half - 1.0, half + 1.0, 9007199254740991.0].map(|x| (r, x))
        }) {
            for x in [x, -x] {
                let (Digit(d), Digit(up)) = radix.split_one(Digit(x));
                assert!(d.abs() <= (1u64 << (radix.bits - 1)) as f64);
                assert_eq!(d as i64 + ((up as i64) << radix.bits), x as i64);
                assert_eq!(radix.split(Pair::new(x, 0.0)).0.get()[0], d);
            }
        }
    }
}
