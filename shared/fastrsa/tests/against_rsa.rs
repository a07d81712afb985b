//! Compares keys, signatures and verdicts with those of the crate `rsa`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    unreachable_pub,
    reason = "tests may panic"
)]

mod support;

use fastrsa::{BadKey, BadSignature, CannotSign, Hash, Parts, PrivateKey, PublicKey, Scheme};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rsa::signature::{SignatureEncoding, Signer, Verifier};
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey, pkcs1v15, pss};
use sha2_010::{Sha256, Sha384, Sha512};
use std::sync::LazyLock;
use support::{Owned, SCHEMES};

/// Returns the verdict of `rsa` on a signature.
fn theirs(key: &RsaPublicKey, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
    macro_rules! pkcs1 {
        ($hash:ty) => {
            pkcs1v15::Signature::try_from(signature).is_ok_and(|s| {
                pkcs1v15::VerifyingKey::<$hash>::new(key.clone()).verify(message, &s).is_ok()
            })
        };
    }
    macro_rules! pss {
        ($hash:ty) => {
            pss::Signature::try_from(signature).is_ok_and(|s| {
                pss::VerifyingKey::<$hash>::new(key.clone()).verify(message, &s).is_ok()
            })
        };
    }
    // `rsa` accepts a signature that is longer or shorter than the modulus, which RFC 8017 forbids.
    signature.len() == key.size()
        && match scheme {
            Scheme::Pkcs1(Hash::Sha256) => pkcs1!(Sha256),
            Scheme::Pkcs1(Hash::Sha384) => pkcs1!(Sha384),
            Scheme::Pkcs1(Hash::Sha512) => pkcs1!(Sha512),
            Scheme::Pss(Hash::Sha256) => pss!(Sha256),
            Scheme::Pss(Hash::Sha384) => pss!(Sha384),
            Scheme::Pss(Hash::Sha512) => pss!(Sha512),
        }
}

/// Returns the signature of `rsa`, for schemes that have exactly one.
fn their_signature(key: &RsaPrivateKey, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
    let key = key.clone();
    match scheme {
        Scheme::Pkcs1(Hash::Sha256) => {
            Some(pkcs1v15::SigningKey::<Sha256>::new(key).sign(message).to_vec())
        }
        Scheme::Pkcs1(Hash::Sha384) => {
            Some(pkcs1v15::SigningKey::<Sha384>::new(key).sign(message).to_vec())
        }
        Scheme::Pkcs1(Hash::Sha512) => {
            Some(pkcs1v15::SigningKey::<Sha512>::new(key).sign(message).to_vec())
        }
        Scheme::Pss(_) => None,
    }
}

fn signs_like_rsa(bits: usize, keys: usize, messages: usize) {
    let mut rng = ChaCha20Rng::seed_from_u64(bits as u64);
    for _ in 0..keys {
        let their_key = RsaPrivateKey::new(&mut rng, bits).unwrap();
        let owned = Owned::new(&their_key);
        let mut ours = PrivateKey::new(&owned.parts()).unwrap();
        let public = PublicKey::new(&owned.n, &owned.e).unwrap();
        assert_eq!((public.bits(), public.modulus()), (bits, owned.n.clone()));
        for (i, scheme) in (0..messages).flat_map(|i| SCHEMES.map(|s| (i, s))) {
            let mut message = vec![0; i * 7];
            rng.fill_bytes(&mut message);
            let s = match ours.sign(scheme, &message, &mut |b: &mut [u8]| rng.fill_bytes(b)) {
                Err(CannotSign::KeyTooShort) if bits < 1040 => continue,
                s => s.unwrap(),
            };
            if let Some(expected) = their_signature(&their_key, scheme, &message) {
                assert_eq!(s, expected);
            }
            assert!(theirs(&their_key.to_public_key(), scheme, &message, &s), "{scheme:?}");
            public.verify(scheme, &message, &s).unwrap();
            for other in SCHEMES.into_iter().filter(|other| *other != scheme) {
                assert_eq!(public.verify(other, &message, &s), Err(BadSignature));
            }
            let mut bad = s.clone();
            let at = rng.next_u32() as usize % bad.len();
            bad[at] ^= 1 << (rng.next_u32() % 8);
            assert_eq!(public.verify(scheme, &message, &bad), Err(BadSignature));
            message.push(0);
            assert_eq!(public.verify(scheme, &message, &s), Err(BadSignature));
        }
    }
}

