//! Kong's answers, row by row of its table, with credentials in the settings and in
//! gatehouse-admin.

use super::bearing;
use super::rows::{Row, credentials, rows};
use crate::admin::Admin;
use crate::gateways::{Gateway, asking};
use serde_json::{Value, json};
use wasm_tests::tokens::{PRINTED, PUBLIC, SEED, ado, forged, key, secret, signed};
use wasm_tests::{Proxy, Request, Stream, merged};

/// The place of the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Settings,
    Service,
}

pub const BOTH: [From; 2] = [From::Settings, From::Service];

/// A gateway whose consumer `ado` has credentials of every algorithm.
pub fn start(gateway: &Gateway, from: From, more: Value) -> (Proxy, Admin) {
    let admin = Admin::default();
    let settings = match from {
        From::Settings => {
            let ado = json!({"id": "1", "username": "ado", "jwt_secrets": credentials()});
            merged(json!({"consumers": [ado, {"id": "9", "username": "guest"}]}), more)
        }
        From::Service => {
            let id = admin.consumer("ado");
            credentials().into_iter().for_each(|credential| admin.jwt(&id, credential));
            admin.consumer("guest");
            asking(more)
        }
    };
    let proxy = gateway.serving(&admin, &[("jwt_auth", settings)]);
    (proxy, admin)
}

/// The body of a refusal and its challenge, byte for byte. The status is always 401.
#[track_caller]
pub fn refusal(stream: &Stream) -> (String, Option<String>) {
    let reply = stream.refused();
    assert_eq!(reply.status, 401, "{}", reply.text());
    assert_eq!(reply.header("content-type").as_deref(), Some("application/json; charset=utf-8"));
    let body = reply.document();
    (body.to_string(), reply.header("www-authenticate"))
}

pub fn request(row: &Row) -> Request {
    row.fields
        .iter()
        .fold(Request::get(&row.target), |request, (name, value)| request.header(name, value))
}

#[track_caller]
pub fn unauthorized(stream: &Stream, message: &str, what: &str) {
    let expected = json!({ "message": message }).to_string();
    let challenge = r#"Bearer error="invalid_token""#.to_owned();
    assert_eq!(refusal(stream), (expected, Some(challenge)), "{what}");
}

#[test]
fn the_requirement_documents_token_passes_in_header_and_query() {
    for gateway in Gateway::all() {
        for from in BOTH {
            let (proxy, _) = start(&gateway, from, json!({}));
            for request in [bearing(SEED), Request::get(&format!("/orders?jwt={SEED}"))] {
                let forwarded = proxy.send(request).forwarded();
                for (name, value) in
                    [("x-consumer-username", "ado"), ("x-credential-identifier", "adokey")]
                {
                    let found = forwarded.header(name);
                    assert_eq!(found.as_deref(), Some(value), "{} {from:?}", gateway.name);
                }
                assert!(forwarded.header("x-consumer-id").is_some());
                assert_eq!(forwarded.header("x-anonymous-consumer"), None);
            }
            unauthorized(&proxy.send(bearing(PRINTED)), "Invalid signature", gateway.name);
            let (proxy, _) = start(&gateway, from, json!({"secret_is_base64": true}));
            proxy.send(bearing(PRINTED)).forwarded();
            unauthorized(&proxy.send(bearing(SEED)), "Invalid signature", gateway.name);
        }
    }
}

