//! Upstream tokens on a real Envoy, verified by an independent library (PyJWT with `cryptography`).

use serde_json::{Value, json};
use wasm_tests::python;
use wasm_tests::real::{Echo, Filter, Message, Proxy, RawRequest, Setup};

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../filters/upstream-jwt/test-keys/");

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{KEYS}{name}")).expect("a test key")
}

/// Verifies a token with PyJWT and returns `{"header":...,"claims":...}`. `keys` is a JWK Set, a
/// PEM public key or certificate, or empty for the certificate in the token's own `x5c`.
#[track_caller]
fn independently(token: &str, keys: &str) -> Value {
    python("verify_token.py", &json!({"token": token, "keys": keys}))
}

struct Gateway {
    envoy: Proxy,
    echo: Echo,
}

impl Gateway {
    #[track_caller]
    fn start(settings: Value) -> Self {
        Self::with(vec![filter(settings)])
    }

    #[track_caller]
    fn with(filters: Vec<Filter>) -> Self {
        let echo = Echo::start();
        let envoy = Proxy::start(&Setup::new(echo.address(), filters));
        Self { envoy, echo }
    }

    #[track_caller]
    fn passed(&self, request: &RawRequest) -> Message {
        let answer = self.envoy.send(request);
        assert_eq!(answer.status(), 200, "{}\n{}", answer.text(), self.envoy.log());
        self.echo.last()
    }

    /// The token that reached the upstream.
    #[track_caller]
    fn token(&self, request: &RawRequest) -> String {
        let header = self.passed(request).header("authorization").expect("a token");
        header.strip_prefix("Bearer ").expect("a bearer token").to_owned()
    }

    #[track_caller]
    fn claims(&self, request: &RawRequest) -> Value {
        independently(&self.token(request), &file("rsa.crt"))["claims"].clone()
    }
}

fn filter(settings: Value) -> Filter {
    let mut all = json!({"private_key": file("rsa.pem"), "allow_on_headers_stop_iteration": true});
    all.as_object_mut()
        .expect("an object")
        .extend(settings.as_object().cloned().unwrap_or_default());
    Filter::new("upstream_jwt", &all).holding_headers(true)
}

#[test]
fn another_library_accepts_tokens_of_each_algorithm_whoever_signed_them() {
    for crypto in ["auto", "wasm"] {
        for (algorithm, key) in [
            ("RS256", "rsa.pem"),
            ("RS384", "rsa.pem"),
            ("RS512", "rsa-pkcs1.pem"),
            ("PS256", "rsa.pem"),
            ("ES256", "ec.pem"),
            ("EdDSA", "ed25519.pem"),
        ] {
            let gateway = Gateway::start(json!({
                "algorithm": algorithm, "private_key": file(key), "crypto": crypto, "key_id": "k1",
                "issuer": "gateway", "iat": true, "nbf": true, "jti": true, "jwks_path": "/keys",
            }));
            let keys = gateway.envoy.send(&RawRequest::get("/keys"));
            assert_eq!(keys.header("content-type").as_deref(), Some("application/jwk-set+json"));
            assert_eq!(keys.header("cache-control").as_deref(), Some("public, max-age=300"));
            let read = independently(&gateway.token(&RawRequest::get("/")), &keys.text());
            assert_eq!(read["header"], json!({"typ": "JWT", "alg": algorithm, "kid": "k1"}));
            let claims = &read["claims"];
            assert_eq!((&claims["iss"], &claims["kong"]), (&json!("gateway"), &json!({})));
            assert_eq!(claims["exp"].as_u64(), claims["iat"].as_u64().map(|iat| iat + 60));
            assert_eq!(claims["nbf"], claims["iat"]);
        }
    }
}

#[test]
fn a_certificate_in_the_token_is_one_that_another_library_reads() {
    let gateway = Gateway::start(json!({"x5c": true, "public_key": file("chain.crt")}));
    let token = gateway.token(&RawRequest::get("/"));
    let read = independently(&token, "");
    assert_eq!(read["header"]["x5c"].as_array().map(Vec::len), Some(2));
}

#[test]
fn body_and_query_are_hashed_as_the_upstream_gets_them() {
    let gateway = Gateway::start(json!({"body_hash": true, "query_hash": true}));
    let large = "x".repeat(200_000);
    for (request, sent) in [
        (RawRequest::get("/"), ""),
        (RawRequest::get("/?"), ""),
        (
            RawRequest::get("/?msg=hello%20world&bla=&bar")
                .header("authorization", "Bearer forged"),
            "",
        ),
        (RawRequest::post("/a%20b?x=%41", "hello"), "hello"),
        (RawRequest::post("/", large.as_str()), large.as_str()),
    ] {
        let claims = gateway.claims(&request);
        let received = gateway.echo.last();
        assert_eq!(received.text(), sent);
        let query = received.path().split_once('?').map_or("", |(_, query)| query).to_owned();
        let hash = |text: &str| {
            if text.is_empty() { String::new() } else { jose::hash::sha256_hex(text.as_bytes()) }
        };
        let expected = json!({"request": {"bodyhash": hash(sent), "queryhash": hash(&query)}});
        assert_eq!(claims["kong"], expected, "{}", received.path());
    }
}

#[test]
fn a_body_beyond_the_buffer_is_refused() {
    let gateway = Gateway::start(json!({"body_hash": true}));
    let answer = gateway.envoy.send(&RawRequest::post("/", "x".repeat(3 << 20)));
    assert_eq!((answer.status(), gateway.echo.count()), (413, 0));
}