#[test]
fn keys_of_2048_bits_sign_like_rsa() {
    signs_like_rsa(2048, 2, 40);
}

#[test]
fn keys_of_3072_bits_sign_like_rsa() {
    signs_like_rsa(3072, 1, 5);
}

#[test]
fn keys_of_4096_bits_sign_like_rsa() {
    signs_like_rsa(4096, 1, 2);
}

/// With 1025 and 2049 bits, a PSS encoding is one byte shorter than the modulus.
#[test]
fn keys_of_odd_lengths_sign_like_rsa() {
    for bits in [1024, 1025, 1026, 1031, 1153, 1500, 2047, 2049, 2056] {
        // For odd sizes `rsa` makes primes of different lengths. These have equal lengths.
        let mut rng = ChaCha20Rng::seed_from_u64(bits as u64);
        let Some(key) = (0..40).find_map(|_| {
            let key = RsaPrivateKey::new(&mut rng, bits).unwrap();
            (key.n().bits() == bits && PrivateKey::new(&Owned::new(&key).parts()).is_ok())
                .then_some(key)
        }) else {
            // Such keys still verify.
            verifies_like_rsa(&RsaPrivateKey::new(&mut rng, bits).unwrap());
            continue;
        };
        verifies_like_rsa(&key);
        let mut ours = PrivateKey::new(&Owned::new(&key).parts()).unwrap();
        for scheme in SCHEMES {
            match ours.sign(scheme, b"m", &mut |b: &mut [u8]| rng.fill_bytes(b)) {
                Err(CannotSign::KeyTooShort) if bits < 1040 => {}
                s => assert!(theirs(&key.to_public_key(), scheme, b"m", &s.unwrap())),
            }
        }
    }
}

fn verifies_like_rsa(key: &RsaPrivateKey) {
    let ours = PublicKey::new(&key.n().to_bytes_be(), &key.e().to_bytes_be()).unwrap();
    for scheme in SCHEMES {
        if let Some(s) = their_signature(key, scheme, b"m") {
            ours.verify(scheme, b"m", &s).unwrap();
        }
    }
}

/// Computes x^e mod n for unusual exponents, with a padding that is made to fit.
#[test]
fn unusual_public_exponents_work() {
    let mut rng = ChaCha20Rng::seed_from_u64(77);
    for e in [3u64, 5, 7, 17, 257, 65539, 0x1_0000_0001, 0xffff_ffff_ffff_ffc5] {
        let e = BigUint::from(e);
        let Some(key) = (0..20).find_map(|_| {
            if e < BigUint::from(1u64 << 32) {
                RsaPrivateKey::new_with_exp(&mut rng, 1024, &e).ok()
            } else {
                None
            }
        }) else {
            // `rsa` refuses these exponents. `any_number_is_judged_alike` compares the power for
            // the usual exponent; here it is enough that the key is accepted.
            let key = RsaPrivateKey::new(&mut rng, 1024).unwrap();
            let ours = PublicKey::new(&key.n().to_bytes_be(), &e.to_bytes_be()).unwrap();
            let s = their_signature(&key, SCHEMES[0], b"m").unwrap();
            assert_eq!(ours.verify(SCHEMES[0], b"m", &s), Err(BadSignature));
            continue;
        };
        verifies_like_rsa(&key);
    }
}

