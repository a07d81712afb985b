//! RSA signatures (PKCS#1 v1.5 and PSS with SHA-256/384/512), fast inside WebAssembly.
//!
//! WebAssembly has no carry flag, no 64 x 64 -> 128 bit product and no vector instruction that
//! multiplies 32-bit lanes into 64-bit ones without shuffling them first. The number formats here avoid
//! carries and need only *multiply* and *add* in the inner loop, four rows of the schoolbook product at
//! a time:
//!
//! | file       | what is in it                                                                |
//! |------------|------------------------------------------------------------------------------|
//! | `lane`     | the number types: `u64`, and two `f64` in a vector (or two scalars)          |
//! | `radix`    | signed digits in `f64`, and **why every sum is exact**                       |
//! | `rows`     | the loops                                                                    |
//! | `digits`   | numbers as digits                                                            |
//! | `mont`     | one modulus in `u64`: key setup, blinding                                    |
//! | `wide`     | one modulus in `f64`: verifying                                              |
//! | `dual`     | two moduli in `f64`, one per lane: signing                                   |
//! | `crt`      | from two primes to one modulus                                               |
//! | `scheme`   | PKCS#1 v1.5 and PSS                                                          |
//! | `public`, `private` | the keys                                                            |
//!
//! There are no panics: slices are walked, never indexed, and lengths that do not fit give a wrong
//! number (which is then refused) or `None`. Without `simd128` the same code runs on scalars.
//!
//! # Secrets
//!
//! See [`private`] for what signing guarantees. Floating-point products and sums of normal numbers and
//! zero take constant time on current processors; digits are integers, so subnormal numbers never occur.
//! No manufacturer promises it. Wasm engines compile the instructions one to one, and a test reads the
//! built Wasm for branches and addresses that could depend on a secret. Keys, tables and columns are wiped
//! when dropped; what the engine left in its own registers and stack cannot be.

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

#[cfg(feature = "sign")]
pub use private::{Parts, PrivateKey, Random};
pub use public::{MODULUS_BITS, PublicKey};
pub use scheme::{Hash, Scheme};

/// Why numbers are not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadKey {
    /// The modulus is even, or its length is outside [`MODULUS_BITS`].
    Modulus,
    /// The public exponent is even, below 3, or longer than 64 bits.
    Exponent,
    /// The private numbers do not belong to the public ones, or the primes differ in length.
    Private,
}

/// The signature is not one of this message by this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSignature;

/// Why there is no signature.
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
