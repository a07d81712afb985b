//! An arbitrary modulus and signature: `fastrsa` and `rsa` give equal verdicts, and neither panics.
#![no_main]

use fastrsa::{Hash, PublicKey, Scheme};
use libfuzzer_sys::fuzz_target;
use rsa::signature::Verifier;
use rsa::{BigUint, RsaPublicKey, pkcs1v15, pss};

fuzz_target!(|input: (u8, u16, Vec<u8>, Vec<u8>)| {
    let (kind, exponent, mut modulus, signature) = input;
    if let Some(last) = modulus.last_mut() {
        *last |= 1;
    }
    let exponent = exponent | 1;
    let Ok(ours) = PublicKey::new(&modulus, &exponent.to_be_bytes()) else { return };
    let n = BigUint::from_bytes_be(&modulus);
    let Ok(theirs) = RsaPublicKey::new_with_max_size(n, exponent.into(), 8192) else { return };
    // `rsa` accepts a signature that is longer or shorter than the modulus, which RFC 8017 forbids.
    if signature.len() != ours.size() {
        assert!(ours.verify(Scheme::Pkcs1(Hash::Sha256), b"message", &signature).is_err());
        return;
    }
    let message = b"message";
    let (ours, theirs) = if kind & 1 == 0 {
        let key = pkcs1v15::VerifyingKey::<sha2::Sha256>::new(theirs);
        (
            ours.verify(Scheme::Pkcs1(Hash::Sha256), message, &signature).is_ok(),
            pkcs1v15::Signature::try_from(&signature[..])
                .is_ok_and(|s| key.verify(message, &s).is_ok()),
        )
    } else {
        let key = pss::VerifyingKey::<sha2::Sha384>::new(theirs);
        (
            ours.verify(Scheme::Pss(Hash::Sha384), message, &signature).is_ok(),
            pss::Signature::try_from(&signature[..]).is_ok_and(|s| key.verify(message, &s).is_ok()),
        )
    };
    assert_eq!(ours, theirs);
});
