use super::*;
use crate::mint::Mint;
use jose::{InWasm, Token};
use serde_json::json;

pub(crate) const RSA: &str = include_str!("../test-keys/rsa.pem");
const RSA_PKCS1: &str = include_str!("../test-keys/rsa-pkcs1.pem");
const CERTIFICATE: &str = include_str!("../test-keys/rsa.crt");
const CHAIN: &str = include_str!("../test-keys/chain.crt");
const PUBLIC: &str = include_str!("../test-keys/rsa.pub");
const OTHER: &str = include_str!("../test-keys/other.pem");
const OTHER_CERTIFICATE: &str = include_str!("../test-keys/other.crt");
const EC: &str = include_str!("../test-keys/ec.pem");
const ED25519: &str = include_str!("../test-keys/ed25519.pem");

type Variables = &'static [(&'static str, &'static str)];

fn read(settings: &Value, variables: Variables) -> Result<Config, settings::Invalid> {
    let env = |name: &str| {
        variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    };
    settings::read(settings.to_string().as_bytes(), &env, Config::read)
}

/// Returns settings with a key, and with these members.
pub(crate) fn with_key(more: Value) -> Value {
    let mut settings = json!({"private_key": RSA});
    settings.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    settings
}

pub(crate) fn config(more: Value) -> Config {
    read(&with_key(more), &[]).unwrap()
}

/// Returns a mint that signs in this module.
pub(crate) fn mint(more: Value) -> Mint {
    let mint = Mint::new(config(more));
    mint.sign_with(|| Some(Box::new(InWasm)));
    mint
}

#[track_caller]
fn problem(settings: &Value, variables: Variables) -> (String, String) {
    let error = read(settings, variables).unwrap_err();
    let first = &error.problems()[0];
    assert!(!error.to_string().contains("MII"), "a key was printed: {error}");
    (first.path.clone(), first.message.clone())
}

fn header(config: &Config) -> Value {
    let keys = config.keys.as_ref().unwrap();
    let token =
        keys.key.sign(&keys.header, "{}", &InWasm, &mut |out: &mut [u8]| out.fill(7)).unwrap();
    Value::Object(Token::parse(token.as_bytes()).unwrap().header().clone())
}

#[test]
fn omitted_settings_get_the_originals_defaults() {
    let config = config(json!({}));
    assert_eq!(
        (config.header.as_str(), config.include_bearer, config.exp),
        ("Authorization", true, 60)
    );
    assert!(!config.aud && !config.iat && !config.jti && !config.body_hash && !config.query_hash);
    assert!(config.consumer.is_empty() && config.route.is_empty() && config.issuer.is_none());
    assert_eq!(header(&config), json!({"typ": "JWT", "alg": "RS256"}));
}

#[test]
fn the_originals_own_settings_are_read() {
    let settings = json!({
        "issuer": "Issuer", "private_key_location": "env://KEY", "public_key_location": "env://CERT",
        "key_id": "keyId", "header": "Authorization", "include_bearer": true, "exp": 60,
        "consumer": ["id", "name"], "credentials": ["key"], "route": ["id", "name"],
        "service": ["id", "name"], "x5c": false, "aud": false, "iat": false, "jti": false,
        "body_hash": false, "query_hash": false,
    });
    let config = read(&settings, &[("KEY", RSA), ("CERT", CERTIFICATE)]).unwrap();
    assert_eq!(
        (config.issuer.as_deref(), config.consumer),
        (Some("Issuer"), vec!["id".into(), "name".into()])
    );
}

#[test]
fn a_key_comes_inline_from_a_named_variable_or_from_the_originals() {
    for (settings, variables) in [
        (json!({"private_key": RSA}), &[][..]),
        (json!({"private_key": RSA_PKCS1}), &[]),
        (json!({"private_key_env": "K"}), &[("K", RSA)]),
        (json!({"private_key_location": "env://K"}), &[("K", RSA)]),
        (json!({}), &[("KONG_SSL_CERT_KEY", RSA)]),
        // The settings have precedence over the environment.
        (json!({"private_key": RSA}), &[("KONG_SSL_CERT_KEY", "/etc/kong/tls.key")]),
    ] {
        let config = read(&settings, variables).unwrap();
        assert_eq!(header(&config)["alg"], "RS256");
    }
}

