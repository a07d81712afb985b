use super::*;
use crate::app_ids::encode;
use crate::config::tests::config;
use consumer::testing::Driver;
use exchange::{Body, Request, Then, Unasked, testing};

const ADMIN: &str = r#"{"admin":{"upstream":"admin"}}"#;
const ANA: &str = r#"{"id":"1","username":"ana"}"#;

fn filter(json: &str) -> Driver {
    let config = Rc::new(config(json));
    let common = config.common.clone();
    Driver::new(&common, move |admitted| AppIdFlow::start(Rc::clone(&config), &admitted))
}

fn request(consumer: Option<&str>, ids: &[&[u8]]) -> Request {
    Request {
        head: ids.iter().map(|id| (&b"x-app-id"[..], *id)).collect(),
        consumer: consumer.map(|json| json.as_bytes().to_vec()),
        ..testing::request("GET", "/", &[])
    }
}

fn found(ids: &[&str]) -> Event {
    Event::Found(Ok(Finding::Value(encode(ids.iter().copied(), true))))
}

fn refusal(step: &Step) -> (u16, &str) {
    match step {
        Step { then: Then::Reply(Reply { status, body: Body::Message(message), .. }), .. } => {
            (*status, message)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_app_id_of_the_consumers_own_passes() {
    let mut filter = filter(ADMIN);
    assert_eq!(filter.send(request(Some(ANA), &[b" Portal "])), Step::find(of_consumer("1")));
    assert_eq!(filter.on(found(&["NTP", "Portal"])), Step::forward(vec![]));
}

#[test]
fn each_refusal_has_its_status_and_its_words() {
    for (consumer, ids, answer, expected) in [
        (None, &[&b"Portal"[..]][..], None, (401, "Unauthorized")),
        (Some(ANA), &[], None, (403, "X-APP-ID can't be blank")),
        (Some(ANA), &[b""], None, (403, "X-APP-ID can't be blank")),
        (Some(ANA), &[b" \t "], None, (403, "X-APP-ID can't be blank")),
        (Some(ANA), &[b"Portal", b"NTP"], None, (403, "Invalid X-APP-ID")),
        (Some(ANA), &[b"Portal", b""], None, (403, "Invalid X-APP-ID")),
        (
            Some(ANA),
            &[b"Portal"],
            Some(Event::Found(Ok(Finding::Nothing))),
            (403, "Consumer and X-APP-ID mapping doesn't exist"),
        ),
        (Some(ANA), &[b"Portal"], Some(found(&["NTP"])), (403, "Invalid X-APP-ID")),
        (Some(ANA), &[b"\xff"], None, (403, "Invalid X-APP-ID")),
        (
            Some(ANA),
            &[b"Portal"],
            Some(Event::Found(Err(Unavailable))),
            (503, "Service unavailable"),
        ),
        (
            Some(ANA),
            &[b"Portal"],
            Some(Event::Found(Ok(Finding::Value(b"?".to_vec())))),
            (503, "Service unavailable"),
        ),
    ] {
        let mut filter = filter(ADMIN);
        let mut step = filter.send(request(consumer, ids));
        if let Some(answer) = answer {
            step = filter.on(answer);
        }
        assert_eq!(refusal(&step), expected, "{ids:?}");
    }
}

#[test]
fn the_same_app_id_twice_is_one() {
    let mut filter = filter(ADMIN);
    filter.send(request(Some(ANA), &[b"Portal", b"Portal "]));
    assert_eq!(filter.on(found(&["Portal"])), Step::forward(vec![]));
}

#[test]
fn every_spelling_that_an_upstream_may_read_is_judged() {
    let with = |fields: &[(&str, &str)]| {
        let request =
            Request { consumer: Some(ANA.into()), ..testing::request("GET", "/", fields) };
        filter(r#"{"mappings":{"ana":["Portal"]}}"#).send(request)
    };
    assert_eq!(with(&[("X_APP-ID", "Portal")]), Step::forward(vec![]));
    let two = [("X-APP-ID", "Portal"), ("X_APP_ID", "Root")];
    assert_eq!(refusal(&with(&two)), (403, "Invalid X-APP-ID"));
}

#[test]
fn refusals_name_the_header_as_configured() {
    let json = r#"{"header_name":"X-Application","admin":{"upstream":"admin"}}"#;
    let step = filter(json).send(request(Some(ANA), &[]));
    assert_eq!(refusal(&step), (403, "X-Application can't be blank"));
}

#[test]
fn failing_open_lets_requests_pass_only_if_the_lookup_failed() {
    let json = r#"{"fail_open":true,"admin":{"upstream":"admin"}}"#;
    for (answer, passes) in [
        (Event::Found(Err(Unavailable)), true),
        (Event::Found(Ok(Finding::Nothing)), false),
        (found(&["x"]), false),
    ] {
        let mut filter = filter(json);
        filter.send(request(Some(ANA), &[b"Portal"]));
        assert_eq!(matches!(filter.on(answer), Step { then: Then::Forward, .. }), passes);
    }
    assert_eq!(refusal(&filter(json).send(request(None, &[b"Portal"]))).0, 401);
}

#[test]
fn a_value_that_cannot_be_an_app_id_is_invalid_without_a_lookup() {
    let json = r#"{"fail_open":true,"admin":{"upstream":"admin"}}"#;
    let long = [b'a'; 101];
    for id in [&b"\xff"[..], b"a b", b"a&b", b"gr\xc3\xb6\xc3\x9fe", b"a/../b", &long] {
        let step = filter(json).send(request(Some(ANA), &[id]));
        assert_eq!(refusal(&step), (403, "Invalid X-APP-ID"), "{id:?}");
    }
    let longest = &long[..100];
    let step = filter(json).send(request(Some(ANA), &[longest]));
    assert_eq!(step, Step::find(of_consumer("1")));
    // The settings may give a consumer any App ID.
    let mapped = r#"{"mappings":{"ana":["a&b"]},"admin":{"upstream":"admin"}}"#;
    assert_eq!(filter(mapped).send(request(Some(ANA), &[b"a&b"])), Step::forward(vec![]));
}

#[test]
fn what_clients_cause_opens_no_door() {
    let json = r#"{"fail_open":true,"admin":{"upstream":"admin"}}"#;
    let many = || Event::Found(Ok(Finding::Value(b"M".to_vec())));
    for (of_many, why, passes) in [
        (false, Unasked::TooMany, false),
        (true, Unasked::TooMany, false),
        // A client can choose the App ID, so every request could be the first one with its own.
        (true, Unasked::CannotWait, false),
        (false, Unasked::CannotWait, true),
    ] {
        let mut filter = filter(json);
        filter.send(request(Some(ANA), &[b"Portal"]));
        if of_many {
            filter.on(many());
        }
        let step = filter.on_unasked(why);
        match passes {
            true => assert_eq!(step, Step::forward(vec![])),
            false => assert_eq!(refusal(&step), (503, "Service unavailable"), "{why:?}"),
        }
    }
    let mut away = filter(json);
    away.send(request(Some(ANA), &[b"Portal"]));
    away.on(many());
    assert_eq!(away.on(Event::Found(Err(Unavailable))), Step::forward(vec![]));
}

#[test]
fn mappings_decide_without_a_lookup_and_together_with_one() {
    let alone = r#"{"mappings":{"ana":["Portal"]}}"#;
    assert_eq!(filter(alone).send(request(Some(ANA), &[b"Portal"])), Step::forward(vec![]));
    assert_eq!(
        refusal(&filter(alone).send(request(Some(ANA), &[b"x"]))),
        (403, "Invalid X-APP-ID")
    );
    let bob = Some(r#"{"id":"2","username":"bob"}"#);
    assert_eq!(
        refusal(&filter(alone).send(request(bob, &[b"x"]))).1,
        "Consumer and X-APP-ID mapping doesn't exist"
    );
    let both = r#"{"mappings":{"ana":["Portal"]},"admin":{"upstream":"admin"}}"#;
    assert_eq!(filter(both).send(request(Some(ANA), &[b"Portal"])), Step::forward(vec![]));
    let mut asks = filter(both);
    asks.send(request(Some(ANA), &[b"NTP"]));
    assert_eq!(asks.on(found(&["NTP"])), Step::forward(vec![]));
}

#[test]
fn a_hidden_app_id_goes_no_further() {
    let json = r#"{"hide_app_id":true,"mappings":{"ana":["Portal"]}}"#;
    assert_eq!(
        filter(json).send(request(Some(ANA), &[b"Portal"])),
        Step::forward(vec![Edit::remove("X-APP-ID")])
    );
}

#[test]
fn of_many_app_ids_the_claimed_one_is_looked_up_alone() {
    for (answer, passes) in [
        (Ok(Finding::Value(b"L".to_vec())), true),
        (Ok(Finding::Nothing), false),
        (Err(Unavailable), false),
    ] {
        let mut filter = filter(ADMIN);
        filter.send(request(Some(ANA), &[b"Portal"]));
        let step = filter.on(Event::Found(Ok(Finding::Value(b"M".to_vec()))));
        assert_eq!(step, Step::find(one("1", b"Portal")));
        assert_eq!(
            matches!(filter.on(Event::Found(answer)), Step { then: Then::Forward, .. }),
            passes
        );
    }
}

#[test]
fn an_anonymous_consumer_is_a_consumer_like_any_other() {
    let anonymous = Some(r#"{"id":"9","username":"guest","anonymous":true}"#);
    let step =
        filter(r#"{"mappings":{"guest":["Portal"]}}"#).send(request(anonymous, &[b"Portal"]));
    assert_eq!(step, Step::forward(vec![]));
}

#[test]
fn an_event_out_of_order_is_refused() {
    let refused =
        |step: Step| matches!(step, Step { then: Then::Reply(Reply { status: 500, .. }), .. });
    let mut late = filter(ADMIN);
    late.send(request(Some(ANA), &[b"Portal"]));
    late.on(found(&["Portal"]));
    assert!(refused(late.on(found(&["Portal"]))));
    let mut asked = filter(ADMIN);
    asked.send(request(Some(ANA), &[b"Portal"]));
    assert!(refused(asked.on(Event::Body(Ok(vec![])))));
    assert!(refused(asked.on_unasked(Unasked::TooMany)));
}
