//! jwt_auth with identity providers: their keys, rotation, outages, storms, and the rules for their
//! tokens.

mod keys;

use super::answers::{refusal, unauthorized};
use super::bearing;
use super::idp::{ISSUER, Idp, issued, named, provider, set};
use crate::admin::Admin;
use crate::gateways::{Gateway, asking, taken_out};
use jose::SigningKey;
use serde_json::{Value, json};
use std::time::Duration;
use wasm_tests::tokens::{secret, signed};
use wasm_tests::{KongVersion, Proxy, Request, Stream, merged, refused_with};

/// A gateway and the provider that it trusts, after a first token has passed.
fn warm(gateway: &Gateway, key: &SigningKey, more: Value) -> (Proxy, Idp) {
    let idp = Idp::with(&[key]);
    let proxy = gateway.serving(&idp, &[("jwt_auth", provider(more))]);
    proxy.send(bearing(issued(key, json!({})))).forwarded();
    (proxy, idp)
}

fn unavailable(stream: &Stream) -> bool {
    crate::gateways::refusal(stream) == refused_with(503, "Service unavailable")
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn whatever_a_provider_answers_instead_of_keys_lets_nobody_in() {
    let key = named("es256", "k");
    let odd = [
        r#"{"keys":[]}"#.to_owned(),
        r#"{"keys":{}}"#.to_owned(),
        json!({"keys": [{"kty": "oct", "k": "c3VwZXJzZWNyZXQ", "kid": "k", "alg": "HS256"}]})
            .to_string(),
        json!({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}).to_string(),
        format!("{{\"keys\":[],\"more\":\"{}\"}}", "x".repeat(300 << 10)),
    ];
    for gateway in Gateway::all() {
        let odd = odd.iter().map(|body| wasm_tests::Response::json(200, body).into());
        let failures = crate::key_auth::failures();
        for answer in failures.into_iter().map(|(_, answer)| answer).chain(odd) {
            let idp = Idp::with(&[&key]);
            idp.breaks(answer.clone());
            let proxy = gateway.serving(&idp, &[("jwt_auth", provider(json!({})))]);
            let stream = proxy.send(bearing(issued(&key, json!({}))));
            assert!(unavailable(&stream), "{}: {answer:?}", gateway.name);
            assert!(proxy.faults().is_empty(), "{}", gateway.name);
        }
    }
}

#[test]
fn discovery_must_name_the_issuer_and_its_own_authority() {
    let key = named("es256", "k");
    let uri = "https://idp.test/.well-known/openid-configuration";
    for gateway in Gateway::both() {
        for (description, fine) in [
            (json!({"issuer": ISSUER, "jwks_uri": "https://idp.test/keys?version=2"}), true),
            (json!({"issuer": ISSUER, "jwks_uri": "https://IDP.test:443/keys?version=2"}), true),
            (json!({"issuer": "https://idp.test", "jwks_uri": "https://idp.test/keys"}), false),
            (json!({"issuer": ISSUER, "jwks_uri": "https://evil.example/keys"}), false),
            (json!({"issuer": ISSUER, "jwks_uri": "https://idp.test:444/keys"}), false),
            (json!({"issuer": ISSUER, "jwks_uri": "https://idp.test@evil.example/keys"}), false),
            (json!({"issuer": ISSUER, "jwks_uri": "https://idp.test/../keys"}), false),
            (json!({"issuer": ISSUER, "jwks_uri": 5}), false),
            (json!({"issuer": ISSUER}), false),
            (json!([]), false),
        ] {
            let idp = Idp::with(&[&key]);
            idp.describe(description.clone());
            let mut settings = provider(json!({"oidc_discovery_uri": uri}));
            settings["providers"][0].as_object_mut().expect("an object").remove("jwks_uri");
            let proxy = gateway.serving(&idp, &[("jwt_auth", settings)]);
            let stream = proxy.send(bearing(issued(&key, json!({}))));
            match fine {
                true => drop(stream.forwarded()),
                false => assert!(unavailable(&stream), "{}: {description}", gateway.name),
            }
        }
    }
}

#[test]
fn a_providers_token_must_satisfy_the_rules_of_its_settings() {
    let key = named("es256", "k");
    for gateway in Gateway::both() {
        let more = json!({"audiences": ["api", "other"], "algorithms": ["ES256", "RS256"]});
        let idp = Idp::with(&[&key, &named("rsa2048", "r"), &named("ed25519", "e")]);
        let proxy = gateway.serving(&idp, &[("jwt_auth", provider(more))]);
        proxy.send(bearing(issued(&key, json!({"aud": "api"})))).forwarded();
        let now = proxy.now_ms() / 1000;
        let message = |text: &str| json!({ "message": text });
        for (claims, expected) in [
            (json!({"aud": ["x", "other"]}), None),
            (json!({"aud": "api", "exp": now - 59, "nbf": now + 60}), None),
            (json!({"aud": "api", "exp": now - 60}), Some(json!({"exp": "token expired"}))),
            (json!({"aud": "api", "exp": null}), Some(json!({"exp": "must be a number"}))),
            (json!({"aud": "api", "exp": "1"}), Some(json!({"exp": "must be a number"}))),
            (json!({"aud": "api", "nbf": now + 61}), Some(json!({"nbf": "token not valid yet"}))),
            (json!({}), Some(message("Invalid 'aud' in claims"))),
            (json!({"aud": "apis"}), Some(message("Invalid 'aud' in claims"))),
            (json!({"aud": [1, {"api": 1}]}), Some(message("Invalid 'aud' in claims"))),
            (json!({"aud": "api", "sub": 5}), Some(message("Invalid 'sub' in claims"))),
            (json!({"aud": "api", "sub": ""}), Some(message("Invalid 'sub' in claims"))),
        ] {
            let stream = proxy.send(bearing(issued(&key, claims.clone())));
            match expected {
                None => drop(stream.forwarded()),
                Some(expected) => {
                    let (body, _) = refusal(&stream);
                    let body: Value = serde_json::from_str(&body).expect("JSON");
                    assert_eq!(body, expected, "{}: {claims}", gateway.name);
                }
            }
        }
        let claims = json!({"iss": ISSUER, "sub": "x", "aud": "api", "exp": now + 99});
        for wrong in [
            issued(&named("ed25519", "e"), json!({"aud": "api"})),
            signed(&secret("HS256", b"supersecret"), &json!({"kid": "k"}), &claims),
        ] {
            unauthorized(&proxy.send(bearing(wrong)), "Invalid algorithm", gateway.name);
        }
        // The token names another key than the one that signed it.
        let swapped = issued(&named("rsa2048", "k"), json!({"aud": "api"}));
        let stream = proxy.send(bearing(swapped));
        assert_eq!(stream.refused().status, 401, "{}", gateway.name);
        // An issuer that resembles the provider's is not the provider.
        let stranger = issued(&key, json!({"iss": "https://idp.test", "aud": "api"}));
        let message = "No credentials found for given 'iss'";
        unauthorized(&proxy.send(bearing(stranger)), message, gateway.name);
    }
}

#[test]
fn a_claim_may_name_a_consumer_who_must_exist() {
    let key = named("es256", "k");
    for gateway in Gateway::all() {
        let inline = json!({"consumers": [{"id": "1", "username": "ana", "groups": ["g"]}]});
        for more in [inline, asking(json!({}))] {
            let (idp, admin) = (Idp::with(&[&key]), Admin::default());
            admin.consumer("ana");
            let settings =
                merged(provider(json!({"consumer_claim": "azp", "consumer_by": "username"})), more);
            let proxy = gateway.start(&[("jwt_auth", settings)]);
            idp.serve_beside(&proxy, &admin);
            let token = |azp: Value| bearing(issued(&key, json!({ "azp": azp })));
            let forwarded = proxy.send(token(json!("ana"))).forwarded();
            assert_eq!(forwarded.header("x-consumer-username").as_deref(), Some("ana"));
            let found = forwarded.header("x-credential-identifier");
            assert_eq!(found.as_deref(), Some("idp:ana"), "{}", gateway.name);
            let nobody = "Could not find consumer for 'azp=bob'";
            unauthorized(&proxy.send(token(json!("bob"))), nobody, gateway.name);
            unauthorized(&proxy.send(token(json!(7))), "Invalid 'azp' in claims", gateway.name);
            let without = bearing(issued(&key, json!({})));
            unauthorized(&proxy.send(without), "No mandatory 'azp' in claims", gateway.name);
        }
    }
}

#[test]
fn claims_go_into_headers_that_no_client_can_forge() {
    let key = named("es256", "k");
    for gateway in Gateway::all() {
        let more = json!({
            "claims_to_headers": [
                {"claim": "realm.roles", "header": "X-Roles"}, {"claim": "name", "header": "X-Name"},
            ],
            "forward_payload_header": "X-Payload",
        });
        let (proxy, _) = warm(&gateway, &key, more);
        let token = issued(&key, json!({"realm": {"roles": ["a", "b"]}}));
        let request = |token: &str| {
            bearing(token)
                .header("x-roles", "admin")
                .header("x_name", "root")
                .header("X-Payload", "e30")
        };
        let stream = proxy.send(request(&token));
        let forwarded = stream.forwarded();
        assert_eq!(forwarded.headers_named("x-roles"), ["a,b"], "{}", gateway.name);
        assert_eq!(forwarded.header("x-payload").as_deref(), token.split('.').nth(1));
        taken_out(&gateway, &stream, "x_name");
        // Bytes that would end a header are percent-encoded.
        let evil = issued(&key, json!({"name": "a\r\nX-Admin: 1", "realm": {"roles": "x\u{0}y"}}));
        let stream = proxy.send(request(&evil));
        let forwarded = stream.forwarded();
        assert_eq!(forwarded.headers_named("x-roles"), ["x%00y"], "{}", gateway.name);
        assert_eq!(forwarded.header("x-name").as_deref(), Some("a%0D%0AX-Admin: 1"));
        taken_out(&gateway, &stream, "x_name");
        assert_eq!(forwarded.header("x-admin"), None, "{}", gateway.name);
    }
}

#[test]
fn with_one_worker_asking_the_others_need_not_where_they_share() {
    let key = named("es256", "k");
    for gateway in Gateway::sharing() {
        let idp = Idp::with(&[&key]);
        let mut settings = provider(json!({}));
        if let Some(zone) = gateway.zone {
            settings["shm_zone"] = json!(zone);
        }
        let proxy = gateway.serving(&idp, &[("jwt_auth", settings)]);
        proxy.send(bearing(issued(&key, json!({})))).forwarded();
        let other = proxy.worker();
        let stream = other.send(bearing(issued(&key, json!({}))));
        stream.forwarded();
        assert_eq!(stream.outcome().callouts, 0, "{}", gateway.name);
    }
}

#[test]
fn on_kong_before_3_6_and_on_3_8_no_request_waits_and_the_tick_fetches() {
    let key = named("es256", "k");
    for version in [KongVersion::V3_4, KongVersion::V3_5, KongVersion::V3_8] {
        let gateway = Gateway::kong_of(version);
        let idp = Idp::with(&[&key]);
        let proxy = gateway.serving(&idp, &[("jwt_auth", provider(json!({})))]);
        let first = proxy.send(bearing(issued(&key, json!({}))));
        assert!(unavailable(&first), "{}", gateway.name);
        assert_eq!(first.outcome().callouts, 0, "{}", gateway.name);
        proxy.advance(seconds(6));
        assert_eq!(idp.asked(), ["/keys?version=2"], "{}", gateway.name);
        proxy.send(bearing(issued(&key, json!({})))).forwarded();
        // A token of an unknown key is refused at once, and the tick fetches the keys again.
        let new = named("rsa2048", "new");
        idp.publish(set(&[&key, &new]));
        proxy.advance(seconds(11));
        let status = proxy.send(bearing(issued(&new, json!({})))).refused().status;
        assert!([401, 503].contains(&status), "{}: {status}", gateway.name);
        proxy.advance(seconds(6));
        proxy.send(bearing(issued(&new, json!({})))).forwarded();
        assert!(proxy.faults().is_empty(), "{}", gateway.name);
    }
}

#[test]
fn before_kong_3_9_a_provider_that_fails_lets_nobody_in() {
    use KongVersion::{V3_4, V3_5, V3_6, V3_7, V3_8};
    let key = named("es256", "k");
    for version in [V3_4, V3_5, V3_6, V3_7, V3_8] {
        let gateway = Gateway::kong_of(version);
        for (what, answer) in crate::key_auth::failures() {
            let idp = Idp::with(&[&key]);
            idp.breaks(answer);
            let proxy = gateway.serving(&idp, &[("jwt_auth", provider(json!({})))]);
            let stream = proxy.send(bearing(issued(&key, json!({}))));
            let status = stream.reply().status;
            assert!([500, 503].contains(&status), "{} {what}: {status}", gateway.name);
            assert_eq!(stream.outcome().forwarded, None, "{} {what}", gateway.name);
        }
    }
}

#[test]
fn a_provider_that_kong_cannot_call_is_a_mistake_in_the_settings() {
    let settings = provider(json!({"upstream": {"upstream": "outbound|443||idp"}}));
    let proxy = Gateway::kong().start(&[("jwt_auth", settings)]);
    let expected = refused_with(500, "jwt_auth is misconfigured");
    assert_eq!(crate::gateways::refusal(&proxy.send(Request::get("/"))), expected);
}
