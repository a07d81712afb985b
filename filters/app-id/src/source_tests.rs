use super::*;
use crate::app_ids::{AppIds, contains};
use admin_api::Operation;

fn read(key: &Key, status: u16, body: &str) -> Option<(Finding, Option<u64>)> {
    AppIdSource.read(key, &Answer::new(status, body))
}

fn entry(consumer: &str, appid: &str) -> String {
    format!(
        r#"{{"created_at":1541419735000,"consumer_id":"{consumer}","appid":"{appid}","id":"1b8e"}}"#
    )
}

#[test]
fn the_documented_answer_is_read() {
    let body = format!(r#"{{"data":[{},{}],"total":2}}"#, entry("c", "Portal"), entry("c", "NTP"));
    let (Finding::Value(value), None) = read(&of_consumer("c"), 200, &body).unwrap() else {
        panic!()
    };
    let Some(AppIds::List(list)) = AppIds::decode(&value) else { panic!() };
    assert!(contains(list, b"Portal") && contains(list, b"NTP") && !contains(list, b"Sunbird"));
}

#[test]
fn an_empty_list_and_an_unknown_consumer_are_nothing() {
    assert_eq!(
        read(&of_consumer("c"), 200, r#"{"data":[],"total":0,"seq":4}"#),
        Some((Finding::Nothing, Some(4)))
    );
    assert_eq!(
        read(&of_consumer("c"), 404, r#"{"message":"Not found","seq":4}"#),
        Some((Finding::Nothing, Some(4)))
    );
    assert_eq!(
        read(&of_consumer("c"), 404, r#"{"message":"Not found"}"#),
        Some((Finding::Nothing, None))
    );
}

#[test]
fn an_answer_that_does_not_fit_the_key_is_a_failure() {
    let other = format!(r#"{{"data":[{}],"total":1}}"#, entry("other", "Portal"));
    for (status, body) in [
        (200, ""),
        (200, "{"),
        (200, "[]"),
        (200, r#"{"total":0}"#),
        (200, r#"{"data":[{"appid":1}]}"#),
        (200, other.as_str()),
        (404, "no route"),
        (404, r#"{"message":"no Route matched with those values"}"#),
        (401, r#"{"message":"Unauthorized"}"#),
        (500, r#"{"data":[],"total":0}"#),
        (204, ""),
    ] {
        assert_eq!(read(&of_consumer("c"), status, body), None, "{status} {body}");
    }
}

#[test]
fn an_app_id_that_the_service_does_not_take_is_none_of_the_consumers() {
    for status in [400, 414, 422, 431] {
        let answer = Answer::new(status, r#"{"message":"schema violation","seq":4}"#);
        let key = one("c", b"Portal");
        assert_eq!(AppIdSource.read(&key, &answer), Some((Finding::Nothing, None)), "{status}");
        assert_eq!(AppIdSource.read(&of_consumer("c"), &answer), None, "{status}");
    }
    // These say nothing about the App ID.
    for status in [401, 403, 408, 429, 500, 503] {
        assert_eq!(read(&one("c", b"Portal"), status, r#"{"message":"x"}"#), None, "{status}");
    }
}

#[test]
fn a_list_of_several_pages_is_asked_for_one_by_one() {
    let body = format!(r#"{{"data":[{}],"total":2,"offset":"x"}}"#, entry("c", "Portal"));
    let (Finding::Value(value), _) = read(&of_consumer("c"), 200, &body).unwrap() else { panic!() };
    assert_eq!(AppIds::decode(&value), Some(AppIds::Many));
    let call = AppIdSource.call(&one("c", b"a&b"));
    assert_eq!(call, Call::get(["appids"]).with("consumer_id", "c").with("app_id", "a&b"));
    let found = format!(r#"{{"data":[{}],"total":1}}"#, entry("c", "a&b"));
    assert!(matches!(read(&one("c", b"a&b"), 200, &found), Some((Finding::Value(_), _))));
    assert!(matches!(read(&one("c", b"other"), 200, &found), Some((Finding::Nothing, _))));
}

#[test]
fn a_consumers_id_is_one_segment_whatever_it_holds() {
    let call = AppIdSource.call(&of_consumer("../x?y#z"));
    assert_eq!(call.segments, [b"consumers".to_vec(), b"../x?y#z".to_vec(), b"appids".to_vec()]);
}

#[test]
fn every_change_of_app_ids_touches_their_consumer() {
    for operation in [Operation::Create, Operation::Update, Operation::Delete] {
        let change = Change {
            seq: 1,
            entity: Entity::Appids,
            operation,
            consumer_id: "c".into(),
            key: "a".into(),
        };
        assert_eq!(AppIdSource.touched(&change), [of_consumer("c"), one("c", b"a")]);
        let change = Change { entity: Entity::KeyauthCredentials, ..change };
        assert!(AppIdSource.touched(&change).is_empty());
    }
}

#[test]
fn a_snapshot_joins_what_pages_cut_apart() {
    let mut pages = AppIdSource.snapshot(true).unwrap();
    assert_eq!(pages.next(), Some(Call::get(["appids"]).with("size", "1000")));
    let page = |appid: &str, rest: &str| {
        Answer::new(200, format!(r#"{{"data":[{}],"total":2{rest}}}"#, entry("c", appid)))
    };
    assert!(pages.absorb(&page("a", r#","offset":"o1","seq":7"#), 9));
    assert_eq!(pages.next(), Some(Call::get(["appids"]).with("size", "1000").with("offset", "o1")));
    assert!(pages.absorb(&page("b", r#","seq":9"#), 9));
    assert_eq!(pages.next(), None);
    let (all, seq) = pages.finish();
    assert_eq!(all, [(of_consumer("c"), Finding::Value(encode(["a", "b"].into_iter(), true)))]);
    assert_eq!(seq, Some(7));
}

#[test]
fn of_more_consumers_than_are_wanted_one_more_is_kept_with_all_of_its_app_ids() {
    let mut pages = AppIdSource.snapshot(true).unwrap();
    for (offset, appid) in [("o1", "a"), ("o2", "b")] {
        let data: Vec<String> = (0..9).map(|n| entry(&format!("c{n}"), appid)).collect();
        let body = format!(r#"{{"data":[{}],"total":18,"offset":"{offset}"}}"#, data.join(","));
        assert!(pages.absorb(&Answer::new(200, body), 2));
    }
    let (all, _) = pages.finish();
    let both = Finding::Value(encode(["a", "b"].into_iter(), true));
    assert_eq!(all, ["c0", "c1", "c2"].map(|name| (of_consumer(name), both.clone())));
}

#[test]
fn of_one_consumer_no_more_app_ids_are_kept_than_fit() {
    let mut pages = Pages { next: Next::First, ids: BTreeMap::new(), seq: None };
    let long = "x".repeat(3000);
    for n in 0..100 {
        let data: Vec<String> = (0..100).map(|m| entry("c", &format!("app-{n}-{m}"))).collect();
        let data = format!("{},{}", data.join(","), entry(&long, "a"));
        let body = format!(r#"{{"data":[{data}],"total":9,"offset":"o{n}"}}"#);
        assert!(pages.absorb(&Answer::new(200, body), 9));
        assert!(pages.ids.values().map(Vec::len).sum::<usize>() <= 800, "{n}");
    }
    let (all, _) = Box::new(pages).finish();
    assert_eq!(all, [(of_consumer("c"), Finding::Value(b"M".to_vec()))]);
}

#[test]
fn a_walk_that_goes_in_circles_or_gets_another_document_ends() {
    let mut pages = AppIdSource.snapshot(true).unwrap();
    let page =
        Answer::new(200, format!(r#"{{"data":[{}],"total":9,"offset":"o"}}"#, entry("c", "a")));
    assert!(pages.absorb(&page, 9));
    assert!(!pages.absorb(&page, 9));
    assert!(!pages.absorb(&Answer::new(500, vec![]), 9));
}

#[test]
fn no_two_pairs_of_consumer_and_app_id_have_one_key() {
    assert_ne!(one("a", b"\0b"), one("a\0", b"b"));
    assert_ne!(one("a", b"bc"), one("ab", b"c"));
    let call = AppIdSource.call(&one("a\0", b"b"));
    assert_eq!(
        call.query,
        [("consumer_id".into(), b"a\0".to_vec()), ("app_id".into(), b"b".to_vec())]
    );
}
