//! The two primes of a private key at once, one per lane.
//!
//! p and q need the same operations in the same order (same length, same number of exponent
//! windows), so no shuffle and no broadcast is ever needed. Multiplication and addition of `f64`
//! pairs are single instructions on every SIMD machine, which 32 x 32 -> 64 bit products in
//! WebAssembly are not. Why all sums are exact: [`crate::radix`].

use crate::digits::{Number, zero};
use crate::lane::{Mask, Pair};
use crate::radix::Radix;
use crate::rows::{add_product, add_square, reduce_rows};
use zeroize::Zeroizing;

/// The width of the windows of [`DualMont::pow`], in bits.
pub(crate) const WINDOW: u32 = 5;
const ENTRIES: usize = 1 << WINDOW;

/// A number for each modulus, or columns of them.
pub(crate) type Dual = Zeroizing<Vec<Pair>>;

fn dual_zero(len: usize) -> Dual {
    Zeroizing::new(vec![Pair::ZERO; len])
}

/// Two odd moduli p and q of the same length.
pub(crate) struct DualMont {
    radix: Radix,
    /// The multiples N of p and q that equal -1 mod 2^B.
    n: Dual,
    n1: Pair,
    n2: Pair,
    n3: Pair,
}

impl DualMont {
    /// Takes the moduli as unsigned digits of `radix`.
    pub(crate) fn new(radix: Radix, p: &[u64], q: &[u64]) -> Option<Self> {
        let n = Self::pack_in(radix, &radix.scale(p)?, &radix.scale(q)?);
        let [_, n1, n2, n3] = *n.first_chunk::<4>()?;
        Some(DualMont { radix, n, n1, n2, n3 })
    }

    /// Returns log2 of R, which is below 2^13.
    pub(crate) fn r_bits(&self) -> u32 {
        self.radix.bits * self.n.len() as u32
    }

    pub(crate) fn radix(&self) -> Radix {
        self.radix
    }

    pub(crate) fn len(&self) -> usize {
        self.n.len()
    }

    /// Converts two numbers from unsigned to signed digits. They are at most N.
    pub(crate) fn pack(&self, a: &[u64], b: &[u64]) -> Dual {
        Self::pack_in(self.radix, a, b)
    }

    fn pack_in(radix: Radix, a: &[u64], b: &[u64]) -> Dual {
        let mut t = dual_zero(a.len());
        for ((t, a), b) in t.iter_mut().zip(a).zip(b) {
            *t = Pair::new(*a as f64, *b as f64);
        }
        let mut out = dual_zero(a.len());
        settle(radix, &mut t, &mut out);
        out
    }

    /// Converts the numbers to unsigned digits. Adding N makes them non-negative.
    pub(crate) fn unpack(&self, a: &[Pair]) -> [Number; 2] {
        let mut out = [zero(a.len()), zero(a.len())];
        let (mut c, mut d) = (0i64, 0i64);
        let mask = self.radix.mask();
        let [left, right] = &mut out;
        for (((a, n), x), y) in
            a.iter().zip(self.n.iter()).zip(left.iter_mut()).zip(right.iter_mut())
        {
            let ([a0, a1], [n0, n1]) = (a.get(), n.get());
            let v = a0 as i64 + n0 as i64 + c;
            c = v >> self.radix.bits;
            *x = v.cast_unsigned() & mask;
            let v = a1 as i64 + n1 as i64 + d;
            d = v >> self.radix.bits;
            *y = v.cast_unsigned() & mask;
        }
        out
    }

    #[inline(always)]
    fn reduce(&self, t: &mut [Pair], out: &mut [Pair]) {
        let (radix, n1, n2, n3) = (self.radix, self.n1, self.n2, self.n3);
        let mut k = Pair::ZERO;
        reduce_rows(t, &self.n, |c| {
            // n[0] is -1: adding the row leaves the rounded part of the column.
            let split = |v| radix.split(v);
            let (m0, k0) = split(c[0].add(k));
            let (m1, k1) = split(c[1].add(k0).add(m0.mul(n1)));
            let (m2, k2) = split(c[2].add(m0.mul(n2)).add(k1).add(m1.mul(n1)));
            let v = c[3].add(m0.mul(n3)).add(m1.mul(n2));
            let (m3, k3) = split(v.add(k2).add(m2.mul(n1)));
            k = k3;
            [m0, m1, m2, m3]
        });
        let Some((_, upper)) = t.split_at_mut_checked(self.n.len()) else { return };
        if let Some(low) = upper.first_mut() {
            *low = low.add(k);
        }
        settle(radix, upper, out);
    }

