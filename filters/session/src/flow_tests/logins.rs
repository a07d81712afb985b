//! Logins that have ended, and the sessions that end with them.

use super::*;
use std::collections::BTreeMap;

const REVOKES: &str =
    r#"{"secret":"s","logout_revokes":true,"admin":{"upstream":"a"},"check_consumer":false}"#;
const REMEMBERS: &str = r#"{"secret":"s","logout_revokes":true,"admin":{"upstream":"a"},"check_consumer":false,"remember":true}"#;

fn revoking(audience: &str) -> String {
    format!(
        r#"{{"secret":"s","logout_revokes":true,"admin":{{"upstream":"a"}},"check_consumer":false,"audience":"{audience}"}}"#
    )
}

fn log_out(fixture: &mut Fixture) {
    let request = Request { method: b"POST".to_vec(), ..fixture.get("/?session_logout") };
    assert_eq!(fixture.send(request, None).status(), Some(200));
}

/// Uses the remembered session of `cookies` in another browser, and returns the cookies there.
fn restored(fixture: &mut Fixture, cookies: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let own = std::mem::take(&mut fixture.cookies);
    fixture.cookies.insert("remember".into(), cookies["remember"].clone());
    assert!(fixture.send(fixture.get("/"), None).consumer().is_some());
    std::mem::replace(&mut fixture.cookies, own)
}

#[test]
fn a_stolen_cookie_dies_with_the_logout() {
    let mut fixture = logged_in(REVOKES);
    let stolen = fixture.cookies.clone();
    for _ in 0..4 {
        fixture.after(700);
        fixture.send(fixture.get("/"), None);
    }
    assert_ne!(
        fixture.cookies["session"].get(4..47),
        stolen["session"].get(4..47),
        "it was renewed since"
    );
    let renewed = fixture.cookies.clone();
    log_out(&mut fixture);
    assert_eq!(fixture.revoked.borrow().values().collect::<Vec<_>>(), [&(86_400 - 2800)]);
    for cookies in [stolen, renewed] {
        let mut thief = Fixture::new(
            r#"{"secret":"s","logout_revokes":true,"admin":{"upstream":"a"},"check_consumer":false,"idling_timeout":0}"#,
        );
        thief.revoked = fixture.revoked.clone();
        thief.after(2800);
        thief.cookies = cookies;
        assert!(thief.send(thief.get("/"), None).consumer().is_none());
        assert_eq!(thief.questions(), ["GET revocations"]);
    }
}

#[test]
fn a_login_that_cannot_be_looked_up_may_have_ended() {
    let mut fixture = logged_in(REVOKES);
    fixture.reachable.set(false);
    assert_eq!(fixture.send(fixture.get("/"), None).status(), Some(503));
    let request = Request { method: b"POST".to_vec(), ..fixture.get("/?session_logout") };
    assert_eq!(fixture.send(request, None).status(), Some(503));
}

#[test]
fn a_logout_also_revokes_what_is_remembered() {
    let mut fixture = logged_in(REMEMBERS);
    let first = fixture.cookies.clone();
    fixture.after(7200);
    fixture.send(fixture.get("/"), None);
    log_out(&mut fixture);
    assert_eq!(fixture.revoked.borrow().len(), 1, "both belong to one login");
    fixture.cookies = first;
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
}

#[test]
fn a_logout_ends_the_session_that_somebody_else_made_of_a_remembered_one() {
    let mut fixture = logged_in(REMEMBERS);
    let cookies = fixture.cookies.clone();
    fixture.after(100);
    let stolen = restored(&mut fixture, &cookies);
    log_out(&mut fixture);
    // Another worker has to learn of the end from the admin service.
    let mut fixture = fixture.with(REMEMBERS);
    fixture.cookies = stolen;
    assert_eq!(fixture.send(fixture.get("/"), None).consumer(), None);
}

