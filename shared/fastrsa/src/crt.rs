//! Powers with secret exponents: computed modulo both primes at once, then joined by the Chinese
//! remainder theorem.

use crate::digits::{MASK, Number, W, bit_length, carry, digits, regroup, regroup_secret, zero};
use crate::dual::{Dual, DualMont, WINDOW};
use crate::mont::Mont;
use crate::radix::Radix;
use crate::rows::add_product;
use zeroize::Zeroizing;

/// The exponents modulo p - 1 and q - 1, in windows, least significant first. They are `u64` like
/// every secret: a value that never becomes an `i32` in WebAssembly can be neither an address nor a
/// condition.
pub(crate) type Windows = Zeroizing<Vec<[u64; 2]>>;

pub(crate) struct Crt {
    p: Mont,
    q: Mont,
    dual: DualMont,
    /// The number 1 in the form of `dual`.
    one: Dual,
    /// The factors that convert a number reduced modulo a prime to the form of `dual`, and back.
    into_dual: [Number; 2],
    from_dual: [Number; 2],
    /// 1/q mod p, in Montgomery form.
    qinv: Number,
}

impl Crt {
    /// Two odd primes with the same number of bits, and 1/q mod p, in 27-bit digits.
    pub(crate) fn new(p: Number, q: Number, qinv: &[u64]) -> Option<Self> {
        let bits = bit_length(&p, W);
        // h = qinv (m_p - m_q) needs q < 2 p.
        if bits != bit_length(&q, W) || p.len() != digits(bits) {
            return None;
        }
        let (radix, len) = Radix::for_modulus(bits)?;
        let cut = |a: &[u64]| regroup(a.iter().copied(), W, len, radix.bits);
        let dual = DualMont::new(radix, &cut(&p)?, &cut(&q)?)?;
        let (p, q) = (Mont::new(p)?, Mont::new(q)?);
        let (narrow, wide) = (p.r_bits(), dual.r_bits());
        let back = (2 * narrow).checked_sub(wide)?;
        let one = [p.plain_power_of_two(wide), q.plain_power_of_two(wide)];
        Some(Crt {
            one: dual.pack(&cut(&one[0])?, &cut(&one[1])?),
            // c/R, times 2^wide R^2, over R: c 2^wide.
            into_dual: [p.power_of_two(narrow + wide), q.power_of_two(narrow + wide)],
            // c 2^wide / R, times R^2 / 2^wide, over R: c.
            from_dual: [p.plain_power_of_two(back), q.plain_power_of_two(back)],
            qinv: p.to_mont(qinv),
            dual,
            p,
            q,
        })
    }

    /// Cuts two exponents into windows. Returns `None` if one is longer than the primes.
    pub(crate) fn windows(&self, a: &[u64], b: &[u64]) -> Option<Windows> {
        let count = self.p.bits().div_ceil(WINDOW as usize);
        let cut = |a: &[u64]| regroup(a.iter().copied(), W, count, WINDOW);
        let (a, b) = (cut(a)?, cut(b)?);
        let mut out = Zeroizing::new(vec![[0; 2]; count]);
        for ((out, a), b) in out.iter_mut().zip(a.iter()).zip(b.iter()) {
            *out = [*a, *b];
        }
        Some(out)
    }

    /// Returns the exponents that invert: p - 2 and q - 2.
    pub(crate) fn inverting(&self) -> Option<Windows> {
        let minus_two = |n: &[u64]| {
            let mut out = zero(n.len());
            let mut borrow = 2;
            for (out, n) in out.iter_mut().zip(n) {
                let v = n.wrapping_sub(borrow);
                borrow = v >> 63;
                *out = v & MASK;
            }
            out
        };
        self.windows(&minus_two(self.p.modulus()), &minus_two(self.q.modulus()))
    }

    /// Raises c to a secret power, for c < p q. The result has `len` digits.
    #[inline(never)]
    pub(crate) fn pow(&self, c: &[u64], windows: &[[u64; 2]], len: usize) -> Number {
        let radix = self.dual.radix();
        let residue = |m: &Mont, factor: &[u64]| {
            let mut wide = zero(2 * m.len());
            for (wide, c) in wide.iter_mut().zip(c) {
                *wide = *c;
            }
            let v = m.canonical(&m.mul(&m.reduce_wide(wide), factor));
            regroup_secret(v.iter().copied(), W, self.dual.len(), radix.bits)
        };
        let [into_p, into_q] = &self.into_dual;
        let x = self.dual.pack(&residue(&self.p, into_p), &residue(&self.q, into_q));
        let [yp, yq] = self.dual.unpack(&self.dual.pow(&self.one, &x, windows));
        let plain = |m: &Mont, y: &[u64], factor: &[u64]| {
            // The number is below 2^(B+1) times the prime, which is far below the R of `m` times
            // the prime.
            let wide = regroup_secret(y.iter().copied(), radix.bits, 2 * m.len(), W);
            m.canonical(&m.mul(&m.reduce_wide(wide), factor))
        };
        let [from_p, from_q] = &self.from_dual;
        let (mp, mq) = (plain(&self.p, &yp, from_p), plain(&self.q, &yq, from_q));
        self.join(&mp, &mq, len)
    }

    /// Joins with Garner's formula: m_q + q (qinv (m_p - m_q) mod p).
    fn join(&self, mp: &[u64], mq: &[u64], len: usize) -> Number {
        let mut diff = zero(self.p.len());
        let mut k = 0i64;
        let pairs = mp.iter().zip(mq).zip(self.p.modulus());
        for (out, ((mp, mq), p)) in diff.iter_mut().zip(pairs) {
            // 2 p is added, because m_q < q < 2 p. The sum is never negative, and below 3 p.
            let v = mp.cast_signed() + 2 * p.cast_signed() - mq.cast_signed() + k;
            *out = v.cast_unsigned() & MASK;
            k = v >> W;
        }
        let h = self.p.canonical(&self.p.mul(&diff, &self.qinv));
        let mut out = zero(2 * self.p.len());
        for (out, mq) in out.iter_mut().zip(mq) {
            *out = *mq;
        }
        add_product(&mut out, &h, self.q.modulus());
        carry(&mut out);
        // The result is below p q, so the digits that are cut off are zero.
        out.truncate(len);
        out
    }
}