#[test]
fn without_a_token_the_challenge_names_no_error() {
    for gateway in Gateway::all() {
        let unauthorized = r#"{"message":"Unauthorized"}"#;
        for (more, challenge, later) in [
            (json!({}), "Bearer", r#"Bearer error="invalid_token""#),
            (
                json!({"realm": "my api"}),
                r#"Bearer realm="my api""#,
                r#"Bearer realm="my api", error="invalid_token""#,
            ),
        ] {
            let (proxy, _) = start(&gateway, From::Settings, more);
            for request in [
                Request::get("/"),
                Request::get("/?jwt="),
                Request::get("/").header("authorization", "Basic YTpi"),
                Request::get("/").header("authorization", "Bearer"),
                Request::get("/").header("authorization", SEED),
                Request::get("/").header("cookie", format!("jwt={SEED}")),
            ] {
                let stream = proxy.send(request);
                let expected = (unauthorized.to_owned(), Some(challenge.to_owned()));
                assert_eq!(refusal(&stream), expected, "{}", gateway.name);
            }
            let (_, found) = refusal(&proxy.send(bearing("a.b.c")));
            assert_eq!(found.as_deref(), Some(later), "{}", gateway.name);
        }
    }
}

#[test]
fn rows_2_to_13_what_is_wrong_with_a_token_is_told_in_kongs_words_and_order() {
    for gateway in Gateway::all() {
        for from in BOTH {
            let (proxy, _) = start(&gateway, from, json!({}));
            for row in rows() {
                let what = format!("{} {from:?}, row {}", gateway.name, row.what);
                unauthorized(&proxy.send(request(&row)), row.message, &what);
            }
            assert!(proxy.faults().is_empty(), "{}", gateway.name);
        }
    }
}

#[test]
fn rows_8_to_10_the_key_claim_may_be_another_and_stand_in_the_header() {
    for gateway in Gateway::both() {
        for from in BOTH {
            let (proxy, _) = start(&gateway, from, json!({"key_claim_name": "kid"}));
            let key = secret("HS256", b"supersecret");
            let header = json!({"kid": "adokey"});
            proxy.send(bearing(signed(&key, &header, &json!({})))).forwarded();
            proxy.send(bearing(signed(&key, &json!({}), &json!({"kid": "adokey"})))).forwarded();
            // The claims are read first.
            let nobody = signed(&key, &header, &json!({"kid": "nobody"}));
            let message = "No credentials found for given 'kid'";
            unauthorized(&proxy.send(bearing(nobody)), message, gateway.name);
            let none = "No mandatory 'kid' in claims";
            unauthorized(&proxy.send(bearing(SEED)), none, gateway.name);
        }
    }
}

#[test]
fn a_credential_without_a_usable_key_verifies_nothing() {
    for gateway in Gateway::both() {
        let (proxy, admin) = start(&gateway, From::Service, json!({"secret_is_base64": true}));
        let id = admin.consumer("odd");
        admin.jwt(&id, json!({"key": "keyless", "algorithm": "ES256"}));
        admin.jwt(&id, json!({"key": "no base64", "secret": "%%%"}));
        admin.jwt(&id, json!({"key": "no PEM", "algorithm": "RS256", "rsa_public_key": "x"}));
        for (algorithm, name, issuer) in [
            ("ES256", "es256", "keyless"),
            ("HS256", "", "no base64"),
            ("RS256", "rsa2048", "no PEM"),
        ] {
            let key = match name {
                "" => secret(algorithm, b"%%%"),
                _ => key(algorithm, name),
            };
            let token = signed(&key, &json!({}), &json!({"iss": issuer}));
            unauthorized(&proxy.send(bearing(token)), "Invalid key/secret", gateway.name);
        }
    }
}

#[test]
fn rows_14_and_15_times_are_judged_when_asked_for_and_all_faults_are_told() {
    for gateway in Gateway::all() {
        for from in BOTH {
            let times = json!({"claims_to_verify": ["exp", "nbf"], "maximum_expiration": 300});
            let (proxy, _) = start(&gateway, from, times);
            let now = proxy.now_ms() / 1000;
            let number = "must be a number";
            for (claims, expected) in [
                (json!({}), json!({"exp": number, "nbf": number})),
                (json!({"exp": "9", "nbf": []}), json!({"exp": number, "nbf": number})),
                (json!({"exp": true, "nbf": 0}), json!({"exp": number})),
                (json!({"exp": now, "nbf": now}), json!({"exp": "token expired"})),
                (json!({"exp": -1, "nbf": 0}), json!({"exp": "token expired"})),
                (json!({"exp": 0.5, "nbf": 0}), json!({"exp": "token expired"})),
                (json!({"exp": now + 9, "nbf": now + 1}), json!({"nbf": "token not valid yet"})),
                (
                    json!({"exp": now, "nbf": now + 1}),
                    json!({"exp": "token expired", "nbf": "token not valid yet"}),
                ),
                (
                    json!({"exp": now + 301, "nbf": 0}),
                    json!({"exp": "exceeds maximum allowed expiration"}),
                ),
                (
                    json!({"exp": 1e300, "nbf": 0}),
                    json!({"exp": "exceeds maximum allowed expiration"}),
                ),
            ] {
                let (body, challenge) = refusal(&proxy.send(bearing(ado(claims.clone()))));
                let what = format!("{} {from:?}: {claims}", gateway.name);
                assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected, "{what}");
                assert_eq!(challenge.as_deref(), Some(r#"Bearer error="invalid_token""#));
            }
            proxy.send(bearing(ado(json!({"exp": now + 300, "nbf": now})))).forwarded();
            // A wrong signature is reported first.
            let ended = forged(&ado(json!({"exp": 1})));
            unauthorized(&proxy.send(bearing(ended)), "Invalid signature", gateway.name);
            // By default Kong's plugin checks no times.
            let (proxy, _) = start(&gateway, from, json!({}));
            proxy.send(bearing(ado(json!({"exp": 1, "nbf": now + 99})))).forwarded();
        }
    }
}

#[test]
fn an_anonymous_consumer_that_is_not_there_is_an_error() {
    for gateway in Gateway::all() {
        let admin = Admin::default();
        let proxy =
            gateway.serving(&admin, &[("jwt_auth", asking(json!({"anonymous": "nobody"})))]);
        let expected = "anonymous consumer nobody is configured but doesn't exist";
        for request in [Request::get("/"), bearing("a.b.c")] {
            let refusal = crate::gateways::refusal(&proxy.send(request));
            assert_eq!(refusal, (500, expected.to_owned()), "{}", gateway.name);
        }
    }
}

#[test]
fn every_algorithm_verifies_with_its_key_and_a_second_time_from_memory() {
    for gateway in Gateway::all() {
        for from in BOTH {
            let (proxy, _) = start(&gateway, from, json!({}));
            let public = PUBLIC
                .map(|(algorithm, name)| (key(algorithm, name), format!("{algorithm} {name}")));
            let shared = ["HS384", "HS512"]
                .map(|algorithm| (secret(algorithm, b"supersecret"), algorithm.to_owned()));
            for (key, issuer) in public.into_iter().chain(shared) {
                let what = format!("{} {from:?}: {issuer}", gateway.name);
                let token = signed(&key, &json!({}), &json!({"iss": issuer}));
                for _ in 0..2 {
                    let forwarded = proxy.send(bearing(&token)).forwarded();
                    let found = forwarded.header("x-credential-identifier");
                    assert_eq!(found.as_ref(), Some(&issuer), "{what}");
                    unauthorized(&proxy.send(bearing(forged(&token))), "Invalid signature", &what);
                }
                // The signature of this header over other claims.
                let mut parts: Vec<&str> = token.split('.').collect();
                let claims = json!({"iss": issuer, "admin": true}).to_string();
                let claims = jose::base64url::encode(claims);
                parts[1] = &claims;
                unauthorized(&proxy.send(bearing(parts.join("."))), "Invalid signature", &what);
            }
        }
    }
}

#[test]
fn a_verification_function_that_fails_its_self_test_is_not_used() {
    let (proxy, _) = start(&Gateway::envoy(), From::Settings, json!({}));
    // The function accepts every signature, and so fails the filter's self-test.
    proxy.foreign_function("verify_signature", |_| Some(b"\x08\x01".to_vec()));
    let token = signed(&key("ES256", "es256"), &json!({}), &json!({"iss": "ES256 es256"}));
    unauthorized(&proxy.send(bearing(forged(&token))), "Invalid signature", "Envoy");
    proxy.send(bearing(token)).forwarded();
}

#[test]
fn preflights_pass_where_they_are_not_to_be_authenticated() {
    for gateway in Gateway::both() {
        let options = || Request::new("OPTIONS", "/").header("X-Consumer-ID", "forged");
        let (proxy, _) = start(&gateway, From::Settings, json!({"run_on_preflight": false}));
        crate::gateways::taken_out(&gateway, &proxy.send(options()), "x-consumer-id");
        let (proxy, _) = start(&gateway, From::Settings, json!({}));
        assert_eq!(proxy.send(options()).refused().status, 401, "{}", gateway.name);
    }
}
