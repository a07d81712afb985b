//! Keys that verify.

use crate::algorithm::{Algorithm, Algorithms};
use crate::error::BadKey;
use crate::policy::Policy;
#[cfg(feature = "rsa")]
use crate::roca;
use crate::spki_der::Contents;
use crate::{base64url, certificate, keyed_hash, pem, spki_der};
use core::fmt;
use der::asn1::AnyRef;
use serde_json::{Map, Value};
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// A public key or a shared secret, with the algorithms that it may verify.
pub struct VerifyingKey {
    material: Material,
    algorithms: Algorithms,
    key_id: Option<String>,
    /// The key in DER, made when a host first needs it.
    spki: OnceLock<Option<Vec<u8>>>,
}

pub(crate) enum Material {
    Secret(Zeroizing<Vec<u8>>),
    #[cfg(feature = "rsa")]
    Rsa(Box<fastrsa::PublicKey>),
    #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
    Ec(crate::curve::Point),
    #[cfg(feature = "ed25519")]
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?})", self.algorithms)
    }
}

impl Material {
    /// Returns the algorithms for this kind of key.
    fn algorithms(&self) -> Algorithms {
        match self {
            Material::Secret(_) => Algorithms::HMAC,
            #[cfg(feature = "rsa")]
            Material::Rsa(_) => Algorithms::RSA,
            #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
            Material::Ec(point) => Algorithms::of(&[point.algorithm()]),
            #[cfg(feature = "ed25519")]
            Material::Ed25519(_) => Algorithms::of(&[Algorithm::EdDsa]),
        }
    }

    /// Reads the contents of a SubjectPublicKeyInfo.
    fn read(contents: Contents<'_>, policy: Policy) -> Result<Self, BadKey> {
        match contents {
            #[cfg(feature = "rsa")]
            Contents::Rsa(der) => {
                use der::Decode as _;
                let key = pkcs1::RsaPublicKeyRef::from_der(der).map_err(|_| BadKey::Der)?;
                Self::rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes(), policy)
            }
            #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
            Contents::Ec(curve, sec1) => Ok(Material::Ec(crate::curve::Point::new(curve, sec1)?)),
            #[cfg(feature = "ed25519")]
            Contents::Ed25519(bytes) => Self::ed25519(bytes),
            #[allow(unreachable_patterns, reason = "reached in builds with fewer features")]
            _ => Err(BadKey::Unsupported),
        }
    }

    #[cfg(feature = "rsa")]
    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8], policy: Policy) -> Result<Self, BadKey> {
        let key = fastrsa::PublicKey::new(modulus, exponent).map_err(|_| BadKey::Rsa)?;
        if key.bits() < policy.min_rsa_bits {
            return Err(BadKey::TooShort);
        }
        if roca::is_marked(&key.modulus()) {
            return Err(BadKey::Marked);
        }
        Ok(Material::Rsa(Box::new(key)))
    }

    #[cfg(feature = "ed25519")]
    pub(crate) fn ed25519(bytes: &[u8]) -> Result<Self, BadKey> {
        let bytes = bytes.try_into().map_err(|_| BadKey::Point)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| BadKey::Point)?;
        // For such a key anybody can make a valid signature of every message.
        if key.is_weak() {
            return Err(BadKey::Point);
        }
        Ok(Material::Ed25519(Box::new(key)))
    }

    pub(crate) fn secret(bytes: &[u8]) -> Result<Self, BadKey> {
        if bytes.is_empty() {
            return Err(BadKey::Empty);
        }
        Ok(Material::Secret(Zeroizing::new(bytes.to_vec())))
    }
}

impl VerifyingKey {
    /// Makes a key for those of `algorithms` that fit its kind.
    pub(crate) fn new(material: Material, algorithms: Algorithms) -> Result<Self, BadKey> {
        let algorithms = material.algorithms().and(algorithms);
        if algorithms.is_empty() {
            return Err(BadKey::Algorithm);
        }
        Ok(VerifyingKey { material, algorithms, key_id: None, spki: OnceLock::new() })
    }

    /// Makes a key of a shared secret, for one HMAC algorithm. Any length is accepted except 0.
    ///
    /// # Errors
    ///
    /// [`BadKey::Empty`]; [`BadKey::Algorithm`] if the algorithm is not an HMAC.
    pub fn from_secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, BadKey> {
        Self::new(Material::secret(secret)?, Algorithms::of(&[algorithm]))
    }

