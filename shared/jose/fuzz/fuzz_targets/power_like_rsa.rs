//! An arbitrary encoding with any byte of the padding changed, signed with the big integers of
//! `rsa`: `fastrsa` and `rsa` give equal verdicts.
//!
//! Random signatures never reach the comparison of the padding, but these do.
#![no_main]

use fastrsa::{Hash, PublicKey, Scheme};
use libfuzzer_sys::fuzz_target;
use rsa::pkcs8::DecodePrivateKey;
use rsa::signature::{SignatureEncoding, Signer, Verifier};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey, pkcs1v15};
use std::sync::LazyLock;

static KEY: LazyLock<RsaPrivateKey> = LazyLock::new(|| {
    RsaPrivateKey::from_pkcs8_der(include_bytes!("../../src/host_crypto/self_test/rsa.private.der"))
        .unwrap()
});

fuzz_target!(|input: (Vec<u8>, Vec<(u8, u8)>)| {
    let (message, changes) = input;
    let signer = pkcs1v15::SigningKey::<sha2::Sha256>::new(KEY.clone());
    let signature = BigUint::from_bytes_be(&signer.sign(&message).to_vec());
    let mut encoding = signature.modpow(KEY.e(), KEY.n()).to_bytes_be();
    encoding.insert(0, 0);
    for (at, mask) in changes {
        encoding[usize::from(at)] ^= mask;
    }
    let forged = BigUint::from_bytes_be(&encoding).modpow(KEY.d(), KEY.n()).to_bytes_be();
    let forged = [vec![0; 256 - forged.len()], forged].concat();
    let ours = PublicKey::new(&KEY.n().to_bytes_be(), &KEY.e().to_bytes_be()).unwrap();
    let theirs = pkcs1v15::VerifyingKey::<sha2::Sha256>::new(KEY.to_public_key());
    let verdict = pkcs1v15::Signature::try_from(&forged[..])
        .is_ok_and(|s| theirs.verify(&message, &s).is_ok());
    assert_eq!(ours.verify(Scheme::Pkcs1(Hash::Sha256), &message, &forged).is_ok(), verdict);
});
