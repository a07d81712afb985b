//! upstream_jwt on the pretend gateways: the token at the upstream.

mod hashes;

use crate::gateways::{Gateway, message};
use jose::{Algorithms, InWasm, Policy, Token, VerifyingKey};
use serde_json::{Value, json};
use std::time::Duration;
use wasm_tests::{KongVersion, Proxy, Request, Standing, Stream, merged};

const KEY: &str = include_str!("../../../filters/upstream-jwt/test-keys/rsa.pem");

const CERTIFICATE: &str = include_str!("../../../filters/upstream-jwt/test-keys/rsa.crt");

fn settings(gateway: &Gateway, more: Value) -> Value {
    let settings = json!({
        "private_key": KEY,
        "allow_on_headers_stop_iteration": !gateway.is_kong(),
    });
    merged(settings, more)
}

fn start(gateway: &Gateway, more: Value) -> Proxy {
    gateway.start(&[("upstream_jwt", settings(gateway, more))])
}

/// The token at the upstream. Panics unless it is the only one, and the client's is gone.
#[track_caller]
fn token(gateway: &Gateway, stream: &Stream) -> Token {
    let all = stream.forwarded().headers_named("authorization");
    assert_eq!(all.len(), 1, "{}: {all:?}", gateway.name);
    let text = all[0].strip_prefix("Bearer ").expect("a bearer token").to_owned();
    let token = Token::parse(text.as_bytes()).expect("a token");
    let key = VerifyingKey::from_pem(CERTIFICATE, Algorithms::ALL, Policy::REMOTE).expect("a key");
    key.verify(&token, &InWasm).expect("the gateway's signature");
    token
}

#[track_caller]
fn claims(gateway: &Gateway, stream: &Stream) -> Value {
    Value::Object(token(gateway, stream).claims().clone())
}

#[test]
fn the_upstream_gets_a_token_in_place_of_what_the_client_sent() {
    for gateway in Gateway::all() {
        let proxy = start(&gateway, json!({"issuer": "gateway", "iat": true, "key_id": "k1"}));
        let now = proxy.now_ms() / 1000;
        for request in
            [Request::get("/a"), Request::get("/a").header("Authorization", "Bearer forged")]
        {
            let stream = proxy.send(request);
            let token = token(&gateway, &stream);
            assert_eq!(
                Value::Object(token.header().clone()),
                json!({"typ": "JWT", "alg": "RS256", "kid": "k1"})
            );
            let expected = json!({"iss": "gateway", "iat": now, "exp": now + 60, "kong": {}});
            assert_eq!(Value::Object(token.claims().clone()), expected, "{}", gateway.name);
        }
    }
}

#[test]
fn a_header_that_kong_would_forward_twice_is_refused_there() {
    let twice = || Request::get("/").header("Authorization", "a").header("authorization", "b");
    token(&Gateway::envoy(), &start(&Gateway::envoy(), json!({})).send(twice()));
    let kong = Gateway::kong();
    let reply = start(&kong, json!({})).send(twice()).refused();
    assert_eq!(
        (reply.status, message(&reply).as_str()),
        (400, "Header authorization must not be sent more than once")
    );
}

#[test]
fn the_identity_comes_from_earlier_filters() {
    for gateway in Gateway::both() {
        let key_auth = json!({"expose_key": true, "consumers": [
            {"id": "1", "username": "ana", "custom_id": "7", "keyauth_credentials": [{"id": "c", "key": "right"}]}]});
        for (credentials, expected) in [
            (json!(["key"]), json!({"key": "right"})),
            (json!(["*"]), json!({"id": "c", "type": "key-auth", "identifier": "c"})),
        ] {
            let ours = settings(&gateway, json!({"consumer": ["*"], "credentials": credentials}));
            let proxy = gateway.start(&[("key_auth", key_auth.clone()), ("upstream_jwt", ours)]);
            let stream = proxy.send(Request::get("/").header("apikey", "right"));
            let kong = claims(&gateway, &stream)["kong"].clone();
            assert_eq!(
                kong["consumer"],
                json!({"username": "ana", "id": "1", "custom_id": "7"}),
                "{}",
                gateway.name
            );
            assert_eq!(kong["credentials"], expected, "{}", gateway.name);
        }
        let alone = start(&gateway, json!({"consumer": ["*"], "credentials": ["*"]}));
        let forged =
            Request::get("/").header("X-Consumer-ID", "root").header("X-Consumer-Username", "root");
        let kong = claims(&gateway, &alone.send(forged))["kong"].clone();
        assert_eq!(kong, json!({"consumer": {}, "credentials": {}}), "{}", gateway.name);
    }
}

