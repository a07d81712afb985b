use super::*;
use crate::config::tests::config;
use admin_api::Operation;

const PROVIDERS: &str = r#"{"admin":{"upstream":"admin"},"anonymous":"guests","providers":[
    {"name":"a","issuer":"https://a/","jwks_uri":"https://a.example/x/jwks.json","upstream":{"upstream":"a"},"jwks_ttl":600},
    {"name":"b","issuer":"https://b/","oidc_discovery_uri":"https://b.example/.well-known/openid-configuration","upstream":{"upstream":"b"}}]}"#;

fn entities(json: &str) -> Entities {
    Entities { config: Rc::new(config(json)) }
}

fn answer(status: u16, body: &str) -> Answer {
    Answer::new(status, body)
}

fn path(call: &Call) -> String {
    call.segments.iter().map(|s| format!("/{}", String::from_utf8_lossy(s))).collect()
}

/// The name of the place of this provider's documents.
fn place(entities: &Entities, provider: usize) -> &str {
    &entities.config.providers[provider].place().unwrap().name
}

fn username(name: &str) -> Key {
    lookup::key(lookup::By::Username, name)
}

const ADO: &str = r#"{"consumer":{"id":"1","username":"ado"},"groups":["g"],
    "credential":{"id":"j","type":"jwt","identifier":"adokey"},"jwt":{"algorithm":"HS256","secret":"supersecret"},"seq":7}"#;

#[test]
fn each_table_has_its_call() {
    let entities = entities(PROVIDERS);
    assert_eq!(path(&entities.call(&by_key("https://x/"))), "/identities/jwt/https://x/");
    let ado = entities.call(&username("ado"));
    assert_eq!(path(&ado), "/identities/consumers/ado");
    assert_eq!(ado.query, [("by".into(), b"username".to_vec())]);
    assert_eq!(path(&entities.call(&key_set(place(&entities, 0), "/x/jwks.json"))), "/x/jwks.json");
    assert_eq!(
        path(&entities.call(&discovery(place(&entities, 1)))),
        "/.well-known/openid-configuration"
    );
    assert!(entities.target(&by_key("x")).is_none());
    let target = entities.target(&discovery(place(&entities, 1))).unwrap();
    assert_eq!((target.upstream.as_str(), target.authority.as_str()), ("b", "b.example"));
    assert!(target.tls && target.token.is_none());
    assert_eq!(
        entities.ttl(&key_set(place(&entities, 0), "/x/jwks.json")),
        Some(Duration::from_secs(600))
    );
    assert_eq!(entities.ttl(&by_key("x")), None);
}

