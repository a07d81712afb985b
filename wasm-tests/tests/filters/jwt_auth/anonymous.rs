//! jwt_auth beside another authenticating filter, and with an anonymous consumer.

use super::answers::{BOTH, From, start};
use super::bearing;
use crate::gateways::{Gateway, refusal, taken_out};
use crate::identity_probe::{identity_probe, probed_identity};
use serde_json::{Value, json};
use wasm_tests::tokens::{SEED, forged};
use wasm_tests::{Answer, Proxy, Request, merged, refused_with};

fn jwt(more: Value) -> Value {
    let secret = json!({"id": "j", "key": "adokey", "secret": "supersecret"});
    let consumers = json!([
        {"id": "1", "username": "ado", "custom_id": "c1", "groups": ["g"], "jwt_secrets": [secret]},
        {"id": "9", "username": "guest"},
    ]);
    merged(json!({"consumers": consumers}), more)
}

fn key_auth(more: Value) -> Value {
    let consumers = json!([
        {"id": "2", "username": "bob", "keyauth_credentials": [{"id": "cred", "key": "right"}]},
        {"id": "9", "username": "guest"},
    ]);
    merged(json!({"consumers": consumers}), more)
}

#[test]
fn later_filters_read_the_whole_identity_and_no_secret() {
    for gateway in Gateway::all() {
        let filters = [gateway.filter("jwt_auth", jwt(json!({}))), identity_probe(&gateway)];
        let proxy = Proxy::new(gateway.profile.clone(), filters);
        proxy.send(bearing(SEED)).forwarded();
        let expected = json!({
            "id": "1", "username": "ado", "custom_id": "c1", "groups": ["g"],
            "credential": {"id": "j", "type": "jwt", "identifier": "adokey"}, "anonymous": false,
        });
        assert_eq!(probed_identity(&proxy), expected, "{}", gateway.name);
    }
}

#[test]
fn the_anonymous_consumer_stands_in_for_every_failure() {
    for gateway in Gateway::all() {
        for from in BOTH {
            let (proxy, _) = start(&gateway, from, json!({"anonymous": "guest"}));
            for request in [
                Request::get("/"),
                Request::get("/?jwt"),
                Request::get("/?jwt=a&jwt=b"),
                bearing("a.b.c"),
                bearing(forged(SEED)),
                bearing(wasm_tests::tokens::ado(json!({"iss": 5}))),
            ] {
                let stream = proxy.send(request.header("X-Credential-Identifier", "forged"));
                let forwarded = stream.forwarded();
                let found = forwarded.header("x-consumer-username");
                assert_eq!(found.as_deref(), Some("guest"), "{} {from:?}", gateway.name);
                assert_eq!(forwarded.headers_named("x-anonymous-consumer"), ["true"]);
                taken_out(&gateway, &stream, "x-credential-identifier");
            }
            let known = proxy.send(bearing(SEED)).forwarded();
            assert_eq!(known.header("x-consumer-username").as_deref(), Some("ado"));
            assert_eq!(known.header("x-anonymous-consumer"), None);
        }
    }
}

#[test]
fn not_to_be_able_to_ask_makes_nobody_anonymous() {
    for gateway in Gateway::all() {
        let (proxy, admin) = start(&gateway, From::Service, json!({"anonymous": "guest"}));
        admin.breaks(Answer::Refused);
        let expected = refused_with(503, "Service unavailable");
        assert_eq!(refusal(&proxy.send(bearing(SEED))), expected, "{}", gateway.name);
    }
}

#[test]
fn without_anonymous_every_filter_must_be_satisfied_and_the_last_one_says_who() {
    for gateway in Gateway::all() {
        let chain = [("jwt_auth", jwt(json!({}))), ("key_auth", key_auth(json!({})))];
        let proxy = gateway.start(&chain);
        let both = proxy.send(bearing(SEED).header("apikey", "right")).forwarded();
        assert_eq!(both.headers_named("x-consumer-id"), ["2"], "{}", gateway.name);
        for request in [
            Request::get("/"),
            bearing(SEED),
            Request::get("/").header("apikey", "right"),
            bearing(forged(SEED)).header("apikey", "right"),
            bearing(SEED).header("apikey", "wrong"),
        ] {
            assert_eq!(proxy.send(request).refused().status, 401, "{}", gateway.name);
        }
    }
}

#[test]
fn with_anonymous_one_filter_is_enough_in_either_order() {
    for gateway in Gateway::all() {
        let guest = || json!({"anonymous": "guest"});
        let chain = [("jwt_auth", jwt(guest())), ("key_auth", key_auth(guest()))];
        let reverse = [chain[1].clone(), chain[0].clone()];
        for (chain, first) in [(chain, "1"), (reverse, "2")] {
            let proxy = gateway.start(&chain);
            for (request, id) in [
                (bearing(SEED).header("apikey", "right"), first),
                (bearing(SEED), "1"),
                (bearing(SEED).header("apikey", "wrong"), "1"),
                (Request::get("/").header("apikey", "right"), "2"),
                (bearing(forged(SEED)).header("apikey", "right"), "2"),
                (Request::get("/"), "9"),
                (bearing(forged(SEED)).header("apikey", "wrong"), "9"),
            ] {
                let forwarded = proxy.send(request.header("X-Consumer-ID", "root")).forwarded();
                assert_eq!(forwarded.headers_named("x-consumer-id"), [id], "{}", gateway.name);
            }
        }
    }
}

#[test]
fn the_claims_of_a_verified_token_reach_the_filters_after_it() {
    let ours = || {
        json!({
            "private_key": include_str!("../../../../filters/upstream-jwt/test-keys/rsa.pem"),
            "claims_from_token": ["name"], "consumer": ["username"],
        })
    };
    for gateway in Gateway::both() {
        let anonymous = json!({"anonymous": "guest"});
        let proxy = gateway.start(&[("jwt_auth", jwt(anonymous)), ("upstream_jwt", ours())]);
        for (request, name, username) in
            [(bearing(SEED), json!("ado"), "ado"), (bearing(forged(SEED)), Value::Null, "guest")]
        {
            let header = proxy.send(request).forwarded().header("authorization").expect("a token");
            let token = header.strip_prefix("Bearer ").expect("a bearer token");
            let token = jose::Token::parse(token.as_bytes()).expect("a token");
            let claims = Value::Object(token.claims().clone());
            assert_eq!(claims["kong"]["consumer"]["username"], username, "{}", gateway.name);
            assert_eq!(claims["name"], name, "{}", gateway.name);
        }
    }
}