#[test]
fn kongs_route_and_service_are_described_as_far_as_its_version_goes() {
    let lists = json!({"route": ["id", "name", "paths"], "service": ["*"], "aud": true});
    let route = r#"{"id":"r1","name":"Route-1","paths":["\/a"]}"#;
    let service = r#"{"id":"s1","name":"Service-1","port":80}"#;
    let request = || {
        Request::get("/")
            .property("kong.router.route", route)
            .property("kong.router.service", service)
            .property("kong.route_id", "r1")
            .property("kong.service_id", "s1")
            .property("kong.route_name", "Route-1")
            .property("kong.service_name", "Service-1")
    };
    for version in [KongVersion::V3_6, KongVersion::V3_9] {
        let gateway = Gateway::kong_of(version);
        let claims = claims(&gateway, &start(&gateway, lists.clone()).send(request()));
        assert_eq!(claims["aud"], "Service-1", "{}", gateway.name);
        assert_eq!(
            claims["kong"]["route"],
            json!({"name": "Route-1", "id": "r1", "paths": ["/a"]})
        );
        assert_eq!(claims["kong"]["service"], json!({"name": "Service-1", "id": "s1", "port": 80}));
    }
    let old = Gateway::kong_of(KongVersion::V3_4);
    let claims = claims(&old, &start(&old, lists).send(request()));
    assert_eq!(claims["kong"], json!({"route": {"id": "r1"}, "service": {"id": "s1"}}));
    assert_eq!(claims.get("aud"), None);
}

#[test]
fn every_kong_gives_a_token() {
    use KongVersion::{V3_4, V3_5, V3_6, V3_7, V3_8, V3_9};
    for version in [V3_4, V3_5, V3_6, V3_7, V3_8, V3_9] {
        let gateway = Gateway::kong_of(version);
        let proxy = start(&gateway, json!({"body_hash": true, "query_hash": true, "jti": true}));
        let stream = proxy.send(Request::post("/?a=b", "hello"));
        let request = claims(&gateway, &stream)["kong"]["request"].clone();
        let hash = |text: &str| jose::hash::sha256_hex(text.as_bytes());
        assert_eq!(
            request,
            json!({"bodyhash": hash("hello"), "queryhash": hash("a=b")}),
            "{}",
            gateway.name
        );
    }
}

#[test]
fn equal_tokens_are_signed_once_and_a_token_of_one_request_always() {
    for gateway in Gateway::both() {
        let text = |proxy: &Proxy| {
            proxy.send(Request::get("/")).forwarded().headers_named("authorization")
        };
        let equal = start(&gateway, json!({}));
        let first = text(&equal);
        equal.advance(Duration::from_secs(29));
        assert_eq!(text(&equal), first, "{}", gateway.name);
        equal.advance(Duration::from_secs(2));
        assert_ne!(text(&equal), first, "{}", gateway.name);
        let own = start(&gateway, json!({"jti": true}));
        let ids =
            [(); 3].map(|()| claims(&gateway, &own.send(Request::get("/")))["jti"].to_string());
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0].len() == 38, "{ids:?}");
    }
}

#[test]
fn the_key_set_is_served_to_whoever_asks() {
    for gateway in Gateway::both() {
        let proxy = start(&gateway, json!({"jwks_path": "/.well-known/jwks.json", "key_id": "k1"}));
        let reply = proxy.send(Request::get("/.well-known/jwks.json")).refused();
        assert_eq!(reply.status, 200, "{}", gateway.name);
        let set = reply.document();
        assert_eq!((&set["keys"][0]["kid"], &set["keys"][0]["use"]), (&json!("k1"), &json!("sig")));
        assert_eq!(set["keys"][0].get("d"), None);
        assert_eq!(
            proxy.send(Request::new("DELETE", "/.well-known/jwks.json")).refused().status,
            405
        );
    }
}

