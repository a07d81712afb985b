//! Measures the time of signing and verifying, in turns with the crate `rsa` in one process.
//!
//! It runs natively and, built for `wasm32-wasip1`, in any WASI engine.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a tool for developers"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use fastrsa::{PrivateKey, PublicKey};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::{SigningKey, VerifyingKey};
use rsa::signature::{RandomizedSigner, SignatureEncoding, Verifier};
use sha2_010::Sha256;
use std::hint::black_box;
use std::time::Instant;
use support::{Owned, SCHEMES};

fn time(n: u32, mut f: impl FnMut()) -> f64 {
    let t = Instant::now();
    for _ in 0..n {
        f();
    }
    t.elapsed().as_secs_f64() * 1e3 / f64::from(n)
}

fn median(v: &mut [f64]) -> f64 {
    v.sort_by(|a, b| a.total_cmp(b));
    v[v.len() / 2]
}

fn main() {
    let bits = std::env::args().nth(1).and_then(|v| v.parse().ok()).unwrap_or(2048);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let k = RsaPrivateKey::new(&mut rng, bits).unwrap();
    let owned = Owned::new(&k);
    let mut ours = PrivateKey::new(&owned.parts()).unwrap();
    let public = PublicKey::new(&owned.n, &owned.e).unwrap();
    let signer = SigningKey::<Sha256>::new(k.clone());
    let verifier = VerifyingKey::<Sha256>::new(k.to_public_key());
    let (scheme, message) = (SCHEMES[0], b"a message");
    let mut sign = |rng: &mut ChaCha20Rng| {
        ours.sign(scheme, message, &mut |b: &mut [u8]| rng.fill_bytes(b)).unwrap()
    };
    let s = sign(&mut rng);
    let theirs = signer.sign_with_rng(&mut rng, message);
    assert_eq!(s, theirs.to_vec());

    let mut t: [Vec<f64>; 6] = Default::default();
    for _ in 0..11 {
        t[0].push(time(4, || drop(black_box(signer.sign_with_rng(&mut rng, message)))));
        t[1].push(time(33, || drop(black_box(sign(&mut rng)))));
        t[2].push(time(20, || verifier.verify(message, black_box(&theirs)).unwrap()));
        t[3].push(time(100, || public.verify(scheme, message, black_box(&s)).unwrap()));
        t[4].push(time(3, || drop(black_box(PrivateKey::new(&owned.parts()).unwrap()))));
        t[5].push(time(20, || drop(black_box(PublicKey::new(&owned.n, &owned.e).unwrap()))));
    }
    let m = t.each_mut().map(|v| median(v));
    println!(
        "{bits} sign   rsa {:7.3} ms  fastrsa {:7.4} ms  ratio {:5.1}",
        m[0],
        m[1],
        m[0] / m[1]
    );
    println!(
        "{bits} verify rsa {:7.3} ms  fastrsa {:7.4} ms  ratio {:5.1}",
        m[2],
        m[3],
        m[2] / m[3]
    );
    println!("{bits} key set-up: private {:.3} ms, public {:.4} ms", m[4], m[5]);
}
