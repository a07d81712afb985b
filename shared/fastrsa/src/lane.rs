//! The number types of the digit arithmetic.

use crate::exact;
use core::ops::{Add, Mul};
use zeroize::DefaultIsZeroes;

/// A digit, or two digits side by side, that can be multiplied and added.
pub(crate) trait Lane: Copy {
    const ZERO: Self;
    fn mul(self, other: Self) -> Self;
    fn add(self, other: Self) -> Self;
}

impl Lane for u64 {
    const ZERO: u64 = 0;
    #[inline(always)]
    fn mul(self, other: u64) -> u64 {
        self * other
    }
    #[inline(always)]
    fn add(self, other: u64) -> u64 {
        self + other
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod imp {
    use core::arch::wasm32::{
        f64x2, f64x2_add, f64x2_extract_lane, f64x2_mul, f64x2_splat, f64x2_sub, i64x2_shuffle,
        v128,
    };
    #[cfg(feature = "sign")]
    use core::arch::wasm32::{i64x2_eq, i64x2_splat, u64x2, v128_and, v128_or};

    /// Two `f64` side by side: a digit for each prime, or two neighbouring digits.
    #[derive(Clone, Copy)]
    pub(crate) struct Pair(v128);

    /// A mask for each lane, with all bits one or all bits zero.
    #[cfg(feature = "sign")]
    #[derive(Clone, Copy)]
    pub(crate) struct Mask(v128);

    impl Pair {
        pub(crate) const ZERO: Pair = Pair(f64x2(0.0, 0.0));
        #[inline(always)]
        pub(crate) fn new(a: f64, b: f64) -> Pair {
            Pair(f64x2(a, b))
        }
        #[inline(always)]
        pub(crate) fn splat(a: f64) -> Pair {
            Pair(f64x2_splat(a))
        }
        #[inline(always)]
        pub(crate) fn get(self) -> [f64; 2] {
            [f64x2_extract_lane::<0>(self.0), f64x2_extract_lane::<1>(self.0)]
        }
        #[inline(always)]
        pub(crate) fn product(self, other: Pair) -> Pair {
            Pair(f64x2_mul(self.0, other.0))
        }
        #[inline(always)]
        pub(crate) fn sum(self, other: Pair) -> Pair {
            Pair(f64x2_add(self.0, other.0))
        }
        #[inline(always)]
        pub(crate) fn difference(self, other: Pair) -> Pair {
            Pair(f64x2_sub(self.0, other.0))
        }
        /// Returns the last lane of `a` and the first lane of `b`.
        #[inline(always)]
        pub(crate) fn between(a: Pair, b: Pair) -> Pair {
            Pair(i64x2_shuffle::<1, 2>(a.0, b.0))
        }
        /// `self | (other & mask)`, lane by lane.
        #[cfg(feature = "sign")]
        #[inline(always)]
        pub(crate) fn or_masked(self, other: Pair, mask: Mask) -> Pair {
            Pair(v128_or(self.0, v128_and(other.0, mask.0)))
        }
    }

    #[cfg(feature = "sign")]
    impl Mask {
        #[inline(always)]
        pub(crate) fn eq(index: u64, wanted: [u64; 2]) -> Mask {
            let [a, b] = wanted;
            Mask(i64x2_eq(i64x2_splat(index as i64), u64x2(a, b)))
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod imp {
    /// Two `f64` side by side: a digit for each prime, or two neighbouring digits.
    #[derive(Clone, Copy)]
    pub(crate) struct Pair([f64; 2]);

    /// A mask for each lane, with all bits one or all bits zero.
    #[cfg(feature = "sign")]
    #[derive(Clone, Copy)]
    pub(crate) struct Mask([u64; 2]);

    impl Pair {
        pub(crate) const ZERO: Pair = Pair([0.0; 2]);
        #[inline(always)]
        pub(crate) fn new(a: f64, b: f64) -> Pair {
            Pair([a, b])
        }
        #[inline(always)]
        pub(crate) fn splat(a: f64) -> Pair {
            Pair([a, a])
        }
        #[inline(always)]
        pub(crate) fn get(self) -> [f64; 2] {
            self.0
        }
        #[inline(always)]
        pub(crate) fn product(self, other: Pair) -> Pair {
            Pair([self.0[0] * other.0[0], self.0[1] * other.0[1]])
        }
        #[inline(always)]
        pub(crate) fn sum(self, other: Pair) -> Pair {
            Pair([self.0[0] + other.0[0], self.0[1] + other.0[1]])
        }
        #[inline(always)]
        pub(crate) fn difference(self, other: Pair) -> Pair {
            Pair([self.0[0] - other.0[0], self.0[1] - other.0[1]])
        }
        /// Returns the last lane of `a` and the first lane of `b`.
        #[inline(always)]
        pub(crate) fn between(a: Pair, b: Pair) -> Pair {
            Pair([a.0[1], b.0[0]])
        }
        /// `self | (other & mask)`, lane by lane.
        #[cfg(feature = "sign")]
        #[inline(always)]
        pub(crate) fn or_masked(self, other: Pair, mask: Mask) -> Pair {
            let pick = |a: f64, b: f64, m: u64| f64::from_bits(a.to_bits() | (b.to_bits() & m));
            Pair([pick(self.0[0], other.0[0], mask.0[0]), pick(self.0[1], other.0[1], mask.0[1])])
        }
    }

    #[cfg(feature = "sign")]
    impl Mask {
        #[inline(always)]
        pub(crate) fn eq(index: u64, wanted: [u64; 2]) -> Mask {
            // This is arithmetic only, and hidden from the optimiser, so that no branch appears.
            // Both numbers are below 2^63.
            Mask(wanted.map(|w| {
                core::hint::black_box(((index ^ w).wrapping_sub(1).cast_signed() >> 63) as u64)
            }))
        }
    }
}

#[cfg(feature = "sign")]
pub(crate) use imp::Mask;
pub(crate) use imp::Pair;

impl Pair {
    /// The products of the lanes, which are integers below 2^53.
    #[inline(always)]
    pub(crate) fn mul(self, other: Pair) -> Pair {
        self.product(other).computed(self, other, |a, b| a * b)
    }

    /// The sums of the lanes, which are integers below 2^53.
    #[inline(always)]
    pub(crate) fn add(self, other: Pair) -> Pair {
        self.sum(other).computed(self, other, |a, b| a + b)
    }

    /// Checks each lane with the feature `exact`.
    #[inline(always)]
    fn computed(self, a: Pair, b: Pair, compute: fn(i128, i128) -> i128) -> Pair {
        if exact::is_checked() {
            let ([a0, a1], [b0, b1], [r0, r1]) = (a.get(), b.get(), self.get());
            exact::computed(a0, b0, r0, compute);
            exact::computed(a1, b1, r1, compute);
        }
        self
    }

    /// The two lanes as digits.
    #[inline(always)]
    pub(crate) fn digits(self) -> [Digit; 2] {
        self.get().map(Digit)
    }

    /// Two digits side by side.
    #[inline(always)]
    pub(crate) fn of(a: Digit, b: Digit) -> Pair {
        Pair::new(a.0, b.0)
    }

    /// One digit in both lanes.
    #[inline(always)]
    pub(crate) fn twice(a: Digit) -> Pair {
        Pair::splat(a.0)
    }
}

/// One digit or column, an integer below 2^53.
#[derive(Clone, Copy)]
pub(crate) struct Digit(pub(crate) f64);

impl Digit {
    pub(crate) const ZERO: Digit = Digit(0.0);
}

impl Add for Digit {
    type Output = Digit;
    #[inline(always)]
    fn add(self, other: Digit) -> Digit {
        Digit(exact::computed(self.0, other.0, self.0 + other.0, |a, b| a + b))
    }
}

impl Mul for Digit {
    type Output = Digit;
    #[inline(always)]
    fn mul(self, other: Digit) -> Digit {
        Digit(exact::computed(self.0, other.0, self.0 * other.0, |a, b| a * b))
    }
}

impl Default for Pair {
    fn default() -> Self {
        Pair::ZERO
    }
}

/// Lets `Zeroizing<Vec<Pair>>` wipe itself.
impl DefaultIsZeroes for Pair {}

impl Lane for Pair {
    const ZERO: Pair = Pair::ZERO;
    #[inline(always)]
    fn mul(self, other: Pair) -> Pair {
        Pair::mul(self, other)
    }
    #[inline(always)]
    fn add(self, other: Pair) -> Pair {
        Pair::add(self, other)
    }
}
