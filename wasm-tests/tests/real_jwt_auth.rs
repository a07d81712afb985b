//! JSON Web Tokens on a real Envoy, with credentials in gatehouse-admin and with identity
//! providers.

/// The answers of Kong's plugin, and the requests on which it fails. The pretend gateways share
/// them.
#[path = "filters/jwt_auth/rows.rs"]
mod rows;

use jose::{Algorithm, SigningKey};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use wasm_tests::merged;
use wasm_tests::real::{
    Answer, Echo, FaultyServer, Filter, Gateway, Message, Mode, Proxy, RawRequest, Setup,
    eventually,
};
use wasm_tests::tokens::{self, PRINTED, SEED};

const RSA: &str = include_str!("../../filters/jwt-auth/src/keys/rsa3072.pem");
const EC: &str = include_str!("../../filters/jwt-auth/src/keys/es256.pem");

fn bearing(token: &str) -> RawRequest {
    RawRequest::get("/").bearer(token)
}

#[test]
fn the_requirement_documents_token_passes_while_its_credential_exists() {
    let gateway = Gateway::start(|admin| {
        let settings = json!({"admin": admin, "hide_credentials": true});
        vec![Filter::new("jwt_auth", &settings)]
    });
    assert_eq!(gateway.send(&bearing(SEED)).status(), 401);
    gateway.admin.create("/consumers", &json!({"username": "Ado", "custom_id": "ado"}));
    let credential = json!({"key": "adokey", "secret": "supersecret"});
    gateway.admin.create("/consumers/ado/jwt", &credential);
    eventually("a token that passes", || {
        (gateway.send(&bearing(SEED)).status() == 200).then_some(())
    });

    let received = gateway.passed(&bearing(SEED));
    assert_eq!(received.header("x-credential-identifier").as_deref(), Some("adokey"));
    assert_eq!(received.header("x-consumer-username").as_deref(), Some("Ado"));
    assert_eq!(received.header("authorization"), None);
    let received = gateway.passed(&RawRequest::get(format!("/a?b=c&jwt={SEED}")));
    assert_eq!(received.path(), "/a?b=c");
    let refused = gateway.send(&bearing(PRINTED));
    assert_eq!((refused.status(), &refused.json()["message"]), (401, &json!("Invalid signature")));

    gateway.admin.delete("/consumers/ado/jwt/adokey");
    eventually("a refusal", || (gateway.send(&bearing(SEED)).status() == 401).then_some(()));
}