#[test]
fn a_file_is_refused_with_the_way_to_feed_it() {
    for setting in ["private_key_location", "public_key_location"] {
        let (path, message) =
            problem(&with_key(json!({setting: "/home/kong/ssl/private.key"})), &[]);
        assert_eq!(path, setting);
        for part in ["/home/kong/ssl/private.key", "env://NAME", "private_key", "inline-keys"] {
            assert!(message.contains(part), "{message}");
        }
    }
    let (path, message) = problem(&json!({}), &[("KONG_SSL_CERT_KEY", "/etc/kong/tls.key")]);
    assert_eq!(path, "private_key");
    assert!(message.contains("KONG_SSL_CERT_KEY"), "{message}");
}

#[test]
fn settings_that_cannot_work_are_refused_by_path() {
    let bad_pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
    for (more, expected) in [
        (json!({"private_key": "no key"}), "private_key"),
        (json!({"private_key": bad_pem}), "private_key"),
        (json!({"private_key_env": "K"}), "private_key"),
        (json!({"private_key": null, "private_key_env": "K"}), "private_key_env"),
        (json!({"private_key": null, "private_key_location": "env://K"}), "private_key_location"),
        (json!({"private_key_location": "env://BIG"}), "private_key_location"),
        (json!({"private_key": EC}), "private_key"),
        (json!({"algorithm": "ES256"}), "private_key"),
        (json!({"algorithm": "none"}), "algorithm"),
        (json!({"algorithm": "HS256"}), "algorithm"),
        (json!({"public_key": OTHER_CERTIFICATE}), "public_key"),
        (json!({"public_key": bad_pem}), "public_key"),
        (json!({"x5c": true}), "x5c"),
        (json!({"x5c": true, "public_key": PUBLIC}), "x5c"),
        (json!({"x5c_legacy": true}), "x5c_legacy"),
        (json!({"x5c": true, "x5c_legacy": true}), "x5c"),
        (json!({"exp": -1}), "exp"),
        (json!({"exp": 86_401}), "exp"),
        (json!({"exp": 0.5}), "exp"),
        (json!({"header": "a b"}), "header"),
        (json!({"header": "Host"}), "header"),
        (json!({"header": "content_length"}), "header"),
        (json!({"header": "X-Consumer-ID"}), "header"),
        (json!({"claims": {"iss": "x"}}), "claims.iss"),
        (json!({"claims": {"kong": {}}}), "claims.kong"),
        (json!({"aud": true, "claims": {"aud": "x"}}), "claims.aud"),
        (json!({"headers_to_claims": {"X-A": "sub"}}), "headers_to_claims.X-A"),
        (json!({"headers_to_claims": {"X-A": "aud"}}), "headers_to_claims.X-A"),
        (json!({"headers_to_claims": {"X-A": "kong"}}), "headers_to_claims.X-A"),
        (json!({"headers_to_claims": {"X-A": "exp"}}), "headers_to_claims.X-A"),
        (json!({"headers_to_claims": {"X-A": "a", "X-B": "a"}}), "headers_to_claims.X-B"),
        (json!({"headers_to_claims": {"X A": "a"}}), "headers_to_claims.X A"),
        (json!({"headers_to_claims": {"X-A": "a"}, "claims": {"a": 1}}), "headers_to_claims.X-A"),
        (json!({"claims_from_token": ["jti"]}), "claims_from_token[0]"),
        (json!({"claims_from_token": ["aud"]}), "claims_from_token[0]"),
        (json!({"claims_from_token": ["a", "a"]}), "claims_from_token[1]"),
        (json!({"jwks_path": "jwks"}), "jwks_path"),
        (json!({"jwks_path": "/jwks?x"}), "jwks_path"),
        (json!({"crypto": "gpu"}), "crypto"),
        (json!({"private_key": null, "private_keys": []}), "private_key"),
        (json!({"unknown": 1}), "unknown"),
    ] {
        let (path, message) = problem(&with_key(more.clone()), &[]);
        assert_eq!(path, expected, "{more}: {message}");
    }
}

#[test]
fn each_algorithm_signs_with_its_kind_of_key() {
    for (algorithm, key) in [
        ("RS256", RSA),
        ("RS384", RSA),
        ("RS512", RSA_PKCS1),
        ("PS256", RSA),
        ("ES256", EC),
        ("EdDSA", ED25519),
    ] {
        let config = config(json!({"algorithm": algorithm, "private_key": key}));
        assert_eq!(header(&config)["alg"], algorithm);
    }
}

