//! Requests that Kong's plugin answers with 500, or does not notice: here
//! they get a 401.

use super::answers::{BOTH, From, request, start, unauthorized};
use super::bearing;
use super::rows::{self, Row};
use crate::gateways::Gateway;
use serde_json::json;
use wasm_tests::Request;
use wasm_tests::tokens::{ado, key, signed};

/// Checks that every gateway refuses a row with its message, wherever the credentials are, and
/// without a trap.
#[track_caller]
fn refused(rows: &[Row]) {
    for gateway in Gateway::all() {
        for from in BOTH {
            let (proxy, admin) = start(&gateway, from, json!({}));
            for row in rows {
                let what = format!("{} {from:?}: {}", gateway.name, row.what);
                unauthorized(&proxy.send(request(row)), row.message, &what);
            }
            let asked = admin.lookups();
            assert!(asked.iter().all(|path| path.starts_with("/identities/jwt/")), "{asked:?}");
            assert!(proxy.faults().is_empty(), "{}", gateway.name);
        }
    }
}

#[test]
fn signatures_of_a_wrong_length_are_wrong_signatures() {
    refused(&rows::wrong_lengths());
}

#[test]
fn a_key_claim_that_is_no_text_is_nobodys() {
    refused(&rows::no_texts());
}

#[test]
fn a_header_and_claims_that_are_no_objects_are_bad_tokens() {
    refused(&rows::no_objects());
}

#[test]
fn tokens_that_two_readers_could_read_differently_are_refused() {
    refused(&rows::ambiguous());
}

#[test]
fn keys_that_a_token_brings_with_it_are_not_looked_at() {
    refused(&rows::embedded());
}

#[test]
fn bytes_that_are_no_text_and_tokens_beyond_every_size_are_refused() {
    refused(&rows::no_tokens());
    for gateway in Gateway::both() {
        let (proxy, _) = start(&gateway, From::Settings, json!({"cookie_names": ["token"]}));
        let stream = proxy.send(Request::get("/").header("cookie", b"token=\xff.\xff.\xff"));
        unauthorized(&stream, "Bad token; invalid JSON", gateway.name);
        proxy.send(bearing(ado(json!({"x": "y".repeat(6_000)})))).forwarded();
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
