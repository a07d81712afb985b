use super::*;
use crate::config::tests::config;
use consumer::testing::Driver;
use exchange::testing::request;
use exchange::{Response, Then, Unavailable};

fn filter(json: &str) -> Driver {
    let config = Rc::new(config(json));
    let common = config.common.clone();
    Driver::new(&common, move |admitted| {
        TerminationFlow::start(Rc::clone(&config), admitted.request)
    })
}

fn get(target: &str, headers: &[(&str, &str)]) -> Request {
    request("GET", target, headers)
}

fn step(json: &str, request: Request) -> Step {
    filter(json).send(request)
}

#[track_caller]
fn answer(json: &str) -> (u16, Body) {
    match step(json, get("/", &[])) {
        Step { then: Then::Reply(reply), .. } => (reply.status, reply.body),
        other => panic!("{other:?}"),
    }
}

fn message(text: &'static str) -> Body {
    Body::Message(text.into())
}

#[test]
fn each_status_has_kongs_message_unless_the_settings_have_one() {
    for (json, status, body) in [
        ("{}", 503, message("Service unavailable")),
        (r#"{"status_code":401}"#, 401, message("Unauthorized")),
        (r#"{"status_code":404}"#, 404, message("Not found")),
        (r#"{"status_code":405}"#, 405, message("Method not allowed")),
        (r#"{"status_code":500}"#, 500, message("An unexpected error occurred")),
        (r#"{"status_code":502}"#, 502, message("Bad Gateway")),
        (r#"{"status_code":403}"#, 403, Body::Empty),
        (r#"{"status_code":406,"message":"Invalid"}"#, 406, message("Invalid")),
        (r#"{"status_code":204}"#, 204, Body::Empty),
        (r#"{"status_code":204,"message":"nothing"}"#, 204, Body::Empty),
    ] {
        assert_eq!(answer(json), (status, body), "{json}");
    }
}

#[test]
fn a_body_goes_out_as_it_is_with_its_type_or_without_one() {
    let raw = |kind: Option<&'static str>, body: &str| Body::Raw(kind.map(Into::into), body.into());
    assert_eq!(answer(r#"{"body":"<b>"}"#), (503, raw(None, "<b>")));
    assert_eq!(
        answer(r#"{"status_code":451,"body":"<b>","content_type":"text/html"}"#),
        (451, raw(Some("text/html"), "<b>"))
    );
}

#[test]
fn a_type_that_the_gateway_adds_is_removed_from_our_own_reply_only() {
    let sent = |json: &str| {
        let mut filter = filter(json);
        filter.send(get("/", &[]));
        filter
    };
    let mut filter = sent(r#"{"body":"<b>"}"#);
    assert!(filter.wants_response());
    let mut at = |ours| {
        filter.on_response(ResponseEvent::Head(Box::new(Response { ours, ..Response::default() })))
    };
    assert_eq!(at(true), ResponseStep::Forward(vec![Edit::remove("content-type")]));
    assert_eq!(at(false), ResponseStep::Forward(vec![]));
    assert!(!sent(r#"{"message":"m"}"#).wants_response());
}

#[test]
fn without_its_trigger_a_request_goes_on() {
    let json = r#"{"trigger":"Gimme-An-Echo"}"#;
    for (target, headers, ends) in [
        ("/", &[][..], false),
        ("/", &[("gimme-an-echo", "anything will do")], true),
        ("/", &[("gimme_an_echo", "")], true),
        ("/", &[("gimme-an-ech", "")], false),
        ("/?Gimme-An-Echo=x", &[], true),
        ("/?Gimme-An-Echo", &[], true),
        ("/?Gimme%2DAn-Echo", &[], true),
        ("/?gimme-an-echo", &[], false),
        ("/Gimme-An-Echo", &[], false),
    ] {
        let step = step(json, get(target, headers));
        assert_eq!(
            matches!(step, Step { then: Then::Reply(_), .. }),
            ends,
            "{target} {headers:?}: {step:?}"
        );
        assert!(ends || step == Step::forward(vec![]));
    }
}

#[test]
fn only_the_consumers_in_match_are_turned_away() {
    let json = r#"{"status_code":403,"match":{"consumers":["anonymous_users"]}}"#;
    let who = |name: &str| Request {
        consumer: Some(format!(r#"{{"id":"1","username":"{name}"}}"#).into_bytes()),
        ..get("/", &[])
    };
    assert!(matches!(
        step(json, who("anonymous_users")),
        Step { then: Then::Reply(Reply { status: 403, .. }), .. }
    ));
    assert_eq!(step(json, who("fiona")), Step::forward(vec![]));
    // A request without an identity cannot be judged by its consumer.
    assert!(matches!(
        step(json, get("/", &[])),
        Step { then: Then::Reply(Reply { status: 500, .. }), .. }
    ));
}

#[test]
fn an_echo_waits_for_the_body_where_there_is_one() {
    let echo = r#"{"status_code":404,"echo":true}"#;
    let mut now = filter(echo);
    let Step { then: Then::Reply(reply), .. } = now.send(get("/a?b=c", &[])) else { panic!() };
    let Body::Raw(Some(kind), text) = &reply.body else { panic!("{reply:?}") };
    assert_eq!((reply.status, kind.as_ref()), (404, "application/json; charset=utf-8"));
    assert!(String::from_utf8_lossy(text).contains(r#""query":{"b":"c"}"#));

    for (body, shown) in [(Ok(b"hi".to_vec()), true), (Err(Unavailable), false)] {
        let mut waiting = filter(echo);
        let post = Request { body: BodyAhead::Comes, ..get("/", &[]) };
        assert_eq!(waiting.send(post), Step::await_body(vec![]));
        let Step { then: Then::Reply(reply), .. } = waiting.on(Event::Body(body)) else { panic!() };
        let Body::Raw(_, text) = &reply.body else { panic!("{reply:?}") };
        assert_eq!(String::from_utf8_lossy(text).contains(r#""raw_body":"hi""#), shown);
    }
    // Only an echo needs the body.
    let post = Request { body: BodyAhead::Comes, ..get("/", &[]) };
    assert!(matches!(step("{}", post), Step { then: Then::Reply(_), .. }));
}

#[test]
fn an_event_out_of_order_is_refused() {
    let refused =
        |step: Step| matches!(step, Step { then: Then::Reply(Reply { status: 500, .. }), .. });
    let mut decided = filter(r#"{"trigger":"x"}"#);
    assert_eq!(decided.send(get("/", &[])), Step::forward(vec![]));
    assert!(refused(decided.on(Event::Body(Ok(vec![])))));
    let mut waiting = filter(r#"{"echo":true}"#);
    waiting.send(Request { body: BodyAhead::Comes, ..get("/", &[]) });
    assert!(refused(waiting.on(Event::Chunk(vec![]))));
}
