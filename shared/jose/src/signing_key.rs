//! Keys that sign.

use crate::algorithm::{Algorithm, Algorithms};
use crate::error::{BadKey, CannotSign};
use crate::policy::Policy;
use crate::random::Random;
use crate::spki_der::{self, Contents};
use crate::verifying_key::{Material, VerifyingKey};
use crate::{keyed_hash, pem};
use core::fmt;
use der::Decode as _;
use der::asn1::AnyRef;
use zeroize::Zeroizing;

/// A private key or a shared secret, for exactly one algorithm.
pub struct SigningKey {
    secret: Secret,
    algorithm: Algorithm,
    /// The key that verifies what this key signs.
    public: VerifyingKey,
    /// The key in PKCS#8, for the host.
    der: Option<Zeroizing<Vec<u8>>>,
}

pub(crate) enum Secret {
    Shared(Zeroizing<Vec<u8>>),
    /// Signing changes the blinding.
    #[cfg(feature = "rsa")]
    Rsa(Box<std::sync::Mutex<fastrsa::PrivateKey>>),
    #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
    Ec(crate::curve::Scalar),
    #[cfg(feature = "ed25519")]
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm)
    }
}

impl Secret {
    pub(crate) fn shared(bytes: &[u8]) -> Result<Self, BadKey> {
        if bytes.is_empty() {
            return Err(BadKey::Empty);
        }
        Ok(Secret::Shared(Zeroizing::new(bytes.to_vec())))
    }

    #[cfg(feature = "rsa")]
    pub(crate) fn rsa(parts: &fastrsa::Parts<'_>) -> Result<Self, BadKey> {
        let key = fastrsa::PrivateKey::new(parts).map_err(|_| BadKey::Rsa)?;
        // RFC 7518 sections 3.3 and 3.5 require this. Signing need not be compatible with old
        // tokens.
        if key.public().bits() < Policy::REMOTE.min_rsa_bits {
            return Err(BadKey::TooShort);
        }
        Ok(Secret::Rsa(Box::new(std::sync::Mutex::new(key))))
    }

    #[cfg(feature = "rsa")]
    fn rsa_der(der: &[u8]) -> Result<Self, BadKey> {
        let key = pkcs1::RsaPrivateKeyRef::from_der(der).map_err(|_| BadKey::Der)?;
        if key.other_prime_infos.is_some() {
            return Err(BadKey::Unsupported);
        }
        Self::rsa(&fastrsa::Parts {
            modulus: key.modulus.as_bytes(),
            public_exponent: key.public_exponent.as_bytes(),
            prime1: key.prime1.as_bytes(),
            prime2: key.prime2.as_bytes(),
            exponent1: key.exponent1.as_bytes(),
            exponent2: key.exponent2.as_bytes(),
            coefficient: key.coefficient.as_bytes(),
        })
    }

    /// Reads an ECPrivateKey (RFC 5915). The curve stands inside of it or in `curve`.
    #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
    fn ec_der(der: &[u8], curve: Option<spki::ObjectIdentifier>) -> Result<Self, BadKey> {
        let key = sec1::EcPrivateKey::from_der(der).map_err(|_| BadKey::Der)?;
        let inside = key.parameters.and_then(|p| p.named_curve());
        if inside.is_some() && curve.is_some() && inside != curve {
            return Err(BadKey::Der);
        }
        let curve = curve.or(inside).ok_or(BadKey::Unsupported)?;
        let scalar = crate::curve::Scalar::new(curve, key.private_key)?;
        if let Some(public) = key.public_key {
            let public = crate::curve::Point::new(curve, public)?;
            if public.uncompressed() != scalar.point().uncompressed() {
                return Err(BadKey::Point);
            }
        }
        Ok(Secret::Ec(scalar))
    }

    #[cfg(feature = "ed25519")]
    pub(crate) fn ed25519(seed: &[u8]) -> Result<Self, BadKey> {
        let seed: &[u8; 32] = seed.try_into().map_err(|_| BadKey::Point)?;
        Ok(Secret::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed))))
    }

    fn pkcs8_der(der: &[u8]) -> Result<Self, BadKey> {
        let info = pkcs8::PrivateKeyInfoRef::from_der(der).map_err(|_| BadKey::Der)?;
        match Contents::of(&info.algorithm, info.private_key.as_bytes())? {
            #[cfg(feature = "rsa")]
            Contents::Rsa(der) => Self::rsa_der(der),
            #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
            Contents::Ec(curve, der) => Self::ec_der(der, Some(curve)),
            // A CurvePrivateKey is an OCTET STRING within the OCTET STRING (RFC 8410 section 7).
            #[cfg(feature = "ed25519")]
            Contents::Ed25519(der) => {
                let seed = <&der::asn1::OctetStringRef>::from_der(der).map_err(|_| BadKey::Der)?;
                Self::ed25519(seed.as_bytes())
            }
            #[allow(unreachable_patterns, reason = "reached in builds with fewer features")]
            _ => Err(BadKey::Unsupported),
        }
    }

    /// Returns the key that verifies what this key signs.
    fn public(&self) -> Result<Material, BadKey> {
        match self {
            Secret::Shared(secret) => Material::secret(secret),
            #[cfg(feature = "rsa")]
            Secret::Rsa(key) => {
                let key = locked(key);
                let public = key.public();
                let (n, e) = (public.modulus(), public.exponent().to_be_bytes());
                Material::rsa(&n, &e, Policy::REMOTE)
            }
            #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
            Secret::Ec(scalar) => Ok(Material::Ec(scalar.point())),
            #[cfg(feature = "ed25519")]
            Secret::Ed25519(key) => Material::ed25519(key.verifying_key().as_bytes()),
        }
    }
}