#[test]
fn a_secret_is_read_with_its_consumer_and_for_its_own_key_only() {
    let entities = entities(PROVIDERS);
    let (finding, seq) = entities.read(&by_key("adokey"), &answer(200, ADO)).unwrap();
    let Finding::Value(value) = finding else { panic!() };
    let holder = Holder::decode(&value).unwrap();
    assert_eq!((holder.identity.id.as_str(), seq), ("1", Some(7)));
    assert_eq!(holder.material.secret.as_deref(), Some("supersecret"));
    assert_eq!(entities.read(&by_key("other"), &answer(200, ADO)), None);
    for body in ["", "{}", r#"{"consumer":{"id":"1"}}"#, &ADO.replace(r#""id":"1""#, r#""id":"""#)]
    {
        assert_eq!(entities.read(&by_key("adokey"), &answer(200, body)), None, "{body}");
    }
    assert_eq!(entities.read(&by_key("adokey"), &answer(500, ADO)), None);
}

#[test]
fn only_the_services_own_404_means_that_there_is_none() {
    let entities = entities(PROVIDERS);
    let read = |body| entities.read(&by_key("x"), &answer(404, body));
    assert_eq!(read(r#"{"message":"Not found","seq":3}"#), Some((Finding::Nothing, Some(3))));
    for body in ["", r#"{"message":"Not found"}"#, r#"{"message":"no Route","seq":3}"#] {
        assert_eq!(read(body), None, "{body}");
    }
    assert_eq!(
        entities.read(
            &key_set(place(&entities, 0), "/x"),
            &answer(404, r#"{"message":"Not found","seq":3}"#)
        ),
        None
    );
}

#[test]
fn a_name_is_answered_without_a_credential() {
    let entities = entities(PROVIDERS);
    let found = answer(200, r#"{"consumer":{"id":"1","username":"ado"},"seq":1}"#);
    let expected = Some((Finding::Value(b"1".to_vec()), Some(1)));
    assert_eq!(entities.read(&username("ado"), &found), expected);
    assert_eq!(entities.read(&username("ado"), &answer(200, ADO)), None);
}

#[test]
fn discovery_demands_the_issuer_and_the_authority() {
    let document = |issuer: &str, uri: &str| {
        answer(200, &serde_json::json!({"issuer": issuer, "jwks_uri": uri}).to_string())
    };
    let entities = entities(PROVIDERS);
    let read = |answer: &Answer| entities.read(&discovery(place(&entities, 1)), answer);
    let good = document("https://b/", "https://B.example:443/keys");
    assert_eq!(read(&good), Some((Finding::Value(b"/keys".to_vec()), None)));
    for (issuer, uri) in [
        ("https://b", "https://b.example/keys"),
        ("https://evil/", "https://b.example/keys"),
        ("https://b/", "https://evil.example/keys"),
        ("https://b/", "https://b.example:8443/keys"),
        ("https://b/", "https://b.example/../keys"),
        ("https://b/", "file:///keys"),
    ] {
        assert_eq!(read(&document(issuer, uri)), None, "{issuer} {uri}");
    }
    assert_eq!(read(&answer(200, "{}")), None);
    assert_eq!(read(&answer(500, "")), None);
}

#[test]
fn key_sets_are_fetched_before_they_are_needed() {
    let entities = entities(PROVIDERS);
    assert_eq!(
        entities.wanted(),
        [key_set(place(&entities, 0), "/x/jwks.json"), discovery(place(&entities, 1))]
    );
    let document = answer(200, r#"{"issuer":"https://b/","jwks_uri":"https://b.example/keys"}"#);
    entities.read(&discovery(place(&entities, 1)), &document);
    let all = [
        key_set(place(&entities, 0), "/x/jwks.json"),
        discovery(place(&entities, 1)),
        key_set(place(&entities, 1), "/keys"),
    ];
    assert_eq!(entities.wanted(), all);
    assert_eq!(path(&entities.call(&key_set(place(&entities, 1), "/keys"))), "/keys");
}

const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","x5c":["AAAA"]}"#;

#[test]
fn only_usable_keys_of_a_set_are_kept() {
    let entities = entities(PROVIDERS);
    let read =
        |body: &str| match entities.read(&key_set(place(&entities, 0), "/"), &answer(200, body)) {
            Some((Finding::Value(value), None)) => Some(String::from_utf8(value).unwrap()),
            None => None,
            other => panic!("{other:?}"),
        };
    let oct = r#"{"kty":"oct","k":"c2VjcmV0"}"#;
    let encryption = EC.replace(r#""kid""#, r#""use":"enc","kid""#);
    let kept = read(&format!(r#"{{"keys":[{oct},{encryption},{EC}]}}"#)).unwrap();
    assert!(kept.contains(r#""kid":"k""#) && !kept.contains("oct") && !kept.contains("x5c"));
    let set = JwkSet::parse(kept.as_bytes(), Policy::REMOTE).unwrap();
    assert_eq!(set.keys().len(), 1);
    for body in [
        "",
        "{}",
        r#"{"keys":[]}"#,
        &format!(r#"{{"keys":[{oct}]}}"#),
        &format!(r#"{{"keys":[{EC}],"keys":[{EC}]}}"#),
        &format!(r#"{{"keys":[{EC}],"x":"{}"}}"#, "x".repeat(10 << 20)),
    ] {
        assert_eq!(read(body), None, "{body:.80}");
    }
}

#[test]
fn a_change_touches_the_keys_that_it_names() {
    let change = |entity| Change {
        seq: 1,
        entity,
        operation: Operation::Update,
        consumer_id: "1".into(),
        key: "adokey".into(),
    };
    let entities = entities(PROVIDERS);
    assert_eq!(entities.touched(&change(Entity::JwtSecrets)), [by_key("adokey")]);
    for entity in [Entity::Consumers, Entity::Acls] {
        assert_eq!(entities.touched(&change(entity)), lookup::touched(&change(entity)));
    }
    assert!(entities.touched(&change(Entity::Appids)).is_empty());
}

#[test]
fn gatehouse_admin_lists_no_secrets_and_a_kong_admin_api_does() {
    assert!(entities(PROVIDERS).snapshot(true).is_none());
    assert!(entities(PROVIDERS).snapshot(false).is_some());
    assert!(entities(r#"{"consumers":[{"username":"a"}]}"#).snapshot(false).is_none());
}
