//! Tests that compare single operations with big integers, on random and on extreme operands.

use crate::digits::{Number, W, digits};
use crate::dual::DualMont;
use crate::mont::Mont;
use crate::radix::Radix;
use crate::wide::WideMont;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rsa::BigUint;
use zeroize::Zeroizing;

fn cut(v: &BigUint, bits: u32, count: usize) -> Number {
    let mask = BigUint::from((1u64 << bits) - 1);
    Zeroizing::new(
        (0..count)
            .map(|i| {
                let d = (v >> (i * bits as usize)) & &mask;
                d.to_bytes_le().iter().rev().fold(0, |a, &b| a << 8 | u64::from(b))
            })
            .collect(),
    )
}

fn join(digits: &[u64], bits: u32) -> BigUint {
    digits.iter().rev().fold(BigUint::from(0u8), |a, &d| (a << bits as usize) + d)
}

fn random(rng: &mut ChaCha20Rng, bits: usize) -> BigUint {
    let mut b = vec![0; bits.div_ceil(8)];
    rng.fill_bytes(&mut b);
    BigUint::from_bytes_le(&b) % (BigUint::from(1u8) << bits)
}

fn ones(bits: usize) -> BigUint {
    (BigUint::from(1u8) << bits) - 1u8
}

/// Returns a number of `bits` bits, in which `digit` is repeated every `width` bits.
fn repeated(digit: u64, width: usize, bits: usize) -> BigUint {
    (0..bits / width).fold(BigUint::from(0u8), |a, _| (a << width) + digit)
}

fn is_odd(v: &BigUint) -> bool {
    (v >> 1usize) << 1usize != *v
}

/// Returns odd moduli of exactly `bits` bits.
fn moduli(rng: &mut ChaCha20Rng, bits: usize, width: usize) -> Vec<BigUint> {
    let top = BigUint::from(1u8) << (bits - 1);
    let mut v = vec![ones(bits), &top + 1u8, &top + (BigUint::from(1u8) << width) - 1u8];
    for d in [1u64 << (width - 1), (1 << (width - 1)) - 1, (1 << (width - 1)) + 1] {
        let m = &top + repeated(d, width, bits - width);
        v.push(if is_odd(&m) { m } else { m + 1u8 });
    }
    for _ in 0..4 {
        let m = random(rng, bits - 1);
        v.push(&top + &m + if !is_odd(&m) { 1u8 } else { 0 });
    }
    v
}

/// Returns operands up to `limit`, some with digits at the limits of the signed range.
fn operands(rng: &mut ChaCha20Rng, limit: &BigUint, width: usize) -> Vec<BigUint> {
    let bits = limit.to_bytes_be().len() * 8;
    let half = 1u64 << (width - 1);
    let mut v = vec![BigUint::from(0u8), BigUint::from(1u8), limit.clone(), limit - 1u8];
    for d in [half - 1, half, half + 1, 2 * half - 1] {
        v.push(repeated(d, width, bits) % limit);
    }
    v.push((BigUint::from(1u8) << (bits / 2)) % limit);
    for _ in 0..3 {
        v.push(random(rng, bits) % limit);
    }
    v
}