#[test]
fn a_key_that_cannot_be_used_lets_nothing_through() {
    for gateway in Gateway::both() {
        let proxy = gateway
            .start(&[("upstream_jwt", json!({"private_key_location": "/etc/kong/private.key"}))]);
        if proxy.rejected().is_some() {
            continue;
        }
        let stream = proxy.send(Request::get("/").header("authorization", "forged"));
        assert_eq!(message(&stream.refused()), "upstream_jwt is misconfigured", "{}", gateway.name);
        assert_ne!(stream.outcome().standing, Standing::Forwarded);
    }
}

#[test]
fn the_originals_variables_feed_the_key() {
    for gateway in Gateway::both() {
        let gateway = gateway.with(|profile| {
            profile
                .environment("KONG_SSL_CERT_KEY", KEY)
                .environment("KONG_SSL_CERT_DER", CERTIFICATE)
        });
        let proxy = gateway.start(&[("upstream_jwt", json!({"x5c": true}))]);
        let token = token(&gateway, &proxy.send(Request::get("/")));
        assert_eq!(token.header()["x5c"].as_array().map(Vec::len), Some(1), "{}", gateway.name);
    }
}

#[test]
fn a_wrong_signature_of_the_host_is_replaced_by_the_filters_own() {
    let gateway = Gateway::envoy();
    let proxy = start(&gateway, json!({}));
    proxy.foreign_function("sign", |_| Some(b"\x08\x01\x12\x03abc".to_vec()));
    proxy.foreign_function("verify_signature", |_| Some(b"\x08\x01".to_vec()));
    token(&gateway, &proxy.send(Request::get("/")));
}

#[test]
fn the_header_and_the_word_before_the_token_are_the_operators() {
    for gateway in Gateway::all() {
        for (more, name, prefix) in [
            (json!({}), "authorization", "Bearer "),
            (json!({"include_bearer": false}), "authorization", ""),
            (json!({"header": "JWT"}), "jwt", "Bearer "),
            (json!({"header": "X-Api-Token", "include_bearer": false}), "x-api-token", ""),
        ] {
            let proxy = start(&gateway, more);
            let request =
                Request::get("/").header("Authorization", "forged").header("JWT", "forged");
            let stream = proxy.send(request.header("X-Api-Token", "forged"));
            let all = stream.forwarded().headers_named(name);
            let token = all[0].strip_prefix(prefix).expect("the prefix");
            assert_eq!(all.len(), 1, "{}: {all:?}", gateway.name);
            assert!(token.starts_with("eyJ"), "{}: {token}", gateway.name);
            // The filter leaves headers of other names alone.
            for other in ["authorization", "jwt", "x-api-token"].iter().filter(|n| **n != name) {
                assert_eq!(stream.forwarded().headers_named(other), ["forged"], "{}", gateway.name);
            }
        }
    }
}

#[test]
fn every_claim_has_its_own_switch_and_exp_of_zero_is_none() {
    for gateway in Gateway::both() {
        let now = start(&gateway, json!({})).now_ms() / 1000;
        for (more, expected) in [
            (json!({}), json!({"exp": now + 60})),
            (json!({"exp": 0}), json!({})),
            (json!({"exp": 86_400}), json!({"exp": now + 86_400})),
            (json!({"exp": 0, "iat": true}), json!({"iat": now})),
            (json!({"exp": 0, "issuer": "me"}), json!({"iss": "me"})),
            (json!({"exp": 0, "nbf": true}), json!({"nbf": now})),
            (
                json!({"exp": 1, "issuer": "me", "iat": true}),
                json!({"iss": "me", "iat": now, "exp": now + 1}),
            ),
        ] {
            let stream = start(&gateway, more.clone()).send(Request::get("/"));
            let expected = merged(json!({"kong": {}}), expected);
            assert_eq!(claims(&gateway, &stream), expected, "{}: {more}", gateway.name);
        }
        for exp in [json!(-1), json!(86_401), json!("60")] {
            let stated = gateway.clone().with(|profile| {
                let host = if gateway.is_kong() { "kong" } else { "envoy" };
                profile.environment("GATEHOUSE_HOST", host)
            });
            let proxy = start(&stated, json!({ "exp": exp }));
            if gateway.is_kong() {
                let stream = proxy.send(Request::get("/"));
                assert_eq!(message(&stream.refused()), "upstream_jwt is misconfigured");
            } else {
                assert!(proxy.rejected().is_some_and(|log| log.contains("exp: found")), "{exp}");
            }
        }
    }
}

