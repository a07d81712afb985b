//! The properties that upstream and client get, and bound sessions.

use super::*;

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
