//! Measures the time of every algorithm, and of the crates `rsa` and `p256`, in turns within one
//! process.
//!
//! It runs natively (`cargo run --release -p jose --example bench`) and, built for `wasm32-wasip1`,
//! in any WASI engine. `make bench` runs it natively and inside Envoy, as a module that works while
//! it is loaded.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a tool for developers"
)]

use jose::{Algorithm, InWasm, SigningKey, Token};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use std::hint::black_box;
use std::time::Instant;

/// The exports that Envoy requires of a module.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "an exported name")]
mod envoy {
    #[unsafe(no_mangle)]
    extern "C" fn proxy_abi_version_0_2_1() {}

    #[unsafe(no_mangle)]
    extern "C" fn proxy_on_memory_allocate(_: usize) -> *mut u8 {
        std::ptr::null_mut()
    }
}

/// Returns the mean time of one call in microseconds, over about 20 ms.
fn time(f: &mut dyn FnMut()) -> f64 {
    let (start, mut n) = (Instant::now(), 0u32);
    while n == 0 || start.elapsed().as_millis() < 20 {
        f();
        n += 1;
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(n)
}

fn median(v: &mut [f64]) -> f64 {
    v.sort_by(|a, b| a.total_cmp(b));
    v[v.len() / 2]
}

/// A name, a function, and the times that it took.
type Line = (String, Box<dyn FnMut()>, Vec<f64>);

fn main() {
    let mut lines: Vec<Line> = Vec::new();
    let mut add = |name: String, f: Box<dyn FnMut()>| lines.push((name, f, Vec::new()));
    let claims = format!(
        r#"{{"iss":"issuer","sub":"subject","exp":1300819380,"scope":"{}"}}"#,
        "a ".repeat(80)
    );

    // The key of the self-test, which is not secret.
    let rsa_der = include_bytes!("../src/host_crypto/self_test/rsa.private.der");
    let rsa_pem = pem("PRIVATE KEY", rsa_der);
    let ec = |der: &[u8]| pem("PRIVATE KEY", der);
    let es256 = ec(include_bytes!("../src/host_crypto/self_test/es256.private.der"));
    let es384 = ec(include_bytes!("../src/host_crypto/self_test/es384.private.der"));
    let es512 = ec(include_bytes!("../src/host_crypto/self_test/es512.private.der"));
    let ed = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    for algorithm in Algorithm::ALL {
        let make = || match algorithm {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                SigningKey::from_secret(&[7; 32], algorithm).unwrap()
            }
            Algorithm::Es256 => SigningKey::from_pem(&es256, algorithm).unwrap(),
            Algorithm::Es384 => SigningKey::from_pem(&es384, algorithm).unwrap(),
            Algorithm::Es512 => SigningKey::from_pem(&es512, algorithm).unwrap(),
            Algorithm::EdDsa => SigningKey::from_jwk(
                &jose::json::parse_object(ed.as_bytes()).unwrap(),
                Some(algorithm),
            )
            .unwrap(),
            _ => SigningKey::from_pem(&rsa_pem, algorithm).unwrap(),
        };
        let key = make();
        let header = key.header(&format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#)).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut random = move |out: &mut [u8]| rng.fill_bytes(out);
        let text = key.sign(&header, &claims, &InWasm, &mut random).unwrap();
        let claims = claims.clone();
        add(
            format!("{algorithm} sign"),
            Box::new(move || {
                black_box(key.sign(&header, &claims, &InWasm, &mut random).unwrap());
            }),
        );
        let key = make();
        add(
            format!("{algorithm} parse + verify"),
            Box::new(move || {
                let token = Token::parse(black_box(text.as_bytes())).unwrap();
                key.verifying().verify(&token, &InWasm).unwrap();
            }),
        );
    }
    let text = format!(
        "{}.{}.AAAA",
        jose::base64url::encode(r#"{"alg":"HS256","typ":"JWT"}"#),
        jose::base64url::encode(&claims)
    );
    add(
        "parse alone".into(),
        Box::new(move || drop(black_box(Token::parse(text.as_bytes()).unwrap()))),
    );
    {
        use rsa::pkcs1v15::{SigningKey, VerifyingKey};
        use rsa::pkcs8::DecodePrivateKey;
        use rsa::signature::{RandomizedSigner, Verifier};
        let key = rsa::RsaPrivateKey::from_pkcs8_der(rsa_der).unwrap();
        let signer = SigningKey::<sha2_010::Sha256>::new(key.clone());
        let verifier = VerifyingKey::<sha2_010::Sha256>::new(key.to_public_key());
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let message = claims.clone().into_bytes();
        let signature = signer.sign_with_rng(&mut rng, &message);
        let m = message.clone();
        add(
            "crate rsa 0.9 RS256 sign".into(),
            Box::new(move || {
                black_box(signer.sign_with_rng(&mut rng, &m));
            }),
        );
        add(
            "crate rsa 0.9 RS256 verify".into(),
            Box::new(move || verifier.verify(&message, &signature).unwrap()),
        );
    }
    {
        use p256::ecdsa::signature::{Signer, Verifier};
        let key = p256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap();
        let message = claims.clone().into_bytes();
        let signature: p256::ecdsa::Signature = key.sign(&message);
        let verifier = *key.verifying_key();
        let m = message.clone();
        add(
            "crate p256 0.14 ES256 sign".into(),
            Box::new(move || {
                let s: p256::ecdsa::Signature = key.sign(&m);
                black_box(s);
            }),
        );
        add(
            "crate p256 0.14 ES256 verify".into(),
            Box::new(move || verifier.verify(&message, &signature).unwrap()),
        );
    }

    for _ in 0..7 {
        for (_, f, times) in &mut lines {
            times.push(time(f));
        }
    }
    for (name, _, times) in &mut lines {
        println!("{name:30} {:10.1} us", median(times));
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}
