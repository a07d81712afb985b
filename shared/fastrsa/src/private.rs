//! Private keys, which make signatures.
//!
//! No branch and no address in signing depends on the key or on the blinded message: windows have a
//! fixed width of 5 bits, every table entry is read at each step, and there is no final
//! subtraction. The base is blinded. Every signature is verified with the public key before it is
//! returned, because a fault in one half of the CRT would reveal the factors of n.

use crate::crt::{Crt, Windows};
use crate::digits::{
    Number, W, bit_length, carry, digits, from_bytes, less, strip, to_bytes, zero,
};
use crate::public::PublicKey;
use crate::rows::add_product;
use crate::scheme::{Hash, Scheme, pkcs1_encode, pss_encode};
use crate::{BadKey, CannotSign};
use core::fmt;
use sha2::{Digest, Sha256};

/// The number of signatures that use one blinding pair, which is squared after each. Then a new
/// pair is made from fresh randomness.
const BLINDING_USES: u32 = 32;

/// The number of attempts to find a blinding factor below the modulus. Each attempt fails with a
/// chance below 1/2.
const BLINDING_ATTEMPTS: u32 = 128;

/// A cryptographically strong source of random bytes.
pub trait Random {
    /// Fills all of `out`.
    fn fill(&mut self, out: &mut [u8]);
}

impl<F: FnMut(&mut [u8])> Random for F {
    fn fill(&mut self, out: &mut [u8]) {
        self(out);
    }
}

/// The numbers of a private key, big-endian, with the names of RSAPrivateKey (RFC 8017 appendix
/// A.1.2).
#[expect(missing_docs, reason = "the names of the RFC")]
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    pub modulus: &'a [u8],
    pub public_exponent: &'a [u8],
    pub prime1: &'a [u8],
    pub prime2: &'a [u8],
    pub exponent1: &'a [u8],
    pub exponent2: &'a [u8],
    pub coefficient: &'a [u8],
}

/// A private key with two primes. Everything secret in it is wiped when it is dropped.
pub struct PrivateKey {
    public: PublicKey,
    crt: Crt,
    exponents: Windows,
    inverting: Windows,
    blinding: Option<Blinding>,
}

/// The pair r^e and 1/r modulo n, in Montgomery form.
struct Blinding {
    blind: Number,
    unblind: Number,
    uses: u32,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({} bits)", self.public.bits())
    }
}

impl PrivateKey {
    /// Makes a key from its numbers. The time depends on their lengths and on the number of their
    /// leading zeros.
    ///
    /// # Errors
    ///
    /// [`BadKey`], unless the primes have equal numbers of bits and multiply to the modulus, the
    /// exponents belong to the key, and a trial signature is correct.
    pub fn new(parts: &Parts<'_>) -> Result<Self, BadKey> {
        let public = PublicKey::new(parts.modulus, parts.public_exponent)?;
        Self::build(parts, public).ok_or(BadKey::Private)
    }

    fn build(parts: &Parts<'_>, public: PublicKey) -> Option<Self> {
        let len = digits(public.bits().div_ceil(2));
        let number = |bytes: &[u8]| from_bytes(strip(bytes), len);
        let (p, q) = (number(parts.prime1)?, number(parts.prime2)?);
        if bit_length(&p, W) != public.bits().div_ceil(2) {
            return None;
        }
        let mut n = zero(2 * len);
        add_product(&mut n, &p, &q);
        carry(&mut n);
        let (low, high) = n.split_at_checked(public.field().len())?;
        if low != public.field().modulus() || high.iter().any(|v| *v != 0) {
            return None;
        }
        let crt = Crt::new(p, q, &number(parts.coefficient)?)?;
        let exponents = crt.windows(&number(parts.exponent1)?, &number(parts.exponent2)?)?;
        let inverting = crt.inverting()?;
        let mut key = PrivateKey { public, crt, exponents, inverting, blinding: None };
        key.signs(parts).then_some(key)
    }

