use super::*;
use crate::fixture::{ANA, BOB, Fixture, NOBODY, REPORTS, START};
use crate::keyring::{Draft, Keyring};
use crate::secret::Secret;
use consumer::PROPERTY;
use exchange::Head;
use exchange::{Body, Then};

#[path = "flow_tests/cookies.rs"]
mod cookies;
#[path = "flow_tests/logins.rs"]
mod logins;
#[path = "flow_tests/logout.rs"]
mod logout;
#[path = "flow_tests/names.rs"]
mod names;
#[path = "flow_tests/stored.rs"]
mod stored;
#[path = "flow_tests/telling.rs"]
mod telling;

const PLAIN: &str = r#"{"secret":"s"}"#;
const STORED: &str =
    r#"{"secret":"s","storage":"kong","admin":{"upstream":"a"},"check_consumer":false}"#;
const REMEMBER: &str = r#"{"secret":"s","remember":true}"#;

/// A browser that has just logged in.
fn logged_in(config: &str) -> Fixture {
    let mut fixture = Fixture::new(config);
    let passage = fixture.send(fixture.get("/"), Some(ANA));
    assert!(!passage.cookies().is_empty());
    fixture.questions();
    fixture
}

/// The cookie with a session of this kind and these contents, which began at the start.
fn sealed(kind: Kind, json: &str) -> String {
    let draft = Draft { flags: 0, created: START, rolling: 0 };
    let ring = Keyring::new(vec![Secret::new("s")]);
    let (header, sealed) =
        ring.seal(kind, draft, json.as_bytes(), &Client::default(), &[1; 32]).unwrap();
    header.text() + &jose::base64url::encode(&sealed)
}

fn id(fixture: &Fixture) -> String {
    fixture.cookies["session"].get(4..47).unwrap().to_owned()
}

// === Login and browsing ===

#[test]
fn after_a_login_the_cookie_alone_is_enough() {
    let mut fixture = Fixture::new(PLAIN);
    let login = fixture.send(fixture.get("/"), Some(ANA));
    assert_eq!(login.cookies().len(), 1);
    let cookie = &login.cookies()[0];
    assert!(cookie.starts_with("session=AQ"), "{cookie}");
    assert!(cookie.ends_with("; Path=/; SameSite=Strict; Secure; HttpOnly"), "{cookie}");

    let browse = fixture.send(fixture.get("/"), None);
    assert_eq!(browse.header("x-consumer-id").as_deref(), Some("1"));
    assert_eq!(browse.header("x-consumer-username").as_deref(), Some("ana"));
    assert_eq!(browse.header("x-credential-identifier").as_deref(), Some("c"));
    assert_eq!(
        browse.published("gatehouse_consumer").as_deref(),
        Some(
            r#"{"id":"1","username":"ana","custom_id":null,"groups":[],"credential":{"id":"c","type":"session","identifier":"c"},"anonymous":false}"#
        )
    );
    assert!(browse.cookies().is_empty(), "nothing is due");
    // A request that is authenticated again by this credential needs no new session.
    assert!(fixture.send(fixture.get("/"), Some(ANA)).cookies().is_empty());
}