#[test]
fn a_clients_own_value_of_the_header_does_not_arrive() {
    let gateway = Gateway::start(json!({"header": "X-Api-Token", "include_bearer": false}));
    let mut request = RawRequest::get("/");
    for name in ["X-Api-Token", "x-api-token", "X_Api_Token", "x-api_token"] {
        request = request.header(name, "forged");
    }
    let received = gateway.passed(&request);
    let text: Vec<String> = received
        .headers
        .iter()
        .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        .collect();
    assert!(!text.iter().any(|value| value.contains("forged")), "{text:?}");
    independently(&received.header("x-api-token").expect("a token"), &file("rsa.crt"));
}

#[test]
fn a_token_says_who_calls_over_which_route_and_to_which_service() {
    let key_auth = json!({"hide_credentials": true, "expose_key": true, "consumers": [{
        "id": "e96dcb71", "username": "Company A", "keyauth_credentials": [{"id": "c1", "key": "right"}]}]});
    let ours = filter(json!({
        "consumer": ["id", "username"], "credentials": ["key"], "route": ["name"], "aud": true,
        "service": ["*"], "service_entity": {"id": "d0395ad5"}, "query_hash": true,
    }));
    let gateway = Gateway::with(vec![Filter::new("key_auth", &key_auth), ours]);
    let claims = gateway.claims(&RawRequest::get("/?apikey=right&a=b"));
    assert_eq!(claims["aud"], "upstream");
    assert_eq!(
        claims["kong"],
        json!({
            "request": {"queryhash": jose::hash::sha256_hex(b"a=b")},
            "consumer": {"username": "Company A", "id": "e96dcb71"},
            "credentials": {"key": "right"},
            "route": {"name": "everything"},
            "service": {"name": "upstream", "id": "d0395ad5"},
        })
    );
}

#[test]
fn keys_come_from_the_gateways_environment() {
    let settings = json!({"private_key_location": "env://UPSTREAM_KEY"});
    let filter =
        Filter::new("upstream_jwt", &settings).environment("UPSTREAM_KEY", &file("rsa.pem"));
    Gateway::with(vec![filter]).claims(&RawRequest::get("/"));
}

#[test]
fn two_configurations_sign_with_their_own_keys() {
    let echo = Echo::start();
    let other = filter(json!({"private_key": file("other.pem")}));
    let setup = Setup::new(echo.address(), vec![filter(json!({}))]).listener("other", vec![other]);
    let envoy = Proxy::start(&setup);
    for (listener, certificate) in [("main", "rsa.crt"), ("other", "other.crt")] {
        RawRequest::get("/").send(envoy.address(listener));
        let header = echo.last().header("authorization").expect("a token");
        independently(header.strip_prefix("Bearer ").expect("a bearer token"), &file(certificate));
    }
}

#[test]
fn a_configuration_without_a_usable_key_is_rejected_with_the_way_out() {
    for (settings, expected) in [
        (json!({"private_key_location": "/etc/ssl/private.key"}), "env://NAME"),
        (json!({}), "KONG_SSL_CERT_KEY"),
        (
            json!({"private_key": file("rsa.pem"), "body_hash": true}),
            "allow_on_headers_stop_iteration",
        ),
    ] {
        let setup =
            Setup::new(Echo::start().address(), vec![Filter::new("upstream_jwt", &settings)]);
        let log = Proxy::try_start(&setup).err().expect("a refusal");
        assert!(log.contains(expected) && !log.contains("MII"), "{log}");
    }
}

#[test]
fn every_claim_has_its_own_switch_and_an_absent_entity_is_an_empty_object() {
    let now = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.expect("a clock after 1970").as_secs()
    };
    let begun = now();
    let cases = [
        ("exp0", json!({"exp": 0}), json!({"kong": {}})),
        ("iss", json!({"exp": 0, "issuer": "me"}), json!({"iss": "me", "kong": {}})),
        (
            "entities",
            json!({"exp": 0, "consumer": ["*"], "credentials": ["*"], "route": ["paths"]}),
            json!({"kong": {"consumer": {}, "credentials": {}, "route": {}}}),
        ),
        ("iat", json!({"exp": 0, "iat": true}), json!({"iat": true, "kong": {}})),
        ("nbf", json!({"exp": 0, "nbf": true}), json!({"nbf": true, "kong": {}})),
        ("long", json!({"exp": 86_400}), json!({"exp": true, "kong": {}})),
    ];
    let echo = Echo::start();
    let mut setup = Setup::new(echo.address(), Vec::new());
    for (name, settings, _) in &cases {
        setup = setup.listener(name, vec![filter(settings.clone())]);
    }
    let envoy = Proxy::start(&setup);
    for (name, _, expected) in cases {
        RawRequest::get("/").send(envoy.address(name));
        let header = echo.last().header("authorization").expect("a token");
        let token = header.strip_prefix("Bearer ").expect("a bearer token").to_owned();
        let mut claims = independently(&token, &file("rsa.crt"))["claims"].clone();
        // Times are compared with the clock, and everything else byte for byte.
        for (claim, later) in [("iat", 0), ("nbf", 0), ("exp", 86_400)] {
            if let Some(time) = claims.get(claim).and_then(Value::as_u64) {
                claims[claim] = json!((begun + later..=now() + later).contains(&time));
            }
        }
        assert_eq!(claims, expected, "{name}");
    }
    for exp in [json!(-1), json!(86_401)] {
        let setup = Setup::new(echo.address(), vec![filter(json!({ "exp": exp }))]);
        let log = Proxy::try_start(&setup).err().expect("a refusal");
        assert!(log.contains("exp: found"), "{log}");
    }
}