#[test]
fn one_modulus_in_u64() {
    let len = digits(2048);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let r = BigUint::from(1u8) << (W as usize * len);
    let cut = |v: &BigUint| cut(v, W, len);
    for n in moduli(&mut rng, 2048, W as usize) {
        let m = Mont::new(cut(&n)).unwrap();
        assert_eq!(join(&m.power_of_two(777), W), (&r << 777usize) % &n);
        assert_eq!(join(&m.plain_power_of_two(5000), W), (BigUint::from(1u8) << 5000usize) % &n);
        let check = |t: Number, c: &BigUint| {
            let lazy = join(&t, W);
            assert!(lazy < &n * 2u8 && (&lazy * &r) % &n == c % &n);
            assert_eq!(join(&m.canonical(&t), W), lazy % &n);
        };
        // One factor is any number below R if the other is below n.
        for b in operands(&mut rng, &(&n - 1u8), W as usize) {
            check(m.mul(&vec![(1 << W) - 1; len], &cut(&b)), &((&r - 1u8) * &b));
        }
        let list = operands(&mut rng, &(&n * 2u8 - 1u8), W as usize);
        for a in &list {
            check(m.square(&cut(a)), &(a * a));
            for b in &list {
                check(m.mul(&cut(a), &cut(b)), &(a * b));
            }
        }
        for c in operands(&mut rng, &(&n * &r), W as usize) {
            let mut wide = cut(&(&c % &r));
            wide.extend(cut(&(&c / &r)).iter());
            check(m.reduce_wide(wide), &c);
        }
    }
}

#[test]
fn two_moduli_in_f64() {
    for bits in [512, 1024, 1536, 2048, 4096] {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let (radix, len) = Radix::for_modulus(bits).unwrap();
        let r = BigUint::from(1u8) << (radix.bits as usize * len);
        let cut = |v: &BigUint| cut(v, radix.bits, len);
        let list = moduli(&mut rng, bits, radix.bits as usize);
        for (p, q) in list.iter().zip(list.iter().rev()) {
            let m = DualMont::new(radix, &cut(p), &cut(q)).unwrap();
            // Operands go up to the scaled modulus, which is what 0 unpacks to.
            let limits = m.unpack(&m.pack(&cut(&0u8.into()), &cut(&0u8.into())));
            let [la, lb] = limits.map(|n| {
                let n = join(&n, radix.bits);
                operands(&mut rng, &n, radix.bits as usize)
            });
            let mut t = m.columns();
            for (a, b) in la.iter().zip(lb.iter().rev()) {
                let x = m.pack(&cut(a), &cut(b));
                let mut s = x.clone();
                m.square(&mut s, &mut t);
                let [u, v] = m.unpack(&s).map(|d| join(&d, radix.bits));
                assert_eq!((u * &r) % p, (a * a) % p);
                assert_eq!((v * &r) % q, (b * b) % q);
                for (c, d) in la.iter().zip(&lb) {
                    let mut s = x.clone();
                    m.mul(&mut s, &m.pack(&cut(c), &cut(d)), &mut t);
                    let [u, v] = m.unpack(&s).map(|d| join(&d, radix.bits));
                    assert_eq!((u * &r) % p, (a * c) % p);
                    assert_eq!((v * &r) % q, (b * d) % q);
                }
            }
        }
    }
}

#[test]
fn one_modulus_in_f64() {
    for bits in [1024, 1361, 2048, 3072, 4096, 8192] {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let (radix, len) = Radix::for_modulus(bits).unwrap();
        let r = BigUint::from(1u8) << (radix.bits as usize * len);
        let cut = |v: &BigUint| cut(v, radix.bits, len);
        for n in moduli(&mut rng, bits, radix.bits as usize) {
            let m = WideMont::new(radix, &cut(&n)).unwrap();
            let pack = |v: &BigUint| m.pack_from(&cut(v), radix.bits);
            let limit = join(&m.unpack(&pack(&0u8.into())), radix.bits);
            assert_eq!(&limit % &n, BigUint::from(0u8));
            let mut t = m.scratch();
            let list = operands(&mut rng, &limit, radix.bits as usize);
            for a in &list {
                let mut s = pack(a);
                m.square(&mut s, &mut t);
                assert_eq!((join(&m.unpack(&s), radix.bits) * &r) % &n, (a * a) % &n);
                for b in list.iter().skip(if bits > 4096 { 8 } else { 0 }) {
                    let mut s = pack(a);
                    m.mul(&mut s, &pack(b), &mut t);
                    assert_eq!((join(&m.unpack(&s), radix.bits) * &r) % &n, (a * b) % &n);
                }
            }
        }
    }
}
