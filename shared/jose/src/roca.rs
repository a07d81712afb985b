//! Detection of RSA keys that an Infineon chip made with guessable primes (CVE-2017-15361, "ROCA").
//!
//! These primes are powers of 65537 modulo a product of small primes, and so is the modulus, which
//! is their product. Modulo each of the small primes, a power of 65537 has one of a few remainders
//! only. The chance that another modulus has only such remainders is 1 in 2^83.

/// The primes up to the 71st for which not every remainder is a power of 65537. The product of
/// every such key with 992 bits or more contains all of these.
const PRIMES: [u32; 40] = [
    11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157, 181, 191, 193, 197,
    199, 227, 229, 233, 239, 241, 257, 263, 269, 277, 281, 283, 293, 307, 317, 331, 337, 349, 353,
];

/// Returns `true` if such a chip made this modulus (big-endian).
pub(crate) fn is_marked(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| is_power(remainder(modulus, *prime), *prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    let step = |rest: u32, byte: &u8| (rest << 8 | u32::from(*byte)).checked_rem(prime);
    number.iter().fold(0, |rest, byte| step(rest, byte).unwrap_or(0))
}

/// Returns `true` if `rest` is a power of 65537 modulo `prime`.
fn is_power(rest: u32, prime: u32) -> bool {
    let next = |power: &u32| power.wrapping_mul(65_537).checked_rem(prime);
    let length = usize::try_from(prime).unwrap_or(0);
    std::iter::successors(Some(1), next).take(length).any(|power| power == rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moduli of 1024 and 2048 bits that were made in the chip's way.
    const MARKED: [&str; 2] = [
        "b65a3336d3b61ec715301e821ebf59b1eb2beb2fe2726a6dbf39e8eefa4fe3ccf19696166f2d3341e3e7f53e590ca14d9b44b5ef938a3e46292a21f4d38d78e45c795831233fbcfaee2e806d1b0443a675768b77d672eb879b47dc08c383c273793d7144c8ad11798352fbe71ccdecc61cd50a10b6a9d82b6c4b8db2814c7641",
        "a520dc6822846f1dbcc21a2f54026e802292a7a2db1f991cfe340142762510f74ca110d08a166c4918cb224618086832226d575edf4ce985e6ad81550090cd77201b11ad3bede88477501d7dc3d2f4ffceeca5c267df28c73e4e4e555381eef08fc89b6f885f94b2e1c59bdba9d5a9d204fe9c0450e2a52d2d6f05ebd328dcb1229ba0d1832ed69bcf37c08ec1f87888aee9fcb52d3e3835fc20caf71e165a271db805c1eab6d2eaf3b8a13d894980ed67e9f9a5a363552163645de7d0074eacf661f4116a4d54decc5ae71c713ab638477b997daedeebd3d6c7993271876c1769fe9e231d02b1e5ba18252df07dff98c7ba9099e9bb2a3bad25211def17ee51",
    ];

    #[test]
    fn a_modulus_with_the_mark_is_known_and_its_neighbours_are_not() {
        for hex in MARKED {
            let mut modulus = base16ct::lower::decode_vec(hex).unwrap();
            assert!(is_marked(&modulus));
            for bit in 1..8 {
                *modulus.last_mut().unwrap() ^= 1 << bit;
                assert!(!is_marked(&modulus));
                *modulus.last_mut().unwrap() ^= 1 << bit;
            }
        }
        assert!(!is_marked(&[]));
    }

    #[test]
    fn each_prime_has_remainders_that_no_power_has() {
        for prime in PRIMES {
            let powers = (1..prime).filter(|rest| is_power(*rest, prime)).count();
            assert!(powers > 0 && powers < prime as usize - 1, "{prime}");
        }
    }

    #[test]
    fn a_key_with_the_mark_is_refused_whatever_the_policy() {
        use crate::{BadKey, Policy, VerifyingKey};
        for policy in [Policy::INLINE, Policy::REMOTE] {
            let n = crate::base64url::encode(base16ct::lower::decode_vec(MARKED[1]).unwrap());
            let jwk = serde_json::json!({"kty": "RSA", "n": n, "e": "AQAB"});
            let key = VerifyingKey::from_jwk(jwk.as_object().unwrap(), policy);
            assert_eq!(key.err(), Some(BadKey::Marked));
        }
    }
}
