//! Reads, verifies and signs JSON Web Tokens, in WebAssembly or with the cryptography of the host.
//!
//! The crate also reads keys (PEM, DER, JWK, JWK Set) and hashes. It implements RFC 7515, 7517,
//! 7518, 7519, 7638 and 8037. A token is parsed first, then verified with a key:
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
//! | module | contents |
//! |---|---|
//! | `algorithm` | the algorithms of RFC 7518 and 8037, and sets of them |
//! | `base64url`, `json` | strict readers: one encoding for each text, no duplicate members |
//! | `jws`, `token` | the compact serialisation, and the JWT in it |
//! | `verifying_key`, `signing_key`, `jwk`, `jwk_set` | keys |
//! | `backend`, `host_crypto` | signing and verifying in this module, or by the host |
//! | `pem`, `certificate`, `spki_der` | the forms of keys |
//! | `curve`, `comb`, `ecdsa_der`, `keyed_hash`, `hash` | ECDSA, HMAC and SHA-256 |
//! | `roca` | RSA keys of a faulty generator |
//!
//! # Rules
//!
//! The crate follows RFC 8725:
//!
//! - The key determines the algorithms. A token with another algorithm is refused.
//! - There is no algorithm `none`.
//! - `crit`, duplicate members and non-canonical base64url are refused. Padding is refused except
//!   by [`Token::parse_padded`].
//! - Keys in a token's header (`jwk`, `jku`, `x5c`, `x5u`) are ignored.
//! - No error and no `Debug` output contains a secret or a token.

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
mod signature;
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
pub use signature::SigningHeader;
#[cfg(feature = "sign")]
pub use signing_key::SigningKey;
pub use token::Token;
pub use verifying_key::VerifyingKey;
