use super::*;
use crate::app_ids::encode;
use crate::config::tests::config;
use exchange::{Body, Head, Then};

const ADMIN: &str = r#"{"admin":{"upstream":"admin"}}"#;
const ANA: &str = r#"{"id":"1","username":"ana"}"#;

fn flow(json: &str) -> AppIdFlow {
    AppIdFlow::new(Rc::new(config(json)))
}

fn request(consumer: Option<&str>, ids: &[&[u8]]) -> Event {
    Event::Request(Box::new(Request {
        head: ids.iter().map(|id| (&b"x-app-id"[..], *id)).collect::<Head>(),
        method: b"GET".to_vec(),
        target: b"/".to_vec(),
        consumer: consumer.map(|json| json.as_bytes().to_vec()),
        ..Request::default()
    }))
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
    let mut flow = flow(ADMIN);
    assert_eq!(flow.on(request(Some(ANA), &[b" Portal "])), Step::find(of_consumer("1")));
    assert_eq!(flow.on(found(&["NTP", "Portal"])), Step::forward(vec![]));
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
        (Some(ANA), &[b"\xff"], Some(found(&["NTP"])), (403, "Invalid X-APP-ID")),
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
        let mut flow = flow(ADMIN);
        let mut step = flow.on(request(consumer, ids));
        if let Some(answer) = answer {
            step = flow.on(answer);
        }
        assert_eq!(refusal(&step), expected, "{ids:?}");
    }
}

#[test]
fn the_same_app_id_twice_is_one() {
    let mut flow = flow(ADMIN);
    flow.on(request(Some(ANA), &[b"Portal", b"Portal "]));
    assert_eq!(flow.on(found(&["Portal"])), Step::forward(vec![]));
}

#[test]
fn every_spelling_that_an_upstream_may_read_is_judged() {
    let with = |fields: &[(&str, &str)]| {
        let head = fields.iter().copied().collect::<Head>();
        let consumer = Some(ANA.into());
        let request = Request { head, target: b"/".to_vec(), consumer, ..Request::default() };
        flow(r#"{"mappings":{"ana":["Portal"]}}"#).on(Event::Request(Box::new(request)))
    };
    assert_eq!(with(&[("X_APP-ID", "Portal")]), Step::forward(vec![]));
    let two = [("X-APP-ID", "Portal"), ("X_APP_ID", "Root")];
    assert_eq!(refusal(&with(&two)), (403, "Invalid X-APP-ID"));
}

#[test]
fn refusals_name_the_header_as_configured() {
    let json = r#"{"header_name":"X-Application","admin":{"upstream":"admin"}}"#;
    let step = flow(json).on(request(Some(ANA), &[]));
    assert_eq!(refusal(&step), (403, "X-Application can't be blank"));
}

#[test]
fn failing_open_lets_through_what_could_not_be_asked_and_nothing_else() {
    let json = r#"{"fail_open":true,"admin":{"upstream":"admin"}}"#;
    for (answer, passes) in [
        (Event::Found(Err(Unavailable)), true),
        (Event::Found(Ok(Finding::Nothing)), false),
        (found(&["x"]), false),
    ] {
        let mut flow = flow(json);
        flow.on(request(Some(ANA), &[b"Portal"]));
        assert_eq!(matches!(flow.on(answer), Step { then: Then::Forward, .. }), passes);
    }
    assert_eq!(refusal(&flow(json).on(request(None, &[b"Portal"]))).0, 401);
}

#[test]
fn mappings_decide_without_a_question_and_together_with_one() {
    let alone = r#"{"mappings":{"ana":["Portal"]}}"#;
    assert_eq!(flow(alone).on(request(Some(ANA), &[b"Portal"])), Step::forward(vec![]));
    assert_eq!(refusal(&flow(alone).on(request(Some(ANA), &[b"x"]))), (403, "Invalid X-APP-ID"));
    let bob = Some(r#"{"id":"2","username":"bob"}"#);
    assert_eq!(
        refusal(&flow(alone).on(request(bob, &[b"x"]))).1,
        "Consumer and X-APP-ID mapping doesn't exist"
    );
    let both = r#"{"mappings":{"ana":["Portal"]},"admin":{"upstream":"admin"}}"#;
    assert_eq!(flow(both).on(request(Some(ANA), &[b"Portal"])), Step::forward(vec![]));
    let mut asks = flow(both);
    asks.on(request(Some(ANA), &[b"NTP"]));
    assert_eq!(asks.on(found(&["NTP"])), Step::forward(vec![]));
}

#[test]
fn a_hidden_app_id_goes_no_further() {
    let json = r#"{"hide_app_id":true,"mappings":{"ana":["Portal"]}}"#;
    assert_eq!(
        flow(json).on(request(Some(ANA), &[b"Portal"])),
        Step::forward(vec![Edit::remove("X-APP-ID")])
    );
}

#[test]
fn a_consumer_of_many_app_ids_is_asked_about_one() {
    for (answer, passes) in [
        (Ok(Finding::Value(b"L".to_vec())), true),
        (Ok(Finding::Nothing), false),
        (Err(Unavailable), false),
    ] {
        let mut flow = flow(ADMIN);
        flow.on(request(Some(ANA), &[b"Portal"]));
        let step = flow.on(Event::Found(Ok(Finding::Value(b"M".to_vec()))));
        assert_eq!(step, Step::find(one("1", b"Portal")));
        assert_eq!(
            matches!(flow.on(Event::Found(answer)), Step { then: Then::Forward, .. }),
            passes
        );
    }
}

#[test]
fn an_anonymous_consumer_is_a_consumer_like_any_other() {
    let anonymous = Some(r#"{"id":"9","username":"guest","anonymous":true}"#);
    let step = flow(r#"{"mappings":{"guest":["Portal"]}}"#).on(request(anonymous, &[b"Portal"]));
    assert_eq!(step, Step::forward(vec![]));
}

#[test]
fn an_event_out_of_order_is_refused() {
    let mut early = flow(ADMIN);
    assert_eq!(refusal(&early.on(found(&["Portal"]))).0, 500);
    let mut late = flow(ADMIN);
    late.on(request(Some(ANA), &[b"Portal"]));
    late.on(found(&["Portal"]));
    assert_eq!(refusal(&late.on(found(&["Portal"]))).0, 500);
    let mut twice = flow(ADMIN);
    twice.on(request(Some(ANA), &[b"Portal"]));
    assert_eq!(refusal(&twice.on(request(Some(ANA), &[b"Portal"]))).0, 500);
}
