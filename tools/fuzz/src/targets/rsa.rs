//! `fastrsa` beside the crate `rsa`.

#[path = "../../../../shared/fastrsa/examples/exact.rs"]
#[allow(dead_code)]
mod exact;

use arbitrary::Unstructured;
use fastrsa::{Hash, PublicKey, Scheme};
use rsa::pkcs8::DecodePrivateKey;
use rsa::signature::{SignatureEncoding, Signer, Verifier};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey, pkcs1v15, pss};
use std::sync::LazyLock;

static KEY: LazyLock<RsaPrivateKey> = LazyLock::new(|| {
    let der = include_bytes!("../../../../shared/jose/src/host_crypto/self_test/rsa.private.der");
    RsaPrivateKey::from_pkcs8_der(der).expect("a private key")
});

const MESSAGE: &[u8] = b"message";

/// An arbitrary modulus, exponent and signature: both give equal verdicts.
pub fn verdicts(data: &[u8]) {
    let parts: arbitrary::Result<(u8, u16, Vec<u8>, Vec<u8>)> = Unstructured::new(data).arbitrary();
    let Ok((kind, exponent, mut modulus, signature)) = parts else { return };
    if let Some(last) = modulus.last_mut() {
        *last |= 1;
    }
    let exponent = exponent | 1;
    let Ok(ours) = PublicKey::new(&modulus, &exponent.to_be_bytes()) else { return };
    let n = BigUint::from_bytes_be(&modulus);
    let Ok(theirs) = RsaPublicKey::new_with_max_size(n, exponent.into(), 8192) else { return };
    // `rsa` accepts a signature that is longer or shorter than the modulus, which RFC 8017 forbids.
    if signature.len() != ours.size() {
        assert!(ours.verify(Scheme::Pkcs1(Hash::Sha256), MESSAGE, &signature).is_err());
        return;
    }
    let (ours, theirs) = if kind & 1 == 0 {
        let key = pkcs1v15::VerifyingKey::<sha2::Sha256>::new(theirs);
        (
            ours.verify(Scheme::Pkcs1(Hash::Sha256), MESSAGE, &signature).is_ok(),
            pkcs1v15::Signature::try_from(&signature[..])
                .is_ok_and(|s| key.verify(MESSAGE, &s).is_ok()),
        )
    } else {
        let key = pss::VerifyingKey::<sha2::Sha384>::new(theirs);
        (
            ours.verify(Scheme::Pss(Hash::Sha384), MESSAGE, &signature).is_ok(),
            pss::Signature::try_from(&signature[..]).is_ok_and(|s| key.verify(MESSAGE, &s).is_ok()),
        )
    };
    assert_eq!(ours, theirs);
}

/// An encoding with any byte of the padding changed, signed with the big integers of `rsa`: both
/// give equal verdicts. Random signatures never reach the comparison of the padding, but these do.
pub fn forgeries(data: &[u8]) {
    let Ok(parts) = Unstructured::new(data).arbitrary() else { return };
    let (message, changes): (Vec<u8>, Vec<(u8, u8)>) = parts;
    let signer = pkcs1v15::SigningKey::<sha2::Sha256>::new(KEY.clone());
    let signature = BigUint::from_bytes_be(&signer.sign(&message).to_vec());
    let mut encoding = signature.modpow(KEY.e(), KEY.n()).to_bytes_be();
    encoding.insert(0, 0);
    for (at, mask) in changes {
        encoding[usize::from(at)] ^= mask;
    }
    let forged = BigUint::from_bytes_be(&encoding).modpow(KEY.d(), KEY.n()).to_bytes_be();
    let forged = [vec![0; 256 - forged.len()], forged].concat();
    let ours = PublicKey::new(&KEY.n().to_bytes_be(), &KEY.e().to_bytes_be()).expect("a key");
    let theirs = pkcs1v15::VerifyingKey::<sha2::Sha256>::new(KEY.to_public_key());
    let verdict = pkcs1v15::Signature::try_from(&forged[..])
        .is_ok_and(|s| theirs.verify(&message, &s).is_ok());
    assert_eq!(ours.verify(Scheme::Pkcs1(Hash::Sha256), &message, &forged).is_ok(), verdict);
}

/// The power of hard numbers, in which every operation is checked, is the one of big integers.
pub fn powers(data: &[u8]) {
    let Some(numbers) = exact::numbers(data) else { return };
    let exact::Numbers { modulus, exponent, base } = &numbers;
    let power = exact::power(&numbers);
    assert_eq!(power.len(), modulus.len(), "an odd modulus is a key");
    let [n, e, b] = [modulus, exponent, base].map(|number| BigUint::from_bytes_be(number));
    assert_eq!(BigUint::from_bytes_be(&power), b.modpow(&e, &n));
}

/// The key of the self-test signs a message: the digits of both primes, in which every operation is
/// checked. The signature is the one of `rsa`.
pub fn signatures(data: &[u8]) {
    let mut ours = OURS.lock().expect("no finding yet");
    let (seed, message) = data.split_at(data.len().min(8));
    let mut count = seed.iter().fold(1_u64, |sum, byte| sum.rotate_left(8) ^ u64::from(*byte));
    let mut random = |out: &mut [u8]| {
        for byte in out {
            count = count.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = count.to_be_bytes()[0];
        }
    };
    let signed = ours.sign(Scheme::Pkcs1(Hash::Sha256), message, &mut random).expect("a signature");
    let theirs = pkcs1v15::SigningKey::<sha2::Sha256>::new(KEY.clone()).sign(message);
    assert_eq!(signed, theirs.to_vec());
}

static OURS: LazyLock<std::sync::Mutex<fastrsa::PrivateKey>> = LazyLock::new(|| {
    let bytes = |number: &BigUint| number.to_bytes_be();
    let [p, q] = [0, 1].map(|at| &KEY.primes()[at]);
    let one = BigUint::from(1_u8);
    let inverse = q.modpow(&(p - 2_u8), p);
    let key = fastrsa::PrivateKey::new(&fastrsa::Parts {
        modulus: &bytes(KEY.n()),
        public_exponent: &bytes(KEY.e()),
        prime1: &bytes(p),
        prime2: &bytes(q),
        exponent1: &bytes(&(KEY.d() % (p - &one))),
        exponent2: &bytes(&(KEY.d() % (q - &one))),
        coefficient: &bytes(&inverse),
    });
    std::sync::Mutex::new(key.expect("the numbers of a key"))
});