#[test]
fn a_revocation_at_the_real_admin_service_counts_under_every_name_of_a_consumer() {
    let signer = key(EC, "ec");
    let issuer = |by: &str| format!("https://{by}/");
    let provider = |by: &str| {
        json!({
            "name": by, "issuer": issuer(by), "jwks": set(&[&signer]), "consumer_claim": "who",
            "consumer_by": by,
        })
    };
    let providers: Vec<Value> = ["id", "username", "custom_id"].map(provider).into();
    let gateway = Gateway::start(|admin| {
        let groups = json!({"add": {"headers": ["X-Groups:$(consumer.groups or 'none')"]}});
        vec![
            Filter::new("jwt_auth", &json!({"admin": admin, "providers": providers})),
            Filter::new("request_transformer", &groups),
        ]
    });
    let request = |by: &str, name: &str| {
        let claims = json!({"iss": issuer(by), "sub": "u", "exp": 99_999_999_999_u64, "who": name});
        bearing(&signed(&signer, &claims))
    };
    let body = json!({"username": "ana", "custom_id": "c9"});
    let ana = gateway.admin.create("/consumers", &body)["id"].as_str().expect("an id").to_owned();
    let upper = ana.to_uppercase();
    gateway.admin.create("/consumers/ana/acls", &json!({"group": "gold"}));
    let names = [("id", ana.as_str()), ("id", &upper), ("username", "ana"), ("custom_id", "c9")];
    let all: Vec<RawRequest> = names.map(|(by, name)| request(by, name)).into();
    gateway.settle(&all);
    let groups = |request: &RawRequest| {
        let received = gateway.passed(request);
        assert_eq!(received.header("x-consumer-id").as_deref(), Some(ana.as_str()));
        received.header("x-groups").expect("a header")
    };
    for request in &all {
        assert_eq!(groups(request), "gold");
    }
    gateway.admin.delete("/consumers/ana/acls/gold");
    for request in &all {
        eventually("the end of the group", || (groups(request) == "none").then_some(()));
    }
    // The consumer gets another name, and another consumer gets the old one.
    let body = json!({"username": "bea", "custom_id": "c10"}).to_string();
    let renamed = RawRequest::new("PATCH", "/consumers/ana")
        .header("content-type", "application/json")
        .body(body);
    assert_eq!(gateway.admin.send(renamed).status(), 200);
    for (by, name) in [("username", "ana"), ("custom_id", "c9")] {
        eventually("the end of the name", || {
            (gateway.send(&request(by, name)).status() == 401).then_some(())
        });
    }
    let heir = gateway.admin.create("/consumers", &json!({"username": "ana", "custom_id": "c9"}));
    for (by, name) in [("username", "ana"), ("custom_id", "c9")] {
        eventually("the heir of the name", || {
            let answer = gateway.send(&request(by, name));
            (answer.status() == 200).then_some(())
        });
        let received = gateway.passed(&request(by, name));
        assert_eq!(received.header("x-consumer-id").as_deref(), heir["id"].as_str());
    }
    gateway.admin.delete(&format!("/consumers/{ana}"));
    for (by, name) in
        [("id", ana.as_str()), ("id", &upper), ("username", "bea"), ("custom_id", "c10")]
    {
        eventually("the end of the consumer", || {
            (gateway.send(&request(by, name)).status() == 401).then_some(())
        });
    }
}

/// An identity provider, and a gateway that trusts it.
struct Provided {
    keys: Arc<Mutex<String>>,
    provider: FaultyServer,
    envoy: Proxy,
    echo: Echo,
}

fn key(pem: &str, kid: &str) -> SigningKey {
    let algorithm = if pem == EC { Algorithm::Es256 } else { Algorithm::Rs256 };
    let key = SigningKey::from_pem(pem, algorithm).expect("a key");
    key.with_key_id(Some(kid.to_owned()))
}

fn set(keys: &[&SigningKey]) -> String {
    let keys: Vec<Value> =
        keys.iter().map(|key| key.verifying().to_jwk().expect("a public key").into()).collect();
    json!({ "keys": keys }).to_string()
}

fn token(key: &SigningKey) -> String {
    signed(key, &json!({"iss": "https://idp/", "sub": "u", "exp": 99_999_999_999_u64}))
}

fn signed(key: &SigningKey, claims: &Value) -> String {
    tokens::signed(key, &json!({"kid": key.key_id()}), claims)
}

impl Provided {
    fn start(keys: &[&SigningKey], more: &Value) -> Self {
        let keys = Arc::new(Mutex::new(set(keys)));
        let served = Arc::clone(&keys);
        let provider = FaultyServer::scripted(move |request: &Message| {
            assert_eq!(request.path(), "/.well-known/jwks.json");
            let keys = served.lock().expect("no panic").clone();
            Answer::json(200, serde_json::from_str::<Value>(&keys).expect("JSON"))
        });
        let settings = json!({"providers": [{
            "name": "idp", "issuer": "https://idp/", "jwks_uri": "http://idp.example/.well-known/jwks.json",
            "upstream": {"upstream": "idp"},
            "claims_to_headers": [{"claim": "role", "header": "X-Role"}],
        }]});
        let settings = merged(settings, more.clone());
        let echo = Echo::start();
        let filters = vec![Filter::new("jwt_auth", &settings)];
        let setup = Setup::new(echo.address(), filters).cluster("idp", provider.address());
        let envoy = Proxy::start(&setup);
        Self { keys, provider, envoy, echo }
    }

    fn publish(&self, text: String) {
        *self.keys.lock().expect("no panic") = text;
    }

    fn status(&self, token: &str) -> u16 {
        self.envoy.send(&bearing(token)).status()
    }
}

