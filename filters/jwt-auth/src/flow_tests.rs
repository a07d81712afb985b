use super::*;
use crate::config::tests::config;
use crate::credential::{Holder, Material, credential};
use crate::tables::{by_key, discovery, key_set};
use consumer::lookup::{self, By};
use consumer::testing::Driver;
use consumer::{Guard, Known, Owned};
use exchange::{Finding, Unavailable};
use exchange::{Head, Key, Then, testing};
use jose::{Algorithm, InWasm, SigningKey};
use serde_json::json;
use settings::Common;
use uuid::Uuid;

/// A token with the claims `{"iss":"adokey","name":"ado"}`, signed by HS256 with `supersecret`.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhZG9rZXkiLCJuYW1lIjoiYWRvIn0.lEzPj2hbGAeHXCCB7rnS-LKgCZZBp2ykEIOkNtczFcU";
/// A token with these claims, signed with the base64-decoded `supersecret`, as jwt.io can do.
const DECODED_SECRET: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhZG9rZXkiLCJuYW1lIjoiYWRvIn0.t86wrSIeBCBSRsJhsR6qRNPoiZo_dE5D_ZDMazL-o6M";
const INLINE: &str = r#""consumers":[
    {"id":"1","username":"ado","jwt_secrets":[{"id":"j","key":"adokey","secret":"supersecret"}]},
    {"id":"9","username":"guests"}]"#;
const NOW: u64 = 1_000;

/// A filter with settings, and the flow of its last request.
struct Filter {
    config: Rc<Config>,
    driver: Driver,
}

impl Filter {
    fn new(config: Rc<Config>, backend: Option<Rc<dyn Backend>>) -> Self {
        let of_driver = Rc::clone(&config);
        let driver = Driver::new(&config.common, move |request| {
            JwtFlow::start(Rc::clone(&of_driver), backend.clone(), request)
        });
        Self { config, driver }
    }

    /// The filter with the settings and the memory of another one.
    fn again(&self) -> Self {
        Self::new(Rc::clone(&self.config), Some(Rc::new(InWasm)))
    }

    fn send(&mut self, request: Request) -> Step {
        self.driver.send(request)
    }

    fn on(&mut self, event: Event) -> Step {
        self.driver.on(event)
    }
}

fn flow(json: &str) -> Filter {
    Filter::new(Rc::new(config(&format!("{{{json}}}"))), Some(Rc::new(InWasm)))
}

fn inline(more: &str) -> Filter {
    flow(&format!("{INLINE}{more}"))
}

