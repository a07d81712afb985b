//! JWK Sets, broken and unusual ones included: an unusable key does not affect the others.

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
    Algorithm, BadKey, BadSet, InWasm, JwkSet, Policy, Refused, SetRefused, SigningKey, Token,
};
use serde_json::{Value, json};
use support::{object, vector};

#[test]
fn a_set_keeps_what_can_be_used_and_says_why_the_rest_cannot() {
    let mut ec = vector("RFC 7515 A.3");
    ec["kid"] = "ec".into();
    let set = json!({"keys": [
        ec, {"kty": "oct", "k": "AAAA"}, {"kty": "NEW"}, {"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"},
        vector("RFC 8037 A.4"),
    ], "other": 1});
    let set = JwkSet::parse(set.to_string().as_bytes(), Policy::REMOTE).unwrap();
    assert_eq!(set.keys().len(), 2);
    assert_eq!(
        set.unusable(),
        [(1, BadKey::Symmetric), (2, BadKey::Unsupported), (3, BadKey::Purpose)]
    );
}

#[test]
fn what_is_no_set_is_refused() {
    let parse =
        |text: &str| JwkSet::parse(text.as_bytes(), Policy::REMOTE).map(|set| set.keys().len());
    assert_eq!(parse(r#"{"keys":[]}"#), Ok(0));
    assert_eq!(parse(r#"{"keys":[1,null,[]]}"#), Ok(0));
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[{"kty":"oct","kty":"EC"}]}"#,
        "<html>",
        r#"{"keys":[]}x"#,
    ] {
        assert_eq!(parse(bad), Err(BadSet::Json), "{bad}");
    }
    let many = json!({"keys": vec![json!({"kty": "NEW"}); 101]}).to_string();
    assert_eq!(parse(&many), Err(BadSet::TooManyKeys));
    assert_eq!(parse(&" ".repeat(10_000_000)), Err(BadSet::TooLong));
    let deep = format!(r#"{{"keys":{}"#, "[".repeat(200_000));
    assert_eq!(parse(&deep), Err(BadSet::Json));
}

/// google/jwt_verify_lib#65: some issuers use no key ids in their sets, or use one in their tokens
/// only.
#[test]
fn keys_without_a_name_are_tried_for_every_token_that_they_fit_after_the_one_that_it_names() {
    let jwk = vector("RFC 7515 A.3");
    let signing = SigningKey::from_jwk(&object(jwk.clone()), Some(Algorithm::Es256)).unwrap();
    let token = |header: &str| {
        let header = signing.header(header).unwrap();
        let text = signing.sign(&header, "{}", &InWasm, &mut support::random()).unwrap();
        Token::parse(text.as_bytes()).unwrap()
    };
    let other = json!({"kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"});
    let bare = |jwk: &Value| {
        let mut jwk = jwk.clone();
        jwk.as_object_mut().unwrap().remove("kid");
        jwk
    };
    let named = |jwk: &Value, kid: &str| {
        let mut jwk = jwk.clone();
        jwk["kid"] = kid.into();
        jwk
    };
    let (right, wrong) = (bare(&jwk), bare(&other));
    let rsa = bare(&vector("RFC 8037 A.4"));
    let ask = |keys: Vec<&Value>, header: &str| {
        let text = json!({ "keys": keys }).to_string();
        let set = JwkSet::parse(text.as_bytes(), Policy::REMOTE).unwrap();
        set.verify(&token(header), &InWasm).map(drop)
    };
    let (nameless, naming) = (r#"{"alg":"ES256"}"#, r#"{"alg":"ES256","kid":"k"}"#);
    let signature = Err(SetRefused::Key(Refused::Signature));
    for header in [nameless, naming] {
        assert_eq!(ask(vec![&rsa, &wrong, &right], header), Ok(()));
        assert_eq!(ask(vec![&rsa], header), Err(SetRefused::UnknownKey));
    }
    assert_eq!(ask(vec![&wrong], nameless), signature);
    // A newer set may have the key that the token names.
    assert_eq!(ask(vec![&wrong], naming), Err(SetRefused::UnknownKey));
    assert_eq!(ask(vec![&wrong, &named(&other, "k")], naming), signature);
    assert_eq!(ask(vec![&wrong, &named(&jwk, "k")], naming), Ok(()));
    // At most eight keys are tried, and the named one is among them.
    let wrongs = [&wrong; 8];
    let with = |key| wrongs.iter().copied().chain([key]).collect::<Vec<_>>();
    assert_eq!(ask(with(&right), nameless), signature);
    assert_eq!(ask(with(&named(&jwk, "k")), naming), Ok(()));
}

/// Issuers publish keys that a gateway cannot use beside those that it can.
#[test]
fn a_set_of_all_kinds_is_the_keys_of_it_that_can_be_used() {
    let right = vector("RFC 7515 A.3");
    let with = |name: &str, value: Value| {
        let mut jwk = right.clone();
        jwk[name] = value;
        jwk
    };
    let keys = json!({"keys": [
        {"kty": "EC", "crv": "secp256k1", "x": "AQ", "y": "AQ"}, {"kty": "OKP", "crv": "X25519", "x": "AQ"},
        {"kty": "OKP", "crv": "Ed448", "x": "AQ"}, {"kty": "oct", "k": "AQ"}, {"kty": "AKP", "alg": "ML-DSA-65"},
        {"kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "n": "AQ", "e": "AQAB"}, {"kty": 1}, {}, null, "x",
        with("use", json!("enc")), with("use", json!(["sig"])), with("key_ops", json!(["sign"])),
        with("key_ops", json!(["encrypt", "wrapKey"])), with("alg", json!("ES256K")), with("alg", json!("ECDH-ES")),
        with("kid", json!(7)), with("x", json!("AQ")),
        with("key_ops", json!(["sign", "verify"])), with("use", json!("sig")), right,
    ]});
    let set = JwkSet::parse(keys.to_string().as_bytes(), Policy::REMOTE).unwrap();
    assert_eq!((set.keys().len(), set.unusable().len()), (3, 18));
}

#[test]
fn a_set_verifies_with_the_key_that_the_token_names() {
    let named = |kid: &str, jwk: Value| {
        let mut jwk = jwk;
        jwk["kid"] = kid.into();
        jwk
    };
    let jwk = vector("RFC 7515 A.3");
    let signing = SigningKey::from_jwk(&object(jwk.clone()), Some(Algorithm::Es256)).unwrap();
    let token = |header: &str| {
        let header = signing.header(header).unwrap();
        let text = signing.sign(&header, "{}", &InWasm, &mut support::random()).unwrap();
        Token::parse(text.as_bytes()).unwrap()
    };
    let set = |keys: Vec<Value>| {
        JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes(), Policy::REMOTE).unwrap()
    };
    let ask = |set: &JwkSet, header: &str| {
        set.verify(&token(header), &InWasm).map(|key| key.key_id().map(str::to_owned))
    };
    let both = set(vec![named("ed", vector("RFC 8037 A.4")), named("ec", jwk.clone())]);
    assert_eq!(ask(&both, r#"{"alg":"ES256","kid":"ec"}"#), Ok(Some("ec".into())));
    assert_eq!(ask(&both, r#"{"alg":"ES256"}"#), Ok(Some("ec".into())));
    assert_eq!(ask(&both, r#"{"alg":"ES256","kid":"EC"}"#), Err(SetRefused::UnknownKey));
    assert_eq!(
        ask(&both, r#"{"alg":"ES256","kid":"ed"}"#),
        Err(SetRefused::Key(Refused::Algorithm))
    );
    let other = json!({"kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"});
    assert_eq!(
        ask(&set(vec![named("ec", other.clone())]), r#"{"alg":"ES256","kid":"ec"}"#),
        Err(SetRefused::Key(Refused::Signature))
    );
    assert_eq!(ask(&set(vec![]), r#"{"alg":"ES256"}"#), Err(SetRefused::UnknownKey));
    // During a rotation two keys may have one key id, and one of them suffices.
    let twice = set(vec![named("ec", other.clone()), named("ec", jwk.clone())]);
    assert_eq!(ask(&twice, r#"{"alg":"ES256","kid":"ec"}"#), Ok(Some("ec".into())));
    // A token without a key id is tried with eight keys at most.
    let mut keys = vec![other.clone(); 7];
    keys.push(jwk.clone());
    assert_eq!(ask(&set(keys), r#"{"alg":"ES256"}"#), Ok(None));
    let mut keys = vec![other; 8];
    keys.push(jwk);
    assert_eq!(ask(&set(keys), r#"{"alg":"ES256"}"#), Err(SetRefused::Key(Refused::Signature)));
}
