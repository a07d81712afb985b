//! Tokens, key sets, keys and base64url.

use jose::{
    Algorithm, Algorithms, InWasm, JwkSet, Jws, Policy, SigningKey, Token, VerifyingKey, base64url,
};

/// A token as a client sends it. No secret and no key of the set has signed any input.
pub fn tokens(data: &[u8]) {
    let jws = Jws::parse(data);
    let padded = Token::parse_padded(data);
    if let Ok(token) = Token::parse(data) {
        assert_eq!(jws.as_ref().ok(), Some(&*token));
        assert_eq!(padded.as_ref().map(Token::claims_json), Ok(token.claims_json()));
        let claims: serde_json::Value = serde_json::from_str(token.claims_json()).expect("JSON");
        assert_eq!(claims.as_object(), Some(token.claims()));
        // The signed text and the signature are the token, byte for byte.
        let signature = base64url::encode(token.signature());
        assert_eq!([token.signing_input(), b".", signature.as_bytes()].concat(), data);
    }
    if let Ok(jws) = &jws {
        for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            let key = VerifyingKey::from_secret(b"the secret of nobody", algorithm).expect("a key");
            assert!(key.verify(jws, &InWasm).is_err(), "nobody has signed this");
        }
    }
    if let Some(bytes) = base64url::decode(data) {
        assert_eq!(base64url::encode(&bytes).as_bytes(), data, "one text for each value");
        assert_eq!(base64url::decode_padded(data).as_ref(), Some(&bytes));
        assert_eq!(base64url::decode_lenient(data), Some(bytes));
    }
    assert_eq!(base64url::decode(base64url::encode(data)).as_deref(), Some(data));
    if let Some(value) = jose::json::parse(data) {
        assert_eq!(serde_json::from_slice::<serde_json::Value>(data).ok(), Some(value));
    }
}

/// A JWK set, and a token after the byte 0x1e.
pub fn jwk_sets(data: &[u8]) {
    let (set, token) = crate::input::halves(data, 0x1e);
    for policy in [Policy::INLINE, Policy::REMOTE] {
        let Ok(set) = JwkSet::parse(set, policy) else { continue };
        if let Ok(token) = Token::parse(token)
            && let Ok(key) = set.verify(&token, &InWasm)
        {
            assert!(key.algorithms().contains(token.algorithm()));
            assert!(policy.symmetric || !token.algorithm().is_symmetric());
        }
        set.keys().iter().for_each(|key| round_trip(key, policy));
    }
}

/// A key that is written as JWK and as DER is read as the same key.
fn round_trip(key: &VerifyingKey, policy: Policy) {
    assert!(!key.algorithms().is_empty());
    if let Some(jwk) = key.to_jwk() {
        let again = VerifyingKey::from_jwk(&jwk, policy).expect("what was written is a key");
        assert_eq!(again.thumbprint(), key.thumbprint());
        assert_eq!(again.spki_der(), key.spki_der());
    }
    if let Some(der) = key.spki_der() {
        let again = VerifyingKey::from_spki_der(der, Algorithms::ALL, policy);
        assert_eq!(again.expect("what was written is a key").spki_der(), Some(der));
    }
}

/// PEM and DER: public keys, private keys, certificates.
pub fn keys(data: &[u8]) {
    for policy in [Policy::INLINE, Policy::REMOTE] {
        if let Ok(key) = VerifyingKey::from_spki_der(data, Algorithms::ALL, policy) {
            round_trip(&key, policy);
        }
        if let Ok(key) = VerifyingKey::from_certificate_der(data, Algorithms::ALL, policy) {
            round_trip(&key, policy);
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(key) = VerifyingKey::from_pem(text, Algorithms::ALL, Policy::INLINE) {
        round_trip(&key, Policy::INLINE);
    }
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        if let Ok(key) = SigningKey::from_pem(text, algorithm) {
            assert!(key.verifying().algorithms().contains(algorithm));
        }
    }
    if let Ok(certificates) = jose::certificates_from_pem(text) {
        assert!(!certificates.is_empty());
        assert_eq!(jose::x5c(&certificates).len(), certificates.len());
    }
}
