//! Logouts, and sessions that are remembered.

use super::*;

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
