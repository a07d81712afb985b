//! Known messages that a host must sign and verify correctly before it is used.
//!
//! The keys were made with OpenSSL for this purpose only and are not secret. `regenerate.sh` beside
//! them shows the commands.

use super::OnHost;
use crate::algorithm::Algorithm;

const MESSAGE: &[u8] = b"gatehouse self-test";
const TAMPERED: &[u8] = b"gatehouse self-tesT";

/// A key pair and its signature of [`MESSAGE`]. The signature of an ES* is in DER.
struct Known {
    #[cfg(feature = "sign")]
    private: &'static [u8],
    public: &'static [u8],
    signature: &'static [u8],
}

macro_rules! known {
    ($key:literal $signature:literal) => {
        Known {
            #[cfg(feature = "sign")]
            private: include_bytes!(concat!("self_test/", $key, ".private.der")),
            public: include_bytes!(concat!("self_test/", $key, ".public.der")),
            signature: include_bytes!(concat!("self_test/", $signature, ".signature")),
        }
    };
}

fn known(algorithm: Algorithm) -> Option<Known> {
    match algorithm {
        #[cfg(feature = "rsa")]
        Algorithm::Rs256 => Some(known!("rsa" "rs256")),
        #[cfg(feature = "rsa")]
        Algorithm::Rs384 => Some(known!("rsa" "rs384")),
        #[cfg(feature = "rsa")]
        Algorithm::Rs512 => Some(known!("rsa" "rs512")),
        #[cfg(feature = "p256")]
        Algorithm::Es256 => Some(known!("es256" "es256")),
        #[cfg(feature = "p384")]
        Algorithm::Es384 => Some(known!("es384" "es384")),
        #[cfg(feature = "p521")]
        Algorithm::Es512 => Some(known!("es512" "es512")),
        _ => None,
    }
}

impl OnHost {
    pub(super) fn verifies_right(&self, algorithm: Algorithm) -> bool {
        let Some(known) = known(algorithm) else { return false };
        let ask = |message, signature: &[u8]| {
            self.ask_verify(algorithm, known.public, message, signature)
        };
        let mut wrong = known.signature.to_vec();
        if let Some(last) = wrong.last_mut() {
            *last ^= 1;
        }
        ask(MESSAGE, known.signature) == Some(true)
            && ask(TAMPERED, known.signature) == Some(false)
            && ask(MESSAGE, &wrong) == Some(false)
    }

    /// An RSA key has exactly one signature of the message. A signature of an ECDSA key is correct
    /// if this module verifies it.
    #[cfg(feature = "sign")]
    pub(super) fn signs_right(&self, algorithm: Algorithm) -> bool {
        let Some(known) = known(algorithm) else { return false };
        let Some(signature) = self.ask_sign(algorithm, known.private, MESSAGE) else {
            return false;
        };
        match crate::ecdsa_der::half(algorithm) {
            None => signature == known.signature,
            Some(_) => super::from_der(algorithm, signature).is_some_and(|signature| {
                use crate::{Algorithms, Policy, VerifyingKey};
                let key = VerifyingKey::from_spki_der(
                    known.public,
                    Algorithms::of(&[algorithm]),
                    Policy::REMOTE,
                );
                key.is_ok_and(|key| {
                    key.matches(algorithm, MESSAGE, &signature)
                        && !key.matches(algorithm, TAMPERED, &signature)
                })
            }),
        }
    }
}
