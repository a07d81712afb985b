//! Makes and verifies RSA signatures (PKCS#1 v1.5 and PSS with SHA-256/384/512), fast inside
//! WebAssembly.
//!
//! A signature is verified with the numbers of a public key (RFC 8017):
//!
//! ```
//! use fastrsa::{BadKey, BadSignature, Hash, PublicKey, Scheme};
//!
//! let modulus = [0xff; 256]; // odd, 2048 bits
//! let key = PublicKey::new(&modulus, &[1, 0, 1])?;
//! assert_eq!((key.bits(), key.size()), (2048, 256));
//! let verdict = key.verify(Scheme::Pkcs1(Hash::Sha256), b"message", &[7; 256]);
//! assert_eq!(verdict, Err(BadSignature));
//! # Ok::<(), BadKey>(())
//! ```
//!
//! # Structure
//!
//! WebAssembly has no carry flag, no 64 x 64 -> 128 bit product and no vector instruction that
//! multiplies 32-bit lanes into 64-bit ones without shuffling them first. The number formats here
//! avoid carries. The inner loop only multiplies and adds, four rows of the schoolbook product at a
//! time.
//!
//! | module | contents |
//! |---|---|
//! | `public`, `private` | the keys |
//! | `scheme` | PKCS#1 v1.5 and PSS |
//! | `radix` | signed digits in `f64`, and **why every sum is exact** |
//! | `rows` | the inner loops |
//! | `wide` | one modulus in `f64`, for verifying |
//! | `dual` | two moduli in `f64`, one in each lane, for signing |
//! | `crt` | from two primes to one modulus |
//! | `mont` | one modulus in `u64`, for key setup and blinding |
//! | `digits`, `lane` | digits of numbers, and the types that hold them |
//! | `exact` | checks of each operation, for tests |
//!
//! Nothing panics: slices are walked, never indexed. Lengths that do not fit yield `None` or a
//! wrong number, which is then refused. Without `simd128` the same code runs on scalars.
//!
//! # Secrets
//!
//! [`private`] describes what signing guarantees. Floating-point products and sums of normal
//! numbers and zero take constant time on current processors, though no manufacturer promises it;
//! digits are integers, so subnormal numbers never occur. Wasm engines compile the instructions one
//! to one, and a test searches the built Wasm for branches and addresses that could depend on a
//! secret. Keys, tables and columns are wiped when dropped. Registers and the stack of the engine
//! cannot be wiped.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "the bounds are argued where the digits are defined; the tests run with overflow checks, \
              so that a wrong bound fails there, and a release build wraps and refuses the signature"
)]

#[cfg(feature = "sign")]
mod crt;
mod digits;
#[cfg(feature = "sign")]
mod dual;
mod exact;
mod lane;
mod mont;
#[cfg(feature = "sign")]
pub mod private;
mod public;
mod radix;
mod rows;
mod scheme;
mod wide;

use core::fmt;

#[cfg(feature = "exact")]
pub use exact::leave_checks_out;
#[cfg(feature = "sign")]
pub use private::{Parts, PrivateKey, Random};
pub use public::{MODULUS_BITS, PublicKey};
pub use scheme::{Hash, Scheme};

/// The reason why numbers are not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadKey {
    /// The modulus is even, or its length is outside of [`MODULUS_BITS`].
    Modulus,
    /// The public exponent is even, below 3, or longer than 64 bits.
    Exponent,
    /// The private numbers do not belong to the public ones, or the primes differ in length.
    Private,
}

/// The error of a signature that this key did not make of this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSignature;

/// The reason why no signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotSign {
    /// The modulus is too short for this hash and padding.
    KeyTooShort,
    /// The source of randomness is broken.
    Randomness,
    /// The computed signature did not verify.
    Fault,
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadKey::Modulus => "the RSA modulus must be odd and have 1024 to 8192 bits",
            BadKey::Exponent => "the RSA public exponent must be odd and between 3 and 2^64",
            BadKey::Private => "the numbers of the RSA private key do not belong together",
        })
    }
}

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature does not verify")
    }
}

impl fmt::Display for CannotSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CannotSign::KeyTooShort => "the RSA key is too short for this algorithm",
            CannotSign::Randomness => "the source of randomness is broken",
            CannotSign::Fault => "the computed signature did not verify",
        })
    }
}

impl core::error::Error for BadKey {}
impl core::error::Error for BadSignature {}
impl core::error::Error for CannotSign {}

#[cfg(all(test, feature = "sign"))]
mod operations;