/// Returns the key in the lock. A panic elsewhere cannot have left it inconsistent, because signing
/// removes the blinding before it uses it.
#[cfg(feature = "rsa")]
fn locked(
    key: &std::sync::Mutex<fastrsa::PrivateKey>,
) -> std::sync::MutexGuard<'_, fastrsa::PrivateKey> {
    key.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Encodes a key in the one form that every host reads (RFC 5958).
fn pkcs8_wrapped(
    oid: spki::ObjectIdentifier,
    parameters: AnyRef<'_>,
    key: &[u8],
) -> Result<Zeroizing<Vec<u8>>, BadKey> {
    use der::Encode as _;
    let algorithm = spki::AlgorithmIdentifier { oid, parameters: Some(parameters) };
    let key = der::asn1::OctetStringRef::new(key).map_err(|_| BadKey::Der)?;
    let wrapped = pkcs8::PrivateKeyInfoRef::new(algorithm, key).to_der();
    wrapped.map(Zeroizing::new).map_err(|_| BadKey::Der)
}

impl SigningKey {
    pub(crate) fn new(secret: Secret, algorithm: Algorithm) -> Result<Self, BadKey> {
        let public = VerifyingKey::new(secret.public()?, Algorithms::of(&[algorithm]))?;
        Ok(SigningKey { secret, algorithm, public, der: None })
    }

    /// Makes a key of a shared secret.
    ///
    /// # Errors
    ///
    /// [`BadKey::Empty`]; [`BadKey::Algorithm`] if the algorithm is not an HMAC.
    pub fn from_secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, BadKey> {
        Self::new(Secret::shared(secret)?, algorithm)
    }

    /// Reads the first private key of a PEM text: `PRIVATE KEY` (PKCS#8), `RSA PRIVATE KEY`
    /// (PKCS#1) or `EC PRIVATE KEY` (SEC1). An RSA key needs two primes of equal length, and at
    /// least 2048 bits.
    ///
    /// # Errors
    ///
    /// [`BadKey`]; [`BadKey::Algorithm`] if the algorithm does not fit the kind of key.
    pub fn from_pem(text: &str, algorithm: Algorithm) -> Result<Self, BadKey> {
        let blocks = pem::blocks(text)?;
        let block = blocks.iter().find(|b| b.label.ends_with("PRIVATE KEY")).ok_or(BadKey::Pem)?;
        let (secret, der) = match block.label {
            "PRIVATE KEY" => (Secret::pkcs8_der(&block.der)?, block.der.clone()),
            #[cfg(feature = "rsa")]
            "RSA PRIVATE KEY" => {
                let wrapped = pkcs8_wrapped(spki_der::RSA, AnyRef::NULL, &block.der)?;
                (Secret::rsa_der(&block.der)?, wrapped)
            }
            #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
            "EC PRIVATE KEY" => {
                let secret = Secret::ec_der(&block.der, None)?;
                let Secret::Ec(scalar) = &secret else { return Err(BadKey::Der) };
                let wrapped =
                    pkcs8_wrapped(spki_der::EC, (&scalar.point().oid()).into(), &block.der)?;
                (secret, wrapped)
            }
            _ => return Err(BadKey::Unsupported),
        };
        Ok(SigningKey { der: Some(der), ..Self::new(secret, algorithm)? })
    }

    /// Returns the key with this key id.
    #[must_use]
    pub fn with_key_id(self, key_id: Option<String>) -> Self {
        SigningKey { public: self.public.with_key_id(key_id), ..self }
    }

    /// Returns the algorithm of the key's signatures.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the key id.
    pub fn key_id(&self) -> Option<&str> {
        self.public.key_id()
    }

    /// Returns the key that verifies what this key signs: the public key, or the shared secret.
    pub fn verifying(&self) -> &VerifyingKey {
        &self.public
    }

    /// Returns the private key in PKCS#8, or `None` if it came as a JWK.
    pub(crate) fn der(&self) -> Option<&[u8]> {
        self.der.as_ref().map(|der| der.as_slice())
    }

    /// Signs in this module.
    pub(crate) fn signature(
        &self,
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, CannotSign> {
        // Not every kind of key uses randomness.
        let _ = &random;
        match &self.secret {
            Secret::Shared(secret) => {
                keyed_hash::tag(self.algorithm, secret, message).ok_or(CannotSign::Fault)
            }
            #[cfg(feature = "rsa")]
            Secret::Rsa(key) => {
                let scheme = crate::verifying_key::rsa_scheme(self.algorithm);
                let scheme = scheme.ok_or(CannotSign::Fault)?;
                let mut random = |out: &mut [u8]| random.fill(out);
                locked(key).sign(scheme, message, &mut random).map_err(|why| match why {
                    fastrsa::CannotSign::KeyTooShort => CannotSign::KeyTooShort,
                    fastrsa::CannotSign::Randomness => CannotSign::Randomness,
                    fastrsa::CannotSign::Fault => CannotSign::Fault,
                })
            }
            #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
            Secret::Ec(scalar) => scalar.sign(message).ok_or(CannotSign::Fault),
            #[cfg(feature = "ed25519")]
            Secret::Ed25519(key) => {
                use ed25519_dalek::Signer as _;
                Ok(key.sign(message).to_bytes().to_vec())
            }
        }
    }
}
