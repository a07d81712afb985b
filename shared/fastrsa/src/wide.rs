//! Montgomery arithmetic with one modulus, and two neighbouring digits in each vector. It computes
//! `x^e` for public exponents.
//!
//! The arithmetic is that of `dual`, but a vector holds the digits (or columns) 2 j and 2 j + 1 of
//! one number. Rows at odd distances need the digits 2 j - 1 and 2 j together, so the other factor
//! is also kept shifted by one digit. [`crate::radix`] shows why all sums are exact.

use crate::digits::{Number, regroup_secret};
use crate::lane::{Digit, Pair};
use crate::radix::Radix;
use zeroize::Zeroizing;

/// Pairs of neighbouring digits of a number.
pub(crate) type Wide = Zeroizing<Vec<Pair>>;

fn wide_zero(len: usize) -> Wide {
    Zeroizing::new(vec![Pair::ZERO; len])
}

/// An odd modulus n, numbers of 2 H digits.
pub(crate) struct WideMont {
    radix: Radix,
    /// The multiple N of n that equals -1 mod 2^B, in both alignments.
    even: Wide,
    odd: Wide,
    low: [Digit; 4],
    /// The first vectors of `even` and `odd`.
    first: [Pair; 4],
    first_odd: [Pair; 3],
}

/// Memory that successive multiplications share.
pub(crate) struct Scratch {
    columns: Wide,
    odd: Wide,
}

/// Writes the digits 2 j - 1 and 2 j of a factor for j >= 1, up to the last digit.
#[inline(always)]
fn shift(a: &[Pair], out: &mut [Pair]) {
    for ((out, a), b) in out.iter_mut().zip(a).zip(a.iter().skip(1)) {
        *out = Pair::between(*a, *b);
    }
    if let (Some(out), Some(a)) = (out.last_mut(), a.last()) {
        *out = Pair::between(*a, Pair::ZERO);
    }
}

/// `t[j] += x0 e[j] + x1 o[j] + x2 e[j - 1] + x3 o[j - 1]` where (e, o)[-1] is `below` and both
/// end, o one later than e. `even` has an even length, `odd` is one longer.
#[inline(always)]
fn add_pair_rows(t: &mut [Pair], x: &[Pair; 4], below: [Pair; 2], even: &[Pair], odd: &[Pair]) {
    let [mut e, mut o] = below;
    let Some((main, tail)) = t.split_at_mut_checked(even.len()) else { return };
    let Some(tail) = tail.first_chunk_mut::<2>() else { return };
    let Some((odd, [last, ..])) = odd.split_at_checked(even.len()) else { return };
    let (main, even) = (main.as_chunks_mut::<2>().0, even.as_chunks::<2>().0);
    for ((t, a), b) in main.iter_mut().zip(even).zip(odd.as_chunks::<2>().0) {
        t[0] = t[0].add(sum_pairs(x, a[0], b[0], e, o));
        t[1] = t[1].add(sum_pairs(x, a[1], b[1], a[0], b[0]));
        (e, o) = (a[1], b[1]);
    }
    tail[0] = tail[0].add(x[1].mul(*last)).add(x[2].mul(e)).add(x[3].mul(o));
    tail[1] = tail[1].add(x[3].mul(*last));
}

#[inline(always)]
fn sum_pairs(x: &[Pair; 4], a: Pair, b: Pair, c: Pair, d: Pair) -> Pair {
    x[0].mul(a).add(x[1].mul(b)).add(x[2].mul(c).add(x[3].mul(d)))
}

/// Computes `t += x * y` for four digits x. `odd` is `y` shifted.
#[inline(always)]
fn add_pair_product(t: &mut [Pair], x: &[Pair; 4], y: &[Pair], odd: &[Pair]) {
    let Some((t, rest)) = t.split_first_chunk_mut::<2>() else { return };
    let (Some((y, above)), Some((o, beyond))) = (y.split_first_chunk::<2>(), odd.split_first())
    else {
        return;
    };
    let first = Pair::between(Pair::ZERO, y[0]);
    t[0] = t[0].add(x[0].mul(y[0])).add(x[1].mul(first));
    t[1] = t[1].add(sum_pairs(x, y[1], *o, y[0], first));
    add_pair_rows(rest, x, [y[1], *o], above, beyond);
}

