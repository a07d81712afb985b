//! Sessions with a row in the admin service, and their metadata.

use super::*;

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
