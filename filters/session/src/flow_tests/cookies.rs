//! Cookies that are no session, and secrets.

use super::*;

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
fn a_session_in_use_does_not_open_with_another_byte() {
    let mut fixture = logged_in(PLAIN);
    let good = fixture.cookies["session"].clone();
    for at in 0..good.len() {
        assert!(fixture.send(fixture.get("/"), None).consumer().is_some());
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        fixture.cookies.insert("session".into(), String::from_utf8(bytes).unwrap());
        assert!(fixture.send(fixture.get("/"), None).consumer().is_none(), "{at}");
        fixture.cookies.insert("session".into(), good.clone());
    }
    // As a remembered session, its contents would need another key.
    let mut fixture = fixture.with(r#"{"secret":"s","remember":true}"#);
    fixture.send(fixture.get("/"), None);
    let cookies = std::mem::take(&mut fixture.cookies);
    fixture.cookies.insert("remember".into(), cookies["session"].clone());
    assert!(fixture.send(fixture.get("/"), None).consumer().is_none());
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