impl WideMont {
    /// Takes the modulus as unsigned digits of `radix`. Their number is a multiple of four, at
    /// least eight.
    pub(crate) fn new(radix: Radix, n: &[u64]) -> Option<Self> {
        let even = pack(radix, &radix.scale(n)?);
        let mut odd = wide_zero(even.len());
        shift(&even, &mut odd);
        let first = *even.first_chunk::<4>()?;
        let first_odd = *odd.first_chunk::<3>()?;
        let ([a, b], [c, d]) = (first[0].digits(), first[1].digits());
        Some(WideMont { radix, even, odd, low: [a, b, c, d], first, first_odd })
    }

    pub(crate) fn radix(&self) -> Radix {
        self.radix
    }

    pub(crate) fn digits(&self) -> usize {
        2 * self.even.len()
    }

    /// Returns log2 of R, which is below 2^14.
    pub(crate) fn r_bits(&self) -> u32 {
        self.radix.bits * self.digits() as u32
    }

    /// Converts a number of at most N, which may be secret, from digits of `width` bits.
    pub(crate) fn pack_from(&self, a: &[u64], width: u32) -> Wide {
        pack(self.radix, &regroup_secret(a.iter().copied(), width, self.digits(), self.radix.bits))
    }

    /// Converts the number to unsigned digits. Adding N makes it non-negative.
    pub(crate) fn unpack(&self, a: &[Pair]) -> Number {
        let mut out = crate::digits::zero(self.digits());
        let mut c = 0i64;
        let pairs = a.iter().zip(self.even.iter());
        let sums = pairs.flat_map(|(a, n)| {
            let ([a0, a1], [n0, n1]) = (a.get(), n.get());
            [a0 as i64 + n0 as i64, a1 as i64 + n1 as i64]
        });
        for (out, v) in out.iter_mut().zip(sums) {
            let v = v + c;
            c = v >> self.radix.bits;
            *out = v.cast_unsigned() & self.radix.mask();
        }
        out
    }

    #[inline(always)]
    fn reduce(&self, t: &mut [Pair], out: &mut [Pair]) {
        let radix = self.radix;
        let [_, n1, n2, n3] = self.low;
        let [_, e1, e2, e3] = self.first;
        let [o0, o1, o2] = self.first_odd;
        let mut k = Digit::ZERO;
        let mut next = |c: &[Pair; 2]| {
            let ([c0, c1], [c2, c3]) = (c[0].digits(), c[1].digits());
            let split = |v| radix.split_one(v);
            let (m0, k0) = split(c0 + k);
            let (m1, k1) = split(c1 + k0 + m0 * n1);
            let (m2, k2) = split(c2 + m0 * n2 + k1 + m1 * n1);
            let (m3, k3) = split(c3 + m0 * n3 + m1 * n2 + k2 + m2 * n1);
            k = k3;
            [m0, m1, m2, m3].map(Pair::twice)
        };
        let h = self.even.len();
        let (Some(even2), Some(odd1)) = (self.even.get(2..), self.odd.get(1..)) else { return };
        let (Some(even4), Some(odd3)) = (self.even.get(4..), self.odd.get(3..)) else { return };
        let Some((first, mut rest)) = t.split_first_chunk_mut::<2>() else { return };
        let mut m = next(first);
        *first = [Pair::ZERO; 2];
        for _ in 1..h / 2 {
            let Some((first, after)) = rest.split_first_chunk_mut::<2>() else { return };
            first[0] = first[0].add(sum_pairs(&m, e2, o1, e1, o0));
            first[1] = first[1].add(sum_pairs(&m, e3, o2, e2, o1));
            let following = next(first);
            *first = [Pair::ZERO; 2];
            add_pair_rows(after, &m, [e3, o2], even4, odd3);
            m = following;
            rest = after;
        }
        add_pair_rows(rest, &m, [e1, o0], even2, odd1);
        if let Some(low) = rest.first_mut() {
            *low = low.add(Pair::of(k, Digit::ZERO));
        }
        settle(radix, rest, out);
    }

