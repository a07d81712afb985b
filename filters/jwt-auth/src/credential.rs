//! The keys of consumers: cached, compared and prepared for verification.

use consumer::{Credential, Identity};
use exchange::Property;
use jose::{Algorithm, Algorithms, Policy, VerifyingKey, base64url};
use serde::{Deserialize, Serialize};

/// The SHA-256 digest of a token, or of the key that verified one.
pub(crate) type Digest = [u8; 32];

/// The key of a consumer's tokens, as it was configured.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Material {
    /// The only algorithm that the tokens may use.
    pub(crate) algorithm: String,
    /// The secret of HMAC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<String>,
    /// The public key of another algorithm, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) public_key: Option<String>,
    /// `true` if the secret is in base64.
    #[serde(default)]
    pub(crate) base64: bool,
}

/// The key of a consumer's tokens, prepared for verification.
pub(crate) struct VerifyingMaterial {
    /// The key, or `None` if it cannot be used.
    pub(crate) key: Option<VerifyingKey>,
    /// The digest of the key, which identifies it.
    pub(crate) print: Digest,
}

/// A holder of the settings, with results that every request needs.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) material: Material,
    pub(crate) key: VerifyingMaterial,
    /// The property that states the identity.
    pub(crate) identity: Property,
}

/// A consumer with one of its JWT credentials.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) identity: Identity,
    pub(crate) material: Material,
}

impl Holder {
    pub(crate) fn encode(&self) -> Vec<u8> {
        // It consists of texts and flags, so JSON can always express it.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok().filter(|holder: &Self| !holder.identity.id.is_empty())
    }
}

/// Returns the credential of a token as later filters and the upstream see it.
pub(crate) fn credential(id: &str, identifier: &str) -> Credential {
    Credential {
        id: id.to_owned(),
        kind: "jwt".to_owned(),
        identifier: Some(identifier.to_owned()),
        key: None,
    }
}

impl Material {
    /// Parses the key, if it fits the algorithm.
    pub(crate) fn usable(&self) -> VerifyingMaterial {
        let public = self.public_key.as_deref().unwrap_or_default().as_bytes();
        let symmetric = Algorithm::parse(&self.algorithm).is_some_and(Algorithm::is_symmetric);
        let key = if symmetric { self.secret().unwrap_or_default() } else { public.to_vec() };
        let print = jose::hash::sha256(&[self.algorithm.as_bytes(), b"\0", &key].concat());
        VerifyingMaterial { key: self.key(), print }
    }

    /// Returns `true` if the key is an HMAC secret that is shorter than its hash (RFC 7518 section
    /// 3.2).
    pub(crate) fn is_short(&self) -> bool {
        let least = match Algorithm::parse(&self.algorithm) {
            Some(Algorithm::Hs256) => 32,
            Some(Algorithm::Hs384) => 48,
            Some(Algorithm::Hs512) => 64,
            _ => return false,
        };
        self.secret().is_some_and(|secret| secret.len() < least)
    }

    /// Returns the decoded secret.
    fn secret(&self) -> Option<Vec<u8>> {
        let secret = self.secret.as_ref()?;
        match self.base64 {
            true => any_base64(secret),
            false => Some(secret.clone().into_bytes()),
        }
    }

    fn key(&self) -> Option<VerifyingKey> {
        let algorithm = Algorithm::parse(&self.algorithm)?;
        if algorithm.is_symmetric() {
            let secret = self.secret()?;
            return VerifyingKey::from_secret(&secret, algorithm).ok();
        }
        let pem = self.public_key.as_ref()?;
        VerifyingKey::from_pem(pem, Algorithms::of(&[algorithm]), Policy::INLINE).ok()
    }
}

/// Decodes base64 or base64url, with or without padding. Secrets come in all of these forms.
pub(crate) fn any_base64(text: &str) -> Option<Vec<u8>> {
    let plain = text.trim().replace('-', "+").replace('_', "/");
    base64url::decode_lenient(plain).filter(|bytes| !bytes.is_empty())
}

impl std::fmt::Debug for Material {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for VerifyingMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("VerifyingMaterial").field(&self.key).finish()
    }
}

impl std::fmt::Debug for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holder").field("material", &self.material).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(algorithm: &str, secret: &str, base64: bool) -> Material {
        let secret = Some(secret.to_owned());
        Material { algorithm: algorithm.to_owned(), secret, public_key: None, base64 }
    }

    #[test]
    fn a_secret_may_be_any_kind_of_base64() {
        for text in ["_-8", "/+8", "/+8=", "_-8=", " _-8\n"] {
            assert_eq!(any_base64(text), Some(vec![0xff, 0xef]), "{text}");
        }
        // A secret in the form of Auth0's: 64 characters of base64url.
        let auth0 = "aFGFzo9dRvT_jkw5ghisfnP_48NaBrovcJsq0M550eJnzujeb8Jr2tREoNePO1yQ";
        assert_eq!(any_base64(auth0).map(|bytes| bytes.len()), Some(48));
        for text in ["", "=", "A", "a b", "\u{e4}"] {
            assert_eq!(any_base64(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_key_for_its_algorithm_is_not_usable() {
        assert!(secret("HS256", "x", false).usable().key.is_some());
        for material in [
            secret("HS256", "a b", true),
            secret("RS256", "x", false),
            secret("none", "x", false),
            Material { secret: None, ..secret("HS256", "", false) },
            Material { public_key: Some("no PEM".into()), ..secret("ES256", "x", false) },
        ] {
            assert!(material.usable().key.is_none(), "{material:?}");
        }
    }

    #[test]
    fn keys_that_differ_in_anything_have_different_prints() {
        let public = |pem: &str| Material {
            public_key: Some(pem.into()),
            secret: None,
            ..secret("ES256", "", false)
        };
        let prints: std::collections::HashSet<Digest> = [
            secret("HS256", "AQID", false),
            secret("HS256", "AQIE", false),
            secret("HS384", "AQID", false),
            secret("HS256", "AQID", true),
            public("AQID"),
            public("AQIE"),
        ]
        .iter()
        .map(|material| material.usable().print)
        .collect();
        assert_eq!(prints.len(), 6);
    }

    #[test]
    fn a_kept_holder_is_read_back_and_shows_no_secret() {
        let identity = Identity {
            id: "1".into(),
            credential: Some(credential("c", "adokey")),
            ..Identity::default()
        };
        let holder = Holder { identity, material: secret("HS256", "supersecret", false) };
        assert_eq!(Holder::decode(&holder.encode()), Some(holder.clone()));
        assert_eq!(Holder::decode(b"{}"), None);
        assert!(!format!("{holder:?}").contains("supersecret"));
    }
}
