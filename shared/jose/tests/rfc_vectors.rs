//! The examples of RFC 7515 appendix A, RFC 7520 section 4 and RFC 8037 appendix A.

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

use jose::{Algorithm, InWasm, Jws, Malformed, Policy, Refused, SigningKey, Token, VerifyingKey};
use serde_json::{Map, Value};
use support::vectors;

fn jwk(vector: &Value) -> &Map<String, Value> {
    vector["jwk"].as_object().unwrap()
}

#[test]
fn every_example_verifies_with_its_key_and_fails_when_a_bit_changes() {
    assert_eq!(vectors().len(), 9);
    for vector in vectors() {
        let name = vector["name"].as_str().unwrap();
        let compact = vector["compact"].as_str().unwrap();
        let key = VerifyingKey::from_jwk(jwk(&vector), Policy::INLINE).unwrap();
        let jws = Jws::parse(compact.as_bytes()).unwrap();
        assert_eq!(jws.algorithm().name(), vector["alg"], "{name}");
        assert_eq!(key.verify(&jws, &InWasm), Ok(()), "{name}");
        assert_eq!(key.key_id(), vector["jwk"]["kid"].as_str(), "{name}");

        // One character changes in the payload, then one in the signature. It is not the last one,
        // whose low bits do not count.
        for at in [compact.find('.').unwrap() + 1, compact.rfind('.').unwrap() + 5] {
            let mut tampered = compact.as_bytes().to_vec();
            tampered[at] = if tampered[at] == b'Q' { b'R' } else { b'Q' };
            if let Ok(jws) = Jws::parse(&tampered) {
                assert_eq!(key.verify(&jws, &InWasm), Err(Refused::Signature), "{name}");
            }
        }
    }
}

#[test]
fn every_example_can_be_signed_again() {
    for vector in vectors() {
        let name = vector["name"].as_str().unwrap();
        let compact = vector["compact"].as_str().unwrap();
        let algorithm = Algorithm::parse(vector["alg"].as_str().unwrap());
        let jws = Jws::parse(compact.as_bytes()).unwrap();
        let key = SigningKey::from_jwk(jwk(&vector), algorithm).unwrap();
        let header = jose::base64url::decode(compact.split('.').next().unwrap()).unwrap();
        let header = key.header(std::str::from_utf8(&header).unwrap()).unwrap();
        let again =
            key.sign_payload(&header, jws.payload(), &InWasm, &mut support::random()).unwrap();
        if vector["repeatable"] == true {
            assert_eq!(again, compact, "{name}");
        }
        let again = Jws::parse(again.as_bytes()).unwrap();
        assert_eq!(key.verifying().verify(&again, &InWasm), Ok(()), "{name}");
        let public = VerifyingKey::from_jwk(jwk(&vector), Policy::INLINE).unwrap();
        assert_eq!(public.verify(&again, &InWasm), Ok(()), "{name}");
    }
}

#[test]
fn the_jwt_of_rfc_7519_is_read() {
    let vector = vectors().swap_remove(0);
    let token = Token::parse(vector["compact"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(token.claims()["iss"], "joe");
    assert_eq!(token.claims()["exp"], 1_300_819_380);
    assert_eq!(token.header()["typ"], "JWT");
    assert_eq!(
        token.claims_json(),
        "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"
    );
}

#[test]
fn the_unsecured_token_of_rfc_7515_a_5_is_refused() {
    let payload = vectors()[0]["compact"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    let unsecured = format!("eyJhbGciOiJub25lIn0.{payload}.");
    assert_eq!(Token::parse(unsecured.as_bytes()), Err(Malformed::Algorithm));
}

#[test]
fn public_jwks_and_thumbprints_are_those_of_the_rfcs() {
    // RFC 8037 A.2 and A.3.
    let vector = vectors().into_iter().find(|v| v["name"] == "RFC 8037 A.4").unwrap();
    let key = VerifyingKey::from_jwk(jwk(&vector), Policy::REMOTE).unwrap();
    assert_eq!(key.thumbprint().as_deref(), vector["thumbprint"].as_str());
    // RFC 7638 section 3.1.
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let rsa =
        serde_json::json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
    let key = VerifyingKey::from_jwk(rsa.as_object().unwrap(), Policy::REMOTE).unwrap();
    assert_eq!(key.thumbprint().unwrap(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    let mut expected = rsa;
    expected["use"] = "sig".into();
    assert_eq!(Value::Object(key.to_jwk().unwrap()), expected);

    for vector in vectors() {
        let key = VerifyingKey::from_jwk(jwk(&vector), Policy::INLINE).unwrap();
        let Some(public) = key.to_jwk() else {
            assert!(key.thumbprint().is_none() && key.spki_der().is_none());
            continue;
        };
        assert!(!public.contains_key("d"));
        let again = VerifyingKey::from_jwk(&public, Policy::REMOTE).unwrap();
        assert_eq!(again.thumbprint(), key.thumbprint());
        let spki = VerifyingKey::from_spki_der(
            key.spki_der().unwrap(),
            jose::Algorithms::ALL,
            Policy::REMOTE,
        );
        assert_eq!(spki.unwrap().thumbprint(), key.thumbprint());
    }
}
