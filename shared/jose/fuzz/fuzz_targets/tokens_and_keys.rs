//! Arbitrary bytes as a token, a JWK Set, PEM and DER: nothing panics.
#![no_main]

use jose::{Algorithm, Algorithms, InWasm, JwkSet, Jws, Policy, SigningKey, Token, VerifyingKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let set = JwkSet::parse(data, Policy::INLINE);
    let jws = Jws::parse(data);
    if let Ok(token) = Token::parse(data) {
        assert_eq!(jws.as_ref().ok(), Some(&*token));
        let key = VerifyingKey::from_secret(b"secret", Algorithm::Hs256).unwrap();
        assert!(key.verify(&token, &InWasm).is_err());
    }
    if let Ok(set) = set {
        for key in set.keys() {
            let _ = (key.spki_der(), key.to_jwk(), key.thumbprint());
        }
    }
    let _ = VerifyingKey::from_spki_der(data, Algorithms::ALL, Policy::INLINE);
    let _ = VerifyingKey::from_certificate_der(data, Algorithms::ALL, Policy::INLINE);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = VerifyingKey::from_pem(text, Algorithms::ALL, Policy::INLINE);
        let _ = SigningKey::from_pem(text, Algorithm::Rs256);
        let _ = jose::certificates_from_pem(text);
    }
});
