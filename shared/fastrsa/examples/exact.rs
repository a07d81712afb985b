//! Powers of hard numbers, computed with the feature `exact`, natively and as a Wasm module.
//!
//! `tools/fuzz` compares each result with big integers, and `wasm-tests/tests/fastrsa_exact.rs`
//! the module's results with the native ones. An input tells which numbers to make:
//!
//! | bytes | meaning |
//! |---|---|
//! | 0, 1 | the length of the modulus in bits, less 1024, modulo 7169 |
//! | 2 | the exponent: 3, 5, 17, 65537, 2^32 + 1, 2^64 - 1, and two that bytes 3 to 10 choose |
//! | 11 to 18 | the modulus: see [`number`] |
//! | 19 to 26 | the base |
//! | 27 … | triples: a number (0 or 1), a place and a mask to change it with |

#![allow(
    unsafe_code,
    clippy::arithmetic_side_effects,
    reason = "exporting a function by its name counts as unsafe; this is for tests"
)]

use fastrsa::PublicKey;

/// Modulus, exponent and base, big-endian. The base is below the modulus and as long.
pub struct Numbers {
    pub modulus: Vec<u8>,
    pub exponent: Vec<u8>,
    pub base: Vec<u8>,
}

/// Reads the numbers of an input; `None` if it is too short.
pub fn numbers(input: &[u8]) -> Option<Numbers> {
    let (head, changes) = input.split_first_chunk::<27>()?;
    let [a, b, kind, rest @ ..] = head;
    let bits = usize::from(u16::from_be_bytes([*a, *b])) % 7169 + 1024;
    let (e, rest) = rest.split_first_chunk::<8>()?;
    let (modulus, base) = rest.split_first_chunk::<8>()?;
    let chosen = u64::from_be_bytes(*e) | 1;
    let exponents = [3, 5, 17, 65_537, (1 << 32) + 1, u64::MAX, chosen, chosen >> 40 | 1];
    // The exponent 1 is no key's.
    let exponent = exponents.get(usize::from(*kind % 8))?.max(&3);
    let mut numbers = [number(bits, modulus), number(bits, base.first_chunk()?)];
    for change in changes.as_chunks::<3>().0 {
        let [which, place, mask] = change;
        let number = numbers.get_mut(usize::from(which & 1))?;
        // Places lie close together at both ends and in the middle, where carries begin and end.
        let place = match which >> 6 {
            0 => usize::from(*place),
            1 => number.len().checked_sub(usize::from(*place))?,
            _ => (number.len() / 2).checked_add(usize::from(*place))?,
        };
        if let Some(byte) = number.get_mut(place) {
            *byte ^= mask;
        }
    }
    let [mut modulus, mut base] = numbers;
    // The modulus is odd and has exactly this length.
    let top = u8::try_from((bits.wrapping_sub(1)) % 8).ok()?;
    if let Some(first) = modulus.first_mut() {
        *first = *first & (1_u8 << top).wrapping_mul(2).wrapping_sub(1) | 1 << top;
    }
    if let Some(last) = modulus.last_mut() {
        *last |= 1;
    }
    if base >= modulus {
        // The largest number below the modulus, without its lowest bits where the input says so.
        let mask = base.last().copied().unwrap_or(0);
        base.clone_from(&modulus);
        if let Some(last) = base.last_mut() {
            *last &= mask & 0xfe;
        }
    }
    Some(Numbers { modulus, exponent: exponent.to_be_bytes().to_vec(), base })
}

/// Makes a number of `bits` bits. The first byte of the recipe chooses: all ones, a power of two, a
/// digit that is repeated every 22 to 27 bits (with the value that the other bytes give), or the
/// other bytes again and again.
fn number(bits: usize, recipe: &[u8; 8]) -> Vec<u8> {
    let [kind, rest @ ..] = recipe;
    let mut out = vec![0_u8; bits.div_ceil(8)];
    match kind % 16 {
        0 => out.fill(0xff),
        1 => {}
        kind @ 2..12 => {
            let width = 22 + usize::from(kind % 6);
            let digit = rest.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            // Around a half of the digit's range, at its limits, or anything.
            let half = 1_u64 << (width - 1);
            let digit = match kind {
                2..4 => half.wrapping_add(digit & 3).wrapping_sub(2),
                4..6 => digit & 3,
                6..8 => (2 * half - 1).wrapping_sub(digit & 3),
                _ => digit % (2 * half),
            };
            for place in 0..bits {
                if digit >> (place % width) & 1 == 1
                    && let Some(byte) = out.iter_mut().rev().nth(place / 8)
                {
                    *byte |= 1 << (place % 8);
                }
            }
        }
        _ => out.iter_mut().zip(rest.iter().cycle()).for_each(|(out, byte)| *out = *byte),
    }
    out
}

/// Computes the power of an input's numbers. Empty if they are no key.
pub fn power(numbers: &Numbers) -> Vec<u8> {
    let key = PublicKey::new(&numbers.modulus, &numbers.exponent);
    key.ok().and_then(|key| key.raised(&numbers.base)).unwrap_or_default()
}

#[cfg(target_arch = "wasm32")]
thread_local! {
    static BYTES: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Adds a byte to the input.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
pub extern "C" fn push(byte: u8) {
    BYTES.with_borrow_mut(|bytes| bytes.push(byte));
}

/// Computes the power of the input, which it takes. Returns the number of bytes of the result.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
pub extern "C" fn run() -> usize {
    let input = BYTES.with_borrow_mut(std::mem::take);
    let power = numbers(&input).map(|numbers| power(&numbers)).unwrap_or_default();
    BYTES.with_borrow_mut(|bytes| *bytes = power.into_iter().rev().collect());
    BYTES.with_borrow(Vec::len)
}

/// Takes the next byte of the result.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
pub extern "C" fn pop() -> u8 {
    BYTES.with_borrow_mut(Vec::pop).unwrap_or(0)
}
