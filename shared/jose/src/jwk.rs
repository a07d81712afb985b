//! JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).

use crate::algorithm::{Algorithm, Algorithms};
use crate::base64url;
use crate::error::BadKey;
use crate::policy::Policy;
use crate::verifying_key::{Material, VerifyingKey};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

type Jwk = Map<String, Value>;

fn text<'a>(jwk: &'a Jwk, name: &str) -> Result<&'a str, BadKey> {
    jwk.get(name).and_then(Value::as_str).ok_or(BadKey::Jwk)
}

/// Reads a member in base64url that is not empty.
fn bytes(jwk: &Jwk, name: &str) -> Result<Zeroizing<Vec<u8>>, BadKey> {
    base64url::decode(text(jwk, name)?)
        .filter(|b| !b.is_empty())
        .map(Zeroizing::new)
        .ok_or(BadKey::Jwk)
}

/// Returns the algorithms that `alg` allows, if `use` and `key_ops` allow the purpose.
fn allowed(jwk: &Jwk, operation: &str) -> Result<Algorithms, BadKey> {
    match jwk.get("use") {
        None => {}
        Some(Value::String(purpose)) if purpose == "sig" => {}
        Some(Value::String(_)) => return Err(BadKey::Purpose),
        Some(_) => return Err(BadKey::Jwk),
    }
    match jwk.get("key_ops") {
        None => {}
        Some(Value::Array(list)) if list.iter().any(|o| o == operation) => {}
        Some(Value::Array(_)) => return Err(BadKey::Purpose),
        Some(_) => return Err(BadKey::Jwk),
    }
    match jwk.get("alg") {
        None => Ok(Algorithms::ALL),
        Some(Value::String(name)) => {
            Algorithm::parse(name).map(|a| Algorithms::of(&[a])).ok_or(BadKey::Algorithm)
        }
        Some(_) => Err(BadKey::Jwk),
    }
}

fn key_id(jwk: &Jwk) -> Result<Option<String>, BadKey> {
    match jwk.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) => Ok(Some(kid.clone())),
        Some(_) => Err(BadKey::Jwk),
    }
}

impl VerifyingKey {
    /// Reads a JWK (RFC 7517). `alg` restricts the key to one algorithm, and `kid` becomes the key
    /// id. If present, `use` must be `sig` and `key_ops` must contain `verify`.
    ///
    /// # Errors
    ///
    /// [`BadKey`], with the reason why the key cannot be used.
    pub fn from_jwk(jwk: &Map<String, Value>, policy: Policy) -> Result<Self, BadKey> {
        verifying(jwk, policy)
    }
}

/// Reads the public part of a key.
fn verifying(jwk: &Jwk, policy: Policy) -> Result<VerifyingKey, BadKey> {
    let algorithms = allowed(jwk, "verify")?;
    let material = match text(jwk, "kty")? {
        "oct" if !policy.symmetric => return Err(BadKey::Symmetric),
        "oct" => Material::secret(&bytes(jwk, "k")?)?,
        #[cfg(feature = "rsa")]
        "RSA" => Material::rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?, policy)?,
        #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
        "EC" => Material::Ec(ec_point(jwk)?.1),
        "OKP" => match text(jwk, "crv")? {
            #[cfg(feature = "ed25519")]
            "Ed25519" => Material::ed25519(&bytes(jwk, "x")?)?,
            "Ed448" => return Err(BadKey::Ed448),
            _ => return Err(BadKey::Unsupported),
        },
        _ => return Err(BadKey::Unsupported),
    };
    Ok(VerifyingKey::new(material, algorithms)?.with_key_id(key_id(jwk)?))
}

#[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
fn ec_point(jwk: &Jwk) -> Result<(spki::ObjectIdentifier, crate::curve::Point), BadKey> {
    let (curve, size) = crate::curve::by_name(text(jwk, "crv")?).ok_or(BadKey::Unsupported)?;
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    // RFC 7518 section 6.2.1.2: "The length of this octet string MUST be the full size of a
    // coordinate".
    if x.len() != size || y.len() != size {
        return Err(BadKey::Jwk);
    }
    Ok((curve, crate::curve::Point::new(curve, &[&[4], &x[..], &y[..]].concat())?))
}

#[cfg(feature = "sign")]
mod private {
    use super::*;
    use crate::signing_key::{Secret, SigningKey};

    impl SigningKey {
        /// Reads a private JWK (RFC 7517). `algorithm` may be `None` if the JWK has `alg`. If
        /// present, `use` must be `sig` and `key_ops` must contain `sign`. An RSA key needs its
        /// primes.
        ///
        /// # Errors
        ///
        /// [`BadKey`], with the reason why the key cannot be used.
        pub fn from_jwk(
            jwk: &Map<String, Value>,
            algorithm: Option<Algorithm>,
        ) -> Result<Self, BadKey> {
            signing(jwk, algorithm)
        }
    }

    /// Reads a private key. `alg` is required if `algorithm` is `None`.
    fn signing(jwk: &Jwk, algorithm: Option<Algorithm>) -> Result<SigningKey, BadKey> {
        let allowed = allowed(jwk, "sign")?;
        let pinned = jwk.get("alg").and_then(Value::as_str).and_then(Algorithm::parse);
        let algorithm = algorithm.or(pinned).ok_or(BadKey::Algorithm)?;
        if !allowed.contains(algorithm) {
            return Err(BadKey::Algorithm);
        }
        let secret = match text(jwk, "kty")? {
            "oct" => Secret::shared(&bytes(jwk, "k")?)?,
            #[cfg(feature = "rsa")]
            "RSA" if jwk.contains_key("oth") => return Err(BadKey::Unsupported),
            #[cfg(feature = "rsa")]
            "RSA" => Secret::rsa(&fastrsa::Parts {
                modulus: &bytes(jwk, "n")?,
                public_exponent: &bytes(jwk, "e")?,
                prime1: &bytes(jwk, "p")?,
                prime2: &bytes(jwk, "q")?,
                exponent1: &bytes(jwk, "dp")?,
                exponent2: &bytes(jwk, "dq")?,
                coefficient: &bytes(jwk, "qi")?,
            })?,
            #[cfg(any(feature = "p256", feature = "p384", feature = "p521"))]
            "EC" => {
                let (curve, point) = ec_point(jwk)?;
                let scalar = crate::curve::Scalar::new(curve, &bytes(jwk, "d")?)?;
                if scalar.point().uncompressed() != point.uncompressed() {
                    return Err(BadKey::Point);
                }
                Secret::Ec(scalar)
            }
            "OKP" => match text(jwk, "crv")? {
                #[cfg(feature = "ed25519")]
                "Ed25519" => {
                    let secret = Secret::ed25519(&bytes(jwk, "d")?)?;
                    let Secret::Ed25519(key) = &secret else { return Err(BadKey::Jwk) };
                    if key.verifying_key().as_bytes()[..] != bytes(jwk, "x")?[..] {
                        return Err(BadKey::Point);
                    }
                    secret
                }
                "Ed448" => return Err(BadKey::Ed448),
                _ => return Err(BadKey::Unsupported),
            },
            _ => return Err(BadKey::Unsupported),
        };
        Ok(SigningKey::new(secret, algorithm)?.with_key_id(key_id(jwk)?))
    }
}
