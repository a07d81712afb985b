//! Converts keys of the crate `rsa` to the numbers that this crate takes.

use fastrsa::{Hash, Parts, Scheme};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey};

pub const SCHEMES: [Scheme; 6] = [
    Scheme::Pkcs1(Hash::Sha256),
    Scheme::Pkcs1(Hash::Sha384),
    Scheme::Pkcs1(Hash::Sha512),
    Scheme::Pss(Hash::Sha256),
    Scheme::Pss(Hash::Sha384),
    Scheme::Pss(Hash::Sha512),
];

#[derive(Clone)]
pub struct Owned {
    pub n: Vec<u8>,
    pub e: Vec<u8>,
    pub p: Vec<u8>,
    pub q: Vec<u8>,
    pub dp: Vec<u8>,
    pub dq: Vec<u8>,
    pub qinv: Vec<u8>,
}

impl Owned {
    pub fn new(k: &RsaPrivateKey) -> Owned {
        let (p, q) = (&k.primes()[0], &k.primes()[1]);
        let one = BigUint::from(1u8);
        let two = BigUint::from(2u8);
        Owned {
            n: k.n().to_bytes_be(),
            e: k.e().to_bytes_be(),
            p: p.to_bytes_be(),
            q: q.to_bytes_be(),
            dp: (k.d() % (p - &one)).to_bytes_be(),
            dq: (k.d() % (q - &one)).to_bytes_be(),
            qinv: q.modpow(&(p - &two), p).to_bytes_be(),
        }
    }

    pub fn parts(&self) -> Parts<'_> {
        Parts {
            modulus: &self.n,
            public_exponent: &self.e,
            prime1: &self.p,
            prime2: &self.q,
            exponent1: &self.dp,
            exponent2: &self.dq,
            coefficient: &self.qinv,
        }
    }
}
