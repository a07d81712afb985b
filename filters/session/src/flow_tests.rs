use super::*;
use crate::fixture::{ANA, BOB, Fixture, NOBODY, REPORTS, START};
use consumer::PROPERTY;
use exchange::Head;
use exchange::{Body, Then};

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

// === Hostile and useless cookies ===

#[test]
fn an_invalid_cookie_is_no_session() {
    let good = logged_in(PLAIN).cookies["session"].clone();
    let flipped = good.replacen('A', "B", 3);
    let unfit = [
        "",
        "x",
        "AQ",
        &"A".repeat(110),
        good.get(..109).unwrap(),
        good.get(..110).unwrap(),
        good.get(..good.len() - 1).unwrap(),
        &flipped,
        &format!("{good}A"),
        &good.replacen("AQ", "Ag", 1),
        "\u{fffd}\u{fffd}",
        &"A".repeat(8000),
        "a;b=c",
        "|||",
    ];
    for cookie in unfit {
        let mut fixture = Fixture::new(PLAIN);
        fixture.cookies.insert("session".into(), cookie.into());
        let passage = fixture.send(fixture.get("/"), None);
        assert!(passage.consumer().is_none() && passage.cookies().is_empty(), "{cookie}");
        let mut fixture = fixture.with(r#"{"secret":"s","expire_invalid":true}"#);
        let expired = fixture.send(fixture.get("/"), None).cookies();
        assert!(expired.len() == 1 && expired[0].contains("Max-Age=0"), "{cookie} {expired:?}");
        assert!(!fixture.cookies.contains_key("session"));
    }
}

#[test]
fn a_new_login_replaces_an_invalid_cookie() {
    let mut fixture = Fixture::new(r#"{"secret":"s","expire_invalid":true}"#);
    fixture.cookies.insert("session".into(), "x".into());
    fixture.cookies.insert("session3".into(), "x".into());
    let login = fixture.send(fixture.get("/"), Some(ANA));
    assert_eq!(login.cookies().len(), 2, "one is set, and the other one expired");
    assert_eq!(fixture.cookies.len(), 1);
    assert!(fixture.send(fixture.get("/"), None).consumer().is_some());
}

#[test]
fn without_a_cookie_nothing_is_expired() {
    let mut fixture = Fixture::new(r#"{"secret":"s","expire_invalid":true}"#);
    assert!(fixture.send(fixture.get("/"), None).cookies().is_empty());
}

#[test]
fn two_hundred_cookies_are_looked_through() {
    let mut fixture = logged_in(PLAIN);
    for n in 0..200 {
        fixture.cookies.insert(format!("a{n}"), "x".repeat(20));
    }
    assert!(fixture.send(fixture.get("/"), None).consumer().is_some());
}

#[test]
fn a_session_of_many_cookies_needs_all_of_them() {
    // Twelve kilobytes of groups, which do not compress.
    let group = |n: u32| jumble(n);
    let groups: Vec<String> = (0..300).map(group).collect();
    let long = ANA.replace(
        r#""groups":[]"#,
        &format!(r#""groups":{}"#, serde_json::to_string(&groups).unwrap()),
    );
    let mut fixture = Fixture::new(PLAIN);
    fixture.send(fixture.get("/"), Some(&long));
    assert!(fixture.cookies.len() > 2, "{:?}", fixture.cookies.keys());
    assert_eq!(fixture.send(fixture.get("/"), None).consumer().as_deref(), Some("1"));
    fixture.after(61);
    assert_eq!(
        fixture.send(fixture.get("/"), None).cookies().len(),
        1,
        "a touch changes the first one only"
    );
    assert!(fixture.send(fixture.get("/"), None).consumer().is_some());
    let mut cut = Fixture::new(PLAIN);
    cut.cookies = fixture.cookies.clone();
    cut.after(61);
    let last = format!("session{}", fixture.cookies.len());
    cut.cookies.remove(&last).unwrap();
    assert!(cut.send(cut.get("/"), None).consumer().is_none());
    fixture.after(61);
    // With fewer groups, the cookies that are not needed any more are expired.
    fixture.send(fixture.get("/"), Some(ANA));
    assert_eq!(fixture.cookies.keys().collect::<Vec<_>>(), ["session"]);
}

fn jumble(n: u32) -> String {
    use sha2::Digest as _;
    jose::base64url::encode(sha2::Sha256::digest(n.to_le_bytes()))
}

#[test]
fn a_session_that_does_not_fit_is_not_begun_and_the_operator_is_told() {
    let groups: Vec<String> = (0..2000).map(jumble).collect();
    let long = ANA.replace(
        r#""groups":[]"#,
        &format!(r#""groups":{}"#, serde_json::to_string(&groups).unwrap()),
    );
    let mut fixture = Fixture::new(PLAIN);
    assert!(fixture.send(fixture.get("/"), Some(&long)).cookies().is_empty());
    assert_eq!(
        REPORTS.take(),
        ["gatehouse_session: a session is not saved: it does not fit nine cookies"]
    );
}

// === Secrets ===

#[test]
fn a_session_of_an_older_secret_is_renewed() {
    let fixture = logged_in(r#"{"secret":"old"}"#);
    let created = fixture.now();
    let mut fixture = fixture.with(r#"{"secret":"new","secret_fallbacks":["older","old"]}"#);
    fixture.after(10);
    let browse = fixture.send(fixture.get("/"), None);
    assert_eq!((browse.consumer().as_deref(), browse.cookies().len()), (Some("1"), 1));
    let header = crate::header::Header::read(fixture.cookies["session"].as_bytes()).unwrap();
    assert_eq!((header.created, header.rolling), (created, 10));
    let mut fixture = fixture.with(r#"{"secret":"new"}"#);
    let browse = fixture.send(fixture.get("/"), None);
    assert_eq!((browse.consumer().as_deref(), browse.cookies().len()), (Some("1"), 0));
    let mut fixture = fixture.with(r#"{"secret":"old"}"#);
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
}

#[test]
fn without_random_bytes_there_is_no_session() {
    let (config, secrets) =
        settings::read(PLAIN.as_bytes(), &|_| None, crate::config::Config::read).unwrap();
    let tools = crate::sessions::Tools { random: |_| false, report: |_| {} };
    let mut fixture = Fixture::new(PLAIN);
    fixture.sessions = Rc::new(Sessions::new(config, secrets, tools));
    assert!(fixture.send(fixture.get("/"), Some(ANA)).cookies().is_empty());
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

// === Logout ===

#[test]
fn a_logout_ends_the_session_and_is_answered_here() {
    let mut fixture = logged_in(PLAIN);
    let request = Request { method: b"POST".to_vec(), ..fixture.get("/x?session_logout=true") };
    let logout = fixture.send(request, None);
    let reply = logout.reply.as_ref().unwrap();
    assert_eq!((reply.status, &reply.body, reply.headers.len()), (200, &Body::Empty, 0));
    assert_eq!(
        logout.cookies(),
        [
            "session=; Path=/; SameSite=Strict; Secure; HttpOnly; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0"
        ]
    );
    // Without a session the request is like any other.
    let request = Request { method: b"POST".to_vec(), ..fixture.get("/x?session_logout=true") };
    assert!(fixture.send(request, None).forwarded.is_some());
}

#[test]
fn a_logout_needs_its_method_and_its_argument() {
    let mut fixture = logged_in(PLAIN);
    let get = fixture.get("/?session_logout");
    assert!(fixture.send(get, None).forwarded.is_some());
    let request = Request { method: b"DELETE".to_vec(), ..fixture.get("/") };
    assert!(fixture.send(request, None).forwarded.is_some());
}

#[test]
fn a_logout_may_stand_in_the_body_where_it_is_read() {
    let form = "application/x-www-form-urlencoded";
    let mut fixture = logged_in(r#"{"secret":"s","read_body_for_logout":true}"#);
    let other = fixture.send_with(fixture.post("/", form), Some(b"a=1"), None, Head::default());
    assert!(other.forwarded.is_some());
    let lost = fixture.send_with(fixture.post("/", form), None, None, Head::default());
    assert_eq!(
        lost.consumer().as_deref(),
        Some("1"),
        "a body that the host cannot hand over asks for nothing"
    );
    let logout = fixture.send_with(
        fixture.post("/", form),
        Some(b"session_logout=1"),
        None,
        Head::default(),
    );
    assert_eq!(logout.status(), Some(200));
    // Only a request with a session waits for its body. The fixture would hand one over.
    let stranger = fixture.send_with(
        fixture.post("/", form),
        Some(b"session_logout=1"),
        None,
        Head::default(),
    );
    assert!(stranger.forwarded.is_some());
    let mut blind = logged_in(PLAIN);
    let passage =
        blind.send_with(blind.post("/", form), Some(b"session_logout=1"), None, Head::default());
    assert!(passage.forwarded.is_some());
}

#[test]
fn a_logout_can_lead_somewhere() {
    let mut fixture = logged_in(
        r#"{"secret":"s","logout_redirect_uri":"https://example.com/bye","logout_methods":["GET"]}"#,
    );
    let logout = fixture.send(fixture.get("/?session_logout"), None);
    let reply = logout.reply.as_ref().unwrap();
    assert_eq!(reply.status, 302);
    assert_eq!(reply.headers, [("location".into(), b"https://example.com/bye".to_vec())]);
    assert_eq!(logout.cookies().len(), 1);
}

#[test]
fn a_logout_in_the_body_ends_what_was_renewed_a_moment_ago() {
    let config = r#"{"secret":"s","storage":"kong","admin":{"upstream":"a"},"check_consumer":false,"remember":true,
        "read_body_for_logout":true}"#;
    let form = "application/x-www-form-urlencoded";
    let mut fixture = logged_in(config);
    fixture.after(5000);
    let old = fixture.cookies.clone();
    let logout = fixture.send_with(
        fixture.post("/", form),
        Some(b"session_logout=1"),
        None,
        Head::default(),
    );
    assert_eq!(logout.status(), Some(200));
    assert!(
        fixture.cookies.is_empty() && fixture.rows.borrow().is_empty(),
        "{:?}",
        fixture.questions()
    );
    fixture.cookies = old;
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
}

// === Remembered sessions ===

#[test]
fn a_remembered_user_gets_a_session_without_logging_in() {
    let mut fixture = Fixture::new(REMEMBER);
    let login = fixture.send(fixture.get("/"), Some(ANA));
    let cookies = login.cookies();
    assert!(cookies.len() == 2 && cookies[0].starts_with("session="));
    assert!(
        cookies[1].contains("; HttpOnly; Expires=") && cookies[1].ends_with("; Max-Age=604800"),
        "{cookies:?}"
    );
    let (session, remember) =
        (fixture.cookies["session"].clone(), fixture.cookies["remember"].clone());
    fixture.after(7200);
    let back = fixture.send(fixture.get("/"), None);
    assert_eq!(back.consumer().as_deref(), Some("1"));
    let names: Vec<String> =
        back.cookies().iter().map(|c| c.split('=').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["remember", "session"]);
    assert!(fixture.cookies["session"] != session && fixture.cookies["remember"] != remember);
    let header =
        |name: &str| crate::header::Header::read(fixture.cookies[name].as_bytes()).unwrap();
    assert_eq!((header("session").created, header("session").rolling), (START + 7200, 0));
    assert_eq!((header("remember").created, header("remember").rolling), (START, 7200));
    assert!(fixture.send(fixture.get("/"), None).cookies().is_empty());
    // Renewing a session does not change the remembered session.
    for _ in 0..4 {
        fixture.after(800);
        let cookies = fixture.send(fixture.get("/"), None).cookies();
        assert!(cookies.len() == 1 && cookies[0].starts_with("session="));
    }
    // The remembered session ends after thirty days, however often it is used.
    fixture.after(2_592_001 - 7200 - 3200);
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
}

#[test]
fn a_logout_ends_the_remembered_session() {
    let mut fixture = logged_in(REMEMBER);
    let request = Request { method: b"POST".to_vec(), ..fixture.get("/?session_logout") };
    assert_eq!(fixture.send(request, None).cookies().len(), 2);
    assert!(fixture.cookies.is_empty());
    // A logout also ends a remembered session without a session beside it.
    let mut fixture = logged_in(REMEMBER);
    fixture.cookies.remove("session");
    let request = Request { method: b"POST".to_vec(), ..fixture.get("/?session_logout") };
    assert_eq!(fixture.send(request, None).status(), Some(200));
    assert!(fixture.cookies.is_empty());
}

#[test]
fn without_the_setting_nobody_is_remembered() {
    let fixture = logged_in(REMEMBER);
    let mut fixture = fixture.with(PLAIN);
    fixture.cookies.remove("session");
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
}

#[test]
fn a_user_who_does_not_want_to_be_remembered_is_not() {
    let mut fixture = logged_in(PLAIN);
    let ring = crate::keyring::Keyring::new(vec![crate::secret::Secret::new("s")]);
    let draft = crate::keyring::Draft { flags: crate::header::FORGET, created: START, rolling: 0 };
    let json = br#"[[["1","c"],"default","ana"]]"#;
    let (header, sealed) =
        ring.seal(Kind::Session, draft, json, &Client::default(), &[1; 32]).unwrap();
    fixture.cookies.insert("session".into(), header.text() + &jose::base64url::encode(&sealed));
    let mut fixture = fixture.with(REMEMBER);
    let other = fixture.send(fixture.get("/"), Some(BOB));
    assert_eq!(other.cookies().len(), 1);
    let header = crate::header::Header::read(fixture.cookies["session"].as_bytes()).unwrap();
    assert!(header.has(crate::header::FORGET), "and it stays so");
}

// === Stored sessions ===

#[test]
fn a_stored_sessions_cookie_holds_nothing_and_its_row_comes_first() {
    let mut fixture = Fixture::new(STORED);
    let login = fixture.send(fixture.get("/"), Some(ANA));
    assert_eq!(fixture.questions(), ["PUT sessions"]);
    assert_eq!(login.cookies().len(), 1);
    assert_eq!(fixture.cookies["session"].len(), 110);
    let (name, (data, end)) =
        fixture.rows.borrow().iter().next().map(|(n, r)| (n.clone(), r.clone())).unwrap();
    assert_eq!(end, START + 3600);
    assert!(
        !data.contains("ana") && !name.contains(&id(&fixture)),
        "nothing can be read or replayed"
    );
    assert_eq!(fixture.send(fixture.get("/"), None).consumer().as_deref(), Some("1"));
    // A cookie that was made with one storage is invalid with the other.
    let cookies = fixture.cookies.clone();
    let mut fixture = fixture.with(PLAIN);
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
    fixture.cookies = logged_in(PLAIN).cookies;
    let mut fixture = fixture.with(STORED);
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
    fixture.cookies = cookies;
    fixture.rows.borrow_mut().clear();
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none(), "no row, no session");
}

#[test]
fn a_session_that_could_not_be_stored_is_not_sent() {
    let mut fixture = Fixture::new(STORED);
    fixture.reachable.set(false);
    let login = fixture.send(fixture.get("/"), Some(ANA));
    assert!(login.forwarded.is_some() && login.cookies().is_empty());
    assert_eq!(REPORTS.take().len(), 1);
}

#[test]
fn a_stored_session_that_cannot_be_looked_up_is_not_a_missing_one() {
    let mut fixture = logged_in(STORED);
    fixture.reachable.set(false);
    assert_eq!(fixture.send(fixture.get("/"), None).status(), Some(503));
}

#[test]
fn a_superseded_row_lives_until_its_successor_is_in_use() {
    let mut fixture = logged_in(STORED);
    for _ in 0..3 {
        fixture.after(850);
        fixture.send(fixture.get("/"), None);
    }
    let touched = fixture.cookies.clone();
    fixture.after(200);
    fixture.questions();
    fixture.send(fixture.get("/"), None);
    assert_eq!(fixture.questions(), ["GET sessions", "PUT sessions"]);
    assert_eq!(fixture.rows.borrow().len(), 2);
    let new = std::mem::replace(&mut fixture.cookies, touched.clone());
    // The response was lost. The browser still has the old cookie, which stays valid.
    fixture.after(100);
    assert!(fixture.send(fixture.get("/"), None).consumer().is_some());
    assert_ne!(fixture.cookies, new, "it was renewed once more");
    fixture.cookies = new;
    fixture.questions();
    assert!(fixture.send(fixture.get("/"), None).consumer().is_some());
    assert_eq!(fixture.questions(), ["GET sessions", "PATCH sessions"]);
    fixture.send(fixture.get("/"), None);
    assert_eq!(fixture.questions(), ["GET sessions"], "once is enough");
    // For a moment both are valid, but the old one is not renewed any more.
    let current = std::mem::replace(&mut fixture.cookies, touched);
    fixture.after(9);
    let late = fixture.send(fixture.get("/"), None);
    assert!(late.consumer().is_some() && late.cookies().is_empty());
    fixture.after(1);
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
    fixture.cookies = current;
    assert!(fixture.send(fixture.get("/"), None).consumer().is_some());
}

#[test]
fn a_renewal_that_cannot_be_stored_leaves_the_session_as_it_is() {
    let fixture = logged_in(
        r#"{"secret":"s","storage":"kong","admin":{"upstream":"a"},"check_consumer":false,"idling_timeout":0}"#,
    );
    let before = fixture.cookies.clone();
    fixture.after(2800);
    let row = fixture.rows.borrow().clone();
    let mut flow = Fixture::filter(&fixture.sessions);
    let step = flow.send(fixture.get("/"));
    let Step { then: Then::Find { key, not_before: 0 }, .. } = step else { panic!() };
    let (data, end) = row.values().next().unwrap();
    let session = admin_api::Session { data: data.clone(), ttl: end - fixture.now(), seq: None };
    let value = crate::rows::Row::kept(&session, fixture.now() * 1000).unwrap();
    assert_eq!(
        key,
        source::row(row_of(&crate::header::Header::read(before["session"].as_bytes()).unwrap().id))
    );
    let step = flow.on(Event::Found(Ok(Finding::Value(value))));
    assert!(matches!(step, Step { then: Then::Ask(..), .. }));
    let Step { edits, then: Then::Forward } = flow.on(Event::Answered(Err(Unavailable))) else {
        panic!()
    };
    assert!(
        edits.iter().any(|edit| matches!(edit, Edit::Publish(PROPERTY, _))),
        "the session still holds"
    );
    let response = Response { consumer: None, ..Response::default() };
    let step = flow.on_response(ResponseEvent::Head(Box::new(response)));
    assert_eq!(step, ResponseStep::Forward(vec![]), "and no cookie is given out");
}

#[test]
fn a_logout_ends_the_row_and_what_was_cached_of_it() {
    let mut fixture = logged_in(STORED);
    let cookies = fixture.cookies.clone();
    let request = Request { method: b"POST".to_vec(), ..fixture.get("/?session_logout") };
    assert_eq!(fixture.send(request, None).status(), Some(200));
    assert_eq!(fixture.questions(), ["GET sessions", "DELETE sessions"]);
    assert!(fixture.rows.borrow().is_empty() && fixture.cookies.is_empty());
    // The cache may not know of the end yet, but the VM that ended the session does.
    fixture.cookies = cookies;
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
    assert_eq!(fixture.questions(), [] as [&str; 0]);
}

#[test]
fn a_logout_that_cannot_be_carried_out_is_refused() {
    let mut fixture = logged_in(STORED);
    let mut flow = Fixture::filter(&fixture.sessions);
    let request = Request { method: b"POST".to_vec(), ..fixture.get("/?session_logout") };
    let Step { then: Then::Find { not_before: 0, .. }, .. } = flow.send(request) else { panic!() };
    let (data, _) = fixture.rows.borrow().values().next().cloned().unwrap();
    let session = admin_api::Session { data, ttl: 100, seq: None };
    let value = crate::rows::Row::kept(&session, fixture.now() * 1000).unwrap();
    let Step { then: Then::Ask(..), .. } = flow.on(Event::Found(Ok(Finding::Value(value)))) else {
        panic!()
    };
    let Step { then: Then::Reply(reply), .. } = flow.on(Event::Answered(Err(Unavailable))) else {
        panic!()
    };
    assert_eq!(reply.status, 503);
    let response = Response { ours: true, ..Response::default() };
    let ResponseStep::Forward(edits) = flow.on_response(ResponseEvent::Head(Box::new(response)))
    else {
        panic!()
    };
    assert_eq!(edits.len(), 1, "the browser forgets the session even so");
    assert!(fixture.send(fixture.get("/"), None).consumer().is_some());
}

#[test]
fn a_stored_session_with_a_remembered_one_has_two_rows() {
    let config = r#"{"secret":"s","storage":"kong","admin":{"upstream":"a"},"check_consumer":false,"remember":true}"#;
    let mut fixture = logged_in(config);
    assert_eq!(fixture.rows.borrow().len(), 2);
    fixture.after(5000);
    let old = fixture.cookies.clone();
    assert_eq!(fixture.send(fixture.get("/"), None).consumer().as_deref(), Some("1"));
    assert_eq!(fixture.questions(), ["GET sessions", "PUT sessions", "PUT sessions"]);
    // The browser uses the new session, so the older remembered session ends.
    fixture.send(fixture.get("/"), None);
    assert_eq!(fixture.questions(), ["GET sessions", "PATCH sessions"]);
    fixture.after(11);
    fixture.cookies = old;
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
}

// === Metadata ===

/// The settings of a filter with stored sessions, and `more`.
fn noting(more: &str) -> String {
    let stored = r#""secret":"s","storage":"kong","admin":{"upstream":"a"},"check_consumer":false"#;
    format!("{{{stored},{more}}}")
}

fn get(mut fixture: Fixture) -> crate::fixture::Passage {
    fixture.send(fixture.get("/"), None)
}

#[test]
fn metadata_is_stored_only_if_the_settings_say_so() {
    for (more, noted) in [
        (r#""store_metadata":false"#, ""),
        (r#""hash_subject":true"#, ""),
        (r#""store_metadata":true"#, "default:ana"),
        (r#""store_metadata":true,"hash_subject":true"#, "default:JNS5b1jabUqFEjE7vQKijg"),
    ] {
        let fixture = logged_in(&noting(more));
        assert_eq!(fixture.noted.take(), [noted], "{more}");
        // Metadata is no part of the session, so the session is valid with any of these settings.
        assert_eq!(get(fixture.with(STORED)).consumer().as_deref(), Some("1"));
    }
    let cookie = r#"{"secret":"s","store_metadata":true,"hash_subject":true}"#;
    let mut fixture = Fixture::new(cookie);
    fixture.send(fixture.get("/"), Some(ANA));
    assert_eq!((fixture.cookies.len(), fixture.questions()), (1, vec![]));
    assert_eq!(get(fixture.with(PLAIN)).consumer().as_deref(), Some("1"));
}

#[test]
fn a_renewed_session_has_its_metadata_again() {
    let mut fixture =
        logged_in(&noting(r#""store_metadata":true,"idling_timeout":0,"remember":true"#));
    assert_eq!(
        fixture.noted.take(),
        ["default:ana", "default:ana"],
        "what is remembered can be ended"
    );
    fixture.after(2701);
    assert_eq!(fixture.send(fixture.get("/"), None).consumer().as_deref(), Some("1"));
    assert_eq!(fixture.noted.take(), ["default:ana"]);
    fixture.after(5000);
    assert_eq!(fixture.send(fixture.get("/"), None).consumer().as_deref(), Some("1"));
    assert_eq!(fixture.noted.take(), ["default:ana", "default:ana"], "restored");
    fixture.send(fixture.get("/"), Some(BOB));
    assert_eq!(fixture.noted.take(), ["default:bob", "default:bob"]);
}

#[test]
fn metadata_has_every_audience_of_the_session() {
    let shop = noting(r#""store_metadata":true,"audience":"shop""#);
    let mut fixture = logged_in(STORED).with(&shop);
    fixture.noted.take();
    fixture.send(fixture.get("/"), Some(BOB));
    assert_eq!(fixture.noted.take(), ["default:ana,shop:bob"]);
    // After a logout, only the audience that is left is told.
    let mut logout = fixture.get("/?session_logout");
    logout.method = b"DELETE".to_vec();
    assert_eq!(fixture.send(logout, None).status(), Some(200));
    assert_eq!(fixture.noted.take(), ["default:ana"]);
}

#[test]
fn a_session_whose_metadata_would_be_refused_is_not_begun() {
    let long =
        format!(r#"{{"id":"1","username":"{}","credential":{{"id":"c"}}}}"#, "a".repeat(257));
    let mut fixture = Fixture::new(&noting(r#""store_metadata":true"#));
    let passage = fixture.send(fixture.get("/"), Some(&long));
    assert!(passage.forwarded.is_some() && passage.cookies().is_empty());
    assert_eq!((fixture.questions(), REPORTS.take().len()), (vec![], 1));
    let mut fixture = Fixture::new(&noting(r#""store_metadata":true,"hash_subject":true"#));
    assert_eq!(fixture.send(fixture.get("/"), Some(&long)).cookies().len(), 1);
}

// === Revoked logins ===

const REVOKES: &str =
    r#"{"secret":"s","logout_revokes":true,"admin":{"upstream":"a"},"check_consumer":false}"#;

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
    let request = Request { method: b"POST".to_vec(), ..fixture.get("/?session_logout") };
    assert_eq!(fixture.send(request, None).status(), Some(200));
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
    let config = r#"{"secret":"s","logout_revokes":true,"admin":{"upstream":"a"},"check_consumer":false,"remember":true}"#;
    let mut fixture = logged_in(config);
    let first = fixture.cookies.clone();
    fixture.after(7200);
    fixture.send(fixture.get("/"), None);
    let request = Request { method: b"POST".to_vec(), ..fixture.get("/?session_logout") };
    assert_eq!(fixture.send(request, None).status(), Some(200));
    assert_eq!(
        fixture.revoked.borrow().len(),
        2,
        "the session's time, and that of the login that was remembered"
    );
    fixture.cookies = first;
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
}

// === Telling ===

#[test]
fn upstream_and_client_get_the_properties_of_the_session() {
    let all = r#"["id","audience","subject","timeout","idling-timeout","rolling-timeout","absolute-timeout"]"#;
    let config = format!(r#"{{"secret":"s","request_headers":{all},"response_headers":{all}}}"#);
    let mut fixture = Fixture::new(&config);
    let login = fixture.send(fixture.get("/"), Some(ANA));
    assert_eq!(login.header("session-id"), None, "the request had left before there was a session");
    assert_eq!(login.told("session-id"), Some(id(&fixture)));
    assert_eq!(login.told("session-timeout").as_deref(), Some("900"));
    fixture.after(50);
    let browse = fixture.send(fixture.get("/"), None);
    for (name, value) in [
        ("session-audience", "default"),
        ("session-subject", "ana"),
        ("session-timeout", "850"),
        ("session-idling-timeout", "850"),
        ("session-rolling-timeout", "3550"),
        ("session-absolute-timeout", "86350"),
    ] {
        assert_eq!(browse.header(name).as_deref(), Some(value));
        assert_eq!(browse.told(name).as_deref(), Some(value));
    }
}

#[test]
fn the_upstream_need_not_see_the_cookie() {
    let mut fixture = logged_in(r#"{"secret":"s","hide_cookie":true}"#);
    fixture.cookies.insert("a".into(), "1".into());
    fixture.cookies.insert("zz".into(), "2".into());
    let browse = fixture.send(fixture.get("/"), None);
    assert_eq!(browse.header("cookie").as_deref(), Some("a=1; zz=2"));
    let mut fixture = fixture.with(PLAIN);
    assert_eq!(fixture.send(fixture.get("/"), None).header("cookie"), None);
    // Kong cannot remove the second of two headers.
    let mut fixture = fixture.with(r#"{"secret":"s","hide_cookie":true}"#);
    let head: Head = [("cookie", "a=1"), ("cookie", "session=x")].into_iter().collect();
    let request = Request { head, can_remove: false, ..fixture.get("/") };
    assert_eq!(fixture.send(request, None).status(), Some(400));
}

#[test]
fn a_bound_session_is_none_for_another_client() {
    let config = r#"{"secret":"s","bind":["ip","scheme","user-agent"]}"#;
    let mut fixture = Fixture::new(config);
    let from = |fixture: &Fixture, ip: &str| Request { peer: Some(ip.into()), ..fixture.get("/") };
    fixture.send(from(&fixture, "10.0.0.1"), Some(ANA));
    assert!(fixture.send(from(&fixture, "10.0.0.1"), None).consumer().is_some());
    assert!(fixture.send(from(&fixture, "10.0.0.2"), None).consumer().is_none());
}

#[test]
fn the_upstreams_own_cookies_stay() {
    let mut fixture = Fixture::new(PLAIN);
    let head: Head =
        [("set-cookie", "theme=dark"), ("set-cookie", "session=fake")].into_iter().collect();
    let login = fixture.send_with(fixture.get("/"), None, Some(ANA), head);
    assert_eq!(login.response.first(), Some(&Edit::remove("set-cookie")));
    let cookies = login.cookies();
    assert!(
        cookies.len() == 2 && cookies[0] == "theme=dark" && cookies[1].starts_with("session=AQ")
    );
}

#[test]
fn an_event_out_of_order_is_a_refusal() {
    let fixture = logged_in(PLAIN);
    for event in [
        Event::Body(Ok(vec![])),
        Event::Found(Ok(Finding::Nothing)),
        Event::Chunk(vec![]),
        Event::Answered(Err(Unavailable)),
    ] {
        let mut flow = Fixture::filter(&fixture.sessions);
        flow.send(fixture.get("/"));
        assert!(matches!(
            flow.on(event),
            Step { then: Then::Reply(Reply { status: 500, .. }), .. }
        ));
        assert!(!flow.wants_response());
    }
}
