use crate::fixture::{ANA, BOB, Fixture, NOBODY, REPORTS};
use exchange::Request;

const OPEN: &str = r#"{"secret":"s","storage":"kong","phase":"open","admin":{"upstream":"a"},"check_consumer":false}"#;
const SAVE: &str = r#"{"secret":"s","storage":"kong","phase":"save","admin":{"upstream":"a"},"response_headers":["id"]}"#;

/// Sends one request through both instances. `later` is the identity that the filters between them
/// have published. Afterwards the fixture has the opening instance again.
fn through(mut fixture: Fixture, later: Option<&str>) -> (Fixture, Option<String>, usize) {
    let opened = fixture.send(fixture.get("/"), None);
    let mark = opened.published("gatehouse_session");
    let consumer = later.map(str::to_owned).or(opened.published("gatehouse_consumer"));
    let cookies = opened.cookies().len();
    let mut fixture = fixture.with(SAVE);
    let request = Request {
        consumer: consumer.map(String::into_bytes),
        mark: mark.map(String::into_bytes),
        ..fixture.get("/")
    };
    let saved = fixture.save(request);
    assert!(saved.forwarded.is_some(), "{saved:?}");
    let cookies = cookies.saturating_add(saved.cookies().len());
    (fixture.with(OPEN), opened.consumer(), cookies)
}

#[test]
fn a_session_is_stored_while_the_request_is_held() {
    let (fixture, consumer, cookies) = through(Fixture::new(OPEN), Some(ANA));
    assert_eq!((consumer, cookies), (None, 1));
    assert_eq!(fixture.questions(), ["PUT sessions"]);
    let (fixture, consumer, cookies) = through(fixture, None);
    assert_eq!((consumer.as_deref(), cookies), (Some("1"), 0));
    assert_eq!(fixture.questions(), ["GET sessions"]);
    let (fixture, _, cookies) = through(fixture, Some(BOB));
    assert_eq!(cookies, 1, "somebody else has logged in");
    let (_, consumer, _) = through(fixture, None);
    assert_eq!(consumer.as_deref(), Some("2"));
}

#[test]
fn the_anonymous_consumer_and_nobody_get_none() {
    for later in [None, Some(NOBODY)] {
        let (fixture, _, cookies) = through(Fixture::new(OPEN), later);
        assert_eq!((cookies, fixture.questions().len()), (0, 0));
    }
}

#[test]
fn a_session_that_could_not_be_stored_is_not_sent() {
    let fixture = Fixture::new(OPEN);
    fixture.reachable.set(false);
    let (fixture, _, cookies) = through(fixture, Some(ANA));
    assert_eq!(cookies, 0);
    assert!(fixture.cookies.is_empty());
}

#[test]
fn without_the_opening_instance_nobody_is_let_through() {
    for mark in [None, Some(b"{".to_vec())] {
        let mut fixture = Fixture::new(SAVE);
        let request = Request { consumer: Some(ANA.into()), mark, ..fixture.get("/") };
        assert_eq!(fixture.save(request).status(), Some(500));
        assert_eq!(REPORTS.take().len(), 1);
    }
}

#[test]
fn the_client_is_told_of_the_new_session() {
    let mut fixture = Fixture::new(SAVE);
    let mark = br#"{"further":[[],[]]}"#.to_vec();
    let saved =
        fixture.save(Request { consumer: Some(ANA.into()), mark: Some(mark), ..fixture.get("/") });
    assert_eq!(saved.told("session-id").as_deref(), fixture.cookies["session"].get(4..47));
}

#[test]
fn a_hidden_cookie_is_no_hindrance() {
    let open = OPEN.replace("\"phase\"", "\"hide_cookie\":true,\"phase\"");
    let (fixture, _, _) = through(Fixture::new(&open), Some(ANA));
    let mut fixture = fixture.with(&open);
    let opened = fixture.send(fixture.get("/"), None);
    assert!(opened.removes("cookie"));
    let mut fixture = fixture.with(SAVE);
    let request = Request {
        head: exchange::Head::default(),
        consumer: opened.published("gatehouse_consumer").map(String::into_bytes),
        mark: opened.published("gatehouse_session").map(String::into_bytes),
        ..fixture.get("/")
    };
    assert!(fixture.save(request).cookies().is_empty(), "it is the session that there is");
}

#[test]
fn a_cookie_session_can_be_saved_in_two_instances_too() {
    let open = r#"{"secret":"s","phase":"open","remember":true}"#;
    let save = r#"{"secret":"s","phase":"save","remember":true}"#;
    let mut fixture = Fixture::new(open);
    let mark = fixture.send(fixture.get("/"), None).published("gatehouse_session").unwrap();
    let mut fixture = fixture.with(save);
    let request =
        Request { consumer: Some(ANA.into()), mark: Some(mark.into_bytes()), ..fixture.get("/") };
    assert_eq!(fixture.save(request).cookies().len(), 2);
    let mut fixture = fixture.with(open);
    let browse = fixture.send(fixture.get("/"), Some(BOB));
    assert_eq!(browse.consumer().as_deref(), Some("1"));
    assert!(browse.cookies().is_empty(), "the opening instance starts none");
}
