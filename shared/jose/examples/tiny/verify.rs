//! A Wasm module that verifies with every algorithm, to measure its size.

#![allow(unsafe_code, reason = "exporting a function by its name counts as unsafe")]

use jose::{InWasm, JwkSet, Policy, Token};

/// Verifies a token with a JWK Set. `input` has both, separated by a zero byte.
#[unsafe(no_mangle)]
pub extern "C" fn verify(input: &mut Vec<u8>) -> bool {
    let mut parts = input.split(|b| *b == 0);
    let (Some(token), Some(set)) = (parts.next(), parts.next()) else { return false };
    let (Ok(token), Ok(set)) = (Token::parse(token), JwkSet::parse(set, Policy::INLINE)) else {
        return false;
    };
    set.verify(&token, &InWasm).is_ok()
}
