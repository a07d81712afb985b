use super::*;
use proptest::prelude::*;

fn origins(texts: &[&str]) -> Origins {
    for text in texts {
        assert_eq!(mistake(text), None, "{text}");
    }
    Origins::new(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
}

fn told(origins: &Origins, origin: &str) -> Option<String> {
    match origins.answer(Origin::parse(origin.as_bytes()).as_ref()) {
        Answer::Any => Some("*".into()),
        Answer::This(origin) => Some(origin),
        Answer::Nobody => None,
    }
}

const ASKED: [&str; 11] = [
    "http://evil.test",
    "http://foo.test",
    "http://foo.test.evil.test",
    "http://something.foo.test",
    "http://evilfoo.test",
    "http://foo.test:80",
    "http://foo.test:8000",
    "https://foo.test:8000",
    "http://foo.test:90",
    "http://foobtest",
    "https://bar.test:1234",
];

/// These are the cases of Kong's own specification. Each lists which of [`ASKED`] are accepted.
#[test]
fn expressions_cover_the_host_or_with_a_colon_the_whole_origin() {
    let hosts = [
        "http://foo.test",
        "http://foo.test:80",
        "http://foo.test:8000",
        "https://foo.test:8000",
        "http://foo.test:90",
    ];
    let below = [&hosts[..], &["http://something.foo.test"]].concat();
    let with_port = vec!["http://foo.test:8000", "https://foo.test:8000"];
    for (entries, accepted) in [
        (&[r"foo\.test"][..], hosts.to_vec()),
        (&[r"(.*[./])?foo\.test"], below.clone()),
        (&[r"(.*[./])?foo\.test:8000"], with_port.clone()),
        (&[r"https://(.*[.])?foo\.test:8000"], vec!["https://foo.test:8000"]),
        (
            &[r"^http://(.*[.])?foo\.test(:(80|90))?$"],
            vec![
                "http://foo.test",
                "http://something.foo.test",
                "http://foo.test:80",
                "http://foo.test:90",
            ],
        ),
        (&["foo.test", "bar.test"], vec![]),
        (
            &["http://foo.test", "https://bar.test:1234"],
            vec!["http://foo.test", "http://foo.test:80", "https://bar.test:1234"],
        ),
        (&["bar.test", r"foo\.test"], hosts.to_vec()),
        (&["bar.test", r"(.*\.)?foo\.test"], below),
        (&["bar.test", r"(.*[./])?foo\.test:8000"], with_port),
        (&["bar.test", r"https://(.*\.)?foo\.test:8000"], vec!["https://foo.test:8000"]),
    ] {
        let origins = origins(entries);
        for origin in ASKED {
            // The default port of the scheme is left out.
            let itself = origin.strip_suffix(":80").unwrap_or(origin).to_owned();
            let expected = accepted.contains(&origin).then_some(itself);
            assert_eq!(told(&origins, origin), expected, "{entries:?} {origin}");
        }
    }
}

#[test]
fn one_plain_text_is_told_to_everybody() {
    let origins = origins(&["example.test"]);
    for origin in ["", "origin5.test", "http://evil.test"] {
        assert_eq!(told(&origins, origin).as_deref(), Some("example.test"));
    }
    assert!(origins.vary());
}

#[test]
fn an_asterisk_means_everybody_and_among_others_everybody_who_asks() {
    for any in [origins(&[]), origins(&["*"])] {
        assert_eq!(
            (told(&any, "http://a").as_deref(), told(&any, "").as_deref()),
            (Some("*"), Some("*"))
        );
        assert!(!any.vary());
    }
    let among = origins(&["foo.bar", "*"]);
    assert_eq!((told(&among, "http://a").as_deref(), told(&among, "")), (Some("*"), None));
    assert!(among.vary());
}

#[test]
fn hosts_may_be_named_without_a_scheme_if_origins_come_without_one() {
    let listed = origins(&["example.test", "example.org"]);
    assert_eq!(told(&listed, "example.test").as_deref(), Some("example.test"));
    assert_eq!(told(&listed, "http://example.test"), None);
    let family = origins(&[r".*\.?example(?:-foo)?.test"]);
    for (origin, accepted) in [
        ("example.test", true),
        ("www.example.test", true),
        ("example-foo.test", true),
        ("www.example-foo.test", true),
        ("www.example-fo0.test", false),
    ] {
        assert_eq!(told(&family, origin).is_some(), accepted, "{origin}");
    }
}

#[test]
fn every_alternative_of_an_expression_is_the_whole() {
    let either = origins(&[r"foo\.test|bar\.test"]);
    for (origin, accepted) in [
        ("http://foo.test", true),
        ("http://bar.test", true),
        // Kong puts its `$` after the last alternative only, and accepts this one.
        ("http://foo.test.evil.test", false),
        ("http://evil.test/bar.test", false),
    ] {
        assert_eq!(told(&either, origin).is_some(), accepted, "{origin}");
    }
}

#[test]
fn a_mistake_is_told_in_one_line() {
    for (text, says) in [
        ("*.example.com", "no wildcard"),
        ("https://*.example.com", "no wildcard"),
        ("(", "unclosed group"),
        (")|(", "unopened group"),
        (r"a(?!b)", "look-around"),
        ("(?:a{1000}){1000}", "size limit"),
    ] {
        let told = mistake(text).unwrap();
        assert!(told.contains(says) && !told.contains('\n'), "{text}: {told}");
    }
}

proptest! {
    #[test]
    fn an_origin_is_named_exactly_if_it_is_in_the_list(
        listed in proptest::collection::vec("https?://[a-z]{1,3}\\.test(:[0-9]{2})?", 2..6), asked in "https?://[a-z]{1,3}\\.test(:[0-9]{2})?",
    ) {
        let texts: Vec<&str> = listed.iter().map(String::as_str).collect();
        let origin = |text: &str| Origin::parse(text.as_bytes()).unwrap().whole;
        let is_listed = listed.iter().any(|text| origin(text) == origin(&asked));
        prop_assert_eq!(told(&origins(&texts), &asked), is_listed.then(|| origin(&asked)));
    }

    #[test]
    fn a_named_origin_is_always_visible_ascii(asked: Vec<u8>) {
        let any = origins(&[".*", "https?://.*"]);
        if let Answer::This(text) = any.answer(Origin::parse(&asked).as_ref()) {
            prop_assert!(text.bytes().all(|b| b.is_ascii_graphic()));
        }
    }
}
