//! Numbers as lists of digits: conversion, carries, comparison.

use zeroize::Zeroizing;

/// The digits of a number, least significant first. They are wiped when dropped, secret or not.
pub(crate) type Number = Zeroizing<Vec<u64>>;

/// The width of the digits of a [`Number`] between the exponentiations, in bits.
pub(crate) const W: u32 = 27;
pub(crate) const MASK: u64 = (1 << W) - 1;

/// Returns the number of digits for a number of `bits` bits and four spare bits: a multiple of
/// four, at least eight.
pub(crate) const fn digits(bits: usize) -> usize {
    let n = (bits + 4).div_ceil(W as usize).div_ceil(4) * 4;
    if n < 8 { 8 } else { n }
}

pub(crate) fn zero(len: usize) -> Number {
    Zeroizing::new(vec![0; len])
}

/// Converts digits of `bits` bits, least significant first, to digits of `out_bits` bits; both
/// widths are at most 32. Returns `None` if bits other than zero do not fit. Branches depend on
/// lengths only.
pub(crate) fn regroup(
    input: impl Iterator<Item = u64>,
    bits: u32,
    len: usize,
    out_bits: u32,
) -> Option<Number> {
    let (out, lost) = regrouped(input, bits, len, out_bits);
    (lost == 0).then_some(out)
}

/// Converts a number that may be secret and is known to fit. Nothing is compared: if bits did not
/// fit, the number would be wrong, and so would the signature, which is verified.
pub(crate) fn regroup_secret(
    input: impl Iterator<Item = u64>,
    bits: u32,
    len: usize,
    out_bits: u32,
) -> Number {
    regrouped(input, bits, len, out_bits).0
}

/// Returns the digits, and the OR of all bits that did not fit.
#[inline(always)]
fn regrouped(
    input: impl Iterator<Item = u64>,
    bits: u32,
    len: usize,
    out_bits: u32,
) -> (Number, u64) {
    let mut out = zero(len);
    let mut lost = 0u64;
    {
        let mut slots = out.iter_mut();
        let mut put = |digit| match slots.next() {
            Some(slot) => *slot = digit,
            None => lost |= digit,
        };
        let (mut acc, mut have) = (0u64, 0);
        for v in input {
            acc |= v << have;
            have += bits;
            while have >= out_bits {
                put(acc & ((1 << out_bits) - 1));
                acc >>= out_bits;
                have -= out_bits;
            }
        }
        put(acc);
    }
    (out, lost)
}

/// Reads a big-endian number into `len` digits.
pub(crate) fn from_bytes(bytes: &[u8], len: usize) -> Option<Number> {
    regroup(bytes.iter().rev().map(|&v| v.into()), 8, len, W)
}

/// Returns the last `size` bytes of a number, big-endian.
pub(crate) fn to_bytes(a: &[u64], size: usize) -> Option<Vec<u8>> {
    let out = regroup(a.iter().copied(), W, size, 8)?;
    Some(out.iter().rev().map(|&v| v as u8).collect())
}

/// Carries until every digit except the last is below 2^27.
pub(crate) fn carry(a: &mut [u64]) {
    let Some((last, rest)) = a.split_last_mut() else { return };
    let mut k = 0;
    for v in rest {
        let s = *v + k;
        *v = s & MASK;
        k = s >> W;
    }
    *last += k;
}

/// Returns the length of a number with `w`-bit digits, in bits.
pub(crate) fn bit_length(a: &[u64], w: u32) -> usize {
    let top = a.iter().enumerate().rev().find(|(_, v)| **v != 0);
    top.map_or(0, |(i, v)| i * w as usize + (u64::BITS - v.leading_zeros()) as usize)
}

/// Returns 1/a mod 2^32 at least, for odd a. Newton's method doubles the correct low bits each
/// time.
pub(crate) fn inverse(a: u64) -> u64 {
    (0..5).fold(1u64, |x, _| x.wrapping_mul(2u64.wrapping_sub(a.wrapping_mul(x))))
}

/// Returns `true` if a < b. The time depends on the values.
pub(crate) fn less(a: &[u64], b: &[u64]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

/// Removes the leading zeros of a big-endian number.
pub(crate) fn strip(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|&&b| b == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}
