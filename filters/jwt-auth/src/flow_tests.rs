use super::*;
use crate::config::tests::config;
use crate::credential::{Holder, Material, credential};
use crate::tables::{by_key, discovery, key_set};
use consumer::PROPERTY;
use consumer::lookup::{self, By};
use consumer::testing::Driver;
use consumer::{Guard, Identity, Known, Owned};
use exchange::{Finding, Unavailable};
use exchange::{Head, Key, Then, testing};
use jose::{Algorithm, InWasm, SigningKey};
use serde_json::json;
use settings::Common;
use uuid::Uuid;

#[path = "flow_tests/credentials.rs"]
mod credentials;
#[path = "flow_tests/providers.rs"]
mod providers;

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

    /// The name of the place of the first provider's keys.
    fn place(&self) -> &str {
        &self.config.providers[0].place().unwrap().name
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
    let Step { then: Then::Reply(Reply { status, body, headers, .. }), .. } = step else {
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