fn asking(more: &str) -> Filter {
    flow(&format!(r#""admin":{{"upstream":"admin"}}{more}"#))
}

/// A provider whose set is at `https://idp/jwks`.
fn provided(more: &str) -> Filter {
    flow(&format!(
        r#""providers":[{{"name":"idp","issuer":"https://idp/","jwks_uri":"https://idp/jwks","upstream":{{"upstream":"idp"}}{more}}}]"#
    ))
}

fn request(target: &str, headers: &[(&str, &str)]) -> Request {
    Request { now: NOW * 1000, can_remove: true, ..testing::request("GET", target, headers) }
}

fn bearing(flow: &mut Filter, token: &str) -> Step {
    flow.send(request("/", &[("authorization", &format!("Bearer {token}"))]))
}

fn found(flow: &mut Filter, value: impl Into<Vec<u8>>) -> Step {
    flow.on(Event::Found(Ok(Finding::Value(value.into()))))
}

fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let header = key.header(&header.to_string()).unwrap();
    let mut random = rand();
    key.sign(&header, &claims.to_string(), &InWasm, &mut random).unwrap()
}

fn rand() -> impl FnMut(&mut [u8]) {
    let mut n = 1_u8;
    move |out: &mut [u8]| {
        for byte in out {
            n = n.wrapping_mul(5).wrapping_add(7);
            *byte = n;
        }
    }
}

fn hs256(claims: &Value) -> String {
    let key = SigningKey::from_secret(b"supersecret", Algorithm::Hs256).unwrap();
    signed(&key, &json!({"alg": "HS256"}), claims)
}

/// Makes a token without a valid signature.
fn unsigned(header: &str, claims: &str) -> String {
    let encode = jose::base64url::encode;
    format!("{}.{}.AAAA", encode(header), encode(claims))
}

struct Refusal {
    status: u16,
    body: String,
    challenge: Option<String>,
}

fn refusal(step: &Step) -> Refusal {
    let Step { then: Then::Reply(Reply { status, body, headers }), .. } = step else {
        panic!("{step:?}")
    };
    let body = match body {
        Body::Message(text) => json!({ "message": text }).to_string(),
        Body::Raw(_, bytes) => String::from_utf8(bytes.clone()).unwrap(),
        Body::Error(text) => text.to_string(),
        Body::Empty => String::new(),
    };
    let challenge = headers.iter().find(|(name, _)| name == "www-authenticate");
    let challenge = challenge.map(|(_, value)| String::from_utf8(value.clone()).unwrap());
    Refusal { status: *status, body, challenge }
}

#[track_caller]
fn refused(step: &Step, message: &str) {
    let Refusal { status, body, challenge } = refusal(step);
    assert_eq!((status, body), (401, json!({ "message": message }).to_string()));
    assert_eq!(challenge.as_deref(), Some(r#"Bearer error="invalid_token""#), "{message}");
}

fn forwarded(step: &Step) -> &[Edit] {
    match step {
        Step { edits, then: Then::Forward } => edits,
        Step { then: Then::Reply(reply), .. } => panic!("{reply:?}"),
        other => panic!("{other:?}"),
    }
}

fn published(step: &Step, name: &str) -> Option<Value> {
    forwarded(step).iter().find_map(|edit| match edit {
        Edit::Publish(property, value) if *property == name => serde_json::from_slice(value).ok(),
        _ => None,
    })
}

/// Returns the value that a step sets under this name.
fn header(step: &Step, name: &str) -> Option<&'static str> {
    let owned = Rc::new(Owned::identity());
    let (common, head) = (Common::default(), Head::default());
    let mut guard = Guard::new(owned, &common, &head, Known::Nobody, true).unwrap();
    let edits = guard.settle(&head, forwarded(step).to_vec()).unwrap();
    edits.into_iter().find_map(|edit| match edit {
        Edit::Set(set, value) if set == name => Some(&*String::from_utf8(value).unwrap().leak()),
        _ => None,
    })
}

// === The answers of Kong's plugin ===

#[test]
fn a_credentials_token_passes_in_header_and_query() {
    for request in [
        request("/", &[("authorization", &format!("Bearer {TOKEN}"))]),
        request(&format!("/?jwt={TOKEN}"), &[]),
    ] {
        let step = inline("").send(request);
        for (name, value) in [
            ("x-consumer-id", "1"),
            ("x-consumer-username", "ado"),
            ("x-credential-identifier", "adokey"),
        ] {
            assert_eq!(header(&step, name), Some(value));
        }
        assert_eq!(
            published(&step, PROPERTY).unwrap()["credential"],
            json!({"id": "j", "type": "jwt", "identifier": "adokey"})
        );
        assert_eq!(published(&step, CLAIMS), Some(json!({"iss": "adokey", "name": "ado"})));
    }
}

#[test]
fn a_token_signed_with_the_decoded_secret_passes_where_secrets_are_base64() {
    let base64 = r#","secret_is_base64":true"#;
    for request in [
        request("/", &[("authorization", &format!("Bearer {DECODED_SECRET}"))]),
        request(&format!("/?jwt={DECODED_SECRET}"), &[]),
    ] {
        let step = inline(base64).send(request);
        assert_eq!(header(&step, "x-credential-identifier"), Some("adokey"));
    }
    refused(&bearing(&mut inline(""), DECODED_SECRET), "Invalid signature");
    refused(&bearing(&mut inline(base64), TOKEN), "Invalid signature");
}

#[test]
fn no_token_several_tokens_or_a_flag_get_kongs_answers() {
    let step = inline("").send(request("/", &[]));
    let Refusal { status, body, challenge } = refusal(&step);
    assert_eq!((status, body.as_str()), (401, r#"{"message":"Unauthorized"}"#));
    assert_eq!(challenge.as_deref(), Some("Bearer"));
    let realm = inline(r#","realm":"r""#).send(request("/", &[]));
    assert_eq!(refusal(&realm).challenge.as_deref(), Some(r#"Bearer realm="r""#));
    let two = format!("/?jwt={TOKEN}&jwt=a.b.c");
    refused(&inline("").send(request(&two, &[])), "Multiple tokens provided");
    refused(&inline("").send(request("/?jwt", &[])), "Unrecognizable token");
    let step = inline(r#","realm":"r""#).send(request("/?jwt", &[]));
    let expected = r#"Bearer realm="r", error="invalid_token""#;
    assert_eq!(refusal(&step).challenge.as_deref(), Some(expected));
}

#[test]
fn a_malformed_token_gets_kongs_answer() {
    let good = r#"{"alg":"HS256"}"#;
    for (token, message) in [
        ("a.b".to_owned(), "Bad token; invalid JSON"),
        ("a.b.c".into(), "Bad token; invalid JSON"),
        (unsigned("{", "{}"), "Bad token; invalid JSON"),
        (unsigned(good, "{"), "Bad token; invalid JSON"),
        (unsigned(r#"{"alg":"HS256","alg":"HS256"}"#, "{}"), "Bad token; invalid JSON"),
        (unsigned(good, r#"{"iss":"a","iss":"adokey"}"#), "Bad token; invalid JSON"),
        (format!("{TOKEN}\u{e4}"), "Bad token; invalid signature"),
        ("x".repeat(70_000), "Bad token; invalid JSON"),
        (unsigned("{}", "{}"), "Bad token; invalid alg"),
        (unsigned(r#"{"alg":1}"#, "{}"), "Bad token; invalid alg"),
        (unsigned(r#"{"alg":"none"}"#, "{}"), "Bad token; invalid alg"),
        (unsigned(r#"{"alg":"hs256"}"#, "{}"), "Bad token; invalid alg"),
        (unsigned(r#"{"alg":"foo"}"#, "{}"), "Bad token; invalid alg"),
        (unsigned(good, "false"), "Bad token; invalid claims"),
        (format!("{TOKEN}.x"), "Bad token; invalid signature"),
        (format!("{TOKEN}="), "Bad token; invalid signature"),
        (unsigned(r#"{"alg":"HS256","crit":["x"]}"#, "{}"), "Bad token; unsupported crit"),
        (unsigned(r#"{"alg":"HS256","kid":1}"#, "{}"), "Bad token; invalid kid"),
    ] {
        refused(&bearing(&mut inline(""), &token), message);
    }
}

#[test]
fn the_key_claim_is_required_and_has_precedence_over_the_header() {
    let key = SigningKey::from_secret(b"supersecret", Algorithm::Hs256).unwrap();
    for (claims, message) in [
        (json!({}), "No mandatory 'iss' in claims"),
        (json!({"iss": false}), "No mandatory 'iss' in claims"),
        (json!({"iss": ""}), "Invalid 'iss' in claims"),
        (json!({"iss": "nobody"}), "No credentials found for given 'iss'"),
    ] {
        refused(&bearing(&mut inline(""), &hs256(&claims)), message);
    }
    // The claims come first, then the header.
    let by_kid = r#","key_claim_name":"kid""#;
    let in_header = signed(&key, &json!({"alg": "HS256", "kid": "adokey"}), &json!({}));
    forwarded(&bearing(&mut inline(by_kid), &in_header));
    let other = json!({"kid": "nobody"});
    let both = signed(&key, &json!({"alg": "HS256", "kid": "adokey"}), &other);
    refused(&bearing(&mut inline(by_kid), &both), "No credentials found for given 'kid'");
    refused(&bearing(&mut inline(by_kid), TOKEN), "No mandatory 'kid' in claims");
}

#[test]
fn a_wrong_algorithm_key_or_signature_gets_kongs_answer() {
    let claims = json!({"iss": "adokey"});
    let hs512 = SigningKey::from_secret(b"supersecret", Algorithm::Hs512).unwrap();
    let token = signed(&hs512, &json!({"alg": "HS512"}), &claims);
    refused(&bearing(&mut inline(""), &token), "Invalid algorithm");
    let other = SigningKey::from_secret(b"other", Algorithm::Hs256).unwrap();
    let token = signed(&other, &json!({"alg": "HS256"}), &claims);
    refused(&bearing(&mut inline(""), &token), "Invalid signature");
    // A key that cannot be used comes from an admin service that does not check.
    for (algorithm, secret, base64) in
        [("HS256", None, ""), ("HS256", Some("a b"), r#","secret_is_base64":true"#)]
    {
        let mut flow = asking(base64);
        assert_eq!(bearing(&mut flow, TOKEN), Step::find(by_key("adokey")));
        refused(&found(&mut flow, holder(algorithm, secret, None)), "Invalid key/secret");
    }
    let es256 = pem("es256", Algorithm::Es256);
    let token = signed(&es256, &json!({"alg": "ES256"}), &claims);
    let mut flow = asking("");
    bearing(&mut flow, &token);
    refused(&found(&mut flow, holder("ES256", None, None)), "Invalid key/secret");
}

#[test]
fn times_are_checked_when_asked_for_and_all_faults_are_told() {
    let both = r#","claims_to_verify":["exp","nbf"]"#;
    for (more, claims, expected) in [
        (both, json!({}), r#"{"exp":"must be a number","nbf":"must be a number"}"#),
        (both, json!({"exp": NOW, "nbf": 0}), r#"{"exp":"token expired"}"#),
        (both, json!({"exp": NOW + 1, "nbf": NOW + 1}), r#"{"nbf":"token not valid yet"}"#),
        (
            r#","claims_to_verify":["exp"],"maximum_expiration":300"#,
            json!({"exp": NOW + 301}),
            r#"{"exp":"exceeds maximum allowed expiration"}"#,
        ),
    ] {
        let mut claims = claims;
        claims["iss"] = json!("adokey");
        let step = bearing(&mut inline(more), &hs256(&claims));
        let Refusal { status, body, challenge } = refusal(&step);
        assert_eq!((status, body.as_str()), (401, expected));
        assert_eq!(challenge.as_deref(), Some(r#"Bearer error="invalid_token""#));
    }
    let ended = json!({"iss": "adokey", "exp": 1, "nbf": NOW + 1});
    forwarded(&bearing(&mut inline(""), &hs256(&ended)));
    let fine = json!({"iss": "adokey", "exp": NOW + 1, "nbf": NOW});
    forwarded(&bearing(&mut inline(both), &hs256(&fine)));
}

#[test]
fn an_anonymous_consumer_that_does_not_exist_is_an_error() {
    let mut flow = asking(r#","anonymous":"nobody""#);
    let username = lookup::key(By::Username, "nobody");
    assert_eq!(flow.send(request("/", &[])), Step::find(username));
    let Refusal { status, body, .. } = refusal(&flow.on(Event::Found(Ok(Finding::Nothing))));
    let expected = "anonymous consumer nobody is configured but doesn't exist";
    assert_eq!((status, body.as_str()), (500, expected));
}

// === Requests that Kong's plugin answers with 500 ===

#[test]
fn tokens_that_kongs_plugin_answers_with_500_are_unauthorized() {
    for (token, message) in [
        (hs256(&json!({"iss": 123})), "Invalid 'iss' in claims"),
        (hs256(&json!({"iss": true})), "Invalid 'iss' in claims"),
        (hs256(&json!({"iss": ["adokey"]})), "Invalid 'iss' in claims"),
        (hs256(&json!({"iss": null})), "Invalid 'iss' in claims"),
        (unsigned("null", "{}"), "Bad token; invalid alg"),
        (unsigned("1", "{}"), "Bad token; invalid alg"),
        (unsigned(r#""text""#, "{}"), "Bad token; invalid alg"),
        (unsigned(r#"{"alg":"HS256"}"#, "null"), "Bad token; invalid claims"),
        (unsigned(r#"{"alg":"HS256"}"#, "1"), "Bad token; invalid claims"),
        (unsigned(r#"{"alg":"HS256"}"#, "[]"), "Bad token; invalid claims"),
    ] {
        refused(&bearing(&mut inline(""), &token), message);
    }
}

#[test]
fn a_signature_of_the_wrong_length_is_a_wrong_signature() {
    for (name, algorithm) in
        [("es256", "ES256"), ("es384", "ES384"), ("es512", "ES512"), ("rsa3072", "PS256")]
    {
        for signature in ["", "AAAA", &"A".repeat(172)] {
            let header = format!(r#"{{"alg":"{algorithm}"}}"#);
            let encode = |text: &str| jose::base64url::encode(text);
            let token = format!("{}.{}.{signature}", encode(&header), encode(r#"{"iss":"k"}"#));
            refused(&bearing(&mut credentialed(name, algorithm), &token), "Invalid signature");
        }
    }
}

// === Keys of credentials ===

#[test]
fn every_algorithm_verifies_with_its_key_and_with_no_other_message() {
    for (name, algorithm) in [
        ("rsa2048", "RS256"),
        ("rsa2048", "RS384"),
        ("rsa2048", "RS512"),
        ("rsa2048", "PS256"),
        ("rsa3072", "PS384"),
        ("rsa3072", "PS512"),
        ("es256", "ES256"),
        ("es384", "ES384"),
        ("es512", "ES512"),
        ("ed25519", "EdDSA"),
    ] {
        let key = pem(name, Algorithm::parse(algorithm).unwrap());
        let token = signed(&key, &json!({"alg": algorithm}), &json!({"iss": "k"}));
        let mut first = credentialed(name, algorithm);
        let step = bearing(&mut first, &token);
        assert_eq!(header(&step, "x-credential-identifier"), Some("k"), "{algorithm}");
        // The second time it comes from the memory. Any other token does not.
        let again = |token: &str| bearing(&mut first.again(), token);
        forwarded(&again(&token));
        let (input, signature) = token.rsplit_once('.').unwrap();
        let other = jose::base64url::encode(json!({"iss": "k", "admin": true}).to_string());
        let head = input.split('.').next().unwrap();
        refused(&again(&format!("{head}.{other}.{signature}")), "Invalid signature");
    }
}

#[test]
fn a_public_key_is_never_a_secret() {
    // The attack: HS256 with the text of the public key for a secret.
    let text = std::fs::read_to_string("src/keys/rsa2048.pub.pem").unwrap();
    let key = SigningKey::from_secret(text.as_bytes(), Algorithm::Hs256).unwrap();
    let token = signed(&key, &json!({"alg": "HS256"}), &json!({"iss": "k"}));
    refused(&bearing(&mut credentialed("rsa2048", "RS256"), &token), "Invalid algorithm");
}

#[test]
fn keys_in_the_header_of_a_token_are_not_looked_at() {
    let key = SigningKey::from_secret(b"mine", Algorithm::Hs256).unwrap();
    let header = json!({"alg": "HS256", "jku": "https://evil/", "x5u": "https://evil/",
        "jwk": {"kty": "oct", "k": "bWluZQ"}});
    let token = signed(&key, &header, &json!({"iss": "adokey"}));
    refused(&bearing(&mut inline(""), &token), "Invalid signature");
}

#[test]
fn a_secret_in_base64_is_decoded_first() {
    let auth0 = "aFGFzo9dRvT_jkw5ghisfnP_48NaBrovcJsq0M550eJnzujeb8Jr2tREoNePO1yQ";
    let bytes = jose::base64url::decode(auth0).unwrap();
    let key = SigningKey::from_secret(&bytes, Algorithm::Hs256).unwrap();
    let token = signed(&key, &json!({"alg": "HS256"}), &json!({"iss": "https://ado.auth0.com/"}));
    let json = |base64| {
        format!(
            r#""secret_is_base64":{base64},"consumers":[{{"username":"auth0","jwt_secrets":[{{"key":"https://ado.auth0.com/","secret":"{auth0}"}}]}}]"#
        )
    };
    forwarded(&bearing(&mut flow(&json(true)), &token));
    refused(&bearing(&mut flow(&json(false)), &token), "Invalid signature");
    let mut asked = asking(r#","secret_is_base64":true"#);
    let step = bearing(&mut asked, &token);
    assert_eq!(step, Step::find(by_key("https://ado.auth0.com/")));
    forwarded(&found(&mut asked, holder("HS256", Some(auth0), None)));
}

#[test]
fn a_failed_lookup_is_not_a_failed_authentication() {
    for more in ["", r#","anonymous":"guests""#] {
        let mut flow = asking(more);
        bearing(&mut flow, TOKEN);
        assert_eq!(refusal(&flow.on(Event::Found(Err(Unavailable)))).status, 503);
        let mut flow = asking(more);
        bearing(&mut flow, TOKEN);
        assert_eq!(refusal(&found(&mut flow, *b"odd")).status, 503);
    }
    let mut flow = asking("");
    bearing(&mut flow, TOKEN);
    let nothing = flow.on(Event::Found(Ok(Finding::Nothing)));
    refused(&nothing, "No credentials found for given 'iss'");
}

/// RFC 9864 names what RFC 8037 left to the key.
#[test]
fn both_names_of_ed25519_are_one_algorithm_in_tokens_credentials_and_providers() {
    let key = pem("ed25519", Algorithm::EdDsa);
    for in_token in ["EdDSA", "Ed25519"] {
        let token = signed(&key, &json!({"alg": in_token}), &json!({"iss": "k"}));
        for in_credential in ["EdDSA", "Ed25519"] {
            forwarded(&bearing(&mut credentialed("ed25519", in_credential), &token));
        }
        let claims = json!({"iss": "https://idp/", "sub": "u", "exp": NOW + 60});
        let token = signed(&key, &json!({"alg": in_token, "kid": KID}), &claims);
        for listed in ["", r#","algorithms":["Ed25519"]"#, r#","algorithms":["EdDSA"]"#] {
            let mut flow = provided(listed);
            bearing(&mut flow, &token);
            forwarded(&found(&mut flow, jwks(&[("ed25519", KID)])));
        }
    }
}

/// Kong/kong#13356: Kong 3.9 takes them.
#[test]
fn a_token_with_padding_passes_only_where_that_is_asked_for() {
    let header = jose::base64url::encode(r#"{"alg":"HS256"}"#);
    let claims = jose::base64url::encode(r#"{"iss":"adokey","a":11}"#);
    let padding = "=".repeat((4 - claims.len() % 4) % 4);
    assert_ne!(padding, "");
    let input = format!("{header}.{claims}{padding}");
    // Signed as it is sent, padding and all.
    let parts: Vec<u8> = input.clone().into_bytes();
    let tag = hmac_sha256(b"supersecret", &parts);
    let signature = jose::base64url::encode(tag);
    let lenient = r#","accept_padding":true"#;
    for end in ["", "="] {
        let token = format!("{input}.{signature}{end}");
        refused(&bearing(&mut inline(""), &token), "Bad token; invalid JSON");
        forwarded(&bearing(&mut inline(lenient), &token));
    }
    let without = format!("{header}.{claims}.{signature}");
    refused(&bearing(&mut inline(lenient), &without), "Invalid signature");
    forwarded(&bearing(&mut inline(lenient), TOKEN));
    refused(
        &bearing(&mut inline(lenient), &format!("{input}=.{signature}")),
        "Bad token; invalid JSON",
    );
}

fn hmac_sha256(secret: &[u8], message: &[u8]) -> [u8; 32] {
    let block = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(secret).for_each(|(out, byte)| *out ^= byte);
        block.to_vec()
    };
    let inner = jose::hash::sha256(&[block(0x36), message.to_vec()].concat());
    jose::hash::sha256(&[block(0x5c), inner.to_vec()].concat())
}

#[test]
fn a_short_secret_of_the_admin_service_is_no_key_where_strong_ones_are_asked_for() {
    let strict = r#","require_strong_secrets":true"#;
    for (more, passes) in [("", true), (strict, false)] {
        let mut flow = asking(more);
        bearing(&mut flow, TOKEN);
        let step = found(&mut flow, holder("HS256", Some("supersecret"), None));
        match passes {
            true => drop(forwarded(&step)),
            false => refused(&step, "Invalid key/secret"),
        }
    }
}

#[test]
fn a_token_that_has_ended_is_not_taken_from_memory() {
    let key = pem("es256", Algorithm::Es256);
    let claims = json!({"iss": "k", "exp": NOW + 1});
    let token = signed(&key, &json!({"alg": "ES256"}), &claims);
    let first = &mut credentialed("es256", "ES256");
    forwarded(&bearing(first, &token));
    let digest = jose::hash::sha256(token.as_bytes());
    let parsed = Token::parse(token.as_bytes()).unwrap();
    let bearer = Bearer { digest, token: parsed };
    let print = first.config.holders["k"].material.usable().print;
    let config = Rc::clone(&first.config);
    let first = JwtFlow { config, backend: None, state: State::Decided };
    assert!(first.remembers(&bearer, &print, NOW));
    assert!(!first.remembers(&bearer, &print, NOW + 1));
    assert!(!first.remembers(&bearer, &[0; 32], NOW), "another key");
}

#[test]
fn without_the_demanded_backend_nothing_passes() {
    let config = Rc::new(config(&format!("{{{INLINE}}}")));
    let step = bearing(&mut Filter::new(config, None), TOKEN);
    assert_eq!(refusal(&step).status, 500);
}

// === Anonymous, and, or ===

#[test]
fn the_anonymous_consumer_stands_in_for_every_failure() {
    for anonymous in ["guests", "9"] {
        let more = format!(r#","anonymous":"{anonymous}""#);
        for target in ["/", "/?jwt=x", "/?jwt", "/?jwt=a&jwt=b"] {
            let step = inline(&more).send(request(target, &[]));
            assert_eq!(header(&step, "x-anonymous-consumer"), Some("true"), "{target}");
            assert_eq!(published(&step, PROPERTY).unwrap()["anonymous"], json!(true));
            assert_eq!(published(&step, CLAIMS), None);
        }
        forwarded(&bearing(&mut inline(&more), TOKEN));
    }
}

#[test]
fn an_earlier_authentication_counts_with_an_anonymous_consumer_only() {
    let known = || Request {
        consumer: Some(br#"{"id":"7","credential":{"id":"c"}}"#.to_vec()),
        ..request("/", &[])
    };
    let step = inline(r#","anonymous":"guests""#).send(known());
    assert_eq!(step, Step::forward(vec![]));
    assert_eq!(refusal(&inline("").send(known())).status, 401);
}

#[test]
fn preflights_pass_where_they_are_not_to_be_authenticated() {
    let options = || Request { method: b"OPTIONS".to_vec(), ..request("/", &[]) };
    let step = inline(r#","run_on_preflight":false"#).send(options());
    assert_eq!(step, Step::forward(vec![]));
    assert_eq!(refusal(&inline("").send(options())).status, 401);
}

#[test]
fn hidden_tokens_go_no_further() {
    let fields = [("authorization", &*format!("Bearer {TOKEN}"))];
    let target = format!("/?a=1&jwt={TOKEN}");
    let step = inline(r#","hide_credentials":true"#).send(request(&target, &fields));
    let edits = forwarded(&step);
    assert!(edits.contains(&Edit::Query(b"a=1".to_vec())));
    assert!(edits.contains(&Edit::remove("authorization")));
    let step = inline("").send(request(&target, &fields));
    assert!(!forwarded(&step).iter().any(|edit| matches!(edit, Edit::Query(_))));
    // A request is refused if the second copy cannot be removed.
    let twice = [fields[0], ("authorization", "x")];
    let kong = Request { can_remove: false, ..request("/", &twice) };
    assert_eq!(refusal(&inline(r#","hide_credentials":true"#).send(kong)).status, 400);
}

// === Providers ===

const KID: &str = "key-1";

fn jwks(names: &[(&str, &str)]) -> String {
    let keys: Vec<Value> = names
        .iter()
        .map(|(name, kid)| {
            let algorithm = algorithm_of(name);
            let key = pem(name, algorithm).with_key_id(Some((*kid).to_owned()));
            Value::Object(key.verifying().to_jwk().unwrap())
        })
        .collect();
    json!({ "keys": keys }).to_string()
}

fn algorithm_of(name: &str) -> Algorithm {
    match name {
        "es256" => Algorithm::Es256,
        "ed25519" => Algorithm::EdDsa,
        _ => Algorithm::Rs256,
    }
}

fn issued(name: &str, kid: Option<&str>, claims: Value) -> String {
    let algorithm = algorithm_of(name);
    let mut all = json!({"iss": "https://idp/", "sub": "user|1", "exp": NOW + 60});
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    let mut header = json!({"alg": algorithm.name()});
    if let Some(kid) = kid {
        header["kid"] = json!(kid);
    }
    signed(&pem(name, algorithm), &header, &all)
}

fn set_key() -> Key {
    key_set(0, "/jwks")
}

#[test]
fn a_providers_token_makes_a_virtual_consumer() {
    let mut flow = provided("");
    let step = bearing(&mut flow, &issued("es256", Some(KID), json!({})));
    assert_eq!(step, Step::find(set_key()));
    let step = found(&mut flow, jwks(&[("rsa2048", "other"), ("es256", KID)]));
    assert_eq!(header(&step, "x-consumer-username"), Some("idp:user|1"));
    let id = header(&step, "x-consumer-id").unwrap();
    let issuer = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"https://idp/");
    assert_eq!(id, Uuid::new_v5(&issuer, b"user|1").to_string());
    assert_eq!(published(&step, CLAIMS).unwrap()["sub"], "user|1");
    // A moment later nothing is looked up, and no signature computed.
    forwarded(&bearing(&mut flow.again(), &issued("es256", Some(KID), json!({}))));
}

#[test]
fn an_unknown_key_is_looked_for_once_in_a_newer_set() {
    let token = issued("es256", Some("new"), json!({}));
    let mut flow = provided("");
    bearing(&mut flow, &token);
    let step = found(&mut flow, jwks(&[("es256", KID)]));
    assert_eq!(step, Step::find_newer(set_key(), (NOW - 10) * 1000));
    forwarded(&found(&mut flow, jwks(&[("es256", "new")])));
    let mut flow = provided("");
    bearing(&mut flow, &token);
    found(&mut flow, jwks(&[("es256", KID)]));
    let step = found(&mut flow, jwks(&[("es256", KID)]));
    refused(&step, "No key found for the token");
}

#[test]
fn a_wrong_signature_under_a_known_key_is_not_looked_for_elsewhere() {
    let mut flow = provided("");
    let token = issued("es256", Some(KID), json!({}));
    let forged = token.replace(token.rsplit_once('.').unwrap().1, &"A".repeat(86));
    bearing(&mut flow, &forged);
    refused(&found(&mut flow, jwks(&[("es256", KID)])), "Invalid signature");
    // Without a name any key may be a new one.
    let mut flow = provided("");
    bearing(&mut flow, &issued("rsa3072", None, json!({})));
    let step = found(&mut flow, jwks(&[("rsa2048", KID)]));
    assert!(matches!(step, Step { then: Then::Find { not_before: 1.., .. }, .. }), "{step:?}");
}

#[test]
fn a_set_that_cannot_be_fetched_is_no_verdict_on_the_token() {
    let mut flow = provided("");
    bearing(&mut flow, &issued("es256", Some(KID), json!({})));
    assert_eq!(refusal(&flow.on(Event::Found(Err(Unavailable)))).status, 503);
}

#[test]
fn the_set_is_at_the_path_that_discovery_names() {
    let mut flow = flow(
        r#""providers":[{"name":"idp","issuer":"https://idp/","oidc_discovery_uri":"https://idp/.well-known/openid-configuration","upstream":{"upstream":"idp"}}]"#,
    );
    let step = bearing(&mut flow, &issued("es256", Some(KID), json!({})));
    assert_eq!(step, Step::find(discovery(0)));
    let step = found(&mut flow, *b"/keys");
    assert_eq!(step, Step::find(key_set(0, "/keys")));
    forwarded(&found(&mut flow, jwks(&[("es256", KID)])));
}

#[test]
fn a_providers_claims_are_checked_with_its_clock() {
    let required = r#","audiences":["api","other"]"#;
    for (claims, expected) in [
        (json!({"exp": NOW - 59, "aud": "api"}), None),
        (json!({"exp": NOW - 60, "aud": "api"}), Some(r#"{"exp":"token expired"}"#)),
        (json!({"exp": null, "aud": "api"}), Some(r#"{"exp":"must be a number"}"#)),
        (json!({"nbf": NOW + 61, "aud": "api"}), Some(r#"{"nbf":"token not valid yet"}"#)),
        (json!({"aud": ["x", "other"]}), None),
        (json!({"aud": "x"}), Some(r#"{"message":"Invalid 'aud' in claims"}"#)),
        (json!({}), Some(r#"{"message":"Invalid 'aud' in claims"}"#)),
        (json!({"aud": "api", "sub": 5}), Some(r#"{"message":"Invalid 'sub' in claims"}"#)),
        (json!({"aud": "api", "sub": ""}), Some(r#"{"message":"Invalid 'sub' in claims"}"#)),
    ] {
        let mut flow = provided(required);
        bearing(&mut flow, &issued("es256", Some(KID), claims.clone()));
        let step = found(&mut flow, jwks(&[("es256", KID)]));
        match expected {
            None => {
                forwarded(&step);
            }
            Some(body) => assert_eq!(refusal(&step).body, body, "{claims}"),
        }
    }
}

#[test]
fn only_the_providers_algorithms_will_do() {
    let mut flow = provided(r#","algorithms":["RS256"]"#);
    refused(&bearing(&mut flow, &issued("es256", Some(KID), json!({}))), "Invalid algorithm");
    let mut flow = provided("");
    let hs256 = hs256(&json!({"iss": "https://idp/", "sub": "x", "exp": NOW + 5}));
    refused(&bearing(&mut flow, &hs256), "Invalid algorithm");
}

/// A provider whose tokens name a consumer, with consumers in the settings or at the admin service.
fn naming(consumers: &str, by: &str) -> Filter {
    flow(&format!(
        r#"{consumers},"providers":[{{"name":"idp","issuer":"https://idp/","jwks_uri":"https://idp/jwks",
            "upstream":{{"upstream":"idp"}},"consumer_claim":"azp"{by}}}]"#
    ))
}

/// Returns the step after a good token whose `azp` is `name`.
fn named(flow: &mut Filter, name: &str) -> Step {
    bearing(flow, &issued("es256", Some(KID), json!({ "azp": name })));
    found(flow, jwks(&[("es256", KID)]))
}

const BY: [(&str, By); 3] = [
    (r#","consumer_by":"id""#, By::Id),
    (r#","consumer_by":"username""#, By::Username),
    ("", By::CustomId),
];

#[test]
fn a_claim_names_a_consumer_by_one_kind_of_name_only_and_by_its_custom_id_unless_said_otherwise() {
    const ANA: &str = "0aa00000-0000-4000-8000-00000000000f";
    let consumers = format!(
        r#""consumers":[{{"id":"{ANA}","username":"ana","custom_id":"c9"}},
            {{"id":"2","username":"c9","custom_id":"{ANA}"}},{{"id":"3","username":"{ANA}","custom_id":"ana"}}]"#
    );
    let upper = ANA.to_uppercase();
    for (by, name, expected) in [
        (BY[0].0, ANA, Some(ANA)),
        (BY[0].0, &upper, Some(ANA)),
        (BY[0].0, "ana", None),
        (BY[0].0, "c9", None),
        (BY[1].0, "ana", Some(ANA)),
        (BY[1].0, "c9", Some("2")),
        (BY[1].0, ANA, Some("3")),
        (BY[1].0, "2", None),
        ("", "c9", Some(ANA)),
        ("", ANA, Some("2")),
        ("", "ana", Some("3")),
        ("", "3", None),
    ] {
        let step = named(&mut naming(&consumers, by), name);
        match expected {
            Some(id) => assert_eq!(header(&step, "x-consumer-id"), Some(id), "{by} {name}"),
            None => assert_eq!(refusal(&step).status, 401, "{by} {name}"),
        }
    }
}

#[test]
fn a_consumer_at_the_admin_service_is_kept_by_id_whatever_the_token_calls_it() {
    let admin = r#""admin":{"upstream":"admin"}"#;
    let ado = Identity {
        id: "1".into(),
        username: Some("ado".into()),
        custom_id: Some("ado".into()),
        ..Identity::default()
    };
    for (by, kind) in BY {
        let mut flow = naming(admin, by);
        let name = if kind == By::Id { "1" } else { "ado" };
        let mut step = named(&mut flow, name);
        if kind != By::Id {
            assert_eq!(step, Step::find(lookup::key(kind, "ado")));
            step = found(&mut flow, "1");
        }
        assert_eq!(step, Step::find(lookup::key(By::Id, "1")));
        let step = found(&mut flow, ado.to_json());
        assert_eq!(header(&step, "x-consumer-id"), Some("1"));
        assert_eq!(header(&step, "x-credential-identifier"), Some(&*format!("idp:{name}")));
    }
    // Meanwhile the consumer has another name.
    let mut flow = naming(admin, "");
    named(&mut flow, "old");
    found(&mut flow, "1");
    let step = found(&mut flow, ado.to_json());
    assert_eq!(step, Step::find_newer(lookup::key(By::Id, "1"), NOW * 1000));
    assert_eq!(refusal(&found(&mut flow, ado.to_json())).status, 401);
    let mut flow = naming(admin, "");
    named(&mut flow, "ado");
    assert_eq!(refusal(&flow.on(Event::Found(Err(Unavailable)))).status, 503);
}

#[test]
fn a_claim_that_names_nobody_is_refused_without_a_challenge() {
    let consumer = r#","consumer_claim":"azp""#;
    let mut flow = provided(consumer);
    bearing(&mut flow, &issued("es256", Some(KID), json!({"azp": "ado"})));
    let step = found(&mut flow, jwks(&[("es256", KID)]));
    let Refusal { status, body, challenge } = refusal(&step);
    let expected = r#"{"message":"Could not find consumer for 'azp=ado'"}"#;
    assert_eq!((status, body.as_str(), challenge), (401, expected, None));
}

#[test]
fn claims_go_into_headers_that_no_client_can_forge() {
    let more = r#","claims_to_headers":[{"claim":"realm.roles","header":"X-Roles"},{"claim":"name","header":"X-Name"}],"forward_payload_header":"X-Payload""#;
    let forged = |token: &str| {
        request(
            "/",
            &[
                ("authorization", &format!("Bearer {token}")),
                ("x-roles", "admin"),
                ("X_Name", "root"),
                ("x-payload", "e30"),
            ],
        )
    };
    let token = issued("es256", Some(KID), json!({"realm": {"roles": ["a", "b"]}}));
    let mut flow = provided(more);
    flow.send(forged(&token));
    let step = found(&mut flow, jwks(&[("es256", KID)]));
    assert_eq!(header(&step, "x-roles"), Some("a,b"));
    assert_eq!(header(&step, "x-name"), None);
    let payload = token.split('.').nth(1);
    assert_eq!(header(&step, "x-payload"), payload);
}

#[test]
fn an_inline_set_needs_no_lookup() {
    let set = jwks(&[("es256", KID)]).replace('"', r#"\""#);
    let json = format!(r#""providers":[{{"name":"idp","issuer":"https://idp/","jwks":"{set}"}}]"#);
    let mut known = flow(&json);
    forwarded(&bearing(&mut known, &issued("es256", Some(KID), json!({}))));
    let step = bearing(&mut flow(&json), &issued("es256", Some("other"), json!({})));
    refused(&step, "No key found for the token");
}

#[test]
fn an_event_out_of_order_is_a_refusal() {
    let mut late = inline("");
    bearing(&mut late, TOKEN);
    assert_eq!(refusal(&late.on(Event::Found(Ok(Finding::Nothing)))).status, 500);
    let mut asked = asking("");
    bearing(&mut asked, TOKEN);
    assert_eq!(refusal(&asked.on(Event::Body(Ok(vec![])))).status, 500);
}

// === Helpers ===

fn pem(name: &str, algorithm: Algorithm) -> SigningKey {
    let text = std::fs::read_to_string(format!("src/keys/{name}.pem")).unwrap();
    SigningKey::from_pem(&text, algorithm).unwrap()
}

fn credentialed(name: &str, algorithm: &str) -> Filter {
    let text = std::fs::read_to_string(format!("src/keys/{name}.pub.pem")).unwrap();
    let secret = json!({"key": "k", "algorithm": algorithm, "rsa_public_key": text});
    flow(&format!(r#""consumers":[{{"username":"a","jwt_secrets":[{secret}]}}]"#))
}

fn holder(algorithm: &str, secret: Option<&str>, public_key: Option<&str>) -> Vec<u8> {
    let identity = Identity {
        id: "1".into(),
        credential: Some(credential("j", "adokey")),
        ..Identity::default()
    };
    let text = |text: &str| text.to_owned();
    let material = Material {
        algorithm: algorithm.to_owned(),
        secret: secret.map(text),
        public_key: public_key.map(text),
        base64: false,
    };
    Holder { identity, material }.encode()
}
