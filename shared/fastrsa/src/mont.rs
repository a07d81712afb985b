//! Montgomery arithmetic with one modulus and unsigned 27-bit digits in `u64` columns. It serves
//! key setup, blinding and everything around the exponentiations.
//!
//! R = 2^(27 L) is at least 16 n. A column of a product and its reduction is at most 2 L (2^27 -
//! 1)^2 plus a carry below 2^38, so L is at most 500 (13500 bits).

use crate::digits::{MASK, Number, W, bit_length, carry, inverse, zero};
use crate::rows::{add_product, add_square, reduce_rows};

/// An odd modulus n, with the constants of Montgomery reduction.
pub(crate) struct Mont {
    n: Number,
    low: [u64; 4],
    /// -1/n mod 2^27
    n0: u64,
    /// R mod n
    one: Number,
    /// R^2 mod n
    r2: Number,
    bits: usize,
}

impl Mont {
    /// Returns `None` unless n is odd, longer than one digit, and leaves the four spare bits.
    pub(crate) fn new(n: Number) -> Option<Self> {
        let low = *n.first_chunk::<4>()?;
        let len = n.len();
        let bits = bit_length(&n, W);
        let fits =
            len.is_multiple_of(4) && (8..=500).contains(&len) && bits + 4 <= W as usize * len;
        if low[0] & 1 == 0 || bits <= W as usize || !fits {
            return None;
        }
        let n0 = inverse(low[0]).wrapping_neg() & MASK;
        let mut m = Mont { n, low, n0, one: zero(len), r2: zero(len), bits };
        let mut x = zero(len);
        *x.get_mut((bits - 1) / W as usize)? = 1 << ((bits - 1) % W as usize);
        for _ in bits - 1..W as usize * len {
            x = m.double(&x);
        }
        m.one = x;
        m.r2 = m.power_of_two(m.r_bits());
        Some(m)
    }

    pub(crate) fn bits(&self) -> usize {
        self.bits
    }

    pub(crate) fn len(&self) -> usize {
        self.n.len()
    }

    /// Returns log2 of R, which is at most 13500.
    pub(crate) fn r_bits(&self) -> u32 {
        W * self.n.len() as u32
    }

    pub(crate) fn modulus(&self) -> &[u64] {
        &self.n
    }

    /// Computes a b / R mod n, below 2 n. It requires a b <= n R.
    #[inline(never)]
    pub(crate) fn mul(&self, a: &[u64], b: &[u64]) -> Number {
        let mut t = zero(2 * self.n.len());
        add_product(&mut t, a, b);
        self.reduce_wide(t)
    }

    /// Computes a^2 / R mod n, below 2 n. It requires a^2 <= n R.
    #[inline(never)]
    pub(crate) fn square(&self, a: &[u64]) -> Number {
        let mut t = zero(2 * self.n.len());
        add_square(&mut t, a);
        self.reduce_wide(t)
    }

    #[cfg(feature = "sign")]
    pub(crate) fn to_mont(&self, a: &[u64]) -> Number {
        self.mul(a, &self.r2)
    }

    /// Reduces a number below 2 n to 0..n.
    pub(crate) fn canonical(&self, a: &[u64]) -> Number {
        let mut out = zero(self.n.len());
        let mut borrow = 0u64;
        for ((out, a), n) in out.iter_mut().zip(a).zip(self.n.iter()) {
            let v = a.wrapping_sub(*n).wrapping_sub(borrow);
            borrow = v >> 63;
            *out = v & MASK;
        }
        // The choice is hidden from the optimiser, so that it does not become a branch.
        let keep = core::hint::black_box(borrow.wrapping_neg());
        for (out, a) in out.iter_mut().zip(a) {
            *out = (a & keep) | (*out & !keep);
        }
        out
    }

    /// Returns 2^k R mod n.
    pub(crate) fn power_of_two(&self, k: u32) -> Number {
        let mut x = self.one.clone();
        for bit in (0..u32::BITS - k.leading_zeros()).rev() {
            x = self.canonical(&self.square(&x));
            if k >> bit & 1 == 1 {
                x = self.double(&x);
            }
        }
        x
    }

    /// Returns 2^k mod n.
    pub(crate) fn plain_power_of_two(&self, k: u32) -> Number {
        let mut unit = zero(self.n.len());
        if let Some(low) = unit.first_mut() {
            *low = 1;
        }
        self.canonical(&self.mul(&self.power_of_two(k), &unit))
    }

    fn double(&self, a: &[u64]) -> Number {
        let mut d = zero(a.len());
        for (d, a) in d.iter_mut().zip(a) {
            *d = a << 1;
        }
        carry(&mut d);
        self.canonical(&d)
    }

    /// Computes t / R mod n, below 2 n, for a number that is twice as long. It requires t <= n R; a
    /// number that is too long is cut.
    pub(crate) fn reduce_wide(&self, mut t: Number) -> Number {
        let [n0, n1, n2, n3] = self.low;
        let len = self.n.len();
        t.truncate(2 * len);
        let mut k = 0;
        reduce_rows(&mut t, &self.n, |c| {
            let digit = |v: u64| v.wrapping_mul(self.n0) & MASK;
            let v = c[0] + k;
            let m0 = digit(v);
            let v = c[1] + m0 * n1 + ((v + m0 * n0) >> W);
            let m1 = digit(v);
            let v = c[2] + m0 * n2 + m1 * n1 + ((v + m1 * n0) >> W);
            let m2 = digit(v);
            let v = c[3] + m0 * n3 + m1 * n2 + m2 * n1 + ((v + m2 * n0) >> W);
            let m3 = digit(v);
            k = (v + m3 * n0) >> W;
            [m0, m1, m2, m3]
        });
        let mut out = zero(len);
        for (out, t) in out.iter_mut().zip(t.iter().skip(len)) {
            *out = *t;
        }
        if let Some(low) = out.first_mut() {
            *low += k;
        }
        carry(&mut out);
        out
    }
}
