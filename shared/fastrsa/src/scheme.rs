//! The signature schemes of RFC 8017, which turn a digest into the number that is raised to a
//! power.

use sha2::{Digest, Sha256, Sha384, Sha512};

/// The hash of a signature scheme. PSS uses it for its mask too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// An RSA signature scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5.
    Pkcs1(Hash),
    /// RSASSA-PSS with MGF1 of the same hash and a salt as long as the hash (RFC 7518 section 3.5).
    Pss(Hash),
}

/// The DER of a DigestInfo up to the digest itself (RFC 8017 section 9.2).
const SHA256_PREFIX: [u8; 19] =
    *b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
const SHA384_PREFIX: [u8; 19] =
    *b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30";
const SHA512_PREFIX: [u8; 19] =
    *b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40";

impl Hash {
    /// Returns the length of the digest in bytes.
    pub fn size(self) -> usize {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }

    fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        fn run<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
            let mut hash = D::new();
            parts.iter().for_each(|part| hash.update(part));
            hash.finalize().to_vec()
        }
        match self {
            Hash::Sha256 => run::<Sha256>(parts),
            Hash::Sha384 => run::<Sha384>(parts),
            Hash::Sha512 => run::<Sha512>(parts),
        }
    }

    fn prefix(self) -> &'static [u8; 19] {
        match self {
            Hash::Sha256 => &SHA256_PREFIX,
            Hash::Sha384 => &SHA384_PREFIX,
            Hash::Sha512 => &SHA512_PREFIX,
        }
    }

    /// XORs the MGF1 of `seed` into `out`.
    fn mask(self, seed: &[u8], out: &mut [u8]) {
        for (counter, block) in (0u32..).zip(out.chunks_mut(self.size())) {
            let mask = self.digest(&[seed, &counter.to_be_bytes()]);
            for (byte, mask) in block.iter_mut().zip(mask) {
                *byte ^= mask;
            }
        }
    }
}

/// Computes EMSA-PKCS1-v1_5 of a message with `size` bytes. Returns `None` if the modulus is too
/// short.
pub(crate) fn pkcs1_encode(hash: Hash, message: &[u8], size: usize) -> Option<Vec<u8>> {
    let ones = size.checked_sub(hash.prefix().len() + hash.size() + 3).filter(|n| *n >= 8)?;
    let digest = hash.digest(&[message]);
    Some([&[0, 1][..], &vec![0xff; ones], &[0], hash.prefix(), &digest].concat())
}

/// Returns the length of a PSS encoding in bytes, and the mask for the used bits of its first byte.
fn pss_shape(modulus_bits: usize) -> (usize, u8) {
    let bits = modulus_bits.saturating_sub(1);
    (bits.div_ceil(8), 0xff >> (bits.div_ceil(8) * 8 - bits))
}

/// Computes EMSA-PSS-ENCODE. Returns `None` if the modulus is too short.
#[cfg(feature = "sign")]
pub(crate) fn pss_encode(
    hash: Hash,
    message: &[u8],
    salt: &[u8],
    modulus_bits: usize,
) -> Option<Vec<u8>> {
    let (size, used) = pss_shape(modulus_bits);
    let zeros = size.checked_sub(hash.size() + salt.len() + 2)?;
    let h = hash.digest(&[&[0; 8], &hash.digest(&[message]), salt]);
    let mut db = [&vec![0; zeros][..], &[1], salt].concat();
    hash.mask(&h, &mut db);
    if let Some(first) = db.first_mut() {
        *first &= used;
    }
    Some([&db[..], &h, &[0xbc]].concat())
}

/// Computes EMSA-PSS-VERIFY for a salt that is as long as the hash. `em` is as long as the modulus.
pub(crate) fn pss_matches(hash: Hash, message: &[u8], em: &[u8], modulus_bits: usize) -> bool {
    pss_check(hash, message, em, modulus_bits).is_some()
}

fn pss_check(hash: Hash, message: &[u8], em: &[u8], modulus_bits: usize) -> Option<()> {
    let (size, used) = pss_shape(modulus_bits);
    // The encoding is one byte shorter than a modulus with 8 k + 1 bits.
    let (above, em) = em.split_at_checked(em.len().checked_sub(size)?)?;
    let (db, rest) = em.split_at_checked(size.checked_sub(hash.size() + 1)?)?;
    let (h, trailer) = rest.split_at_checked(hash.size())?;
    let zeros = db.len().checked_sub(hash.size() + 1)?;
    let clear = above.iter().all(|b| *b == 0) && db.first().is_some_and(|b| b & !used == 0);
    if !clear || trailer != [0xbc] {
        return None;
    }
    let mut db = db.to_vec();
    hash.mask(h, &mut db);
    if let Some(first) = db.first_mut() {
        *first &= used;
    }
    let (padding, salt) = db.split_at_checked(zeros + 1)?;
    let (one, padding) = padding.split_last()?;
    let good = *one == 1 && padding.iter().all(|b| *b == 0);
    let expected = hash.digest(&[&[0; 8], &hash.digest(&[message]), salt]);
    (good && h == expected).then_some(())
}
