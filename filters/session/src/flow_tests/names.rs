//! The names that a session's consumer has where nobody looks the consumer up.

use super::*;
use consumer::Identity;

/// A consumer without a username, whose custom id is another consumer's username.
const ROOT: &str = r#"{"id":"5","custom_id":"root","credential":{"id":"e","type":"key-auth"}}"#;
const LOOKED_UP: &str = r#"{"secret":"s","consumers":[{"id":"1","username":"ana"}]}"#;

/// The identity that later filters see, and the two headers with its names.
fn told(passage: &crate::fixture::Passage) -> (Identity, [Option<String>; 2]) {
    let property = passage.published("gatehouse_consumer").unwrap();
    let names = ["x-consumer-username", "x-consumer-custom-id"];
    (Identity::from_json(property.as_bytes()).unwrap(), names.map(|name| passage.header(name)))
}

/// A browser with a session of these contents, which began at the start.
fn browsing(config: &str, json: &str) -> Fixture {
    let mut fixture = Fixture::new(config);
    fixture.cookies.insert("session".into(), sealed(Kind::Session, json));
    fixture
}

#[test]
fn a_custom_id_never_becomes_a_username() {
    for config in [PLAIN, r#"{"secret":"s","check_consumer":false,"consumers":[{"id":"5"}]}"#] {
        let mut fixture = Fixture::new(config);
        fixture.send(fixture.get("/"), Some(ROOT));
        let (identity, headers) = told(&fixture.send(fixture.get("/"), None));
        assert_eq!((identity.username, identity.custom_id.as_deref()), (None, Some("root")));
        assert_eq!(headers, [None, Some("root".into())]);
    }
}

#[test]
fn a_session_keeps_both_names_of_its_consumer() {
    let both = ANA.replace(r#""custom_id":null"#, r#""custom_id":"7""#);
    let mut fixture = Fixture::new(PLAIN);
    fixture.send(fixture.get("/"), Some(&both));
    let (identity, headers) = told(&fixture.send(fixture.get("/"), None));
    assert_eq!(
        (identity.username.as_deref(), identity.custom_id.as_deref()),
        (Some("ana"), Some("7"))
    );
    assert_eq!(headers, [Some("ana".into()), Some("7".into())]);
}

#[test]
fn the_subject_of_a_session_that_tells_no_names_is_the_username() {
    let kongs = r#"[[["1","c"],"default","ana"]]"#;
    for config in [PLAIN, LOOKED_UP] {
        let mut fixture = browsing(config, kongs);
        let browse = fixture.send(fixture.get("/"), None);
        let (identity, headers) = told(&browse);
        assert_eq!((identity.id.as_str(), identity.username.as_deref()), ("1", Some("ana")));
        assert_eq!(headers, [Some("ana".into()), None]);
        assert!(browse.cookies().is_empty());
    }
}

#[test]
fn a_login_gives_its_custom_id_to_a_session_without_any() {
    let both = ANA.replace(r#""custom_id":null"#, r#""custom_id":"7""#);
    let mut fixture = browsing(PLAIN, r#"[[["1","c"],"default","ana"]]"#);
    assert_eq!(fixture.send(fixture.get("/"), Some(&both)).cookies().len(), 1);
    assert!(fixture.send(fixture.get("/"), Some(&both)).cookies().is_empty(), "once is enough");
    let (identity, _) = told(&fixture.send(fixture.get("/"), None));
    assert_eq!(identity.custom_id.as_deref(), Some("7"));
}

#[test]
fn a_session_is_not_saved_for_names_that_are_looked_up_with_each_request() {
    let mut fixture = browsing(LOOKED_UP, r#"[[["1","c"],"default","ana"]]"#);
    for _ in 0..2 {
        let browse = fixture.send(fixture.get("/"), None);
        assert_eq!(browse.header("x-consumer-username").as_deref(), Some("ana"));
        assert!(browse.cookies().is_empty());
    }
    // A change of the groups saves the session, and what was looked up with it.
    let mut fixture = fixture.with(&LOOKED_UP.replace(r#""ana""#, r#""ana","groups":["g"]"#));
    assert_eq!(fixture.send(fixture.get("/"), None).cookies().len(), 1);
    let mut fixture = fixture.with(PLAIN);
    let (identity, _) = told(&fixture.send(fixture.get("/"), None));
    assert_eq!(identity.username.as_deref(), Some("ana"));
}