    /// Computes a = a b / R. `columns` is all zero before and after.
    #[inline(never)]
    pub(crate) fn mul(&self, a: &mut [Pair], b: &[Pair], columns: &mut [Pair]) {
        add_product(columns, a, b);
        self.reduce(columns, a);
    }

    /// Computes a = a^2 / R. `columns` is all zero before and after.
    #[inline(never)]
    pub(crate) fn square(&self, a: &mut [Pair], columns: &mut [Pair]) {
        add_square(columns, a);
        self.reduce(columns, a);
    }

    pub(crate) fn columns(&self) -> Dual {
        dual_zero(2 * self.n.len())
    }

    /// Raises x to two secret powers, given as little-endian 5-bit windows. Time and addresses
    /// depend only on the number of windows.
    #[inline(never)]
    pub(crate) fn pow(&self, one: &[Pair], x: &[Pair], windows: &[[u64; 2]]) -> Dual {
        let len = self.n.len();
        let mut t = self.columns();
        // Entry i is x^i, computed from the entry before it.
        let mut table = dual_zero(ENTRIES * len);
        let mut acc = Zeroizing::new(one.to_vec());
        let mut rest = table.as_mut_slice();
        for _ in 0..ENTRIES {
            let Some(entry) = rest.split_off_mut(..len) else { break };
            for (slot, v) in entry.iter_mut().zip(acc.iter()) {
                *slot = *v;
            }
            self.mul(&mut acc, x, &mut t);
        }
        let mut entry = dual_zero(len);
        let mut windows = windows.iter().rev();
        lookup(&table, *windows.next().unwrap_or(&[0; 2]), &mut acc);
        for wanted in windows {
            for _ in 0..WINDOW {
                self.square(&mut acc, &mut t);
            }
            lookup(&table, *wanted, &mut entry);
            self.mul(&mut acc, &entry, &mut t);
        }
        acc
    }
}

/// Carries twice, in all columns at once, and clears `t`. The digits are then at most 2^(B-1) +
/// 2^(53-2B) + 2.
#[inline(always)]
fn settle(radix: Radix, t: &mut [Pair], out: &mut [Pair]) {
    let (Some((top, t)), Some((last, out))) = (t.split_last_mut(), out.split_last_mut()) else {
        return;
    };
    let (mut k, mut l) = (Pair::ZERO, Pair::ZERO);
    for (t, out) in t.iter_mut().zip(out) {
        let (d, up) = radix.split(*t);
        *t = Pair::ZERO;
        let w = d.add(k);
        k = up;
        let (d, up) = radix.split(w);
        *out = d.add(l);
        l = up;
    }
    *last = top.add(k).add(l);
    *top = Pair::ZERO;
}

/// Selects one table entry for each lane. It always reads the whole table.
#[inline(never)]
fn lookup(table: &[Pair], [p, q]: [u64; 2], out: &mut [Pair]) {
    let len = out.len();
    out.fill(Pair::ZERO);
    let mut rest = table;
    for index in (0..ENTRIES).step_by(4) {
        let m: [Mask; 4] = core::array::from_fn(|j| Mask::eq((index + j) as u64, [p, q]));
        let (Some(a), Some(b)) = (rest.split_off(..len), rest.split_off(..len)) else { return };
        let (Some(c), Some(d)) = (rest.split_off(..len), rest.split_off(..len)) else { return };
        for ((((out, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            let s = out.or_masked(*a, m[0]).or_masked(*b, m[1]);
            *out = s.or_masked(*c, m[2]).or_masked(*d, m[3]);
        }
    }
}
