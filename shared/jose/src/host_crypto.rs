//! Signing and verifying by the proxy: Envoy's foreign functions `sign` and `verify_signature`.
//!
//! This module does not know the proxy. Whoever does gives it a [`Foreign`] and calls it only once the host
//! is known to have such functions: on Kong the call itself is a trap.
//!
//! A function is used for an algorithm only after it has signed or verified a known message right, and has
//! refused a tampered one. Everything that the host cannot do (PS*, EdDSA, HMAC, RSA exponents above 33 bits) is done
//! in Wasm.

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

/// A host's functions by name: bytes in, bytes out.
pub trait Foreign {
    /// Calls one.
    ///
    /// # Errors
    ///
    /// [`ForeignFailed`] for every status but OK.
    fn call(&self, function: &str, argument: &[u8]) -> Result<Vec<u8>, ForeignFailed>;
}

impl<F: Fn(&str, &[u8]) -> Result<Vec<u8>, ForeignFailed>> Foreign for F {
    fn call(&self, function: &str, argument: &[u8]) -> Result<Vec<u8>, ForeignFailed> {
        self(function, argument)
    }
}

/// The host has no such function, or it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignFailed;

/// The setting `crypto`: who signs and verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crypto {
    /// The host where it proves itself, this module otherwise and whenever the host fails.
    #[default]
    Auto,
    /// This module only.
    Wasm,
    /// The host for RS* and ES*; an error when it cannot or fails.
    Host,
}

/// Why the host was asked for and is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostUnusable {
    /// It is not a host with such functions.
    Absent,
    /// Its functions did not sign and verify known messages right.
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
    /// Chooses, after a self-test of the host (about 5 ms, once). `host` is None unless it is known to have
    /// the functions.
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

/// The algorithms that a host may have; the rest is this module's.
const POSSIBLE: [Algorithm; 6] = {
    use Algorithm::*;
    [Rs256, Rs384, Rs512, Es256, Es384, Es512]
};

/// Computes on the host what that has proved to do right.
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
    /// The host, if it does anything right. `fall_back`: compute in Wasm when a call fails.
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

    /// What the host verifies.
    pub fn verifies(&self) -> Algorithms {
        self.verifies
    }

    /// What the host signs.
    pub fn signs(&self) -> Algorithms {
        self.signs
    }

    /// `verify_signature`: None when it does not answer. `signature` is DER for ES*.
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
        // A false result is the default value, and so it is not written. An error comes with it for a wrong
        // signature too; both are a refusal.
        Some(fields(&answer)?.contains(&Field::Varint(1, 1)))
    }

    /// `sign`: None when it does not answer or fails. DER for ES*.
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
        // Nothing leaves unverified. RSA is quickly verified here, independently of the host.
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
        // A key that came as a JWK is not in a form that the host takes.
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

/// A signature as the host wants it; None for one of a wrong length.
fn to_der(algorithm: Algorithm, signature: &[u8]) -> Option<Vec<u8>> {
    match ecdsa_der::half(algorithm) {
        Some(half) => ecdsa_der::from_fixed(signature, half),
        None => Some(signature.to_vec()),
    }
}

/// A signature of the host as a JWS has it.
#[cfg(feature = "sign")]
fn from_der(algorithm: Algorithm, signature: Vec<u8>) -> Option<Vec<u8>> {
    match ecdsa_der::half(algorithm) {
        Some(half) => ecdsa_der::to_fixed(&signature, half),
        None => Some(signature),
    }
}
