use super::*;
use crate::entry::decode;
use admin_api::Operation;
use consumer::key_digest;

const FIONA: &str = r#"{"consumer":{"id":"1","username":"fiona","custom_id":null},"groups":["g"],
    "credential":{"id":"k","type":"key-auth","identifier":"k"},
    "digest":"e85135e0bbd21cb76bbd8504d4f0d31dac39e392d03ef50acd588421c2a5d37f","seq":7}"#;

fn source() -> Credentials {
    Credentials { now: || 0 }
}

fn read(key: &Key, status: u16, body: &str) -> Option<(Finding, Option<u64>)> {
    source().read(key, &Answer::new(status, body))
}

fn key() -> Key {
    by_key(&key_digest(b"open_sesame"))
}

#[test]
fn a_key_is_asked_for_by_its_digest_only() {
    let call = source().call(&key());
    let path =
        call.segments.iter().map(|s| String::from_utf8_lossy(s)).collect::<Vec<_>>().join("/");
    assert_eq!(
        path,
        "identities/key-auth/e85135e0bbd21cb76bbd8504d4f0d31dac39e392d03ef50acd588421c2a5d37f"
    );
    let guests = lookup::key(lookup::By::Username, "../x");
    assert_eq!(source().call(&guests).segments.last().unwrap(), b"../x");
}

#[test]
fn an_answer_becomes_an_identity() {
    let (Finding::Value(value), Some(7)) = read(&key(), 200, FIONA).unwrap() else { panic!() };
    let identity = decode(&value, || 0).unwrap();
    assert_eq!((identity.username.as_deref(), identity.is_authenticated()), (Some("fiona"), true));
}

#[test]
fn only_gatehouse_admins_404_means_that_there_is_none() {
    assert_eq!(
        read(&key(), 404, r#"{"message":"Not found","seq":3}"#),
        Some((Finding::Nothing, Some(3)))
    );
    for (status, body) in [
        (404, r#"{"message":"Not found"}"#),
        (404, ""),
        (200, ""),
        (200, "{}"),
        (200, r#"{"consumer":{"id":""}}"#),
        (500, FIONA),
        (401, r#"{"message":"Unauthorized"}"#),
    ] {
        assert_eq!(read(&key(), status, body), None, "{status} {body}");
    }
}

#[test]
fn an_answer_without_a_credential_proves_no_key() {
    let bare = r#"{"consumer":{"id":"1"},"seq":7}"#;
    assert_eq!(read(&key(), 200, bare), None);
    let consumer = lookup::key(lookup::By::Id, "1");
    assert!(read(&consumer, 200, bare).is_some());
    assert_eq!(read(&consumer, 200, FIONA), None);
}

#[test]
fn an_answer_about_another_key_is_no_answer() {
    let digest = "e85135e0bbd21cb76bbd8504d4f0d31dac39e392d03ef50acd588421c2a5d37f";
    let other = FIONA.replace(digest, &"ab".repeat(32));
    assert_eq!(read(&key(), 200, &other), None);
    let unnamed = FIONA.replace(&format!(r#""digest":"{digest}","#), "");
    assert_eq!(read(&key(), 200, &unnamed), None);
}

#[test]
fn a_credential_ends_when_it_says() {
    let body = FIONA.replace("\"seq\"", "\"expires_at\":1000,\"seq\"");
    let (Finding::Value(value), _) = read(&key(), 200, &body).unwrap() else { panic!() };
    assert!(decode(&value, || 999).is_some());
    assert!(decode(&value, || 1000).is_none());
}

#[test]
fn changes_touch_keys_by_digest_and_consumers_by_id_and_every_name() {
    let change = |entity, key: &str| Change {
        seq: 1,
        entity,
        operation: Operation::Update,
        consumer_id: "1".into(),
        key: key.into(),
    };
    let digest = lower::encode_string(&key_digest(b"open_sesame"));
    assert_eq!(source().touched(&change(Entity::KeyauthCredentials, &digest)), [key()]);
    assert!(source().touched(&change(Entity::KeyauthCredentials, "odd")).is_empty());
    for entity in [Entity::Consumers, Entity::Acls] {
        let renamed = change(entity, "fiona");
        assert_eq!(source().touched(&renamed), lookup::touched(&renamed));
        assert!(!lookup::touched(&renamed).is_empty());
    }
    assert!(source().touched(&change(Entity::Appids, "x")).is_empty());
}

#[test]
fn a_snapshot_walks_all_pages_as_long_as_it_has_room() {
    let mut pages = source().snapshot(true).unwrap();
    let page = |offset: &str| {
        Answer::new(
            200,
            format!(
                r#"{{"data":[{{"digest":"{}","consumer":{{"id":"1"}},"credential":{{"id":"k","type":"key-auth","identifier":"k"}}}}]{offset},"seq":4}}"#,
                lower::encode_string(&key_digest(b"open_sesame"))
            ),
        )
    };
    assert_eq!(pages.next().unwrap().query.len(), 1);
    assert!(pages.absorb(&page(r#","offset":"o""#), 9));
    assert_eq!(pages.next().unwrap().query.last().unwrap().1, b"o");
    assert!(pages.absorb(&page(""), 9));
    assert_eq!(pages.next(), None);
    let (all, seq) = pages.finish();
    assert_eq!((all[0].0.clone(), all.len(), seq), (key(), 2, Some(4)));

    // A walk that has more keys than are wanted is over.
    let mut pages = source().snapshot(true).unwrap();
    assert!(pages.absorb(&page(r#","offset":"o1""#), 1));
    assert!(pages.next().is_some());
    assert!(pages.absorb(&page(r#","offset":"o2""#), 1));
    assert_eq!(pages.next(), None);
    assert_eq!(pages.finish().0.len(), 2);
}
