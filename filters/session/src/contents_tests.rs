use super::*;
use proptest::prelude::*;

const KONG: &str = r#"[[["4f1d","9a7f",["agents","double\/agents"]],"default","coop"],[{"a":[1.50,{"b":null}]},"other"]]"#;

fn holder() -> Holder {
    Holder {
        consumer: "4f1d".into(),
        credential: Some("9a7f".into()),
        groups: vec!["agents".into(), "double/agents".into()],
        username: Some("coop".into()),
        custom_id: None,
        login: None,
        subject: Some("coop".into()),
    }
}

fn read(contents: &Contents, audience: &str) -> Option<Holder> {
    contents.holder(audience).map(|held| Holder::clone(&held))
}

#[test]
fn only_what_was_published_settles_a_session() {
    let held = |consumer: &str| {
        let holder = Holder { consumer: consumer.into(), ..holder() };
        Contents::default().with("a", &holder).holder("a").unwrap()
    };
    let (one, other) = (held("1"), held("2"));
    assert!(one.settles(Some(one.published())));
    assert!(!one.settles(Some(other.published())) && !one.settles(None));
    // A reader sees the id in lower case, and saves the session under that id.
    let upper = held("4F1D0C9A-8E1B-4C57-A3D2-0123456789AB");
    assert!(!upper.settles(Some(upper.published())));
    let without = Holder { credential: None, ..holder() };
    let held = Contents::default().with("a", &without).holder("a").unwrap();
    assert!(!held.settles(Some(held.published())));
}

