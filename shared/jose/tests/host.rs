//! The host's functions for signatures, computed here by the rules of BoringSSL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    unreachable_pub,
    reason = "tests may panic"
)]

mod support;

use jose::{
    Algorithm, Algorithms, Backend, CannotSign, Crypto, Foreign, ForeignFailed, HostUnusable,
    InWasm, OnHost, Policy, Refused, SigningKey, Token, VerifyingKey,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use support::{Scratch, openssl, path, text};

/// A host that works, or fails in one way.
#[derive(Clone, Copy, PartialEq)]
enum Host {
    Good,
    /// The host has no functions.
    Absent,
    /// The host accepts every signature.
    Gullible,
    /// The host accepts no signature and makes none.
    Refusing,
    /// The host answers with bytes that are not protobuf.
    Garbled,
    /// The host signs another message.
    Forgetful,
}

#[derive(Default)]
struct Log {
    calls: RefCell<Vec<String>>,
    broken: Cell<bool>,
}

struct Played(Host, Rc<Log>);

fn fields(mut message: &[u8]) -> Vec<Vec<u8>> {
    let mut out = vec![vec![]; 6];
    while !message.is_empty() {
        let field = usize::from(message[0] >> 3);
        let (mut length, mut at, mut shift) = (0usize, 1, 0);
        loop {
            length |= usize::from(message[at] & 0x7f) << shift;
            (at, shift) = (at + 1, shift + 7);
            if message[at - 1] & 0x80 == 0 {
                break;
            }
        }
        out[field] = message[at..at + length].to_vec();
        message = &message[at + length..];
    }
    out
}

impl Foreign for Played {
    fn call(&self, function: &str, argument: &[u8]) -> Result<Vec<u8>, ForeignFailed> {
        let fields = fields(argument);
        let hash = String::from_utf8(fields[1].clone()).unwrap();
        self.1.calls.borrow_mut().push(format!("{function} {hash}"));
        if self.0 == Host::Absent || self.1.broken.get() {
            return Err(ForeignFailed);
        }
        if self.0 == Host::Garbled {
            return Ok(vec![0x0d, 1, 2]);
        }
        let scratch = Scratch::new(&format!("host-{:?}", std::thread::current().id()));
        let key = scratch.write("key.der", &fields[2]);
        let hash = format!("-{hash}");
        match function {
            "verify_signature" => {
                let signature = scratch.write("signature", &fields[3]);
                let message = scratch.write("message", &fields[4]);
                let arguments = [
                    "dgst",
                    &hash,
                    "-keyform",
                    "DER",
                    "-verify",
                    path(&key),
                    "-signature",
                    path(&signature),
                    path(&message),
                ];
                let yes = match self.0 {
                    Host::Gullible => true,
                    Host::Refusing => false,
                    _ => openssl(&arguments, b"").is_some(),
                };
                Ok(if yes { vec![8, 1] } else { b"\x12\x05wrong".to_vec() })
            }
            "sign" => {
                if self.0 == Host::Refusing {
                    return Ok(b"\x1a\x05wrong".to_vec());
                }
                let text =
                    if self.0 == Host::Forgetful { b"something else" } else { &fields[3][..] };
                let message = scratch.write("message", text);
                let arguments =
                    ["dgst", &hash, "-keyform", "DER", "-sign", path(&key), path(&message)];
                let signature = openssl(&arguments, b"").ok_or(ForeignFailed)?;
                let mut answer = vec![8, 1, 0x12];
                if signature.len() >= 128 {
                    answer.push(signature.len() as u8 | 0x80);
                    answer.push((signature.len() >> 7) as u8);
                } else {
                    answer.push(signature.len() as u8);
                }
                answer.extend(signature);
                Ok(answer)
            }
            _ => Err(ForeignFailed),
        }
    }
}

fn host(kind: Host) -> (Box<dyn Foreign>, Rc<Log>) {
    let log = Rc::new(Log::default());
    (Box::new(Played(kind, Rc::clone(&log))), log)
}

const ON_HOST: Algorithms = {
    use Algorithm::*;
    Algorithms::of(&[Rs256, Rs384, Rs512, Es256, Es384, Es512])
};

#[test]
fn a_good_host_is_used_for_what_it_can_and_agrees_with_wasm() {
    let (foreign, log) = host(Host::Good);
    let on_host = OnHost::tested(foreign, false).unwrap();
    assert_eq!((on_host.verifies(), on_host.signs()), (ON_HOST, ON_HOST));
    let genpkey = |arguments: &[&str]| text(openssl(&[&["genpkey"], arguments].concat(), b""));
    let rsa = genpkey(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    let ec = |curve: &str| {
        genpkey(&["-algorithm", "EC", "-pkeyopt", &format!("ec_paramgen_curve:{curve}")])
    };
    let sec1 = text(openssl(&["pkey", "-traditional"], ec("P-256").as_bytes()));
    let ed = genpkey(&["-algorithm", "ED25519"]);
    for (pem, algorithm) in [
        (&rsa, Algorithm::Rs256),
        (&rsa, Algorithm::Rs384),
        (&rsa, Algorithm::Rs512),
        (&rsa, Algorithm::Ps256),
        (&ec("P-256"), Algorithm::Es256),
        (&sec1, Algorithm::Es256),
        (&ec("P-384"), Algorithm::Es384),
        (&ec("P-521"), Algorithm::Es512),
        (&ed, Algorithm::EdDsa),
    ] {
        log.calls.borrow_mut().clear();
        let key = SigningKey::from_pem(pem, algorithm).unwrap();
        let header = key.header(&format!(r#"{{"alg":"{algorithm}"}}"#)).unwrap();
        let text = key.sign(&header, r#"{"a":1}"#, &on_host, &mut support::random()).unwrap();
        let token = Token::parse(text.as_bytes()).unwrap();
        assert_eq!(key.verifying().verify(&token, &InWasm), Ok(()), "{algorithm}");
        assert_eq!(key.verifying().verify(&token, &on_host), Ok(()), "{algorithm}");
        let calls = log.calls.borrow().join(",");
        assert_eq!(ON_HOST.contains(algorithm), calls.contains("sign"), "{algorithm} {calls}");

        let mut wrong = token.signature().to_vec();
        wrong[7] ^= 4;
        for signature in [&wrong[..], &[], &[1; 1000], &wrong[1..], &vec![0; wrong.len()]] {
            let input = token.signing_input();
            let answer = on_host.verify(key.verifying(), algorithm, input, signature);
            assert_eq!(answer, Err(Refused::Signature), "{algorithm}");
        }
    }
}

#[test]
fn a_host_that_does_not_prove_itself_is_not_used() {
    for (kind, expected) in [
        (Host::Absent, None),
        (Host::Gullible, Some((Algorithms::NONE, ON_HOST))),
        (Host::Refusing, None),
        (Host::Garbled, None),
        (Host::Forgetful, Some((ON_HOST, Algorithms::NONE))),
    ] {
        let proved = OnHost::tested(host(kind).0, true).map(|h| (h.verifies(), h.signs()));
        assert_eq!(proved, expected);
    }
}

#[test]
fn the_setting_chooses() {
    let none = || None;
    let some = |kind| Some(host(kind).0);
    assert!(Crypto::Wasm.backend(some(Host::Good)).is_ok());
    assert!(Crypto::Auto.backend(none()).is_ok());
    assert!(Crypto::Auto.backend(some(Host::Absent)).is_ok());
    assert!(Crypto::Auto.backend(some(Host::Garbled)).is_ok());
    assert_eq!(Crypto::Host.backend(none()).err(), Some(HostUnusable::Absent));
    assert_eq!(Crypto::Host.backend(some(Host::Garbled)).err(), Some(HostUnusable::SelfTest));
    assert!(Crypto::Host.backend(some(Host::Good)).is_ok());
    for (text, expected) in
        [("\"auto\"", Crypto::Auto), ("\"wasm\"", Crypto::Wasm), ("\"host\"", Crypto::Host)]
    {
        assert_eq!(serde_json::from_str::<Crypto>(text).unwrap(), expected);
    }
}

#[test]
fn wasm_never_calls_the_host() {
    let (foreign, log) = host(Host::Good);
    let backend = Crypto::Wasm.backend(Some(foreign)).unwrap();
    let key = VerifyingKey::from_secret(b"secret", Algorithm::Hs256).unwrap();
    let answer = backend.verify(&key, Algorithm::Hs256, b"m", b"s");
    assert_eq!((answer, log.calls.borrow().len()), (Err(Refused::Signature), 0));
}

#[test]
fn a_host_that_breaks_later_is_replaced_by_wasm_or_an_error() {
    let pem =
        text(openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], b""));
    let key = SigningKey::from_pem(&pem, Algorithm::Es256).unwrap();
    let header = key.header(r#"{"alg":"ES256"}"#).unwrap();
    for (setting, works) in [(Crypto::Auto, true), (Crypto::Host, false)] {
        let (foreign, log) = host(Host::Good);
        let backend = setting.backend(Some(foreign)).unwrap();
        log.broken.set(true);
        let text = key.sign(&header, "{}", &*backend, &mut support::random());
        assert_eq!(text.is_ok(), works);
        if !works {
            assert_eq!(text, Err(CannotSign::HostFailed));
        }
        let text = key.sign(&header, "{}", &InWasm, &mut support::random()).unwrap();
        let token = Token::parse(text.as_bytes()).unwrap();
        let expected = if works { Ok(()) } else { Err(Refused::HostFailed) };
        assert_eq!(key.verifying().verify(&token, &*backend), expected);
    }
}

/// The algorithm is compared with the key before the host is called.
#[test]
fn the_host_cannot_be_asked_with_another_algorithm() {
    let (foreign, log) = host(Host::Good);
    let on_host = OnHost::tested(foreign, true).unwrap();
    let pem =
        text(openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], b""));
    let public = text(openssl(&["pkey", "-pubout"], pem.as_bytes()));
    let rs512 = Algorithms::of(&[Algorithm::Rs512]);
    let key = VerifyingKey::from_pem(&public, rs512, Policy::REMOTE).unwrap();
    log.calls.borrow_mut().clear();
    let answer = on_host.verify(&key, Algorithm::Rs256, b"m", &[1; 256]);
    assert_eq!((answer, log.calls.borrow().len()), (Err(Refused::Algorithm), 0));
}

/// BoringSSL accepts no exponent above 33 bits, and reports a wrong signature for such a key.
#[test]
fn a_key_whose_exponent_no_host_takes_gets_the_same_verdict_with_every_setting() {
    for (exponent, asked) in [("8589934591", true), ("8589934593", false)] {
        let exponent = format!("rsa_keygen_pubexp:{exponent}");
        let bits = "rsa_keygen_bits:2048";
        let arguments = ["genpkey", "-algorithm", "RSA", "-pkeyopt", bits, "-pkeyopt", &exponent];
        let pem = text(openssl(&arguments, b""));
        let key = SigningKey::from_pem(&pem, Algorithm::Rs256).unwrap();
        let header = key.header(r#"{"alg":"RS256"}"#).unwrap();
        for setting in [Crypto::Auto, Crypto::Host, Crypto::Wasm] {
            let (foreign, log) = host(Host::Good);
            let backend = setting.backend(Some(foreign)).unwrap();
            log.calls.borrow_mut().clear();
            let signed = key.sign(&header, "{}", &*backend, &mut support::random()).unwrap();
            let token = Token::parse(signed.as_bytes()).unwrap();
            assert_eq!(key.verifying().verify(&token, &*backend), Ok(()), "{setting:?}");
            let calls = !log.calls.borrow().is_empty();
            assert_eq!(calls, asked && setting != Crypto::Wasm, "{setting:?} {exponent}");
        }
    }
}
