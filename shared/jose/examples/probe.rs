//! A Wasm module with the signature code only. The scripts measure its size, disassemble it, and
//! run it in old engines.
//!
//! Each function does its work `rounds` times, and returns the number of rounds that succeeded.

#![allow(unsafe_code, reason = "exporting a function by its name counts as unsafe")]

use jose::{Algorithm, Backend as _, InWasm, SigningKey};
use std::cell::OnceCell;

thread_local! {
    static KEYS: OnceCell<[Option<SigningKey>; 3]> = const { OnceCell::new() };
}

const MESSAGE: &[u8] = b"a message";

/// The keys of the host's self-test, which are not secret.
fn keys() -> [Option<SigningKey>; 3] {
    let rsa = include_str!("probe/rsa.pem");
    let es256 = include_str!("probe/es256.pem");
    [
        SigningKey::from_pem(rsa, Algorithm::Rs256).ok(),
        SigningKey::from_pem(rsa, Algorithm::Ps256).ok(),
        SigningKey::from_pem(es256, Algorithm::Es256).ok(),
    ]
}

fn with_key(index: usize, rounds: u32, mut round: impl FnMut(&SigningKey) -> bool) -> u32 {
    KEYS.with(|slot| {
        let Some(Some(key)) = slot.get_or_init(keys).get(index) else { return 0 };
        (0..rounds).map(|_| u32::from(round(key))).sum()
    })
}

/// Fills with predictable bytes, which take as much time as random ones.
fn random() -> impl FnMut(&mut [u8]) {
    let mut state = 1u64;
    move |out: &mut [u8]| {
        for byte in out {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
    }
}

fn sign(index: usize, rounds: u32) -> u32 {
    let mut random = random();
    with_key(index, rounds, |key| InWasm.sign(key, MESSAGE, &mut random).is_ok())
}

fn verify(index: usize, algorithm: Algorithm, rounds: u32) -> u32 {
    let mut signature = Vec::new();
    with_key(index, 1, |key| {
        signature = InWasm.sign(key, MESSAGE, &mut random()).unwrap_or_default();
        true
    });
    with_key(index, rounds, |key| {
        InWasm.verify(key.verifying(), algorithm, MESSAGE, &signature).is_ok()
    })
}

/// Signs with RSA PKCS#1 v1.5.
#[unsafe(no_mangle)]
pub extern "C" fn sign_rs256(rounds: u32) -> u32 {
    sign(0, rounds)
}

/// Signs with RSA PSS.
#[unsafe(no_mangle)]
pub extern "C" fn sign_ps256(rounds: u32) -> u32 {
    sign(1, rounds)
}

/// Verifies RSA PKCS#1 v1.5.
#[unsafe(no_mangle)]
pub extern "C" fn verify_rs256(rounds: u32) -> u32 {
    verify(0, Algorithm::Rs256, rounds)
}

/// Verifies ECDSA on P-256.
#[cfg(feature = "p256")]
#[unsafe(no_mangle)]
pub extern "C" fn verify_es256(rounds: u32) -> u32 {
    verify(2, Algorithm::Es256, rounds)
}
