//! Keys and signatures exchanged with OpenSSL, both ways.

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
    Algorithm, Algorithms, BadKey, InWasm, Policy, Refused, SigningKey, Token, VerifyingKey,
};
use support::{Scratch, openssl, path, text};

/// The `genpkey` arguments of each kind of key, with its algorithms.
const KINDS: [(&[&str], &[Algorithm]); 8] = {
    use Algorithm::*;
    const RSA: &[Algorithm] = &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512];
    [
        (&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], RSA),
        (&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"], RSA),
        (&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"], &[Rs256, Ps512]),
        (
            &[
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:2048",
                "-pkeyopt",
                "rsa_keygen_pubexp:3",
            ],
            &[Rs256, Ps256],
        ),
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], &[Es256]),
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], &[Es384]),
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], &[Es512]),
        (&["-algorithm", "ED25519"], &[EdDsa]),
    ]
};

fn generate(kind: &[&str]) -> String {
    text(openssl(&[&["genpkey"], kind].concat(), b""))
}

/// Returns the arguments with which `openssl dgst` or `pkeyutl` computes an algorithm.
fn digest(algorithm: Algorithm) -> (String, Vec<&'static str>) {
    let bits = algorithm.name().get(2..).unwrap();
    let pss = algorithm.name().starts_with("PS");
    let options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
    (format!("-sha{bits}"), if pss { options.to_vec() } else { vec![] })
}

/// Converts r and s to DER, which OpenSSL uses.
fn to_der(fixed: &[u8]) -> Vec<u8> {
    let integer = |v: &[u8]| {
        let v = &v[v.iter().take_while(|b| **b == 0).count()..];
        let pad: &[u8] = if v[0] & 0x80 != 0 { &[0] } else { &[] };
        [&[2, (v.len() + pad.len()) as u8], pad, v].concat()
    };
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let both = [integer(r), integer(s)].concat();
    let length =
        if both.len() < 128 { vec![both.len() as u8] } else { vec![0x81, both.len() as u8] };
    [vec![0x30], length, both].concat()
}

fn to_fixed(der: &[u8], half: usize) -> Vec<u8> {
    let body = if der[1] == 0x81 { &der[3..] } else { &der[2..] };
    let r = &body[2..2 + usize::from(body[1])];
    let s = &body[2 + r.len() + 2..];
    let pad = |v: &[u8]| {
        let v = &v[v.iter().take_while(|b| **b == 0).count()..];
        [vec![0; half - v.len()], v.to_vec()].concat()
    };
    [pad(r), pad(s)].concat()
}

fn half(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::Es256 => Some(32),
        Algorithm::Es384 => Some(48),
        Algorithm::Es512 => Some(66),
        _ => None,
    }
}

fn openssl_verifies(algorithm: Algorithm, public: &str, token: &Token) -> bool {
    let scratch = Scratch::new(&format!("verify-{algorithm}"));
    let key = scratch.write("key.pem", public.as_bytes());
    let signature = match half(algorithm) {
        Some(_) => to_der(token.signature()),
        None => token.signature().to_vec(),
    };
    let signature = scratch.write("signature", &signature);
    let message = scratch.write("message", token.signing_input());
    let (key, signature, message) = (path(&key), path(&signature), path(&message));
    if algorithm == Algorithm::EdDsa {
        let arguments = [
            "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-sigfile", signature, "-in",
            message,
        ];
        return openssl(&arguments, b"").is_some();
    }
    let (hash, options) = digest(algorithm);
    let arguments =
        [&["dgst", &hash, "-verify", key, "-signature", signature][..], &options, &[message]]
            .concat();
    openssl(&arguments, b"").is_some()
}

fn openssl_signs(algorithm: Algorithm, private: &str, input: &str) -> Vec<u8> {
    let scratch = Scratch::new(&format!("sign-{algorithm}"));
    let key = scratch.write("key.pem", private.as_bytes());
    let message = scratch.write("message", input.as_bytes());
    let (key, message) = (path(&key), path(&message));
    if algorithm == Algorithm::EdDsa {
        return openssl(&["pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", message], b"")
            .unwrap();
    }
    let (hash, options) = digest(algorithm);
    let signature =
        openssl(&[&["dgst", &hash, "-sign", key][..], &options, &[message]].concat(), b"").unwrap();
    match half(algorithm) {
        Some(half) => to_fixed(&signature, half),
        None => signature,
    }
}

