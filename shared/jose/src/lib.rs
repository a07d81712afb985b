//! JWT, JWS, JWK, JWKS and hashing; signing and verifying in Wasm or by the host.
//!
//! ```
//! use jose::{Algorithm, InWasm, SigningKey, Token, VerifyingKey};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = b"a secret of at least thirty-two bytes";
//! let signing = SigningKey::from_secret(secret, Algorithm::Hs256)?;
//! let header = signing.header(r#"{"typ":"JWT","alg":"HS256"}"#)?;
//! let mut random = |out: &mut [u8]| out.fill(0); // HMAC needs none
//! let text = signing.sign(&header, r#"{"sub":"ana"}"#, &InWasm, &mut random)?;
//!
//! let token = Token::parse(text.as_bytes())?;
//! VerifyingKey::from_secret(secret, Algorithm::Hs256)?.verify(&token, &InWasm)?;
//! assert_eq!(token.claims()["sub"], "ana");
//! # Ok(())
//! # }
//! ```
//!
//! | file            | what is in it                                                              |
//! |-----------------|----------------------------------------------------------------------------|
//! | `algorithm`     | the names of RFC 7518 and 8037, and sets of them                           |
//! | `base64url`     | strict base64url                                                           |
//! | `json`          | JSON in which no object has a member twice                                 |
//! | `jws`, `token`  | the compact form, and the JWT in it                                        |
//! | `verifying_key`, `signing_key` | keys from PEM, DER, JWK or a secret                         |
//! | `jwk`, `jwk_set`| JSON keys                                                                  |
//! | `pem`, `certificate`, `spki_der`, `curve`, `comb`, `ecdsa_der`, `keyed_hash` | what keys and signatures are made of                      |
//! | `backend`, `host_crypto` | who computes: this module, or the proxy's own cryptography        |
//! | `roca`          | the mark of RSA keys that a faulty generator made                          |
//! | `hash`          | SHA-256 as hex, comparison in constant time                                |
//!
//! Rules that hold everywhere (RFC 8725): the algorithm comes from the key and the token's must be one of
//! the key's; `none` does not exist; `crit`, duplicate members, padding (but for `Token::parse_padded`) and non-canonical
//! base64url are refused; keys in a token's header (`jwk`, `jku`, `x5c`, `x5u`) are never looked at. No error and no
//! `Debug` contains a secret or a token.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(
    not(all(
        feature = "sign",
        feature = "rsa",
        feature = "p256",
        feature = "p384",
        feature = "p521",
        feature = "ed25519"
    )),
    allow(
        dead_code,
        unused_imports,
        unused_variables,
        unused_macros,
        reason = "a build with fewer algorithms leaves pieces of the others unused"
    )
)]

mod algorithm;
mod backend;
pub mod base64url;
mod certificate;
#[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
mod comb;
#[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
mod curve;
mod ecdsa_der;
mod error;
pub mod hash;
mod host_crypto;
pub mod json;
mod jwk;
mod jwk_set;
mod jws;
mod keyed_hash;
mod pem;
mod policy;
mod protobuf;
mod random;
#[cfg(feature = "rsa")]
mod roca;
#[cfg(feature = "sign")]
mod signing_key;
mod spki_der;
mod token;
mod verifying_key;

pub use algorithm::{Algorithm, Algorithms};
pub use backend::{Backend, InWasm};
pub use certificate::{certificates_from_pem, x5c};
pub use error::{BadKey, CannotSign, Malformed, Refused};
pub use host_crypto::{Crypto, Foreign, ForeignFailed, HostUnusable, OnHost};
pub use jwk_set::{BadSet, JwkSet, SetRefused};
pub use jws::{Jws, MAX_TOKEN};
pub use policy::Policy;
pub use random::Random;
#[cfg(feature = "sign")]
pub use signing_key::{SigningHeader, SigningKey};
pub use token::Token;
pub use verifying_key::VerifyingKey;