/// Primes with nearly all bits set or clear have the largest digits and the longest runs of zero
/// digits.
#[test]
fn extreme_primes_sign_like_rsa() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let one = BigUint::from(1u8);
    let e = BigUint::from(65537u32);
    let prime = |start: BigUint, up: bool| {
        let mut v = start;
        while !BigUint::modpow(&BigUint::from(2u8), &(&v - &one), &v).eq(&one)
            || !BigUint::modpow(&BigUint::from(3u8), &(&v - &one), &v).eq(&one)
            || &v % &e == one
        {
            if up { v += 2u8 } else { v -= 2u8 }
        }
        v
    };
    let high = prime((&one << 1024usize) - &one, false);
    // The product of two such primes has 2048 bits, because 1.5 * 1.5 > 2.
    let low = prime((BigUint::from(3u8) << 1022usize) + &one, true);
    let mid = prime((BigUint::from(3u8) << 1022usize) + (&one << 511usize) + &one, true);
    for (p, q) in [(&high, &low), (&low, &high), (&low, &mid), (&mid, &high)] {
        let n = p * q;
        let phi = (p - &one) * (q - &one);
        // d is (1 + k phi) / e, for the k that makes it whole.
        let r = &phi % &e;
        let k = (1..65537u32).find(|k| (&r * *k + &one) % &e == BigUint::from(0u8)).unwrap();
        let d = (&phi * k + &one) / &e;
        let key =
            RsaPrivateKey::from_components(n, e.clone(), d, vec![p.clone(), q.clone()]).unwrap();
        let mut ours = PrivateKey::new(&Owned::new(&key).parts()).unwrap();
        for i in 0..10u8 {
            let s = ours.sign(SCHEMES[0], &[i], &mut |b: &mut [u8]| rng.fill_bytes(b)).unwrap();
            assert_eq!(Some(s), their_signature(&key, SCHEMES[0], &[i]));
        }
    }
}

static KEY: LazyLock<RsaPrivateKey> =
    LazyLock::new(|| RsaPrivateKey::new(&mut ChaCha20Rng::seed_from_u64(9), 2048).unwrap());

fn fixed(v: &BigUint, size: usize) -> Vec<u8> {
    let b = v.to_bytes_be();
    [vec![0; size.saturating_sub(b.len())], b].concat()
}

#[test]
fn numbers_at_the_edges_and_other_lengths_are_refused() {
    let n = KEY.n();
    let public = PublicKey::new(&n.to_bytes_be(), &[1, 0, 1]).unwrap();
    let good = their_signature(&KEY, SCHEMES[0], b"m").unwrap();
    let s = BigUint::from_bytes_be(&good);
    for scheme in SCHEMES {
        let refused = |s: &[u8]| assert_eq!(public.verify(scheme, b"m", s), Err(BadSignature));
        for v in [0u8, 1, 2] {
            refused(&fixed(&v.into(), 256));
            refused(&fixed(&(n - v), 256));
            refused(&fixed(&(n + v), 256));
        }
        refused(&[0xff; 256]);
        refused(&fixed(&(n - &s), 256));
        refused(&fixed(&(&s + n), 256));
        refused(&good[1..]);
        refused(&[&[0], &good[..]].concat());
        refused(&[&good[..], &[0]].concat());
        refused(&[]);
        refused(&vec![1; 100_000]);
    }
    public.verify(SCHEMES[0], b"m", &good).unwrap();
}

#[test]
fn wrong_private_values_are_no_key() {
    let owned = Owned::new(&KEY);
    type Change = fn(&mut Owned);
    let changes: [Change; 9] = [
        |k| k.dp[40] ^= 4,
        |k| k.dq[127] ^= 2,
        |k| k.qinv[3] ^= 1,
        |k| k.p[40] ^= 4,
        |k| k.q.clear(),
        |k| k.p.extend([0; 300]),
        |k| core::mem::swap(&mut k.p, &mut k.q),
        |k| k.dp = vec![0xff; 4096],
        |k| k.e = vec![3],
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut bad = owned.clone();
        change(&mut bad);
        assert_eq!(PrivateKey::new(&bad.parts()).err(), Some(BadKey::Private), "{i}");
    }
    PrivateKey::new(&owned.parts()).unwrap();
}