#[test]
fn what_one_signs_the_other_verifies() {
    for (kind, algorithms) in KINDS {
        let private = generate(kind);
        let public = text(openssl(&["pkey", "-pubout"], private.as_bytes()));
        for algorithm in algorithms {
            let header = format!(r#"{{"alg":"{algorithm}"}}"#);
            let signing = SigningKey::from_pem(&private, *algorithm).unwrap();
            let only = Algorithms::of(&[*algorithm]);
            let verifying = VerifyingKey::from_pem(&public, only, Policy::REMOTE).unwrap();

            let ours = signing
                .sign(
                    &signing.header(&header).unwrap(),
                    r#"{"a":1}"#,
                    &InWasm,
                    &mut support::random(),
                )
                .unwrap();
            let token = Token::parse(ours.as_bytes()).unwrap();
            assert!(openssl_verifies(*algorithm, &public, &token), "{algorithm} {kind:?}");
            assert_eq!(verifying.verify(&token, &InWasm), Ok(()));
            let other = Token::parse(
                format!(
                    "{}.{}.{}",
                    jose::base64url::encode(&header),
                    jose::base64url::encode("{}"),
                    jose::base64url::encode(token.signature())
                )
                .as_bytes(),
            )
            .unwrap();
            assert!(!openssl_verifies(*algorithm, &public, &other), "{algorithm}");
            assert_eq!(verifying.verify(&other, &InWasm), Err(Refused::Signature));

            let input = format!(
                "{}.{}",
                jose::base64url::encode(&header),
                jose::base64url::encode(r#"{"b":"text"}"#)
            );
            let theirs = openssl_signs(*algorithm, &private, &input);
            let theirs = format!("{input}.{}", jose::base64url::encode(theirs));
            let token = Token::parse(theirs.as_bytes()).unwrap();
            assert_eq!(verifying.verify(&token, &InWasm), Ok(()), "{algorithm} {kind:?}");
        }
    }
}

#[test]
fn every_form_of_a_key_is_the_same_key() {
    for (kind, algorithms) in KINDS {
        let algorithm = algorithms[0];
        let pkcs8 = generate(kind);
        let expected = SigningKey::from_pem(&pkcs8, algorithm).unwrap();
        let expected = expected.verifying().thumbprint().unwrap();
        // Ed25519 has no older form.
        let traditional = match algorithm {
            Algorithm::EdDsa => pkcs8.clone(),
            _ => text(openssl(&["pkey", "-traditional"], pkcs8.as_bytes())),
        };
        for private in
            [&pkcs8, &traditional, &pkcs8.replace('\n', "\r\n"), &pkcs8.replace('\n', " ")]
        {
            let key = SigningKey::from_pem(private, algorithm).unwrap();
            assert_eq!(key.verifying().thumbprint().as_ref(), Some(&expected), "{kind:?}");
        }

        let scratch = Scratch::new(&format!("forms-{algorithm}-{}", kind.len() + pkcs8.len()));
        let key = scratch.write("key.pem", pkcs8.as_bytes());
        let arguments =
            ["req", "-x509", "-key", path(&key), "-subj", "/CN=gatehouse/O=a,b", "-days", "10"];
        let certificate = text(openssl(&arguments, b""));
        let mut publics = vec![text(openssl(&["pkey", "-pubout"], pkcs8.as_bytes())), certificate];
        if algorithm == Algorithm::Rs256 {
            publics.push(text(openssl(&["rsa", "-RSAPublicKey_out"], pkcs8.as_bytes())));
        }
        for public in &publics {
            let key = VerifyingKey::from_pem(public, Algorithms::ALL, Policy::REMOTE).unwrap();
            assert_eq!(key.thumbprint().as_ref(), Some(&expected), "{public}");
        }
        let spki = openssl(&["pkey", "-pubout", "-outform", "DER"], pkcs8.as_bytes()).unwrap();
        let key = VerifyingKey::from_pem(&publics[0], Algorithms::ALL, Policy::REMOTE).unwrap();
        assert_eq!(key.spki_der(), Some(spki.as_slice()), "{kind:?}");
    }
}

#[test]
fn x5c_is_the_base64_of_the_der_of_each_certificate() {
    let key = generate(KINDS[4].0);
    let scratch = Scratch::new("x5c");
    let file = scratch.write("key.pem", key.as_bytes());
    let arguments = ["req", "-x509", "-key", path(&file), "-subj", "/CN=a", "-days", "10"];
    let pem = text(openssl(&arguments, b""));
    let der = openssl(&["x509", "-outform", "DER"], pem.as_bytes()).unwrap();
    let chain =
        jose::certificates_from_pem(&[key.as_str(), &pem, "note\n", &pem].concat()).unwrap();
    assert_eq!(chain, [der.clone(), der]);
    let expected: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(jose::x5c(&chain), [expected.clone(), expected]);
    assert_eq!(jose::certificates_from_pem(&key), Err(BadKey::Pem));
}

#[test]
fn keys_that_should_not_be_used_are_refused_for_the_right_reason() {
    let small = generate(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
    let public = text(openssl(&["pkey", "-pubout"], small.as_bytes()));
    let verifying = |pem: &str, policy| VerifyingKey::from_pem(pem, Algorithms::ALL, policy).err();
    let signing = |pem: &str, algorithm| SigningKey::from_pem(pem, algorithm).err();
    assert_eq!(verifying(&public, Policy::REMOTE), Some(BadKey::TooShort));
    assert_eq!(verifying(&public, Policy::INLINE), None);
    assert_eq!(signing(&small, Algorithm::Rs256), Some(BadKey::TooShort));
    let tiny = generate(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:512"]);
    let tiny = text(openssl(&["pkey", "-pubout"], tiny.as_bytes()));
    assert_eq!(verifying(&tiny, Policy::INLINE), Some(BadKey::Rsa));

    let ec = generate(KINDS[4].0);
    for wrong in [Algorithm::Rs256, Algorithm::Hs256, Algorithm::Es384, Algorithm::EdDsa] {
        assert_eq!(signing(&ec, wrong), Some(BadKey::Algorithm));
    }
    let public = text(openssl(&["pkey", "-pubout"], ec.as_bytes()));
    let hmac = VerifyingKey::from_pem(&public, Algorithms::HMAC, Policy::INLINE).err();
    assert_eq!(hmac, Some(BadKey::Algorithm));
    assert_eq!(signing(&public, Algorithm::Es256), Some(BadKey::Pem));
    assert_eq!(verifying(&ec, Policy::INLINE), Some(BadKey::Pem));

    let encrypted = text(openssl(&["pkey", "-aes256", "-passout", "pass:secret"], ec.as_bytes()));
    assert_eq!(signing(&encrypted, Algorithm::Es256), Some(BadKey::Encrypted));
    let koblitz = generate(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"]);
    assert_eq!(signing(&koblitz, Algorithm::Es256), Some(BadKey::Unsupported));
    let explicit = generate(&[
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-pkeyopt",
        "ec_param_enc:explicit",
    ]);
    assert!(signing(&explicit, Algorithm::Es256).is_some());
    let ed448 = generate(&["-algorithm", "ED448"]);
    assert_eq!(signing(&ed448, Algorithm::EdDsa), Some(BadKey::Ed448));
    let x25519 = generate(&["-algorithm", "X25519"]);
    assert_eq!(signing(&x25519, Algorithm::EdDsa), Some(BadKey::Unsupported));
    let three = generate(&[
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-pkeyopt",
        "rsa_keygen_primes:3",
    ]);
    assert_eq!(signing(&three, Algorithm::Rs256), Some(BadKey::Unsupported));
}