#[test]
fn contents_that_kong_wrote_are_read_and_written_alike() {
    let contents = Contents::read(KONG.as_bytes()).unwrap();
    assert_eq!(read(&contents, "default"), Some(holder()));
    assert_eq!(contents.json(), KONG);
    assert_eq!(contents.clone().with("default", &holder()).json(), KONG);
    let two = Contents::default().with("default", &Holder { groups: vec![], ..holder() });
    assert_eq!(two.json(), r#"[[["4f1d","9a7f"],"default","coop"]]"#);
}

#[test]
fn names_and_login_follow_what_kong_reads() {
    let full = Holder { custom_id: Some("7/8".into()), login: Some(1_700_000_000), ..holder() };
    let json = |holder: &Holder| Contents::default().with("default", holder).json();
    assert_eq!(
        json(&full),
        r#"[[["4f1d","9a7f",["agents","double\/agents"],{"username":"coop","custom_id":"7\/8","login":1700000000}],"default","coop"]]"#
    );
    // Kong takes `false` for no groups. It would fail on `null`.
    let named = Holder { groups: vec![], username: None, login: None, ..full };
    assert_eq!(json(&named), r#"[[["4f1d","9a7f",false,{"custom_id":"7\/8"}],"default","coop"]]"#);
    let contents = Contents::read(json(&named).as_bytes()).unwrap();
    assert_eq!(read(&contents, "default"), Some(named));
}

#[test]
fn a_username_that_is_the_subject_and_a_subject_that_is_the_id_need_no_more_words() {
    for (username, subject, more) in [
        (Some("ana"), "ana", ""),
        (None, "1", ""),
        (Some("1"), "1", r#",false,{"username":"1"}"#),
        (Some("ana"), "1", r#",false,{"username":"ana"}"#),
    ] {
        let holder = Holder {
            consumer: "1".into(),
            groups: vec![],
            username: username.map(str::to_owned),
            subject: Some(subject.into()),
            ..holder()
        };
        let contents = Contents::default().with("default", &holder);
        assert_eq!(contents.json(), format!(r#"[[["1","9a7f"{more}],"default","{subject}"]]"#));
        let contents = Contents::read(contents.json().as_bytes()).unwrap();
        assert_eq!(read(&contents, "default"), Some(holder));
    }
}

#[test]
fn a_fourth_element_of_another_form_says_nothing() {
    for element in
        ["5", "[\"ana\"]", "\"ana\"", "{}", r#"{"username":5,"custom_id":[],"login":"1"}"#]
    {
        let json = format!(r#"[[["1","c",[],{element}],"default","ana"]]"#);
        let holder = read(&Contents::read(json.as_bytes()).unwrap(), "default").unwrap();
        let ana = Some("ana".to_owned());
        assert_eq!((holder.username, holder.custom_id, holder.login), (ana, None, None), "{json}");
    }
}

#[test]
fn an_entry_keeps_the_login_that_it_names() {
    let contents = Contents::read(KONG.as_bytes()).unwrap();
    let dated = contents.clone().with_login("default", 5);
    assert_eq!(read(&dated, "default").unwrap().login, Some(5));
    assert_eq!(dated.clone().with_login("default", 6).json(), dated.json());
    assert_eq!(contents.with_login("other", 5).json(), KONG);
}

#[test]
fn entries_of_other_audiences_stay_unchanged() {
    let contents = Contents::read(KONG.as_bytes()).unwrap();
    let mine = contents.clone().with("mine", &holder());
    assert!(mine.json().contains(r#"[{"a":[1.50,{"b":null}]},"other"]"#));
    assert_eq!(mine.without("mine").unwrap().json(), KONG);
    let other = contents.without("default").unwrap();
    assert_eq!(other.json(), r#"[[{"a":[1.50,{"b":null}]},"other"]]"#);
    assert_eq!((other.audiences(), read(&other, "other")), (1, None));
    assert!(other.without("other").is_none());
}

#[test]
fn each_audience_has_a_subject_or_none() {
    let json = r#"[[["1","c"],"default","coop"],[{"a":1},"other"],[1,"third","a\/b"],[[],"",
        "x"],[[],"empty",""],[[],"odd",7],[[],"nobodys",null]]"#;
    let contents = Contents::read(json.as_bytes()).unwrap();
    let expected = [("default", "coop".to_owned()), ("third", "a/b".to_owned())];
    assert_eq!(contents.subjects(), expected);
}

#[test]
fn malformed_contents_are_refused() {
    let many = format!("[{}]", vec![r#"[[],"a"]"#; 65].join(","));
    for json in ["", "{}", "[]", "[[]]", "[[1]]", "[[[],1]]", r#"[[[],"a","s",1]]"#, "[1", &many] {
        assert!(Contents::read(json.as_bytes()).is_none(), "{json}");
    }
    for json in [
        r#"[[[],"default"]]"#,
        r#"[[["",""],"default","s"]]"#,
        r#"[[[1,"c"],"default","s"]]"#,
        r#"[["text","default"]]"#,
    ] {
        let contents = Contents::read(json.as_bytes()).unwrap();
        assert_eq!(read(&contents, "default"), None, "{json}");
    }
}

#[test]
fn only_a_proved_identity_holds_a_session() {
    let json = br#"{"id":"1","custom_id":"7","groups":["g"],"credential":{"id":"c"}}"#;
    let identity = Identity::from_json(json).unwrap();
    let holder = Holder::of(&identity).unwrap();
    assert_eq!((holder.consumer.as_str(), holder.subject.as_deref()), ("1", Some("7")));
    assert_eq!(Holder::of(&identity.clone().into_anonymous()), None);
    let nameless = Identity::from_json(br#"{"id":"1","credential":{"id":""}}"#).unwrap();
    let holder = Holder::of(&nameless).unwrap();
    assert_eq!((holder.credential.as_deref(), holder.subject.as_deref()), (Some("1"), Some("1")));
    assert!(holder.suits(&nameless) && !holder.suits(&nameless.clone().into_anonymous()));
    for (other, suits) in [
        (r#"{"id":"1","credential":{"id":"1"}}"#, true),
        (r#"{"id":"1","groups":["g"],"credential":{"id":"1"}}"#, false),
        (r#"{"id":"1","credential":{"id":"2"}}"#, false),
        (r#"{"id":"2","credential":{"id":"1"}}"#, false),
        (r#"{"id":"1","username":"ana","credential":{"id":"1","type":"key-auth"}}"#, false),
        (r#"{"id":"1","custom_id":"7","credential":{"id":"1","type":"key-auth"}}"#, false),
        // A session brought this identity, and the name was looked up.
        (r#"{"id":"1","username":"ana","credential":{"id":"1","type":"session"}}"#, true),
        (r#"{"id":"1"}"#, false),
    ] {
        assert_eq!(holder.suits(&Identity::from_json(other.as_bytes()).unwrap()), suits, "{other}");
    }
}

proptest! {
    #[test]
    fn any_text_comes_back_as_it_was(texts in proptest::collection::vec(".*", 5), audience in ".+",
        (grouped, named, known) in any::<(bool, bool, bool)>(), login in any::<Option<u64>>()) {
        let (username, custom_id) = (named.then(|| texts[3].clone()), known.then(|| texts[4].clone()));
        let consumer = format!("x{}", texts[0]);
        let subject = username.as_ref().or(custom_id.as_ref()).unwrap_or(&consumer).clone();
        let holder = Holder {
            consumer,
            credential: Some(format!("y{}", texts[1])),
            groups: vec![texts[2].clone()].into_iter().filter(|_| grouped).collect(),
            username,
            custom_id,
            login,
            subject: Some(subject),
        };
        let json = Contents::default().with(&audience, &holder).json();
        prop_assert_eq!(read(&Contents::read(json.as_bytes()).unwrap(), &audience), Some(holder));
    }

    #[test]
    fn no_bytes_make_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Some(contents) = Contents::read(&bytes) {
            let _ = contents.holder("default");
        }
    }
}
