//! Randomness that does not depend on the gateway's alone.
//!
//! Kong's `random_get` is libc `random()`, seeded from process id and start time, and containers
//! share both. So random bytes come from HMAC-DRBG (NIST SP 800-90A, section 10.1.2, SHA-256),
//! which is fed with everything that differs: the gateway's bytes, the clock, the node, request ids
//! and peers, and the filter's own secret.

use crate::platform::{host_random, now_ns};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::cell::RefCell;

/// A deterministic generator, reseeded with [`Entropy::mix`].
#[derive(Clone)]
struct Entropy {
    key: [u8; 32],
    value: [u8; 32],
}

impl Entropy {
    /// A generator keyed with `seed`.
    #[must_use]
    fn new(seed: &[u8]) -> Self {
        let mut entropy = Self { key: [0; 32], value: [1; 32] };
        entropy.mix(seed);
        entropy
    }

    /// Adds `material`. Material that an attacker knows does no harm.
    fn mix(&mut self, material: &[u8]) {
        // Without material the update of the standard is its first half alone.
        let rounds: &[u8] = if material.is_empty() { &[0] } else { &[0, 1] };
        for separator in rounds {
            self.key = hmac(&self.key, &[&self.value, &[*separator], material]);
            self.value = hmac(&self.key, &[&self.value]);
        }
    }

    /// Fills `out`.
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            self.value = hmac(&self.key, &[&self.value]);
            for (to, from) in chunk.iter_mut().zip(&self.value) {
                *to = *from;
            }
        }
        // Afterwards the bytes that were given out cannot be computed from the state.
        self.mix(&[]);
    }
}

/// The number of bytes that are generated at a time.
const STOCK: usize = 512;

/// The generator of a VM, with bytes that it has generated and not given out yet: one large
/// request of a generator costs less than many small ones.
struct Stocked {
    entropy: Entropy,
    stock: Vec<u8>,
}

impl Stocked {
    /// Fills `out`.
    fn fill(&mut self, out: &mut [u8]) {
        for to in out {
            if self.stock.is_empty() {
                self.stock.resize(STOCK, 0);
                self.entropy.fill(&mut self.stock);
            }
            // A byte that is given out is not kept.
            if let Some(last) = self.stock.last_mut() {
                *to = std::mem::take(last);
            }
            self.stock.pop();
        }
    }

    /// Adds `material`, on which all bytes from now on depend.
    fn mix(&mut self, material: &[u8]) {
        self.stock.fill(0);
        self.stock.clear();
        self.entropy.mix(material);
    }
}

thread_local! {
    /// The generator of the VM or thread.
    static SHARED: RefCell<Option<Stocked>> = const { RefCell::new(None) };
}

fn shared<R>(work: impl FnOnce(&mut Stocked) -> R) -> Option<R> {
    let seeded = || {
        let mut seed = [0; 32];
        host_random(&mut seed);
        let mut entropy = Entropy::new(&seed);
        entropy.mix(&now_ns().to_le_bytes());
        Stocked { entropy, stock: Vec::new() }
    };
    let work = |slot: &RefCell<Option<Stocked>>| {
        let mut slot = slot.try_borrow_mut().ok()?;
        Some(work(slot.get_or_insert_with(seeded)))
    };
    SHARED.try_with(work).ok().flatten()
}

/// Fills `out` from the VM's generator. Returns `false` if that failed; `out` must not be used
/// then.
#[must_use]
pub fn random(out: &mut [u8]) -> bool {
    shared(|stocked| stocked.fill(out)).is_some()
}

/// Adds material to the VM's generator.
pub fn mix(material: &[u8]) {
    shared(|stocked| stocked.mix(material));
}

/// A random number of 64 bits from the VM's generator.
pub(crate) fn random_number() -> u64 {
    let mut bytes = [0; 8];
    if random(&mut bytes) { u64::from_le_bytes(bytes) } else { now_ns() }
}

/// Sixteen bytes from the VM's generator, in lower-case hex.
pub(crate) fn random_hex() -> String {
    let mut bytes = [0; 16];
    if random(&mut bytes) { base16ct::lower::encode_string(&bytes) } else { String::new() }
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // A key of any length is a valid HMAC key, so this does not fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_hmac_drbg() {
        // NIST CAVP drbgvectors_no_reseed, HMAC_DRBG SHA-256, no personalization, no prediction
        // resistance, COUNT = 0: instantiate with entropy and nonce, generate 128 bytes twice,
        // compare the second.
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len())
                .step_by(2)
                .map(|i| u8::from_str_radix(text.get(i..i + 2).unwrap(), 16).unwrap())
                .collect()
        };
        let mut drbg = Entropy::new(&hex(concat!(
            "ca851911349384bffe89de1cbdc46e6831e44d34a4fb935ee285dd14b71a7488",
            "659ba96c601dc69fc902940805ec0ca8"
        )));
        let mut out = [0; 128];
        drbg.fill(&mut out);
        drbg.fill(&mut out);
        assert_eq!(
            out.to_vec(),
            hex(concat!(
                "e528e9abf2dece54d47c7e75e5fe302149f817ea9fb4bee6f4199697d04d5b89",
                "d54fbb978a15b5c443c9ec21036d2460b6f73ebad0dc2aba6e624abf07745bc1",
                "07694bb7547bb0995f70de25d6b29e2d3011bb19d27676c07162c8b5ccde0668",
                "961df86803482cb37ed6d5c0bb8d50cf1f50d476aa0458bdaba806f48be9dcb8"
            ))
        );
    }

    #[test]
    fn two_workers_with_the_same_bytes_of_the_host_differ_once_anything_differs() {
        let stream = |material: &[u8]| {
            let mut entropy = Entropy::new(b"the same start");
            entropy.mix(material);
            let mut out = [0; 16];
            entropy.fill(&mut out);
            out
        };
        assert_eq!(stream(b"a"), stream(b"a"));
        assert_ne!(stream(b"a"), stream(b"b"));
    }

    #[test]
    fn the_stock_gives_each_byte_once_and_depends_on_all_material() {
        let stocked = || Stocked { entropy: Entropy::new(b"the same start"), stock: Vec::new() };
        let draw = |from: &mut Stocked, len: usize| {
            let mut out = vec![0; len];
            from.fill(&mut out);
            out
        };
        let (mut one, mut other) = (stocked(), stocked());
        let whole = draw(&mut one, 3 * STOCK);
        let pieces: Vec<u8> = (0..3 * STOCK / 16).flat_map(|_| draw(&mut other, 16)).collect();
        assert_eq!(whole, pieces);
        let mut drawn: Vec<&[u8]> = whole.chunks(16).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 3 * STOCK / 16);
        // Bytes in stock are not given out any more once there is new material.
        draw(&mut one, 16);
        draw(&mut other, 16);
        one.mix(b"a");
        other.mix(b"b");
        assert_ne!(draw(&mut one, 16), draw(&mut other, 16));
        assert!(one.stock.len() < STOCK);
    }
}
