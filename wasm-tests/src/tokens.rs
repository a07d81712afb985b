//! JSON Web Tokens, good and bad, and the keys that sign them.

use crate::values::merged;
use jose::{Algorithm, InWasm, SigningKey};
use serde_json::{Value, json};

/// A token with the claims `{"iss":"adokey","name":"ado"}`, signed with the secret `supersecret`.
pub const SEED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhZG9rZXkiLCJuYW1lIjoiYWRvIn0.lEzPj2hbGAeHXCCB7rnS-LKgCZZBp2ykEIOkNtczFcU";
/// The claims of [`SEED`], signed with the base64 form of that secret. The requirement document
/// prints this token.
pub const PRINTED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhZG9rZXkiLCJuYW1lIjoiYWRvIn0.t86wrSIeBCBSRsJhsR6qRNPoiZo_dE5D_ZDMazL-o6M";

macro_rules! keys {
    ($($name:literal),*) => {
        /// The private and the public key of this name, as PEM.
        fn pems(name: &str) -> (&'static str, &'static str) {
            match name {
                $($name => (
                    include_str!(concat!("../../filters/jwt-auth/src/keys/", $name, ".pem")),
                    include_str!(concat!("../../filters/jwt-auth/src/keys/", $name, ".pub.pem")),
                ),)*
                other => panic!("no key {other}"),
            }
        }
    };
}
keys!("rsa2048", "rsa3072", "rsa4096", "es256", "es384", "es512", "ed25519");

/// The asymmetric algorithms, each with the name of a key for it.
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

/// The private key of this name, as PEM.
pub fn pem(name: &str) -> &'static str {
    pems(name).0
}

/// The public key of this name, as PEM.
pub fn public_pem(name: &str) -> &'static str {
    pems(name).1
}

/// A signing key by algorithm and name, for example `ES256` and `es256`.
pub fn key(algorithm: &str, name: &str) -> SigningKey {
    let algorithm = Algorithm::parse(algorithm).expect("an algorithm");
    SigningKey::from_pem(pems(name).0, algorithm).expect("a key")
}

/// A signing key for `HS256`, `HS384` or `HS512`.
pub fn secret(algorithm: &str, secret: &[u8]) -> SigningKey {
    let algorithm = Algorithm::parse(algorithm).expect("an algorithm");
    SigningKey::from_secret(secret, algorithm).expect("a secret")
}

/// A token with these claims. The header gets `alg`, and the members of `header`.
pub fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let header = merged(json!({"alg": key.algorithm().name()}), header.clone());
    let header = key.header(&header.to_string()).expect("a header");
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

/// A token with the issuer `adokey` and these claims, signed with the secret `supersecret`.
pub fn ado(claims: Value) -> String {
    let claims = merged(json!({"iss": "adokey"}), claims);
    signed(&secret("HS256", b"supersecret"), &json!({}), &claims)
}

/// A token of this header and these claims, with a signature that no key made.
pub fn unsigned(header: &str, claims: &str) -> String {
    under(header, claims, "AAAA")
}

/// A token of this header, these claims and this signature, each of which may be malformed.
pub fn under(header: &str, claims: &str, signature: &str) -> String {
    let encode = |text: &str| jose::base64url::encode(text);
    format!("{}.{}.{signature}", encode(header), encode(claims))
}

/// The token with another signature of equal length.
pub fn forged(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').expect("a signature");
    let first = if signature.starts_with('A') { "B" } else { "A" };
    format!("{input}.{first}{}", &signature[1..])
}
