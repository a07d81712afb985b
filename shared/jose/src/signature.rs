//! Signing and verifying whole tokens with a key, by means of a [`Backend`].

use crate::backend::Backend;
use crate::error::Refused;
use crate::jws::Jws;
use crate::verifying_key::VerifyingKey;

impl VerifyingKey {
    /// Verifies the signature of a token, whose algorithm must be one of the key's.
    ///
    /// # Errors
    ///
    /// [`Refused`], if the key does not accept the token.
    pub fn verify(&self, token: &Jws, backend: &dyn Backend) -> Result<(), Refused> {
        if !self.algorithms().contains(token.algorithm()) {
            return Err(Refused::Algorithm);
        }
        backend.verify(self, token.algorithm(), token.signing_input(), token.signature())
    }
}

#[cfg(feature = "sign")]
pub use signing::SigningHeader;

#[cfg(feature = "sign")]
mod signing {
    use super::*;
    use crate::algorithm::Algorithm;
    use crate::error::CannotSign;
    use crate::random::Random;
    use crate::signing_key::SigningKey;
    use crate::{base64url, json};
    use serde_json::Value;

    /// A JWS header, checked and encoded once for many signatures.
    #[derive(Clone)]
    pub struct SigningHeader {
        encoded: String,
        algorithm: Algorithm,
    }

    impl SigningKey {
        /// Checks and encodes a header: a JSON object whose `alg` is the key's algorithm. The text
        /// stays as it is, byte for byte.
        ///
        /// # Errors
        ///
        /// [`CannotSign::Header`], if the header does not fit.
        pub fn header(&self, json: &str) -> Result<SigningHeader, CannotSign> {
            let header = json::parse_object(json.as_bytes()).ok_or(CannotSign::Header)?;
            let named = header.get("alg").and_then(Value::as_str).and_then(Algorithm::parse);
            if named != Some(self.algorithm()) {
                return Err(CannotSign::Header);
            }
            Ok(SigningHeader { encoded: base64url::encode(json), algorithm: self.algorithm() })
        }

        /// Signs claims, which are a JSON object without duplicate members. Returns the compact
        /// serialisation.
        ///
        /// # Errors
        ///
        /// [`CannotSign`], if no correct signature was made.
        pub fn sign(
            &self,
            header: &SigningHeader,
            claims: &str,
            backend: &dyn Backend,
            random: &mut dyn Random,
        ) -> Result<String, CannotSign> {
            json::parse_object(claims.as_bytes()).ok_or(CannotSign::Claims)?;
            self.sign_payload(header, claims.as_bytes(), backend, random)
        }

        /// Signs any payload. Returns the compact serialisation.
        ///
        /// # Errors
        ///
        /// [`CannotSign`], if no correct signature was made.
        pub fn sign_payload(
            &self,
            header: &SigningHeader,
            payload: &[u8],
            backend: &dyn Backend,
            random: &mut dyn Random,
        ) -> Result<String, CannotSign> {
            if header.algorithm != self.algorithm() {
                return Err(CannotSign::Header);
            }
            let mut text = header.encoded.clone();
            text.push('.');
            base64url::encode_onto(payload, &mut text);
            let signature = backend.sign(self, text.as_bytes(), random)?;
            text.push('.');
            base64url::encode_onto(signature, &mut text);
            Ok(text)
        }
    }
}
