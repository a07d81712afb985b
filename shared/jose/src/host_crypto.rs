//! Signing and verifying by the host, with Envoy's foreign functions `sign` and `verify_signature`.
//!
//! This module does not know the proxy. The caller passes a [`Foreign`], and only if the host is
//! known to have such functions: on Kong the call itself is a trap.
//!
//! A function is used for an algorithm only after it has signed or verified a known message
//! correctly and has refused a tampered one. This module computes what the host cannot: PS*, EdDSA,
//! HMAC, and RSA exponents above 33 bits.

mod self_test;

use crate::algorithm::{Algorithm, Algorithms};
use crate::backend::{Backend, InWasm};
use crate::ecdsa_der;
#[cfg(feature = "sign")]
use crate::error::CannotSign;
use crate::error::Refused;
use crate::protobuf::{Field, Writer, fields};
#[cfg(feature = "sign")]
use crate::random::Random;
#[cfg(feature = "sign")]
use crate::signing_key::SigningKey;
use crate::verifying_key::VerifyingKey;
use core::fmt;

/// The functions of a host, called by name.
pub trait Foreign {
    /// Calls a function with the bytes of its argument, and returns the bytes of its result.
    ///
    /// # Errors
    ///
    /// [`ForeignFailed`] for every status except OK.
    fn call(&self, function: &str, argument: &[u8]) -> Result<Vec<u8>, ForeignFailed>;
}

impl<F: Fn(&str, &[u8]) -> Result<Vec<u8>, ForeignFailed>> Foreign for F {
    fn call(&self, function: &str, argument: &[u8]) -> Result<Vec<u8>, ForeignFailed> {
        self(function, argument)
    }
}

/// The error of a host that has no such function, or whose function failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignFailed;

/// The setting `crypto`, which chooses between the host and this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crypto {
    /// The host, if it passes the self-test; this module otherwise, and whenever a call fails.
    #[default]
    Auto,
    /// This module.
    Wasm,
    /// The host for RS* and ES*. It is an error if the host cannot do this or a call fails.
    Host,
}

/// The reason why the host is unusable although the operator chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostUnusable {
    /// The host has no such functions.
    Absent,
    /// The host's functions did not sign and verify the known messages correctly.
    SelfTest,
}

impl fmt::Display for HostUnusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HostUnusable::Absent => "this host has no functions for signatures",
            HostUnusable::SelfTest => "the host's functions for signatures failed their self-test",
        })
    }
}

impl core::error::Error for HostUnusable {}

impl Crypto {
    /// Chooses the backend, after a self-test of the host that takes about 5 ms. `host` is `None`
    /// unless the host is known to have the functions.
    ///
    /// # Errors
    ///
    /// [`HostUnusable`], only for [`Crypto::Host`].
    pub fn backend(self, host: Option<Box<dyn Foreign>>) -> Result<Box<dyn Backend>, HostUnusable> {
        let tested =
            |host| OnHost::tested(host, self == Crypto::Auto).ok_or(HostUnusable::SelfTest);
        match (self, host) {
            (Crypto::Wasm, _) | (Crypto::Auto, None) => Ok(Box::new(InWasm)),
            (Crypto::Host, None) => Err(HostUnusable::Absent),
            (Crypto::Host, Some(host)) => Ok(Box::new(tested(host)?)),
            (Crypto::Auto, Some(host)) => match tested(host) {
                Ok(on_host) => Ok(Box::new(on_host)),
                Err(_) => Ok(Box::new(InWasm)),
            },
        }
    }
}

/// The algorithms that a host may support. All others are computed in this module.
const POSSIBLE: [Algorithm; 6] = {
    use Algorithm::*;
    [Rs256, Rs384, Rs512, Es256, Es384, Es512]
};

/// Uses the host for the algorithms that passed its self-test, and this module for the others.
pub struct OnHost {
    host: Box<dyn Foreign>,
    verifies: Algorithms,
    signs: Algorithms,
    fall_back: bool,
}

impl fmt::Debug for OnHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OnHost(verifies {:?}, signs {:?})", self.verifies, self.signs)
    }
}

impl OnHost {
    /// Tests the host, and returns `None` if it does nothing correctly. With `fall_back`, this
    /// module computes when a call fails.
    pub fn tested(host: Box<dyn Foreign>, fall_back: bool) -> Option<Self> {
        let mut on_host =
            OnHost { host, verifies: Algorithms::NONE, signs: Algorithms::NONE, fall_back };
        for algorithm in POSSIBLE {
            let one = Algorithms::of(&[algorithm]);
            if on_host.verifies_right(algorithm) {
                on_host.verifies = on_host.verifies.or(one);
            }
            #[cfg(feature = "sign")]
            if on_host.signs_right(algorithm) {
                on_host.signs = on_host.signs.or(one);
            }
        }
        let any = on_host.verifies.or(on_host.signs);
        (!any.is_empty()).then_some(on_host)
    }