#[test]
fn a_providers_keys_verify_with_and_without_the_hosts_cryptography() {
    for crypto in ["auto", "wasm", "host"] {
        let (rsa, ec) = (key(RSA, "rsa"), key(EC, "ec"));
        let gateway = Provided::start(&[&rsa, &ec], &json!({"crypto": crypto}));
        for key in [&rsa, &ec] {
            let good = token(key);
            let answer = gateway.envoy.send(&bearing(&good).header("x-role", "admin"));
            assert_eq!(answer.status(), 200, "{crypto}: {}", answer.text());
            let received = gateway.echo.last();
            assert_eq!(received.header("x-consumer-username").as_deref(), Some("idp:u"));
            assert_eq!(received.header("x-role"), None, "a forged claim");
            let (input, signature) = good.rsplit_once('.').expect("a signature");
            let forged = format!(
                "{input}.{}{}",
                if signature.starts_with('A') { "B" } else { "A" },
                &signature[1..]
            );
            let refused = gateway.envoy.send(&bearing(&forged));
            assert_eq!(refused.json()["message"], "Invalid signature", "{crypto}");
        }
    }
}

#[test]
fn a_storm_of_unknown_keys_makes_each_vm_ask_once() {
    let ec = key(EC, "known");
    let gateway = Provided::start(&[&ec], &json!({"jwks_min_refresh": 3600}));
    assert_eq!(gateway.status(&token(&ec)), 200);
    let before = gateway.provider.requests().len();
    let unknown: Vec<String> = (0..40).map(|n| token(&key(EC, &format!("unknown-{n}")))).collect();
    std::thread::scope(|scope| {
        for token in &unknown {
            scope.spawn(|| assert_eq!(gateway.status(token), 401));
        }
    });
    // Each of the workers has a VM, and Envoy's main thread has one.
    let vms = 2;
    let asked = gateway.provider.requests().len() - before;
    assert!(asked <= vms, "{asked}");
}

#[test]
fn keys_rotate_and_the_last_good_ones_outlive_every_failure() {
    let (old, new) = (key(EC, "old"), key(RSA, "new"));
    let gateway = Provided::start(&[&old], &json!({"jwks_min_refresh": 1}));
    assert_eq!(gateway.status(&token(&old)), 200);
    gateway.publish(set(&[&new]));
    let fresh = token(&new);
    eventually("the new key", || (gateway.status(&fresh) == 200).then_some(()));
    eventually("the end of the old one", || (gateway.status(&token(&old)) == 401).then_some(()));

    let asked_again = || {
        let before = gateway.provider.requests().len();
        eventually("another question", || {
            assert_eq!(gateway.status(&token(&old)), 401);
            (gateway.provider.requests().len() > before).then_some(())
        });
        assert_eq!(gateway.status(&fresh), 200);
    };
    let mut huge: Value = serde_json::from_str(&set(&[&old])).expect("JSON");
    huge["more"] = json!("x".repeat(10 << 20));
    gateway.publish(huge.to_string());
    asked_again();
    for mode in [Mode::Status(500), Mode::Garbage, Mode::Stranger, Mode::Truncate, Mode::HangUp] {
        gateway.provider.set(mode);
        asked_again();
    }
}

