//! Implementations of signing and verifying: this module, or the host.

use crate::algorithm::Algorithm;
#[cfg(feature = "sign")]
use crate::error::CannotSign;
use crate::error::Refused;
#[cfg(feature = "sign")]
use crate::random::Random;
#[cfg(feature = "sign")]
use crate::signing_key::SigningKey;
use crate::verifying_key::VerifyingKey;

/// Makes and checks signatures.
pub trait Backend {
    /// Checks a signature of `message`. The caller has made sure that `algorithm` is one of the
    /// key's.
    ///
    /// # Errors
    ///
    /// [`Refused`], if the signature is wrong or cannot be checked.
    fn verify(
        &self,
        key: &VerifyingKey,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Refused>;

    /// Signs `message`. The signature has the form that a JWS requires (RFC 7518 section 3).
    ///
    /// # Errors
    ///
    /// [`CannotSign`], if no correct signature was made.
    #[cfg(feature = "sign")]
    fn sign(
        &self,
        key: &SigningKey,
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, CannotSign>;
}

/// Signs and verifies in the Wasm module itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct InWasm;

impl Backend for InWasm {
    fn verify(
        &self,
        key: &VerifyingKey,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Refused> {
        if key.matches(algorithm, message, signature) { Ok(()) } else { Err(Refused::Signature) }
    }

    #[cfg(feature = "sign")]
    fn sign(
        &self,
        key: &SigningKey,
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, CannotSign> {
        key.signature(message, random)
    }
}