    /// Returns the algorithms that the host verifies.
    pub fn verifies(&self) -> Algorithms {
        self.verifies
    }

    /// Returns the algorithms that the host signs with.
    pub fn signs(&self) -> Algorithms {
        self.signs
    }

    /// Calls `verify_signature`. Returns `None` if the host does not answer. The signature of an
    /// ES* is in DER.
    fn ask_verify(
        &self,
        algorithm: Algorithm,
        spki: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let request = Writer::default()
            .bytes(1, hash_name(algorithm)?)
            .bytes(2, spki)
            .bytes(3, signature)
            .bytes(4, message);
        let answer = self.host.call("verify_signature", &request.0).ok()?;
        // A `false` is the default value and therefore absent from the answer. An error is in the
        // answer to a wrong signature too. Both are a refusal.
        Some(fields(&answer)?.contains(&Field::Varint(1, 1)))
    }

    /// Calls `sign`. Returns `None` if the host does not answer or fails. The signature of an ES*
    /// is in DER.
    #[cfg(feature = "sign")]
    fn ask_sign(&self, algorithm: Algorithm, key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        let request =
            Writer::default().bytes(1, hash_name(algorithm)?).bytes(2, key).bytes(3, message);
        let answer = self.host.call("sign", &request.0).ok()?;
        let fields = fields(&answer)?;
        let signed = fields.contains(&Field::Varint(1, 1));
        let signature = fields.iter().find_map(|field| match field {
            Field::Bytes(2, bytes) => Some(bytes.to_vec()),
            _ => None,
        });
        signature.filter(|_| signed)
    }

    fn verify_on_host(
        &self,
        key: &VerifyingKey,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let Some(signature) = to_der(algorithm, signature) else { return Some(false) };
        self.ask_verify(algorithm, key.spki_der()?, message, &signature)
    }

    #[cfg(feature = "sign")]
    fn sign_on_host(&self, key: &SigningKey, message: &[u8]) -> Option<Vec<u8>> {
        let algorithm = key.algorithm();
        let signature = from_der(algorithm, self.ask_sign(algorithm, key.der()?, message)?)?;
        // Every signature is verified before it leaves. RSA is verified here, which is fast and
        // independent of the host.
        let good = if Algorithms::RSA.contains(algorithm) || !self.verifies.contains(algorithm) {
            key.verifying().matches(algorithm, message, &signature)
        } else {
            self.verify_on_host(key.verifying(), algorithm, message, &signature)?
        };
        good.then_some(signature)
    }
}

impl Backend for OnHost {
    fn verify(
        &self,
        key: &VerifyingKey,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Refused> {
        if !self.verifies.contains(algorithm) || !key.suits_hosts() {
            return InWasm.verify(key, algorithm, message, signature);
        }
        if !key.algorithms().contains(algorithm) {
            return Err(Refused::Algorithm);
        }
        match self.verify_on_host(key, algorithm, message, signature) {
            Some(true) => Ok(()),
            Some(false) => Err(Refused::Signature),
            None if self.fall_back => InWasm.verify(key, algorithm, message, signature),
            None => Err(Refused::HostFailed),
        }
    }

    #[cfg(feature = "sign")]
    fn sign(
        &self,
        key: &SigningKey,
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, CannotSign> {
        // A key that came as a JWK has no form that the host accepts.
        let suits = key.der().is_some() && key.verifying().suits_hosts();
        if !self.signs.contains(key.algorithm()) || !suits {
            return InWasm.sign(key, message, random);
        }
        match self.sign_on_host(key, message) {
            Some(signature) => Ok(signature),
            None if self.fall_back => InWasm.sign(key, message, random),
            None => Err(CannotSign::HostFailed),
        }
    }
}

fn hash_name(algorithm: Algorithm) -> Option<&'static [u8]> {
    use Algorithm::*;
    match algorithm {
        Rs256 | Es256 => Some(b"sha256"),
        Rs384 | Es384 => Some(b"sha384"),
        Rs512 | Es512 => Some(b"sha512"),
        Hs256 | Hs384 | Hs512 | Ps256 | Ps384 | Ps512 | EdDsa => None,
    }
}

/// Converts a signature to the form that the host expects. Returns `None` if its length is wrong.
fn to_der(algorithm: Algorithm, signature: &[u8]) -> Option<Vec<u8>> {
    match ecdsa_der::half(algorithm) {
        Some(half) => ecdsa_der::from_fixed(signature, half),
        None => Some(signature.to_vec()),
    }
}

/// Converts a signature of the host to the form that a JWS has.
#[cfg(feature = "sign")]
fn from_der(algorithm: Algorithm, signature: Vec<u8>) -> Option<Vec<u8>> {
    match ecdsa_der::half(algorithm) {
        Some(half) => ecdsa_der::to_fixed(&signature, half),
        None => Some(signature),
    }
}
