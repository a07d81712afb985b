//! What Kong's plugin answers with 500, or does not notice (reference A.6 and G.2): here it is a 401.

use super::answers::{BOTH, From, start, unauthorized};
use super::tokens::{ado, bearing, key, secret, signed, under, unsigned};
use crate::gateways::Gateway;
use serde_json::json;
use wasm_tests::Request;

const GOOD: &str = r#"{"alg":"HS256"}"#;

#[test]
fn signatures_of_a_wrong_length_are_wrong_signatures() {
    for gateway in Gateway::both() {
        for from in BOTH {
            let (proxy, _) = start(&gateway, from, json!({}));
            for (algorithm, issuer) in [
                ("ES256", "ES256 es256"),
                ("ES384", "ES384 es384"),
                ("ES512", "ES512 es512"),
                ("PS256", "PS256 rsa3072"),
                ("PS384", "PS384 rsa3072"),
                ("PS512", "PS512 rsa3072"),
                ("PS256", "PS256 rsa2048"),
                ("RS256", "RS256 rsa2048"),
                ("EdDSA", "EdDSA ed25519"),
            ] {
                for signature in ["", "AAAA", &"A".repeat(172), &"A".repeat(342)] {
                    let header = json!({"alg": algorithm}).to_string();
                    let claims = json!({"iss": issuer}).to_string();
                    let stream = proxy.send(bearing(under(&header, &claims, signature)));
                    unauthorized(&stream, "Invalid signature", algorithm);
                }
            }
            assert!(proxy.faults().is_empty(), "{}", gateway.name);
        }
    }
}

#[test]
fn pss_works_with_keys_of_3072_and_4096_bits() {
    for gateway in Gateway::both() {
        for from in BOTH {
            let (proxy, _) = start(&gateway, from, json!({}));
            for (algorithm, name) in [
                ("PS256", "rsa3072"),
                ("PS384", "rsa3072"),
                ("PS512", "rsa3072"),
                ("PS256", "rsa4096"),
            ] {
                let issuer = format!("{algorithm} {name}");
                let token = signed(&key(algorithm, name), &json!({}), &json!({ "iss": issuer }));
                proxy.send(bearing(token)).forwarded();
            }
        }
    }
}

#[test]
fn a_key_claim_that_is_no_text_is_nobodys() {
    for gateway in Gateway::both() {
        for from in BOTH {
            let (proxy, _) = start(&gateway, from, json!({}));
            for issuer in [
                json!(123),
                json!(-0.5),
                json!(true),
                json!(null),
                json!(["adokey"]),
                json!({"adokey": 1}),
            ] {
                let stream = proxy.send(bearing(ado(json!({ "iss": issuer }))));
                unauthorized(&stream, "Invalid 'iss' in claims", gateway.name);
            }
        }
    }
}

#[test]
fn a_header_and_claims_that_are_no_objects_are_bad_tokens() {
    for gateway in Gateway::both() {
        let (proxy, _) = start(&gateway, From::Settings, json!({}));
        for text in ["null", "1", "-1.5", "true", r#""text""#, "[]", r#"["alg","HS256"]"#] {
            let stream = proxy.send(bearing(unsigned(text, "{}")));
            unauthorized(&stream, "Bad token; invalid alg", text);
            let stream = proxy.send(bearing(unsigned(GOOD, text)));
            unauthorized(&stream, "Bad token; invalid claims", text);
        }
    }
}

#[test]
fn tokens_that_two_readers_could_read_differently_are_refused() {
    for gateway in Gateway::both() {
        let (proxy, _) = start(&gateway, From::Settings, json!({}));
        let deep = format!("{}{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
        for (header, claims, message) in [
            (r#"{"alg":"HS256","alg":"none"}"#, "{}", "Bad token; invalid JSON"),
            (r#"{"alg":"HS256","\u0061lg":"HS256"}"#, "{}", "Bad token; invalid JSON"),
            (GOOD, r#"{"iss":"adokey","iss":"adokey"}"#, "Bad token; invalid JSON"),
            (GOOD, r#"{"iss":"adokey","a":{"b":1,"b":2}}"#, "Bad token; invalid JSON"),
            (GOOD, r#"{"iss":"adokey"} x"#, "Bad token; invalid JSON"),
            (GOOD, "{\"iss\":\"ado\u{0}key", "Bad token; invalid JSON"),
            (GOOD, deep.as_str(), "Bad token; invalid JSON"),
            (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "{}", "Bad token; unsupported crit"),
            (r#"{"alg":"HS256","crit":[]}"#, "{}", "Bad token; unsupported crit"),
            (r#"{"alg":"HS256","kid":1}"#, "{}", "Bad token; invalid kid"),
        ] {
            unauthorized(&proxy.send(bearing(unsigned(header, claims))), message, header);
        }
        assert!(proxy.faults().is_empty(), "{}", gateway.name);
    }
}

#[test]
fn keys_that_a_token_brings_with_it_are_not_looked_at() {
    let own = secret("HS256", b"mine");
    for gateway in Gateway::all() {
        for from in BOTH {
            let (proxy, admin) = start(&gateway, from, json!({}));
            for header in [
                json!({"jwk": {"kty": "oct", "k": "bWluZQ"}}),
                json!({"jku": "https://evil.example/keys", "kid": "mine"}),
                json!({"x5u": "https://evil.example/cert", "x5c": ["bWluZQ=="]}),
                json!({"kid": "../../../dev/null"}),
                json!({"kid": "' OR 1=1 --"}),
            ] {
                let token = signed(&own, &header, &json!({"iss": "adokey"}));
                unauthorized(&proxy.send(bearing(token)), "Invalid signature", gateway.name);
            }
            let asked = admin.lookups();
            assert!(asked.iter().all(|path| path == "/identities/jwt/adokey"), "{asked:?}");
        }
    }
}

#[test]
fn octets_that_are_no_text_and_tokens_beyond_every_size_are_refused() {
    for gateway in Gateway::all() {
        for from in BOTH {
            let (proxy, _) = start(&gateway, from, json!({"cookie_names": ["token"]}));
            let eight = ado(json!({"x": "y".repeat(6_000)}));
            proxy.send(bearing(&eight)).forwarded();
            let large = "x".repeat(70_000);
            let larger = ado(json!({"x": "y".repeat(60_000)}));
            for token in [
                b"\xff\xfe\xfd".as_slice(),
                b"a.b.\xff",
                b"eyJ\x80.eyJ.AA",
                large.as_bytes(),
                larger.as_bytes(),
            ] {
                unauthorized(&proxy.send(bearing(token)), "Bad token; invalid JSON", gateway.name);
            }
            let stream = proxy.send(Request::get("/").header("cookie", b"token=\xff.\xff.\xff"));
            unauthorized(&stream, "Bad token; invalid JSON", gateway.name);
            for path in ["/?jwt=%ff%fe", "/?jwt=%", "/?jwt=%zz.%zz.%zz"] {
                let stream = proxy.send(Request::get(path));
                unauthorized(&stream, "Bad token; invalid JSON", path);
            }
            assert!(proxy.faults().is_empty(), "{}", gateway.name);
        }
    }
}
