//! Hashes of the body and the query in the token of upstream_jwt.

use super::{KEY, claims, settings, start, token};
use crate::gateways::Gateway;
use serde_json::{Value, json};
use wasm_tests::{Request, Stream};

fn body_hash(gateway: &Gateway, stream: &Stream) -> Value {
    claims(gateway, stream)["kong"]["request"]["bodyhash"].clone()
}

#[test]
fn a_body_is_hashed_however_it_arrives() {
    let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    for gateway in Gateway::giving_bodies() {
        let proxy = start(&gateway, json!({"body_hash": true}));
        let forged = |request: Request| request.header("authorization", "forged");
        for (request, hash) in [
            (Request::get("/"), ""),
            (Request::post("/", ""), ""),
            (Request::post("/", "").header("content-length", "0"), ""),
            (Request::post("/", "hello"), hello),
            (Request::post("/", "").chunks(&[b"he", b"l", b"lo"]), hello),
            (Request::post("/", "").chunks(&[b""]), ""),
            (forged(Request::post("/", "hello")), hello),
            (forged(Request::post("/", "").chunks(&[b"hello"])), hello),
            (forged(Request::get("/")), ""),
        ] {
            let stream = proxy.send(request.clone());
            assert_eq!(body_hash(&gateway, &stream), hash, "{}: {request:?}", gateway.name);
            assert!(stream.forwarded().complete, "{}: {request:?}", gateway.name);
        }
    }
}

#[test]
fn nothing_leaves_before_the_body_is_known() {
    let gateway = Gateway::envoy_holding();
    let proxy = start(&gateway, json!({"body_hash": true}));
    let stream = proxy.open(Request::post("/", "").chunks(&[b"x"]));
    for _ in 0..3 {
        stream.push(b"x", false);
        assert!(stream.outcome().forwarded.is_none());
    }
    stream.push([], true);
    assert_eq!(body_hash(&gateway, &stream), jose::hash::sha256_hex(b"xxx"));
}

#[test]
fn each_byte_of_a_body_that_is_held_is_handed_over_once() {
    let gateway = Gateway::envoy_holding();
    let proxy = start(&gateway, json!({"body_hash": true}));
    let stream = proxy.open(Request::post("/", "").chunks(&[b"x"]));
    let before = proxy.buffer_bytes();
    for _ in 0..3000 {
        stream.push(b"x", false);
    }
    stream.push([], true);
    assert_eq!(body_hash(&gateway, &stream), jose::hash::sha256_hex(&[b'x'; 3000]));
    assert_eq!(proxy.buffer_bytes() - before, 3000);
}

#[test]
fn a_body_that_kong_put_into_a_file_is_refused() {
    let gateway = Gateway::kong();
    let proxy = start(&gateway, json!({"body_hash": true}));
    let large = vec![b'x'; 20_000];
    for request in [Request::post("/", &large), Request::post("/", "").chunks(&[&large])] {
        let stream = proxy.send(request);
        assert_eq!(stream.refused().status, 413);
        assert!(stream.outcome().forwarded.is_none());
    }
    // Without the hash, the size of the body does not matter.
    token(&gateway, &start(&gateway, json!({})).send(Request::post("/", &large)));
}

#[test]
fn envoy_is_told_that_hashing_needs_its_option() {
    let without = json!({"private_key": KEY, "body_hash": true});
    let said = Gateway::envoy().with(|profile| profile.environment("GATEHOUSE_HOST", "envoy"));
    let proxy = said.start(&[("upstream_jwt", without)]);
    assert!(
        proxy.rejected().is_some_and(|log| log.contains("body_hash")),
        "{:?}",
        proxy.rejected()
    );
}

#[test]
fn the_query_is_hashed_as_the_upstream_gets_it_also_after_a_key_was_hidden() {
    for gateway in Gateway::both() {
        let key_auth = json!({"hide_credentials": true, "consumers": [
            {"id": "1", "username": "ana", "keyauth_credentials": [{"id": "c", "key": "right"}]}]});
        let ours = settings(&gateway, json!({"query_hash": true, "consumer": ["username"]}));
        let proxy = gateway.start(&[("key_auth", key_auth), ("upstream_jwt", ours)]);
        for (path, left) in [
            ("/a%20b?apikey=right", ""),
            ("/a?msg=hello%20world&apikey=right&bla=&bar", "msg=hello%20world&bla=&bar"),
        ] {
            let stream = proxy.send(Request::get(path));
            let hash = if left.is_empty() {
                String::new()
            } else {
                jose::hash::sha256_hex(left.as_bytes())
            };
            let expected = json!({"request": {"queryhash": hash}, "consumer": {"username": "ana"}});
            assert_eq!(claims(&gateway, &stream)["kong"], expected, "{}: {path}", gateway.name);
            let query = stream
                .forwarded()
                .path
                .split_once('?')
                .map_or(String::new(), |(_, query)| query.to_owned());
            assert_eq!(query, left, "{}", gateway.name);
        }
    }
}

#[test]
fn a_querys_bytes_are_hashed_undecoded_and_an_empty_one_is_an_empty_text() {
    for gateway in Gateway::all() {
        let proxy = start(&gateway, json!({"query_hash": true}));
        for (path, hash) in [
            ("/", ""),
            ("/?", ""),
            (
                "/x?msg=hello%20world&bla=&bar",
                "e3fb2c82cc290e761881dbb49a38408d8d49c83fbf278fca4aaebbc54ba1de04",
            ),
            ("/?%41", &jose::hash::sha256_hex(b"%41")),
            ("/?A", &jose::hash::sha256_hex(b"A")),
            ("/a?b?c", &jose::hash::sha256_hex(b"b?c")),
        ] {
            let stream = proxy.send(Request::get(path));
            let found = claims(&gateway, &stream)["kong"]["request"]["queryhash"].clone();
            assert_eq!(found, hash, "{}: {path}", gateway.name);
        }
    }
}