/// Its exponents invert one number. They cannot make a signature, because the blinding is inverted
/// as if modulo a prime.
#[test]
fn a_key_with_a_prime_that_is_none_is_refused_when_it_is_loaded() {
    // The numbers are n, p (the product of two primes), q, dp, dq and 1/q mod p.
    let numbers = [
        "a8d63a68509256439e6578cf763824d943bedf6a8b20a5048b054db51e616242fc979575ef84a499c0ce747760e633cf48d87ab97c6f03f9a9f11c3a2baed91dbf1f9233fc4512a8b83c8dd204c45996a9214092716420709dea0766ddb63b23e962bb8be87a5c18ead268f667bea229cdc18c23f27b34a39cd23ffc844771f6d3ae61fcd58082d5ad8ddcb4d4676257485156ad2d58bca391d80d8f0608259066c35584727b24f82021ba9ecae149cff51b403d5d84bbc460bbffd376499fae16c7684aafd61e9658320fa4033fd319731939ee10702c252a999bbe8db74b1a0b5e339ff400092f4a0b009eca8b3f3a4718f5cf47c36d7a2104f6079990b935",
        "b548911f6d10619cb2bcd7d1d18b63715b2783fe7fed0e8481a8ad7e22bafdf1c67e66272901a5d4adbe700b1c58abf7790374bd86be3cb6a5ed4088c8f18a7b397bde889b086c53329132590a8bca3804e72539730edd9f9fda3f4816ced6fd8d94119189900309bad83ab1d37a6a8ccbff5164b4f83d1bae9a8330fd2e41ef",
        "ee6c66e8f35c09a7d83b1c8f97180db3bbd5e14e703e40ffe794f21245cd559c6c73554fa36c24e67de3a0702a2e65be3407b729b2b1d763586a9ef75bad2987e58bf09cb172143ce23f7d2410145a0b761d40733471fbfd80f25d8522d7230e639abda9de748dbc577bda0dc205f882269f82fbaa9f9b785ad2438b3d4d8b1b",
        "3d7a7e28d3b26e0017c79e437c5652a3a33fbbee47d10b8ed96fec626e01cf543ab62c0b94c707c7a02288d9e3c39892451a6c7147ec6527a60ed7476c2a2a057cd408b357bd16747b367e691491b3e15d18a25212538a691604e827213566df135eb03b50dea5a60dc5a3aafe059285743684a354ad2ae02a5d0f1e8c33f995",
        "a9998cfeea962efc2971ab186d779bcf9daf400d4704d1c1f7df58ef2c9e2ae711b25d1e4076de2ce3a2376f7261fcd7f73501d2f49d534505111b31841242b7bbcef702cfab01c0698496254016ea12bb1b85cc2da3638869e07e2c05a399f9535b30cd9443becb1a442cd19a921abba273d77de45a93026340acf1705327bf",
        "571dc857aa3d1b91525c1ee629bae6683f406e1b129bc809450653cb5670b0d7747b09248511fe718dcde9c06fce2d4c65c92264e6a7de19db544d5a09de2732ba12e436b0b1ae915a1de4382a8063ce8f98608c9957fc30b11fe7d6977a57b908c34bd7b9ab93c0b69614022ac8f4a63d5433c0ec85b8c2559d8695496673f",
    ]
    .map(|hex| BigUint::parse_bytes(hex.as_bytes(), 16).unwrap().to_bytes_be());
    let [n, p, q, dp, dq, qinv] = &numbers;
    let parts = Parts {
        modulus: n,
        public_exponent: &[1, 0, 1],
        prime1: p,
        prime2: q,
        exponent1: dp,
        exponent2: dq,
        coefficient: qinv,
    };
    assert_eq!(PrivateKey::new(&parts).err(), Some(BadKey::Private));
}

