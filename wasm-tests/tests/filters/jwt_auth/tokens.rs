//! Tokens, good and bad, and the keys that belong to them.

use jose::{Algorithm, InWasm, SigningKey};
use serde_json::{Value, json};

/// `{"iss":"adokey","name":"ado"}` with `supersecret`.
pub const SEED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhZG9rZXkiLCJuYW1lIjoiYWRvIn0.lEzPj2hbGAeHXCCB7rnS-LKgCZZBp2ykEIOkNtczFcU";
/// The same with that secret in base64, as the requirement document prints it.
pub const PRINTED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhZG9rZXkiLCJuYW1lIjoiYWRvIn0.t86wrSIeBCBSRsJhsR6qRNPoiZo_dE5D_ZDMazL-o6M";

macro_rules! keys {
    ($($name:literal),*) => {
        /// Private and public key, as PEM.
        fn pems(name: &str) -> (&'static str, &'static str) {
            match name {
                $($name => (
                    include_str!(concat!("../../../../filters/jwt-auth/src/keys/", $name, ".pem")),
                    include_str!(concat!("../../../../filters/jwt-auth/src/keys/", $name, ".pub.pem")),
                ),)*
                other => panic!("no key {other}"),
            }
        }
    };
}
keys!("rsa2048", "rsa3072", "rsa4096", "es256", "es384", "es512", "ed25519");

/// Each algorithm with public keys, and keys for it.
pub const PUBLIC: [(&str, &str); 16] = [
    ("RS256", "rsa2048"),
    ("RS384", "rsa2048"),
    ("RS512", "rsa2048"),
    ("RS256", "rsa3072"),
    ("RS512", "rsa4096"),
    ("PS256", "rsa2048"),
    ("PS384", "rsa2048"),
    ("PS512", "rsa2048"),
    ("PS256", "rsa3072"),
    ("PS384", "rsa3072"),
    ("PS512", "rsa3072"),
    ("PS256", "rsa4096"),
    ("ES256", "es256"),
    ("ES384", "es384"),
    ("ES512", "es512"),
    ("EdDSA", "ed25519"),
];

pub fn public_pem(name: &str) -> &'static str {
    pems(name).1
}

pub fn key(algorithm: &str, name: &str) -> SigningKey {
    let algorithm = Algorithm::parse(algorithm).expect("an algorithm");
    SigningKey::from_pem(pems(name).0, algorithm).expect("a key")
}

pub fn secret(algorithm: &str, secret: &[u8]) -> SigningKey {
    let algorithm = Algorithm::parse(algorithm).expect("an algorithm");
    SigningKey::from_secret(secret, algorithm).expect("a secret")
}

/// Signs whatever the header and the claims are.
pub fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let mut all = json!({"alg": key.algorithm().name()});
    all.as_object_mut().expect("an object").extend(header.as_object().expect("an object").clone());
    let header = key.header(&all.to_string()).expect("a header");
    let mut next = 0x9e37_79b9_7f4a_7c15_u64;
    // Blinding in a test need not be random.
    let mut random = |out: &mut [u8]| {
        for byte in out {
            next ^= next << 13;
            next ^= next >> 7;
            next ^= next << 17;
            *byte = next.to_le_bytes()[0];
        }
    };
    key.sign(&header, &claims.to_string(), &InWasm, &mut random).expect("a signature")
}

/// A token of `adokey`.
pub fn ado(claims: Value) -> String {
    let mut all = json!({"iss": "adokey"});
    all.as_object_mut().expect("an object").extend(claims.as_object().expect("an object").clone());
    signed(&secret("HS256", b"supersecret"), &json!({}), &all)
}

/// Header and claims as they are written here, under a signature by nobody.
pub fn unsigned(header: &str, claims: &str) -> String {
    under(header, claims, "AAAA")
}

pub fn under(header: &str, claims: &str, signature: &str) -> String {
    let encode = |text: &str| jose::base64url::encode(text);
    format!("{}.{}.{signature}", encode(header), encode(claims))
}

/// The same token with another signature of the same length.
pub fn forged(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').expect("a signature");
    let first = if signature.starts_with('A') { "B" } else { "A" };
    format!("{input}.{first}{}", &signature[1..])
}