    /// Reads the public key in the first block of a PEM text: `PUBLIC KEY` (SPKI), `RSA PUBLIC KEY`
    /// (PKCS#1) or `CERTIFICATE` (X.509).
    ///
    /// # Errors
    ///
    /// [`BadKey`]; [`BadKey::Algorithm`] if none of `algorithms` fits the kind of key.
    pub fn from_pem(text: &str, algorithms: Algorithms, policy: Policy) -> Result<Self, BadKey> {
        let blocks = pem::blocks(text)?;
        let block = blocks.first().ok_or(BadKey::Pem)?;
        match block.label {
            "PUBLIC KEY" => Self::from_spki_der(&block.der, algorithms, policy),
            "RSA PUBLIC KEY" => {
                Self::new(Material::read(Contents::Rsa(&block.der), policy)?, algorithms)
            }
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                Self::from_certificate_der(&block.der, algorithms, policy)
            }
            _ => Err(BadKey::Pem),
        }
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    ///
    /// [`BadKey`]; [`BadKey::Algorithm`] if none of `algorithms` fits the kind of key.
    pub fn from_spki_der(
        der: &[u8],
        algorithms: Algorithms,
        policy: Policy,
    ) -> Result<Self, BadKey> {
        Self::new(spki_der::read(der, |contents| Material::read(contents, policy))?, algorithms)
    }

    /// Reads the public key of an X.509 certificate in DER. Nothing else in the certificate is
    /// checked.
    ///
    /// # Errors
    ///
    /// [`BadKey`]; [`BadKey::Algorithm`] if none of `algorithms` fits the kind of key.
    pub fn from_certificate_der(
        der: &[u8],
        algorithms: Algorithms,
        policy: Policy,
    ) -> Result<Self, BadKey> {
        Self::from_spki_der(&certificate::public_key(der)?, algorithms, policy)
    }

    /// Returns the key with this key id.
    #[must_use]
    pub fn with_key_id(self, key_id: Option<String>) -> Self {
        VerifyingKey { key_id, ..self }
    }

    /// Returns the key, restricted to those of its algorithms that `algorithms` contains.
    ///
    /// # Errors
    ///
    /// [`BadKey::Algorithm`] if none is left.
    pub fn restricted(self, algorithms: Algorithms) -> Result<Self, BadKey> {
        let key_id = self.key_id;
        Ok(Self::new(self.material, self.algorithms.and(algorithms))?.with_key_id(key_id))
    }

    /// Returns the algorithms that the key may verify.
    pub fn algorithms(&self) -> Algorithms {
        self.algorithms
    }

    /// Returns the key id.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Returns `true` if this is the key's signature of `message`. Computes in this module.
    pub(crate) fn matches(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.algorithms.contains(algorithm)
            && match &self.material {
                Material::Secret(secret) => {
                    keyed_hash::matches(algorithm, secret, message, signature)
                }
                #[cfg(feature = "rsa")]
                Material::Rsa(key) => rsa_scheme(algorithm)
                    .is_some_and(|scheme| key.verify(scheme, message, signature).is_ok()),
                #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
                Material::Ec(point) => point.verify(message, signature),
                #[cfg(feature = "ed25519")]
                Material::Ed25519(key) => signature.try_into().is_ok_and(|bytes| {
                    let signature = ed25519_dalek::Signature::from_bytes(bytes);
                    key.verify_strict(message, &signature).is_ok()
                }),
            }
    }

    /// Returns `true` if every host accepts the key. BoringSSL accepts no RSA exponent above 33
    /// bits, and reports only a wrong signature for such a key.
    pub(crate) fn suits_hosts(&self) -> bool {
        match &self.material {
            #[cfg(feature = "rsa")]
            Material::Rsa(key) => key.exponent() >> 33 == 0,
            _ => true,
        }
    }

    /// Returns the public key as a SubjectPublicKeyInfo in DER, or `None` for a shared secret.
    pub fn spki_der(&self) -> Option<&[u8]> {
        self.spki.get_or_init(|| self.make_spki_der()).as_deref()
    }