#[test]
fn a_certificate_goes_into_the_header_only_when_asked_for() {
    for gateway in Gateway::both() {
        let header = |more: Value| {
            let proxy = start(&gateway, merged(json!({"public_key": CERTIFICATE}), more));
            token(&gateway, &proxy.send(Request::get("/"))).header().clone()
        };
        assert_eq!(header(json!({})).get("x5c"), None, "{}", gateway.name);
        let der: String = CERTIFICATE.lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(header(json!({"x5c": true}))["x5c"], json!([der]), "{}", gateway.name);
        let legacy = header(json!({"x5c": true, "x5c_legacy": true}));
        let whole = jose::base64url::encode(CERTIFICATE);
        assert_eq!(legacy["x5c"], json!([whole]), "{}", gateway.name);
    }
}

#[test]
fn an_entity_that_is_not_there_is_an_empty_object_and_no_audience() {
    let lists = json!({
        "consumer": ["id"], "credentials": ["*"], "route": ["name"], "service": ["*"], "aud": true,
    });
    let empty = json!({"consumer": {}, "credentials": {}, "route": {}, "service": {}});
    let kong = Gateway::kong();
    let proxy = start(&kong, lists.clone());
    // A route without name and without service: Kong then has no such properties.
    let mut request =
        Request::get("/").property("kong.router.route", r#"{"id":"r1","paths":["/"]}"#);
    for property in ["route_name", "service_id", "service_name", "router.service"] {
        request = request.property(&format!("kong.{property}"), "");
    }
    let found = claims(&kong, &proxy.send(request));
    assert_eq!((&found["kong"], found.get("aud")), (&empty, None));
    // A service without name, and without the entity's other members.
    let service = r#"{"id":"s1","name":null,"port":80}"#;
    let request = Request::get("/").property("kong.router.service", service);
    let found = claims(&kong, &proxy.send(request.property("kong.service_name", "")));
    assert_eq!(found.get("aud"), None);
    assert_eq!(found["kong"]["service"]["id"], "s1");
    // Absent lists leave no claim, not even an empty object.
    let bare = claims(&kong, &start(&kong, json!({})).send(Request::get("/")));
    assert_eq!(bare["kong"], json!({}));

    let envoy = Gateway::envoy().with(|profile| profile.route_name(None).cluster_name(None));
    let found = claims(&envoy, &start(&envoy, lists).send(Request::get("/")));
    assert_eq!((&found["kong"], found.get("aud")), (&empty, None));
}

#[test]
fn two_configurations_in_one_vm_sign_with_their_own_keys() {
    let other = include_str!("../../../filters/upstream-jwt/test-keys/other.pem");
    for gateway in Gateway::both() {
        let first = start(&gateway, json!({}));
        let settings = settings(&gateway, json!({"private_key": other}));
        let second = first.route([gateway.filter("upstream_jwt", settings)]);
        for _ in 0..2 {
            token(&gateway, &first.send(Request::get("/")));
            let header = second.send(Request::get("/")).forwarded().header("authorization");
            let text = header.expect("a token");
            let text = text.strip_prefix("Bearer ").expect("a bearer token");
            let token = Token::parse(text.as_bytes()).expect("a token");
            let key =
                |pem| VerifyingKey::from_pem(pem, Algorithms::ALL, Policy::REMOTE).expect("a key");
            let certificate = include_str!("../../../filters/upstream-jwt/test-keys/other.crt");
            key(certificate).verify(&token, &InWasm).expect("the other key's signature");
            assert!(key(CERTIFICATE).verify(&token, &InWasm).is_err(), "{}", gateway.name);
        }
    }
}
