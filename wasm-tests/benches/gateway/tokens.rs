//! Tokens of every algorithm, and the keys that verify them. All of these keys are test keys.

use crate::case::plain;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jose::{Algorithm, SigningKey};
use serde_json::{Value, json};
use wasm_tests::real::RawRequest;
use wasm_tests::tokens::signed;

pub(crate) const SECRET: &str = "a secret of thirty-two octets...";

macro_rules! key {
    ($file:literal) => {
        include_str!(concat!("../../../filters/jwt-auth/src/keys/", $file))
    };
}

pub(crate) const RSA_KEY: &str = key!("rsa2048.pem");
pub(crate) const ES256_KEY: &str = key!("es256.pem");
pub(crate) const ED25519_KEY: &str = key!("ed25519.pem");
const ES384_KEY: &str = key!("es384.pem");
const ES512_KEY: &str = key!("es512.pem");

fn key(algorithm: Algorithm) -> SigningKey {
    use Algorithm::{EdDsa, Es256, Es384, Es512, Hs256, Hs384, Hs512};
    let pem = match algorithm {
        Hs256 | Hs384 | Hs512 => {
            return SigningKey::from_secret(SECRET.as_bytes(), algorithm).expect("a secret");
        }
        Es256 => ES256_KEY,
        Es384 => ES384_KEY,
        Es512 => ES512_KEY,
        EdDsa => ED25519_KEY,
        _ => RSA_KEY,
    };
    SigningKey::from_pem(pem, algorithm).expect("a key").with_key_id(Some("k".to_owned()))
}

/// The JWK Set with the public key of an algorithm.
pub(crate) fn jwks(algorithm: Algorithm) -> Value {
    let key = key(algorithm).verifying().to_jwk().expect("a public key");
    json!({ "keys": [key] })
}

/// The issuer of the tokens of an algorithm. A filter finds a consumer's credential by it, or a
/// provider.
pub(crate) fn issuer(algorithm: Algorithm) -> String {
    if algorithm.is_symmetric() { "bench".to_owned() } else { format!("https://bench/{algorithm}") }
}

/// The public key of an algorithm as PEM text. Returns `None` for an algorithm with a secret.
pub(crate) fn public_pem(algorithm: Algorithm) -> Option<String> {
    let der = STANDARD.encode(key(algorithm).verifying().spki_der()?);
    let lines: Vec<&str> =
        der.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    Some(format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n")))
}

/// A token that has not expired.
pub(crate) fn token(algorithm: Algorithm) -> String {
    Issuer::of(algorithm).next()
}

/// Requests with tokens that no gateway has seen. Each token is signed when its request is made.
pub(crate) fn fresh(algorithm: Algorithm) -> impl FnMut() -> RawRequest {
    let mut issuer = Issuer::of(algorithm);
    move || bearing(&issuer.next())
}

pub(crate) fn bearing(token: &str) -> RawRequest {
    plain().bearer(token)
}

struct Issuer {
    key: SigningKey,
    number: u64,
}

impl Issuer {
    fn of(algorithm: Algorithm) -> Self {
        Self { key: key(algorithm), number: 0 }
    }

    fn next(&mut self) -> String {
        self.number += 1;
        let claims = json!({
            "iss": issuer(self.key.algorithm()), "sub": "ana", "exp": 99_999_999_999_u64, "jti": self.number.to_string(),
            "scope": "orders:read orders:write invoices:read", "name": "Ana Example",
        });
        signed(&self.key, &json!({"typ": "JWT", "kid": "k"}), &claims)
    }
}