    fn make_spki_der(&self) -> Option<Vec<u8>> {
        match &self.material {
            Material::Secret(_) => None,
            #[cfg(feature = "rsa")]
            Material::Rsa(key) => {
                use der::Encode as _;
                let (n, e) = (key.modulus(), key.exponent().to_be_bytes());
                let key = pkcs1::RsaPublicKeyRef {
                    modulus: pkcs1::UintRef::new(&n).ok()?,
                    public_exponent: pkcs1::UintRef::new(&e).ok()?,
                };
                Some(spki_der::write(spki_der::RSA, Some(AnyRef::NULL), &key.to_der().ok()?))
            }
            #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
            Material::Ec(point) => {
                let curve = point.oid();
                Some(spki_der::write(spki_der::EC, Some((&curve).into()), &point.uncompressed()))
            }
            #[cfg(feature = "ed25519")]
            Material::Ed25519(key) => {
                Some(spki_der::write(spki_der::ED25519, None, key.as_bytes()))
            }
        }
    }

    /// Returns the public key as the members of a JWK that RFC 7638 hashes, in its order. Returns
    /// `None` for a shared secret.
    fn required_members(&self) -> Option<Vec<(&'static str, String)>> {
        match &self.material {
            Material::Secret(_) => None,
            #[cfg(feature = "rsa")]
            Material::Rsa(key) => {
                let e = key.exponent().to_be_bytes();
                let zeros = e.iter().take_while(|b| **b == 0).count();
                Some(vec![
                    ("e", base64url::encode(e.get(zeros..)?)),
                    ("kty", "RSA".into()),
                    ("n", base64url::encode(key.modulus())),
                ])
            }
            #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
            Material::Ec(point) => {
                let sec1 = point.uncompressed();
                let (_, xy) = sec1.split_first()?;
                let (x, y) = xy.split_at_checked(xy.len() / 2)?;
                Some(vec![
                    ("crv", point.name().into()),
                    ("kty", "EC".into()),
                    ("x", base64url::encode(x)),
                    ("y", base64url::encode(y)),
                ])
            }
            #[cfg(feature = "ed25519")]
            Material::Ed25519(key) => Some(vec![
                ("crv", "Ed25519".into()),
                ("kty", "OKP".into()),
                ("x", base64url::encode(key.as_bytes())),
            ]),
        }
    }

    /// Returns the public key as a JWK with `use`, with `kid` if it has one, and with `alg` if it
    /// has one algorithm only. Returns `None` for a shared secret.
    pub fn to_jwk(&self) -> Option<Map<String, Value>> {
        let members = self.required_members()?;
        let mut jwk: Map<_, _> = members.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        jwk.insert("use".into(), "sig".into());
        if let Some(key_id) = &self.key_id {
            jwk.insert("kid".into(), key_id.as_str().into());
        }
        let mut algorithms = self.algorithms.iter();
        if let (Some(only), None) = (algorithms.next(), algorithms.next()) {
            jwk.insert("alg".into(), only.name().into());
        }
        Some(jwk)
    }

    /// Returns the SHA-256 thumbprint (RFC 7638) in base64url, or `None` for a shared secret.
    pub fn thumbprint(&self) -> Option<String> {
        let members: Vec<String> =
            self.required_members()?.iter().map(|(k, v)| format!("\"{k}\":\"{v}\"")).collect();
        let json = format!("{{{}}}", members.join(","));
        Some(base64url::encode(crate::hash::sha256(json.as_bytes())))
    }
}

/// Returns the scheme of an RSA algorithm.
#[cfg(feature = "rsa")]
pub(crate) fn rsa_scheme(algorithm: Algorithm) -> Option<fastrsa::Scheme> {
    use fastrsa::Hash::{Sha256, Sha384, Sha512};
    use fastrsa::Scheme::{Pkcs1, Pss};
    match algorithm {
        Algorithm::Rs256 => Some(Pkcs1(Sha256)),
        Algorithm::Rs384 => Some(Pkcs1(Sha384)),
        Algorithm::Rs512 => Some(Pkcs1(Sha512)),
        Algorithm::Ps256 => Some(Pss(Sha256)),
        Algorithm::Ps384 => Some(Pss(Sha384)),
        Algorithm::Ps512 => Some(Pss(Sha512)),
        _ => None,
    }
}