/// One listener for each of these settings, with the consumer `ado` and its credentials.
fn listening(listeners: &[(&'static str, Value)]) -> (Proxy, Echo) {
    let echo = Echo::start();
    let ado = json!({"id": "1", "username": "ado", "jwt_secrets": rows::credentials()});
    let consumers = json!([ado, {"id": "9", "username": "guest"}]);
    let mut setup = Setup::new(echo.address(), Vec::new());
    for (name, more) in listeners {
        let settings = merged(json!({ "consumers": consumers }), more.clone());
        setup = setup.listener(name, vec![Filter::new("jwt_auth", &settings)]);
    }
    (Proxy::start(&setup), echo)
}

#[track_caller]
fn unauthorized(answer: &Message, body: &Value, challenge: Option<&str>, what: &str) {
    assert_eq!((answer.status(), &answer.json()), (401, body), "{what}");
    assert_eq!(answer.header("www-authenticate").as_deref(), challenge, "{what}");
}

#[test]
fn every_row_of_kongs_table_and_every_fault_of_its_plugin_is_answered() {
    let error = Some(r#"Bearer error="invalid_token""#);
    for crypto in ["wasm", "host"] {
        let times = json!({
            "claims_to_verify": ["exp", "nbf"], "maximum_expiration": 300, "realm": "r", "crypto": crypto,
        });
        let (envoy, echo) = listening(&[
            ("plain", json!({"crypto": crypto})),
            ("times", times),
            ("or", json!({"anonymous": "guest", "crypto": crypto})),
        ]);
        let groups = [
            rows::rows(),
            rows::wrong_lengths(),
            rows::no_texts(),
            rows::no_objects(),
            rows::ambiguous(),
            rows::embedded(),
            rows::no_tokens(),
        ];
        for row in groups.iter().flatten() {
            let request = row.fields.iter().fold(RawRequest::get(&row.target), |request, field| {
                request.header(field.0, &field.1)
            });
            let answer = request.send(envoy.address("plain"));
            unauthorized(&answer, &json!({ "message": row.message }), error, row.what);
            // A request that fails is the guest's if the settings name one.
            let answer = request.send(envoy.address("or"));
            assert_eq!(answer.status(), 200, "{}: {}", row.what, answer.text());
            let guest = echo.last();
            assert_eq!(guest.header("x-consumer-username").as_deref(), Some("guest"));
        }
        let nothing = json!({"message": "Unauthorized"});
        let none = RawRequest::get("/").send(envoy.address("plain"));
        unauthorized(&none, &nothing, Some("Bearer"), "row 1");
        let none = RawRequest::get("/").send(envoy.address("times"));
        unauthorized(&none, &nothing, Some(r#"Bearer realm="r""#), "row 1");
        let far = 99_999_999_999_u64;
        for (claims, body) in [
            (json!({}), json!({"exp": "must be a number", "nbf": "must be a number"})),
            (
                json!({"exp": 1, "nbf": far}),
                json!({"exp": "token expired", "nbf": "token not valid yet"}),
            ),
            (json!({"exp": far, "nbf": 0}), json!({"exp": "exceeds maximum allowed expiration"})),
        ] {
            let answer = bearing(&tokens::ado(claims)).send(envoy.address("times"));
            let realm = Some(r#"Bearer realm="r", error="invalid_token""#);
            unauthorized(&answer, &body, realm, "rows 14 and 15");
        }
        for (algorithm, name) in tokens::PUBLIC {
            let issuer = json!({"iss": format!("{algorithm} {name}")});
            let token = tokens::signed(&tokens::key(algorithm, name), &json!({}), &issuer);
            for (token, status) in [(&token, 200), (&tokens::forged(&token), 401), (&token, 200)] {
                let answer = bearing(token).send(envoy.address("plain"));
                assert_eq!(
                    answer.status(),
                    status,
                    "{crypto}: {algorithm} {name}: {}",
                    answer.text()
                );
            }
        }
    }
}

#[test]
fn a_consumer_that_a_claim_names_and_one_that_stands_in_must_exist() {
    let key = key(EC, "ec");
    let named = json!({"providers": [{
        "name": "idp", "issuer": "https://idp/", "jwks": set(&[&key]), "consumer_claim": "sub",
    }]});
    let (envoy, _echo) = listening(&[("named", named)]);
    let answer = bearing(&token(&key)).send(envoy.address("named"));
    let body = json!({"message": "Could not find consumer for 'sub=u'"});
    unauthorized(&answer, &body, Some(r#"Bearer error="invalid_token""#), "row 16");

    let gateway = Gateway::start(|admin| {
        vec![Filter::new("jwt_auth", &json!({"admin": admin, "anonymous": "nobody"}))]
    });
    let answer = gateway.send(&RawRequest::get("/"));
    let expected = "anonymous consumer nobody is configured but doesn't exist";
    assert_eq!((answer.status(), &answer.json()["message"]), (500, &json!(expected)), "row 17");
}
