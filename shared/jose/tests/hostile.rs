//! Hostile input: nothing panics, and nothing is accepted that was not signed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    unreachable_pub,
    reason = "tests may panic"
)]

mod support;

use jose::{
    Algorithm, Algorithms, BadKey, InWasm, JwkSet, Jws, MAX_TOKEN, Policy, Refused, SigningKey,
    Token, VerifyingKey,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{object, vector, vectors};

fn verifying(jwk: Value) -> Result<VerifyingKey, BadKey> {
    VerifyingKey::from_jwk(&object(jwk), Policy::INLINE)
}

#[test]
fn every_truncation_and_every_changed_character_is_refused() {
    for vector in vectors() {
        let compact = vector["compact"].as_str().unwrap();
        let key = verifying(vector["jwk"].clone()).unwrap();
        // P-521 is slow, so only every seventh character is changed.
        let step = if vector["alg"] == "ES512" { 7 } else { 1 };
        for at in (0..compact.len()).step_by(step) {
            let accepted =
                |bytes: &[u8]| Jws::parse(bytes).is_ok_and(|t| key.verify(&t, &InWasm).is_ok());
            assert!(!accepted(&compact.as_bytes()[..at]), "{} {at}", vector["name"]);
            let mut changed = compact.as_bytes().to_vec();
            changed[at] ^= 1;
            assert!(!accepted(&changed), "{} {at}", vector["name"]);
            changed[at] = 0xff;
            assert!(!accepted(&changed));
        }
    }
}

/// The oldest of these attacks uses the public key as an HMAC secret (RFC 8725 section 2.1).
#[test]
fn a_public_key_is_no_hmac_secret() {
    let rsa = vector("RFC 7515 A.2");
    let key = verifying(rsa).unwrap();
    for algorithm in [Algorithm::Hs256, Algorithm::Hs512] {
        let forger = SigningKey::from_secret(key.spki_der().unwrap(), algorithm).unwrap();
        let header = forger.header(&format!(r#"{{"alg":"{algorithm}"}}"#)).unwrap();
        let text = forger.sign(&header, "{}", &InWasm, &mut support::random()).unwrap();
        let token = Token::parse(text.as_bytes()).unwrap();
        assert_eq!(key.verify(&token, &InWasm), Err(Refused::Algorithm));
    }
}

#[test]
fn an_algorithm_that_is_not_the_keys_is_refused_even_with_a_right_signature() {
    let jwk = vector("RFC 7515 A.2");
    let signing = SigningKey::from_jwk(&object(jwk.clone()), Some(Algorithm::Rs512)).unwrap();
    let header = signing.header(r#"{"alg":"RS512"}"#).unwrap();
    let text = signing.sign(&header, "{}", &InWasm, &mut support::random()).unwrap();
    let token = Token::parse(text.as_bytes()).unwrap();
    let mut pinned = jwk.clone();
    pinned["alg"] = "RS256".into();
    assert_eq!(verifying(pinned).unwrap().verify(&token, &InWasm), Err(Refused::Algorithm));
    let free = verifying(jwk).unwrap();
    assert_eq!(free.verify(&token, &InWasm), Ok(()));
    let restricted =
        free.restricted(Algorithms::of(&[Algorithm::Rs256, Algorithm::Es256])).unwrap();
    assert_eq!(restricted.verify(&token, &InWasm), Err(Refused::Algorithm));
    assert_eq!(restricted.restricted(Algorithms::HMAC).err(), Some(BadKey::Algorithm));
}

#[test]
fn a_jwk_with_anything_wrong_is_refused() {
    let ec = vector("RFC 7515 A.3");
    let with = |name: &str, value: Value| {
        let mut jwk = ec.clone();
        jwk[name] = value;
        verifying(jwk).err()
    };
    assert_eq!(with("kid", "a".into()), None);
    assert_eq!(with("use", "sig".into()), None);
    assert_eq!(with("use", "enc".into()), Some(BadKey::Purpose));
    assert_eq!(with("use", 1.into()), Some(BadKey::Jwk));
    assert_eq!(with("key_ops", json!(["sign", "verify"])), None);
    assert_eq!(with("key_ops", json!(["sign"])), Some(BadKey::Purpose));
    assert_eq!(with("key_ops", json!([])), Some(BadKey::Purpose));
    assert_eq!(with("key_ops", "verify".into()), Some(BadKey::Jwk));
    assert_eq!(with("alg", "ES256".into()), None);
    assert_eq!(with("alg", "ES384".into()), Some(BadKey::Algorithm));
    assert_eq!(with("alg", "HS256".into()), Some(BadKey::Algorithm));
    assert_eq!(with("alg", "none".into()), Some(BadKey::Algorithm));
    assert_eq!(with("alg", "ECDH-ES".into()), Some(BadKey::Algorithm));
    assert_eq!(with("alg", Value::Null), Some(BadKey::Jwk));
    assert_eq!(with("kid", 7.into()), Some(BadKey::Jwk));
    assert_eq!(with("kty", "XX".into()), Some(BadKey::Unsupported));
    assert_eq!(with("crv", "secp256k1".into()), Some(BadKey::Unsupported));
    assert_eq!(with("crv", "P-384".into()), Some(BadKey::Jwk));
    assert_eq!(with("x", ec["y"].clone()), Some(BadKey::Point));
    assert_eq!(with("x", "".into()), Some(BadKey::Jwk));
    assert_eq!(with("x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=".into()), Some(BadKey::Jwk));
    assert_eq!(with("x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV".into()), Some(BadKey::Jwk));
    assert_eq!(with("x", "A".repeat(1_000_000).into()), Some(BadKey::Jwk));

    let ed = |x: &str| verifying(json!({"kty": "OKP", "crv": "Ed25519", "x": x})).err();
    assert_eq!(ed("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"), None);
    // For points of small order everybody can sign.
    assert_eq!(ed("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), Some(BadKey::Point));
    assert_eq!(ed("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), Some(BadKey::Point));
    assert_eq!(ed("AAAA"), Some(BadKey::Point));
    assert_eq!(
        verifying(json!({"kty": "OKP", "crv": "Ed448", "x": "AAAA"})).err(),
        Some(BadKey::Ed448)
    );

    let rsa = |n: &str, e: &str| verifying(json!({"kty": "RSA", "n": n, "e": e})).err();
    let n = vector("RFC 7515 A.2")["n"].as_str().unwrap().to_owned();
    assert_eq!(rsa(&n, "AQAB"), None);
    assert_eq!(rsa(&n, "AQ"), Some(BadKey::Rsa));
    assert_eq!(rsa(&n, "AA"), Some(BadKey::Rsa));
    assert_eq!(rsa(&n, ""), Some(BadKey::Jwk));
    assert_eq!(rsa(&n, "_____________w"), Some(BadKey::Rsa));
    assert_eq!(rsa("AQAB", "AQAB"), Some(BadKey::Rsa));
    assert_eq!(rsa(&"_".repeat(100_000), "AQAB"), Some(BadKey::Rsa));

    let oct = json!({"kty": "oct", "k": "AAAA"});
    assert_eq!(
        VerifyingKey::from_jwk(&object(oct.clone()), Policy::REMOTE).err(),
        Some(BadKey::Symmetric)
    );
    assert_eq!(verifying(oct).err(), None);
    assert_eq!(verifying(json!({"kty": "oct", "k": ""})).err(), Some(BadKey::Jwk));
    assert_eq!(VerifyingKey::from_secret(b"", Algorithm::Hs256).err(), Some(BadKey::Empty));
    assert_eq!(VerifyingKey::from_secret(b"a", Algorithm::Es256).err(), Some(BadKey::Algorithm));
}

#[test]
fn a_private_jwk_must_fit_together() {
    let signing =
        |jwk: &Value, algorithm| SigningKey::from_jwk(&object(jwk.clone()), algorithm).err();
    let mut ec = vector("RFC 7515 A.3");
    assert_eq!(signing(&ec, Some(Algorithm::Es256)), None);
    assert_eq!(signing(&ec, None), Some(BadKey::Algorithm));
    assert_eq!(signing(&ec, Some(Algorithm::Es384)), Some(BadKey::Algorithm));
    ec["d"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE".into();
    assert_eq!(signing(&ec, Some(Algorithm::Es256)), Some(BadKey::Point));
    ec["d"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into();
    assert_eq!(signing(&ec, Some(Algorithm::Es256)), Some(BadKey::Point));
    let mut ed = vector("RFC 8037 A.4");
    ed["x"] = vector("RFC 7515 A.3")["x"].clone();
    assert_eq!(signing(&ed, Some(Algorithm::EdDsa)), Some(BadKey::Point));
    let rsa = vector("RFC 7515 A.2");
    for (name, bad) in [("dp", "dq"), ("qi", "dp"), ("p", "q"), ("n", "p")] {
        let mut wrong = rsa.clone();
        wrong[name] = rsa[bad].clone();
        assert_eq!(signing(&wrong, Some(Algorithm::Rs256)), Some(BadKey::Rsa), "{name}");
        wrong.as_object_mut().unwrap().remove(name);
        assert_eq!(signing(&wrong, Some(Algorithm::Rs256)), Some(BadKey::Jwk), "{name}");
    }
    let mut multi = rsa.clone();
    multi["oth"] = json!([]);
    assert_eq!(signing(&multi, Some(Algorithm::Rs256)), Some(BadKey::Unsupported));
    let mut pinned = rsa;
    pinned["alg"] = "PS256".into();
    assert_eq!(signing(&pinned, None), None);
    assert_eq!(signing(&pinned, Some(Algorithm::Rs256)), Some(BadKey::Algorithm));
    pinned["key_ops"] = json!(["verify"]);
    assert_eq!(signing(&pinned, None), Some(BadKey::Purpose));
}

#[test]
fn a_header_or_claims_that_are_not_right_are_not_signed() {
    use jose::CannotSign;
    let key = SigningKey::from_secret(b"secret", Algorithm::Hs256).unwrap();
    for header in [
        "",
        "[]",
        "{}",
        r#"{"alg":"HS384"}"#,
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
    ] {
        assert_eq!(key.header(header).err(), Some(CannotSign::Header), "{header}");
    }
    let header = key.header(r#"{"alg":"HS256"}"#).unwrap();
    for claims in ["", "[]", "1", r#"{"a":1,"a":2}"#, "{}x"] {
        let answer = key.sign(&header, claims, &InWasm, &mut support::random());
        assert_eq!(answer, Err(CannotSign::Claims), "{claims}");
    }
    let other = SigningKey::from_secret(b"secret", Algorithm::Hs512).unwrap();
    let answer = other.sign(&header, "{}", &InWasm, &mut support::random());
    assert_eq!(answer, Err(CannotSign::Header));
}

#[test]
fn debug_and_errors_tell_nothing() {
    let key = SigningKey::from_secret(b"hunter2", Algorithm::Hs256).unwrap();
    let said = format!("{key:?} {:?} {}", key.verifying(), BadKey::Rsa);
    assert!(
        !said.contains("hunter2") && said.starts_with("SigningKey(HS256) VerifyingKey({Hs256})")
    );
}

/// Generates text that resembles a token.
fn tokenish() -> impl Strategy<Value = Vec<u8>> {
    let json = prop_oneof![
        Just(r#"{"alg":"HS256"}"#.to_owned()),
        Just(r#"{"alg":"RS256","kid":"a"}"#.to_owned()),
        Just(r#"{"sub":"a","exp":1e3}"#.to_owned()),
        "\\PC{0,20}",
    ];
    let segment =
        prop_oneof![json.prop_map(jose::base64url::encode), "[A-Za-z0-9_-]{0,40}", "[ -~]{0,10}",];
    prop_oneof![
        proptest::collection::vec(segment, 0..5).prop_map(|s| s.join(".").into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_panic_the_parser(bytes in tokenish()) {
        if let Ok(token) = Token::parse(&bytes) {
            let key = VerifyingKey::from_secret(b"secret", Algorithm::Hs256).unwrap();
            prop_assert!(key.verify(&token, &InWasm).is_err());
            prop_assert!(bytes.starts_with(token.signing_input()));
        }
    }

    #[test]
    fn no_text_panics_the_key_readers(text in "\\PC{0,60}", der in proptest::collection::vec(any::<u8>(), 0..300)) {
        let pem = |label: &str| {
            use base64::Engine as _;
            let body = base64::engine::general_purpose::STANDARD.encode(&der);
            format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n{text}")
        };
        for label in ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE", &text] {
            prop_assert!(VerifyingKey::from_pem(&pem(label), Algorithms::ALL, Policy::INLINE).is_err());
        }
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            prop_assert!(SigningKey::from_pem(&pem(label), Algorithm::Rs256).is_err());
        }
        prop_assert!(JwkSet::parse(text.as_bytes(), Policy::INLINE).is_err());
    }

    /// Signed claims are parsed and verified, and come back unchanged.
    #[test]
    fn claims_survive(claims in proptest::collection::hash_map("\\PC{0,10}", "\\PC{0,30}", 0..6)) {
        let key = SigningKey::from_secret(b"secret", Algorithm::Hs512).unwrap();
        let claims = serde_json::to_string(&claims).unwrap();
        let header = key.header(r#"{"alg":"HS512"}"#).unwrap();
        let text = key.sign(&header, &claims, &InWasm, &mut support::random()).unwrap();
        let token = Token::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(token.claims_json(), claims);
        prop_assert_eq!(key.verifying().verify(&token, &InWasm), Ok(()));
    }
}

#[test]
fn changed_der_never_panics() {
    let jwk = vector("RFC 7515 A.2");
    let spki = verifying(jwk).unwrap().spki_der().unwrap().to_vec();
    for at in 0..spki.len() {
        for bit in [1, 0x80, 0xff] {
            let mut changed = spki.clone();
            changed[at] ^= bit;
            let _ = VerifyingKey::from_spki_der(&changed, Algorithms::ALL, Policy::INLINE);
        }
        assert!(VerifyingKey::from_spki_der(&spki[..at], Algorithms::ALL, Policy::INLINE).is_err());
        assert!(
            VerifyingKey::from_certificate_der(&spki[at..], Algorithms::ALL, Policy::INLINE)
                .is_err()
        );
    }
}

#[test]
fn the_longest_token_is_read_and_a_longer_one_is_not() {
    let key = SigningKey::from_secret(b"secret", Algorithm::Hs256).unwrap();
    let header = key.header(r#"{"alg":"HS256"}"#).unwrap();
    let sign = |size: usize| {
        let claims = format!(r#"{{"a":"{}"}}"#, "x".repeat(size));
        key.sign(&header, &claims, &InWasm, &mut support::random()).unwrap()
    };
    let fits = sign(MAX_TOKEN / 4 * 3 - 100);
    assert!(fits.len() < MAX_TOKEN && Token::parse(fits.as_bytes()).is_ok());
    assert_eq!(Token::parse(sign(MAX_TOKEN).as_bytes()).err(), Some(jose::Malformed::TooLong));
}