#[test]
fn what_is_no_public_key_is_refused() {
    let n = KEY.n().to_bytes_be();
    let error = |n: &[u8], e: &[u8]| PublicKey::new(n, e).err();
    for e in [&[][..], &[0], &[1], &[2], &[4], &[1, 0, 0], &[1; 9], &[1; 1000]] {
        assert_eq!(error(&n, e), Some(BadKey::Exponent), "{e:?}");
    }
    let even = [&n[..255], &[n[255] & 0xfe]].concat();
    for n in [&[][..], &[0; 256], &n[..100], &even, &[0xff; 1025], &[0xff; 100_000], &[1; 127]] {
        assert_eq!(error(n, &[1, 0, 1]), Some(BadKey::Modulus));
    }
    assert_eq!(error(&[&[0; 9], &n[..]].concat(), &[0, 0, 1, 0, 1]), None);
    assert_eq!(error(&[0xff; 1024], &[0xff; 8]), None);
}

#[test]
fn a_broken_source_of_randomness_gives_no_signature() {
    let mut key = PrivateKey::new(&Owned::new(&KEY).parts()).unwrap();
    for byte in [0, 0xff] {
        let s = key.sign(SCHEMES[0], b"m", &mut |b: &mut [u8]| b.fill(byte));
        assert_eq!(s, Err(CannotSign::Randomness));
    }
}

#[test]
fn debug_tells_nothing_secret() {
    let key = PrivateKey::new(&Owned::new(&KEY).parts()).unwrap();
    assert_eq!(format!("{key:?} {:?}", key.public()), "PrivateKey(2048 bits) PublicKey(2048 bits)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 24 } else { 400 }))]

    /// Any number below the modulus, taken as a signature: both compute its e-th power and refuse
    /// it. The tests above show that both accept the power of a real encoding.
    #[test]
    fn any_number_is_judged_alike(
        bytes in proptest::collection::vec(any::<u8>(), 250..260),
        scheme in proptest::sample::select(SCHEMES.to_vec()),
    ) {
        let public = PublicKey::new(&KEY.n().to_bytes_be(), &[1, 0, 1]).unwrap();
        let ours = public.verify(scheme, b"m", &bytes).is_ok();
        prop_assert_eq!(ours, theirs(&KEY.to_public_key(), scheme, b"m", &bytes));
    }

    /// For signed encodings with one byte changed, the padding is checked as `rsa` checks it.
    #[test]
    fn wrong_paddings_are_judged_alike(
        at in 0usize..256, to in any::<u8>(),
        scheme in proptest::sample::select(SCHEMES.to_vec()),
        seed in any::<u64>(),
    ) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let owned = Owned::new(&KEY);
        let public = PublicKey::new(&owned.n, &owned.e).unwrap();
        let mut key = PrivateKey::new(&owned.parts()).unwrap();
        let s = key.sign(scheme, b"m", &mut |b: &mut [u8]| rng.fill_bytes(b)).unwrap();
        let mut em = fixed(&BigUint::from_bytes_be(&s).modpow(KEY.e(), KEY.n()), 256);
        let same = em[at] == to;
        em[at] = to;
        let forged = fixed(&BigUint::from_bytes_be(&em).modpow(rsa::traits::PrivateKeyParts::d(&*KEY), KEY.n()), 256);
        let ours = public.verify(scheme, b"m", &forged).is_ok();
        prop_assert_eq!(ours, theirs(&KEY.to_public_key(), scheme, b"m", &forged));
        prop_assert_eq!(ours, same);
    }

    /// Keys are used again and again for messages of any content, so the blinding is squared and
    /// renewed.
    #[test]
    fn any_message_is_signed_alike(messages in proptest::collection::vec(any::<Vec<u8>>(), 1..4)) {
        let mut rng = ChaCha20Rng::seed_from_u64(messages.len() as u64);
        let mut key = PrivateKey::new(&Owned::new(&KEY).parts()).unwrap();
        for message in messages {
            let s = key.sign(SCHEMES[1], &message, &mut |b: &mut [u8]| rng.fill_bytes(b)).unwrap();
            prop_assert_eq!(Some(s), their_signature(&KEY, SCHEMES[1], &message));
        }
    }
}