#[test]
fn nobody_and_the_anonymous_consumer_get_no_session() {
    for later in [None, Some(NOBODY), Some(r#"{"refused":true}"#), Some("{")] {
        let mut fixture = Fixture::new(PLAIN);
        let passage = fixture.send(fixture.get("/"), later);
        assert!(passage.cookies().is_empty() && passage.published("gatehouse_consumer").is_none());
    }
}

#[test]
fn a_session_keeps_the_groups_of_its_consumer() {
    let mut fixture = Fixture::new(PLAIN);
    fixture.send(fixture.get("/"), Some(BOB));
    let browse = fixture.send(fixture.get("/"), None);
    assert_eq!(browse.header("x-authenticated-groups").as_deref(), Some("staff"));
    assert!(browse.published("gatehouse_consumer").unwrap().contains(r#""groups":["staff"]"#));
    // Kong forgets a change of groups.
    let more = BOB.replace(r#"["staff"]"#, r#"["staff","admins"]"#);
    assert_eq!(fixture.send(fixture.get("/"), Some(&more)).cookies().len(), 1);
    let browse = fixture.send(fixture.get("/"), None);
    assert_eq!(browse.header("x-authenticated-groups").as_deref(), Some("staff, admins"));
}

#[test]
fn identity_headers_of_the_client_never_reach_the_upstream() {
    let mut fixture = logged_in(r#"{"secret":"s","request_headers":["id","subject"]}"#);
    let forge = |fixture: &Fixture| {
        let get = fixture.get("/");
        let headers = get.head.fields().map(|(name, value)| (name.to_vec(), value.to_vec()));
        let forged = [
            "x-consumer-id",
            "x_consumer_username",
            "x-authenticated-groups",
            "session-id",
            "session-audience",
        ];
        let forged = forged.map(|name| (name.as_bytes().to_vec(), b"root".to_vec()));
        Request { head: headers.chain(forged).collect(), ..get.clone() }
    };
    let browse = fixture.send(forge(&fixture), None);
    assert_eq!(browse.consumer().as_deref(), Some("1"));
    assert_eq!(browse.header("session-id"), Some(id(&fixture)));
    assert_eq!(browse.header("session-subject").as_deref(), Some("ana"));
    assert!(browse.removes("x_consumer_username") && browse.removes("x-authenticated-groups"));
    fixture.cookies.clear();
    let stranger = fixture.send(forge(&fixture), None);
    for name in ["x-consumer-id", "x_consumer_username", "x-authenticated-groups", "session-id"] {
        assert!(stranger.removes(name), "{name}");
    }
}

#[test]
fn another_login_takes_the_sessions_place() {
    let mut fixture = logged_in(PLAIN);
    let before = id(&fixture);
    fixture.after(100);
    let other = fixture.send(fixture.get("/"), Some(BOB));
    assert_eq!(other.cookies().len(), 1);
    assert_ne!(id(&fixture), before);
    assert_eq!(fixture.send(fixture.get("/"), None).consumer().as_deref(), Some("2"));
    let header = crate::header::Header::read(fixture.cookies["session"].as_bytes()).unwrap();
    assert_eq!(
        (header.created, header.rolling),
        (START + 100, 0),
        "another consumer's time begins anew"
    );
}

#[test]
fn another_credential_of_the_same_consumer_keeps_the_time_of_the_login() {
    let mut fixture = logged_in(PLAIN);
    fixture.after(100);
    let other = ANA.replace(r#""id":"c""#, r#""id":"other""#);
    assert_eq!(fixture.send(fixture.get("/"), Some(&other)).cookies().len(), 1);
    let header = crate::header::Header::read(fixture.cookies["session"].as_bytes()).unwrap();
    assert_eq!((header.created, header.rolling), (START, 100));
}

#[test]
fn an_identity_of_an_earlier_filter_precedes_the_session() {
    let mut fixture = logged_in(PLAIN);
    let request = Request { consumer: Some(BOB.into()), ..fixture.get("/") };
    let passage = fixture.send(request, None);
    assert_eq!(passage.consumer().as_deref(), Some("2"), "also for the upstream");
    assert_eq!(passage.published("gatehouse_consumer"), None);
    assert_eq!(passage.cookies().len(), 1, "and the session is for that one now");
    // An anonymous stand-in gives way to the session.
    let request = Request { consumer: Some(NOBODY.into()), ..fixture.get("/") };
    assert_eq!(fixture.send(request, None).consumer().as_deref(), Some("2"));
}

#[test]
fn the_session_of_another_consumer_is_not_told_of() {
    let mut fixture = logged_in(r#"{"secret":"s","request_headers":["subject"]}"#);
    let forged = |fixture: &Fixture, consumer: &str| {
        let get = fixture.get("/");
        let headers = get.head.fields().map(|(name, value)| (name.to_vec(), value.to_vec()));
        let root = (b"session_subject".to_vec(), b"root".to_vec());
        let head = headers.chain([root]).collect();
        Request { head, consumer: Some(consumer.into()), ..get }
    };
    let own = fixture.send(forged(&fixture, ANA), None);
    assert_eq!(own.header("session-subject").as_deref(), Some("ana"));
    assert!(own.removes("session_subject"));
    let other = fixture.send(forged(&fixture, BOB), None);
    assert_eq!(other.header("session-subject"), None);
    assert!(other.removes("session_subject"));
}

/// A request with these cookies before the browser's own.
fn with_cookies_before(fixture: &Fixture, cookies: &[&str]) -> Request {
    let get = fixture.get("/");
    let own = String::from_utf8(get.head.first("cookie").unwrap_or_default().to_vec()).unwrap();
    let all = cookies.iter().map(|cookie| (*cookie).to_owned()).chain([own]);
    let head = [("cookie", all.collect::<Vec<_>>().join("; "))].into_iter().collect();
    Request { head, ..get }
}

#[test]
fn of_several_cookies_of_one_name_the_first_valid_one_counts() {
    // spring-projects/spring-session#275
    for config in [PLAIN, STORED] {
        let mut fixture = logged_in(config);
        let old = format!("session={}", fixture.cookies["session"]);
        let logout = Request { method: b"DELETE".to_vec(), ..fixture.get("/?session_logout=1") };
        fixture.send(logout, None);
        fixture.cookies.clear();
        fixture.send(fixture.get("/"), Some(BOB));
        let mut odd = vec!["session=", "session=AQ", "SESSION=x"];
        let known = fixture.send(with_cookies_before(&fixture, &odd), None);
        assert_eq!(known.consumer().as_deref(), Some("2"), "{config}");
        assert!(known.cookies().is_empty());
        if config == STORED {
            // The row of the first cookie is gone, so that the next cookie is looked up.
            let known = fixture.send(with_cookies_before(&fixture, &[&old]), None);
            assert_eq!(known.consumer().as_deref(), Some("2"));
        }
        odd.push("session=y");
        let stranger = fixture.send(with_cookies_before(&fixture, &odd), None);
        assert_eq!(stranger.consumer(), None, "the fifth is not looked at");
    }
}

#[test]
fn a_cookie_whose_line_may_be_dropped_is_reported_once() {
    // bungle/lua-resty-session#67
    // Contents that repeat themselves are compressed, so these do not.
    let text = |length: u32| -> String {
        let digest = |n: u32| consumer::key_digest(&n.to_le_bytes());
        let letters = (0..length).flat_map(|n| digest(n).map(|byte| char::from(b'a' + byte % 16)));
        letters.take(length as usize).collect()
    };
    let of = |length| ANA.replace("ana", &text(length));
    let mut fixture = Fixture::new(PLAIN);
    fixture.send(fixture.get("/"), Some(&of(1000)));
    assert_eq!(REPORTS.take().len(), 0);
    for name in [9000, 9001, 9002] {
        fixture.cookies.clear();
        let long = fixture.send(fixture.get("/"), Some(&of(name)));
        let lines: Vec<usize> = long.cookies().iter().map(String::len).collect();
        assert!(lines.iter().any(|line| *line > 4096), "{lines:?}");
    }
    let reports = REPORTS.take();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("4,096 bytes"), "{reports:?}");
}

#[test]
fn trusted_headers_alone_never_start_a_session() {
    let mut fixture = Fixture::new(r#"{"secret":"s","trust_consumer_headers":true}"#);
    let get = fixture.get("/");
    let head: Head =
        [("x-consumer-id", "1"), ("x-credential-identifier", "c")].into_iter().collect();
    let passage = fixture.send(Request { head, ..get }, None);
    assert!(passage.cookies().is_empty() && passage.consumer().is_none());
}

#[test]
fn a_request_that_was_refused_or_is_not_ours_is_left_alone() {
    let mut fixture =
        logged_in(r#"{"secret":"s","match":{"paths":["/app"]}}"#.replace("/app", "/").as_str());
    let refused = Request { consumer: Some(br#"{"refused":true}"#.to_vec()), ..fixture.get("/") };
    assert_eq!(fixture.send(refused, Some(ANA)).forwarded, Some(vec![]));
    let mut fixture = fixture.with(r#"{"secret":"s","match":{"paths":["/app"]}}"#);
    let elsewhere = fixture.send(fixture.get("/"), Some(BOB));
    assert_eq!((elsewhere.forwarded.as_deref(), elsewhere.cookies().len()), (Some(&[][..]), 0));
}

// === Time ===

#[test]
fn a_session_that_is_used_is_touched_and_renewed() {
    let mut fixture = logged_in(PLAIN);
    let first = id(&fixture);
    fixture.after(60);
    assert!(fixture.send(fixture.get("/"), None).cookies().is_empty());
    fixture.after(1);
    let touched = fixture.send(fixture.get("/"), None);
    assert_eq!(
        (touched.cookies().len(), id(&fixture)),
        (1, first.clone()),
        "the session is touched, not renewed"
    );
    for _ in 0..3 {
        fixture.after(879);
        assert!(fixture.send(fixture.get("/"), None).consumer().is_some());
        assert_eq!(id(&fixture), first);
    }
    fixture.after(3);
    let renewed = fixture.send(fixture.get("/"), None);
    assert_eq!(renewed.cookies().len(), 1);
    assert_ne!(id(&fixture), first, "2701 s after it was saved");
    assert!(fixture.send(fixture.get("/"), None).consumer().is_some());
}

#[test]
fn a_session_that_is_not_used_ends() {
    let mut fixture = logged_in(PLAIN);
    fixture.after(901);
    let passage = fixture.send(fixture.get("/"), None);
    assert!(passage.consumer().is_none() && passage.cookies().is_empty());
}

#[test]
fn no_renewal_takes_a_session_past_its_absolute_end() {
    let mut fixture = logged_in(r#"{"secret":"s","idling_timeout":0,"absolute_timeout":10000}"#);
    for seconds in [2800, 2800, 2800, 1600] {
        fixture.after(seconds);
        assert!(
            fixture.send(fixture.get("/"), None).consumer().is_some(),
            "{}",
            fixture.now() - START
        );
    }
    fixture.after(1);
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
}

// === Audiences ===

#[test]
fn two_audiences_share_a_cookie() {
    let fixture = logged_in(r#"{"secret":"s","audience":"a"}"#);
    let mut fixture = fixture.with(r#"{"secret":"s","audience":"b"}"#);
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none(), "it lacks the audience");
    fixture.send(fixture.get("/"), Some(BOB));
    assert_eq!(fixture.send(fixture.get("/"), None).consumer().as_deref(), Some("2"));
    let mut fixture = fixture.with(r#"{"secret":"s","audience":"a"}"#);
    assert_eq!(fixture.send(fixture.get("/"), None).consumer().as_deref(), Some("1"));
    let request = Request { method: b"DELETE".to_vec(), ..fixture.get("/?session_logout") };
    assert_eq!(fixture.send(request, None).status(), Some(200));
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
    let mut fixture = fixture.with(r#"{"secret":"s","audience":"b"}"#);
    assert_eq!(
        fixture.send(fixture.get("/"), None).consumer().as_deref(),
        Some("2"),
        "only the other one ended"
    );
}

// === Consumers ===

#[test]
fn a_session_has_the_names_and_groups_that_its_consumer_has_now() {
    let config = r#"{"secret":"s","consumers":[{"id":"1","username":"ana-maria","custom_id":"7","groups":["now"]}]}"#;
    let mut fixture = logged_in(config);
    let browse = fixture.send(fixture.get("/"), None);
    assert_eq!(browse.header("x-consumer-username").as_deref(), Some("ana-maria"));
    assert_eq!(browse.header("x-consumer-custom-id").as_deref(), Some("7"));
    assert_eq!(browse.header("x-authenticated-groups").as_deref(), Some("now"));
}

#[test]
fn a_deleted_consumers_session_ends() {
    let mut fixture = logged_in(r#"{"secret":"s","consumers":[{"id":"2","username":"bob"}]}"#);
    let browse = fixture.send(fixture.get("/"), None);
    assert!(browse.consumer().is_none());
    assert!(browse.cookies()[0].contains("Max-Age=0") && fixture.cookies.is_empty());
    let fixture = logged_in(r#"{"secret":"s","admin":{"upstream":"a"}}"#);
    let mut fixture = fixture;
    fixture
        .consumers
        .insert("1".into(), r#"{"consumer":{"id":"1","username":"ana"},"seq":1}"#.into());
    assert_eq!(fixture.send(fixture.get("/"), None).consumer().as_deref(), Some("1"));
    fixture.consumers.clear();
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
    assert!(fixture.cookies.is_empty());
}

#[test]
fn a_consumer_that_cannot_be_looked_up_is_not_a_missing_one() {
    let mut fixture = logged_in(r#"{"secret":"s","admin":{"upstream":"a"}}"#);
    fixture.reachable.set(false);
    assert_eq!(fixture.send(fixture.get("/"), None).status(), Some(503));
    fixture.cookies.insert("session".into(), "x".into());
    assert_eq!(
        fixture.send(fixture.get("/"), None).status(),
        None,
        "nobody is asked about a made-up cookie"
    );
}
