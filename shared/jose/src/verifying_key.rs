//! Keys that check signatures.

use crate::algorithm::{Algorithm, Algorithms};
use crate::backend::Backend;
use crate::error::{BadKey, Refused};
use crate::jws::Jws;
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

/// A key with the algorithms that it may be used for.
pub struct VerifyingKey {
    material: Material,
    algorithms: Algorithms,
    key_id: Option<String>,
    /// Made when a host first needs it.
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
    /// What the kind of key can do.
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

    /// Sorts the contents of a SubjectPublicKeyInfo.
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
        // Every message would have a valid signature that anybody can make.
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
    /// A key for `algorithms`, as far as its kind allows them.
    pub(crate) fn new(material: Material, algorithms: Algorithms) -> Result<Self, BadKey> {
        let algorithms = material.algorithms().and(algorithms);
        if algorithms.is_empty() {
            return Err(BadKey::Algorithm);
        }
        Ok(VerifyingKey { material, algorithms, key_id: None, spki: OnceLock::new() })
    }

    /// A shared secret, for one HMAC algorithm. Its strength is the operator's business.
    ///
    /// # Errors
    ///
    /// [`BadKey::Empty`]; [`BadKey::Algorithm`] when it is no HMAC.
    pub fn from_secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, BadKey> {
        Self::new(Material::secret(secret)?, Algorithms::of(&[algorithm]))
    }

    /// The public key of the first block of a PEM text: `PUBLIC KEY` (SPKI), `RSA PUBLIC KEY` (PKCS#1) or
    /// `CERTIFICATE` (X.509).
    ///
    /// # Errors
    ///
    /// [`BadKey`]; [`BadKey::Algorithm`] when none of `algorithms` is one for this kind of key.
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

    /// A SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    ///
    /// As [`Self::from_pem`].
    pub fn from_spki_der(
        der: &[u8],
        algorithms: Algorithms,
        policy: Policy,
    ) -> Result<Self, BadKey> {
        Self::new(spki_der::read(der, |contents| Material::read(contents, policy))?, algorithms)
    }

    /// The public key of an X.509 certificate in DER. Nothing else in it is checked.
    ///
    /// # Errors
    ///
    /// As [`Self::from_pem`].
    pub fn from_certificate_der(
        der: &[u8],
        algorithms: Algorithms,
        policy: Policy,
    ) -> Result<Self, BadKey> {
        Self::from_spki_der(&certificate::public_key(der)?, algorithms, policy)
    }

    /// A JWK (RFC 7517). `alg` pins the algorithm; `use` must be `sig` and `key_ops` must contain `verify`,
    /// where they are given; `kid` becomes the key id.
    ///
    /// # Errors
    ///
    /// [`BadKey`].
    pub fn from_jwk(jwk: &Map<String, Value>, policy: Policy) -> Result<Self, BadKey> {
        crate::jwk::verifying(jwk, policy)
    }

    /// The same key with another key id.
    #[must_use]
    pub fn with_key_id(self, key_id: Option<String>) -> Self {
        VerifyingKey { key_id, ..self }
    }

    /// The same key for fewer algorithms.
    ///
    /// # Errors
    ///
    /// [`BadKey::Algorithm`] when none is left.
    pub fn restricted(self, algorithms: Algorithms) -> Result<Self, BadKey> {
        let key_id = self.key_id;
        Ok(Self::new(self.material, self.algorithms.and(algorithms))?.with_key_id(key_id))
    }

    /// The algorithms that the key may be used for.
    pub fn algorithms(&self) -> Algorithms {
        self.algorithms
    }

    /// The key's name.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Checks the signature of a token, and that its algorithm is one of the key's.
    ///
    /// # Errors
    ///
    /// [`Refused`].
    pub fn verify(&self, token: &Jws, backend: &dyn Backend) -> Result<(), Refused> {
        if !self.algorithms.contains(token.algorithm()) {
            return Err(Refused::Algorithm);
        }
        backend.verify(self, token.algorithm(), token.signing_input(), token.signature())
    }

    /// Checks a signature in this module.
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

    /// Whether every host takes the key. BoringSSL takes no RSA exponent above 33 bits, and says of such a key only
    /// that the signature is wrong.
    pub(crate) fn suits_hosts(&self) -> bool {
        match &self.material {
            #[cfg(feature = "rsa")]
            Material::Rsa(key) => key.exponent() >> 33 == 0,
            _ => true,
        }
    }

    /// The public key as a SubjectPublicKeyInfo in DER; None for a shared secret.
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

    /// The public key as the members of a JWK that RFC 7638 hashes; None for a shared secret.
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

    /// The public key as a JWK with `use`, `kid`, and `alg` if there is only one; None for a shared secret.
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

    /// The SHA-256 thumbprint (RFC 7638), base64url; None for a shared secret.
    pub fn thumbprint(&self) -> Option<String> {
        let members: Vec<String> =
            self.required_members()?.iter().map(|(k, v)| format!("\"{k}\":\"{v}\"")).collect();
        let json = format!("{{{}}}", members.join(","));
        Some(base64url::encode(crate::hash::sha256(json.as_bytes())))
    }
}

/// The scheme of an RSA algorithm.
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
