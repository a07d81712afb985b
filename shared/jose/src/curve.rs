//! ECDSA on the NIST curves (RFC 7518 section 3.4), as one type over three crates.

use crate::algorithm::Algorithm;
use crate::comb::{self, Table};
use crate::error::BadKey;
use crate::spki_der;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use spki::ObjectIdentifier;
use std::sync::{LazyLock, OnceLock};

macro_rules! curves {
    ($($feature:literal $curve:ident $krate:ident $algorithm:ident $nist:ident $hash:ident $name:literal $size:literal $oid:ident;)*) => {
        /// A public key on one of the curves. Its table is made at the first verification.
        pub(crate) enum Point {
            $(#[cfg(feature = $feature)]
            $curve(Box<$krate::ecdsa::VerifyingKey>, OnceLock<Table<$krate::$nist>>),)*
        }

        /// A private key on one of the curves.
        #[cfg(feature = "sign")]
        pub(crate) enum Scalar {
            $(#[cfg(feature = $feature)] $curve(Box<$krate::ecdsa::SigningKey>),)*
        }

        impl Point {
            /// Reads a point in SEC1 form, compressed or not.
            pub(crate) fn new(curve: ObjectIdentifier, sec1: &[u8]) -> Result<Self, BadKey> {
                match curve {
                    $(#[cfg(feature = $feature)]
                    spki_der::$oid => $krate::ecdsa::VerifyingKey::from_sec1_bytes(sec1)
                        .map(|key| Point::$curve(Box::new(key), OnceLock::new()))
                        .map_err(|_| BadKey::Point),)*
                    _ => Err(BadKey::Unsupported),
                }
            }

            pub(crate) fn algorithm(&self) -> Algorithm {
                match self {
                    $(#[cfg(feature = $feature)] Point::$curve(..) => Algorithm::$algorithm,)*
                }
            }

            pub(crate) fn oid(&self) -> ObjectIdentifier {
                match self {
                    $(#[cfg(feature = $feature)] Point::$curve(..) => spki_der::$oid,)*
                }
            }

            /// Returns the name of the curve in a JWK.
            pub(crate) fn name(&self) -> &'static str {
                match self {
                    $(#[cfg(feature = $feature)] Point::$curve(..) => $name,)*
                }
            }

            /// Returns the point in uncompressed SEC1 form: 0x04, x, y.
            pub(crate) fn uncompressed(&self) -> Vec<u8> {
                match self {
                    $(#[cfg(feature = $feature)]
                    Point::$curve(key, _) => key.to_sec1_point(false).as_bytes().to_vec(),)*
                }
            }

            pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
                match self {
                    $(#[cfg(feature = $feature)]
                    Point::$curve(key, table) => {
                        static GENERATOR: LazyLock<Table<$krate::$nist>> =
                            LazyLock::new(Table::generator);
                        let Ok(signature) = $krate::ecdsa::Signature::from_slice(signature) else {
                            return false;
                        };
                        let table = table.get_or_init(|| Table::new((*key.as_affine()).into()));
                        let digest = $hash::digest(message);
                        comb::verifies(&GENERATOR, table, &digest, signature.split_scalars())
                    })*

                }
            }
        }

        #[cfg(feature = "sign")]
        impl Scalar {
            /// Reads a big-endian number that has exactly the curve's size.
            pub(crate) fn new(curve: ObjectIdentifier, bytes: &[u8]) -> Result<Self, BadKey> {
                match curve {
                    $(#[cfg(feature = $feature)]
                    spki_der::$oid => {
                        if bytes.len() != $size {
                            return Err(BadKey::Point);
                        }
                        $krate::ecdsa::SigningKey::from_slice(bytes)
                            .map(|key| Scalar::$curve(Box::new(key)))
                            .map_err(|_| BadKey::Point)
                    })*
                    _ => Err(BadKey::Unsupported),
                }
            }

            pub(crate) fn point(&self) -> Point {
                match self {
                    $(#[cfg(feature = $feature)]
                    Scalar::$curve(key) => Point::$curve(Box::new(*key.verifying_key()), OnceLock::new()),)*
                }
            }

            /// Signs deterministically (RFC 6979).
            pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
                match self {
                    $(#[cfg(feature = $feature)]
                    Scalar::$curve(key) => {
                        use $krate::ecdsa::signature::Signer as _;
                        let s: $krate::ecdsa::Signature = key.try_sign(message).ok()?;
                        Some(s.to_bytes().to_vec())
                    })*
                }
            }
        }

        /// Returns the curve with this name in a JWK, and the length of its coordinates in bytes.
        pub(crate) fn by_name(name: &str) -> Option<(ObjectIdentifier, usize)> {
            match name {
                $(#[cfg(feature = $feature)] $name => Some((spki_der::$oid, $size)),)*
                _ => None,
            }
        }
    };
}

curves! {
    "p256" P256 p256 Es256 NistP256 Sha256 "P-256" 32 P256;
    "p384" P384 p384 Es384 NistP384 Sha384 "P-384" 48 P384;
    "p521" P521 p521 Es512 NistP521 Sha512 "P-521" 66 P521;
}
