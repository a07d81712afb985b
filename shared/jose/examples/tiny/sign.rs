//! A Wasm module that signs with any PEM, to measure its size.

#![allow(unsafe_code, reason = "exporting a function by its name counts as unsafe")]

use jose::{Algorithm, InWasm, SigningKey};

/// Signs claims with a PEM. `input` has both, separated by a zero byte. Returns the length of the
/// token.
#[unsafe(no_mangle)]
pub extern "C" fn sign(input: &mut String, algorithm: u8) -> usize {
    let algorithm = if algorithm == 0 { Algorithm::Rs256 } else { Algorithm::Ps256 };
    let Some((pem, claims)) = input.split_once('\0') else { return 0 };
    let Ok(key) = SigningKey::from_pem(pem, algorithm) else { return 0 };
    let Ok(header) = key.header(r#"{"alg":"RS256"}"#) else { return 0 };
    let mut random = |out: &mut [u8]| out.fill(7);
    key.sign(&header, claims, &InWasm, &mut random).map_or(0, |token| token.len())
}