#[test]
fn the_header_has_the_originals_members_in_its_order() {
    let settings = with_key(json!({"key_id": "key-id-001", "x5c": true, "public_key": CHAIN}));
    let config = read(&settings, &[]).unwrap();
    let keys = config.keys.as_ref().unwrap();
    let token =
        keys.key.sign(&keys.header, "{}", &InWasm, &mut |out: &mut [u8]| out.fill(7)).unwrap();
    let text = jose::base64url::decode(token.split('.').next().unwrap()).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.starts_with(r#"{"typ":"JWT","alg":"RS256","kid":"key-id-001","x5c":["MII"#),
        "{text}"
    );
    // RFC 7515 section 4.1.6: the whole chain in base64 of DER, the signer's certificate first.
    let x5c = header(&config)["x5c"].clone();
    let body = |pem: &str| pem.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    assert_eq!(x5c, json!([body(CERTIFICATE), body(OTHER_CERTIFICATE)]));
}

#[test]
fn the_originals_x5c_is_base64url_of_the_whole_file() {
    let config = config(json!({"x5c": true, "x5c_legacy": true, "public_key": CERTIFICATE}));
    assert_eq!(header(&config)["x5c"], json!([jose::base64url::encode(CERTIFICATE)]));
}

#[test]
fn the_originals_variable_gives_the_certificate_too() {
    let variables: Variables = &[("KONG_SSL_CERT_KEY", RSA), ("KONG_SSL_CERT_DER", CERTIFICATE)];
    let config = read(&json!({"x5c": true}), variables).unwrap();
    assert_eq!(header(&config)["x5c"].as_array().unwrap().len(), 1);
    let foreign: Variables =
        &[("KONG_SSL_CERT_KEY", RSA), ("KONG_SSL_CERT_DER", OTHER_CERTIFICATE)];
    assert_eq!(problem(&json!({"x5c": true}), foreign).0, "KONG_SSL_CERT_DER");
}

#[test]
fn one_key_of_a_list_signs_and_all_are_published() {
    let settings = json!({"private_keys": [
        {"key_id": "old", "public_key": OTHER_CERTIFICATE},
        {"key_id": "now", "private_key_env": "NOW", "active": true},
        {"key_id": "next", "private_key": EC, "algorithm": "ES256"},
    ]});
    let config = read(&settings, &[("NOW", RSA)]).unwrap();
    assert_eq!(header(&config)["kid"], "now");
    let jwks: Value = serde_json::from_str(&config.keys.unwrap().jwks).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    let names: Vec<_> = keys.iter().map(|key| (&key["kid"], &key["alg"], &key["kty"])).collect();
    assert_eq!(
        names,
        [
            (&json!("old"), &json!("RS256"), &json!("RSA")),
            (&json!("now"), &json!("RS256"), &json!("RSA")),
            (&json!("next"), &json!("ES256"), &json!("EC")),
        ]
    );
    assert!(keys.iter().all(|key| key.get("d").is_none() && key.get("p").is_none()));
}

#[test]
fn a_list_of_keys_has_one_active_one_and_names_for_all() {
    let entry =
        |id: &str, active: bool| json!({"key_id": id, "private_key": OTHER, "active": active});
    for (list, path) in [
        (json!([entry("a", false)]), "private_keys"),
        (json!([entry("a", true), entry("b", true)]), "private_keys"),
        (json!([entry("a", true), entry("a", false)]), "private_keys[1].key_id"),
        (json!([{"private_key": OTHER, "active": true}]), "private_keys[0].key_id"),
        (json!([entry("a", true), {"key_id": "b"}]), "private_keys[1]"),
        (
            json!([{"key_id": "a", "public_key": CERTIFICATE, "active": true}]),
            "private_keys[0].private_key",
        ),
        (
            json!([{"key_id": "a", "private_key_location": "/a.key", "active": true}]),
            "private_keys[0].private_key_location",
        ),
    ] {
        assert_eq!(problem(&json!({"private_keys": list}), &[]).0, path);
    }
    let outside = with_key(json!({"private_keys": [entry("a", true)]}));
    assert_eq!(problem(&outside, &[]).0, "private_keys");
}

#[test]
fn no_message_shows_a_key_that_stands_where_its_place_belongs() {
    for key in [RSA, "MIIEvgIBADANBg", "env://MIIEvgIBADANBg", "env://-----BEGIN"] {
        for setting in ["private_key_location", "public_key_location", "private_key_env"] {
            let message = problem(&json!({setting: key}), &[]).1;
            assert!(!message.contains("MII") && !message.contains("BEGIN"), "{setting}: {message}");
        }
    }
}

#[test]
fn no_settings_show_a_key() {
    assert!(!format!("{:?}", mint(json!({"public_key": CERTIFICATE}))).contains("MII"));
}