    /// Returns `true` if the private numbers invert the public ones. One complete signature shows
    /// this: the inverse of the blinding is wrong if a prime is composite.
    fn signs(&mut self, parts: &Parts<'_>) -> bool {
        // There is no source of randomness here. Only the owner of the key knows this secret.
        let mut secret = Sha256::new();
        for part in [b"a trial signature".as_slice(), parts.prime1, parts.prime2] {
            secret.update(part);
        }
        let secret = zeroize::Zeroizing::new(secret.finalize().to_vec());
        let mut count = 0_u64;
        let mut random = |out: &mut [u8]| {
            for block in out.chunks_mut(32) {
                count = count.wrapping_add(1);
                let digest = Sha256::new().chain_update(&secret).chain_update(count.to_be_bytes());
                block.iter_mut().zip(digest.finalize()).for_each(|(out, byte)| *out = byte);
            }
        };
        let signed = self.sign(Scheme::Pkcs1(Hash::Sha256), b"a trial", &mut random);
        self.blinding = None;
        signed.is_ok()
    }

    /// Returns the public key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message`. `random` serves the blinding and the salt of PSS.
    ///
    /// # Errors
    ///
    /// [`CannotSign`]. The error reveals nothing of the attempt.
    pub fn sign(
        &mut self,
        scheme: Scheme,
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, CannotSign> {
        let size = self.public.size();
        let em = match scheme {
            Scheme::Pkcs1(hash) => pkcs1_encode(hash, message, size),
            Scheme::Pss(hash) => {
                let mut salt = vec![0; hash.size()];
                random.fill(&mut salt);
                pss_encode(hash, message, &salt, self.public.bits())
            }
        };
        let em = em.ok_or(CannotSign::KeyTooShort)?;
        let em = from_bytes(&em, self.public.field().len()).ok_or(CannotSign::Fault)?;
        // The blinding is taken out, so that a failed attempt leaves none to be used again.
        let blinding = match self.blinding.take() {
            Some(old) if old.uses < BLINDING_USES => self.next_blinding(&old),
            _ => self.new_blinding(random)?,
        };
        let s = self.raise(&em, &blinding);
        if self.public.power(&s).is_none_or(|v| v != em) {
            return Err(CannotSign::Fault);
        }
        self.blinding = Some(blinding);
        to_bytes(&s, size).ok_or(CannotSign::Fault)
    }

    fn raise(&self, em: &[u64], blinding: &Blinding) -> Number {
        let n = self.public.field();
        let c = n.canonical(&n.mul(em, &blinding.blind));
        let s = self.crt.pow(&c, &self.exponents, n.len());
        n.canonical(&n.mul(&s, &blinding.unblind))
    }

    fn next_blinding(&self, old: &Blinding) -> Blinding {
        let n = self.public.field();
        Blinding {
            blind: n.square(&old.blind),
            unblind: n.square(&old.unblind),
            uses: old.uses + 1,
        }
    }

    fn new_blinding(&self, random: &mut dyn Random) -> Result<Blinding, CannotSign> {
        let n = self.public.field();
        let r = self.random_below_modulus(random).ok_or(CannotSign::Randomness)?;
        let blind = self.public.power(&r).ok_or(CannotSign::Fault)?;
        let unblind = self.crt.pow(&r, &self.inverting, n.len());
        Ok(Blinding { blind: n.to_mont(&blind), unblind: n.to_mont(&unblind), uses: 0 })
    }

    /// Returns `None` if the source is broken. The number of attempts tells nothing about the last
    /// one.
    fn random_below_modulus(&self, random: &mut dyn Random) -> Option<Number> {
        let n = self.public.field();
        let mut bytes = zeroize::Zeroizing::new(vec![0; self.public.size()]);
        let unused = self.public.size() * 8 - self.public.bits();
        (0..BLINDING_ATTEMPTS).find_map(|_| {
            random.fill(&mut bytes);
            if let Some(first) = bytes.first_mut() {
                *first &= 0xff >> unused;
            }
            let r = from_bytes(&bytes, n.len())?;
            // A number longer than one digit is neither 0 nor 1, nor another number that blinds
            // nothing.
            (less(&r, n.modulus()) && r.iter().skip(1).any(|v| *v != 0)).then_some(r)
        })
    }
}