    pub(crate) fn scratch(&self) -> Scratch {
        let h = self.even.len();
        Scratch { columns: wide_zero(2 * h), odd: wide_zero(h) }
    }

    /// Computes a = a b / R.
    #[inline(never)]
    pub(crate) fn mul(&self, a: &mut [Pair], b: &[Pair], Scratch { columns, odd }: &mut Scratch) {
        shift(b, odd);
        let mut t = columns.as_mut_slice();
        for x in a.as_chunks::<2>().0 {
            let ([x0, x1], [x2, x3]) = (x[0].digits(), x[1].digits());
            let x = [x0, x1, x2, x3].map(Pair::twice);
            add_pair_product(t, &x, b, odd);
            let Some((_, rest)) = t.split_first_chunk_mut::<2>() else { return };
            t = rest;
        }
        self.reduce(columns, a);
    }

    /// Computes a = a^2 / R.
    #[inline(never)]
    pub(crate) fn square(&self, a: &mut [Pair], Scratch { columns, odd }: &mut Scratch) {
        shift(a, odd);
        let mut t = columns.as_mut_slice();
        let (mut y, mut odd) = (&*a, odd.as_slice());
        while let (Some((x, above)), Some((_, beyond))) =
            (y.split_first_chunk::<2>(), odd.split_first_chunk::<2>())
        {
            let ([x0, x1], [x2, x3]) = (x[0].digits(), x[1].digits());
            let d = [x0 + x0, x1 + x1, x2 + x2, x3 + x3];
            let Some(c) = t.first_chunk_mut::<4>() else { return };
            c[0] = c[0].add(Pair::of(x0 * x0, d[0] * x1));
            c[1] = c[1].add(Pair::of(d[0] * x2 + x1 * x1, d[0] * x3 + d[1] * x2));
            c[2] = c[2].add(Pair::of(d[1] * x3 + x2 * x2, d[2] * x3));
            c[3] = c[3].add(Pair::of(x3 * x3, Digit::ZERO));
            let Some((_, after)) = t.split_first_chunk_mut::<2>() else { return };
            add_pair_product(after, &d.map(Pair::twice), above, beyond);
            let Some((_, after)) = after.split_first_chunk_mut::<2>() else { return };
            t = after;
            (y, odd) = (above, beyond);
        }
        self.reduce(columns, a);
    }
}

fn pack(radix: Radix, a: &[u64]) -> Wide {
    let mut t = wide_zero(a.len() / 2);
    for (t, [a, b]) in t.iter_mut().zip(a.as_chunks::<2>().0) {
        *t = Pair::new(*a as f64, *b as f64);
    }
    let mut out = wide_zero(t.len());
    settle(radix, &mut t, &mut out);
    out
}

/// Carries twice, in all columns at once, and clears `t`.
#[inline(always)]
fn settle(radix: Radix, t: &mut [Pair], out: &mut [Pair]) {
    // The last column keeps its whole value.
    let Some(last) = t.last_mut() else { return };
    let [low, top] = last.get();
    *last = Pair::new(low, 0.0);
    let (mut k, mut l) = (Pair::ZERO, Pair::ZERO);
    for (t, out) in t.iter_mut().zip(out.iter_mut()) {
        let (d, up) = radix.split(*t);
        *t = Pair::ZERO;
        let w = d.add(Pair::between(k, up));
        k = up;
        let (d, up) = radix.split(w);
        *out = d.add(Pair::between(l, up));
        l = up;
    }
    if let Some(last) = out.last_mut() {
        *last = last.add(Pair::new(0.0, top));
    }
}