#[test]
fn a_logout_ends_what_was_restored_of_a_remembered_session_from_elsewhere() {
    let mut fixture = Fixture::new(REMEMBERS);
    let cookie = sealed(Kind::Remember, r#"[[["1","c"],"default","ana"]]"#);
    let cookies = BTreeMap::from([("remember".to_owned(), cookie)]);
    fixture.after(100);
    let stolen = restored(&mut fixture, &cookies);
    fixture.after(100);
    fixture.cookies = restored(&mut fixture, &cookies);
    log_out(&mut fixture);
    let mut fixture = fixture.with(REMEMBERS);
    fixture.cookies = stolen;
    assert_eq!(fixture.send(fixture.get("/"), None).consumer(), None);
}

#[test]
fn a_login_stays_revoked_for_as_long_as_anything_of_it_could_live() {
    let mut fixture = logged_in(REMEMBERS);
    fixture.after(100);
    fixture.cookies.remove("remember");
    log_out(&mut fixture);
    assert_eq!(fixture.revoked.borrow().values().collect::<Vec<_>>(), [&(2_592_000 - 100)]);
    // A session that is restored at the last moment has a day of its own.
    let mut fixture = logged_in(
        &REMEMBERS.replace("\"remember\"", "\"remember_absolute_timeout\":90000,\"remember\""),
    );
    fixture.after(80_000);
    fixture.send(fixture.get("/"), None);
    log_out(&mut fixture);
    assert_eq!(fixture.revoked.borrow().values().collect::<Vec<_>>(), [&86_400]);
}

#[test]
fn a_login_after_the_logout_of_one_of_several_audiences_is_another_one() {
    let fixture = logged_in(&revoking("a"));
    fixture.after(10);
    let mut fixture = fixture.with(&revoking("b"));
    fixture.send(fixture.get("/"), Some(BOB));
    let mut fixture = fixture.with(&revoking("a"));
    fixture.after(10);
    let stolen = fixture.cookies.clone();
    log_out(&mut fixture);
    fixture.after(10);
    fixture.send(fixture.get("/"), Some(ANA));
    let mut fixture = fixture.with(&revoking("a"));
    assert_eq!(fixture.send(fixture.get("/"), None).consumer().as_deref(), Some("1"));
    let header = crate::header::Header::read(fixture.cookies["session"].as_bytes()).unwrap();
    assert_eq!(header.created, START, "the time of the other audience's login stays");
    // The other audience's login is the same as before, and ends with its own logout.
    let own = std::mem::replace(&mut fixture.cookies, stolen.clone());
    assert_eq!(fixture.send(fixture.get("/"), None).consumer(), None, "the logout still counts");
    fixture.cookies = own;
    let mut fixture = fixture.with(&revoking("b"));
    assert_eq!(fixture.send(fixture.get("/"), None).consumer().as_deref(), Some("2"));
    log_out(&mut fixture);
    let mut fixture = fixture.with(&revoking("b"));
    fixture.cookies = stolen;
    assert_eq!(fixture.send(fixture.get("/"), None).consumer(), None);
}

#[test]
fn another_consumers_login_in_a_shared_cookie_is_another_one() {
    let fixture = logged_in(&revoking("a"));
    let mut fixture = fixture.with(&revoking("b"));
    fixture.send(fixture.get("/"), Some(BOB));
    let mut fixture = fixture.with(&revoking("a"));
    log_out(&mut fixture);
    for identity in [BOB, ANA] {
        fixture.after(10);
        fixture.send(fixture.get("/"), Some(identity));
    }
    assert_eq!(fixture.send(fixture.get("/"), None).consumer().as_deref(), Some("1"));
}

#[test]
fn a_change_of_the_same_consumer_goes_on_with_its_login() {
    let mut fixture = logged_in(&revoking("a"));
    let stolen = fixture.cookies.clone();
    fixture.after(10);
    let more = ANA.replace(r#""groups":[]"#, r#""groups":["staff"]"#);
    assert_eq!(fixture.send(fixture.get("/"), Some(&more)).cookies().len(), 1);
    log_out(&mut fixture);
    let mut fixture = fixture.with(&revoking("a"));
    fixture.cookies = stolen;
    assert_eq!(fixture.send(fixture.get("/"), None).consumer(), None);
}
