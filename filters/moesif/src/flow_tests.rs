use super::*;
use crate::config::tests::config;
use crate::rules::Rules;
use crate::sampling::AppConfig;
use consumer::testing::Driver;
use exchange::{Body as ReplyBody, BodyAhead, Head};
use exchange::{Then, Unavailable, testing};
use serde_json::{Value, json};
use std::cell::Cell;

#[path = "flow_tests/rules.rs"]
mod rules;

thread_local! {
    static DRAW: Cell<u16> = const { Cell::new(0) };
}

/// Fills `out` with bytes that count up. The last two bytes are the draw.
fn random(out: &mut [u8]) -> bool {
    for (n, byte) in out.iter_mut().enumerate() {
        *byte = u8::try_from(n).unwrap();
    }
    if let [.., high, low] = out {
        [*high, *low] = DRAW.get().to_be_bytes();
    }
    true
}

const TOOLS: Tools = Tools { random, report: |_| {}, note: |_| {} };
const ID: &str = "00010203-0405-4607-8809-0a0b0c0d0e0f";

fn shared(json: &str) -> Rc<Shared> {
    Rc::new(Shared::new(config(json)))
}

fn flow(shared: &Rc<Shared>) -> Driver {
    flow_with(shared, TOOLS)
}

fn flow_with(shared: &Rc<Shared>, tools: Tools) -> Driver {
    let (early, shared) = (Rc::clone(shared), Rc::clone(shared));
    let common = shared.config.common.clone();
    Driver::new(&common, move |request| MoesifFlow::start(Rc::clone(&shared), tools, request))
        .ignoring(move |request| ignores(&early, request))
}

fn request(headers: &[(&str, &str)]) -> Request {
    Request {
        now: 1000,
        can_remove: true,
        body: BodyAhead::Comes,
        ..testing::request("POST", "/orders?x=1", headers)
    }
}

fn respond(flow: &mut Driver, status: u16, headers: &[(&str, &str)]) -> Vec<Edit> {
    let response = Response {
        head: headers.iter().copied().collect(),
        status,
        now: 1010,
        ..Response::default()
    };
    match flow.on_response(ResponseEvent::Head(Box::new(response))) {
        ResponseStep::Forward(edits) => edits,
        other => panic!("{other:?}"),
    }
}

fn done(flow: &mut Driver) -> bool {
    flow.on_done(&Done { now: 1020, status: Some(200), ..Done::default() })
}

fn events(shared: &Shared) -> Vec<Value> {
    let batch = shared.with_queue(|queue| queue.next(u64::MAX, u64::MAX));
    batch.map_or_else(Vec::new, |batch| serde_json::from_slice(&batch.json()).unwrap())
}

fn event(shared: &Shared) -> Value {
    let mut events = events(shared);
    assert_eq!(events.len(), 1);
    events.remove(0)
}

fn set(name: &'static str, value: &str) -> Edit {
    Edit::set(name, value)
}

fn published() -> Edit {
    Edit::publish(MARK, b"1".to_vec())
}

#[test]
fn a_request_becomes_an_event_with_both_bodies() {
    let shared = shared("{}");
    let mut flow = flow(&shared);
    let step = flow.send(request(&[("host", "a"), ("content-type", "application/json")]));
    assert_eq!(step, Step::forward(vec![published(), set(TRANSACTION, ID)]));
    assert_eq!(flow.watches(), Watch { request_body: true, response_body: false, done: true });
    flow.on_piece(Piece::Request(b"{\"a\":", false));
    flow.on_piece(Piece::Request(b"1}", true));
    assert!(flow.wants_response());
    assert_eq!(respond(&mut flow, 201, &[("content-length", "2")]), [set(TRANSACTION, ID)]);
    assert!(flow.watches().response_body);
    flow.on_piece(Piece::Response(b"ok", false));
    assert!(!done(&mut flow));
    let event = event(&shared);
    assert_eq!(event["request"]["uri"], "http://a/orders?x=1");
    assert_eq!(event["request"]["body"], json!({"a": 1}));
    assert_eq!(event["request"]["content_length"], 7);
    assert_eq!(event["request"]["time"], "1970-01-01T00:00:01.000Z");
    assert_eq!(event["response"]["time"], "1970-01-01T00:00:01.010Z");
    assert_eq!(
        (&event["response"]["status"], &event["response"]["body"]),
        (&json!(201), &json!("b2s="))
    );
    assert_eq!((&event["transaction_id"], &event["weight"]), (&json!(ID), &json!(1)));
    assert_eq!(event["response"]["headers"][TRANSACTION], ID);
    assert!(!done(&mut flow), "once");
    assert!(events(&shared).is_empty());
}

#[test]
fn a_request_without_a_response_is_an_event_without_one() {
    let shared = shared("{}");
    let mut flow = flow(&shared);
    flow.send(request(&[]));
    flow.on_piece(Piece::Request(b"half", false));
    flow.on_done(&Done { now: 1020, ..Done::default() });
    let event = event(&shared);
    assert!(event.get("response").is_none());
    assert_eq!(event["metadata"]["left_out"]["request_body"], "incomplete");
}

#[test]
fn a_response_that_only_the_log_knows_is_there() {
    let shared = shared("{}");
    let mut flow = flow(&shared);
    flow.send(request(&[]));
    let head = Head::from_iter([("x", "1")]);
    flow.on_done(&Done { now: 1020, status: Some(503), head });
    let event = event(&shared);
    assert_eq!(
        (&event["response"]["status"], &event["response"]["headers"]["x"]),
        (&json!(503), &json!("1"))
    );
}

#[test]
fn bodies_that_the_settings_exclude_are_not_watched() {
    let shared = shared(
        r#"{"disable_capture_request_body":true,"disable_capture_response_body":true,"disable_transaction_id":true}"#,
    );
    let mut flow = flow(&shared);
    assert_eq!(flow.send(request(&[])), Step::forward(vec![published()]));
    assert_eq!(respond(&mut flow, 200, &[("content-length", "5")]), []);
    assert_eq!(flow.watches(), Watch { done: true, ..Watch::default() });
    done(&mut flow);
    let event = event(&shared);
    assert_eq!(event["response"]["content_length"], 5);
    assert!(event["response"]["headers"].get(TRANSACTION).is_none());
    assert!(event["metadata"].get("left_out").is_none(), "nothing is missing that was asked for");
}

#[test]
fn a_body_beyond_the_limit_is_not_watched_any_more() {
    let shared = shared(r#"{"request_max_body_size_limit":4}"#);
    let mut flow = flow(&shared);
    flow.send(request(&[]));
    flow.on_piece(Piece::Request(b"12345", false));
    assert!(!flow.watches().request_body);
    respond(&mut flow, 200, &[("content-length", "200000")]);
    assert!(!flow.watches().response_body);
    done(&mut flow);
    let event = event(&shared);
    let left_out = json!({"request_body": "too_large", "response_body": "too_large"});
    assert_eq!(event["metadata"]["left_out"], left_out);
    assert_eq!(event["response"]["content_length"], 200_000);
}

#[test]
fn a_second_filter_on_the_same_request_leaves_it_alone() {
    let shared = shared("{}");
    let mut flow = flow(&shared);
    let marked = Request { mark: Some(b"1".to_vec()), ..request(&[]) };
    assert_eq!(flow.send(marked), Step::forward(vec![]));
    assert!(!flow.wants_response());
    assert_eq!(flow.watches(), Watch::default());
    done(&mut flow);
    assert!(events(&shared).is_empty());
}

#[test]
fn the_transaction_header_of_the_client_is_kept_and_never_names_the_event() {
    let shared = shared("{}");
    for (headers, can_remove, expected) in [
        (&[("X-Moesif-Transaction-Id", "theirs")][..], true, Some("theirs")),
        (
            &[("x-moesif-transaction-id", ""), ("x-moesif-transaction-id", "second")],
            true,
            Some("second"),
        ),
        (&[("x-moesif-transaction-id", "a b")], true, Some(ID)),
        (&[("x-moesif-transaction-id", "a"), ("x-moesif-transaction-id", "b")], false, None),
    ] {
        let mut flow = flow(&shared);
        let step = flow.send(Request { can_remove, ..request(headers) });
        let edits: Vec<Edit> = [Some(published()), expected.map(|value| set(TRANSACTION, value))]
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(step, Step::forward(edits), "{headers:?}");
        respond(&mut flow, 200, &[]);
        done(&mut flow);
        assert_eq!(event(&shared)["transaction_id"], ID);
    }
}

#[test]
fn requests_that_the_scope_excludes_are_no_events() {
    let shared = shared(r#"{"match":{"methods":["GET"]}}"#);
    let mut flow = flow(&shared);
    assert_eq!(flow.send(request(&[])), Step::forward(vec![]));
    done(&mut flow);
    assert!(events(&shared).is_empty());
}

#[test]
fn the_caller_may_be_known_only_with_the_response() {
    let shared = shared("{}");
    let mut flow = flow(&shared);
    flow.send(request(&[]));
    let response = Response {
        status: 200,
        consumer: Some(
            br#"{"id":"1","username":"ana","credential":{"id":"c","type":"key-auth"}}"#.to_vec(),
        ),
        ..Response::default()
    };
    flow.on_response(ResponseEvent::Head(Box::new(response)));
    done(&mut flow);
    let event = event(&shared);
    assert_eq!(event["user_id"], "ana");
    assert_eq!(event["session_token"].as_str().unwrap().len(), 32);
}

fn app(shared: &Shared, document: Value) {
    shared.set_app(AppConfig::read(document.to_string().as_bytes()).unwrap());
}

fn rules(shared: &Shared, document: Value) {
    shared.set_rules(Rules::read(document.to_string().as_bytes()).unwrap());
}

#[test]
fn an_event_is_sent_as_often_as_its_rate_says() {
    let shared = shared("{}");
    app(&shared, json!({"sample_rate": 100, "user_sample_rate": {"ana": 30}}));
    let mut sent = 0;
    for draw in 0..100 {
        DRAW.set(draw);
        let mut flow = flow(&shared);
        let ana =
            Request { consumer: Some(br#"{"id":"1","username":"ana"}"#.to_vec()), ..request(&[]) };
        flow.send(ana);
        assert!(flow.watches().done);
        respond(&mut flow, 200, &[]);
        done(&mut flow);
        for event in events(&shared) {
            assert_eq!(event["weight"], 3);
            sent += 1;
        }
    }
    DRAW.set(0);
    assert_eq!(sent, 30);
}

#[test]
fn no_body_is_captured_for_an_event_that_is_not_sent() {
    let shared = shared("{}");
    app(
        &shared,
        json!({"sample_rate": 100, "regex_config": [
        {"conditions": [{"path": "request.route", "value": "^/orders"}], "sample_rate": 0}]}),
    );
    let mut flow = flow(&shared);
    flow.send(request(&[]));
    assert_eq!(flow.watches(), Watch::default());
    assert_eq!(
        respond(&mut flow, 200, &[]),
        [set(TRANSACTION, ID)],
        "the transaction header is set even so"
    );
    assert_eq!(flow.watches(), Watch::default());
}

#[test]
fn an_event_out_of_order_is_refused() {
    let shared = shared("{}");
    let status = |step: Step| match step {
        Step { then: Then::Reply(reply), .. } => reply.status,
        other => panic!("{other:?}"),
    };
    let mut flow = flow(&shared);
    flow.send(request(&[]));
    assert_eq!(status(flow.on(Event::Body(Ok(vec![])))), 500);
}

#[test]
fn a_full_batch_is_sent_at_once() {
    let shared = shared(r#"{"batch_size":2}"#);
    let send = || {
        let mut flow = flow(&shared);
        flow.send(request(&[]));
        done(&mut flow)
    };
    assert_eq!([send(), send()], [false, true]);
    shared.may_send.set(false);
    assert!(!send(), "nothing can be sent now");
}

#[test]
fn without_randomness_there_is_no_event_and_the_request_goes_on() {
    let shared = shared("{}");
    let tools = Tools { random: |_| false, ..TOOLS };
    let mut flow = flow_with(&shared, tools);
    assert_eq!(flow.send(request(&[])), Step::forward(vec![]));
    done(&mut flow);
    assert!(events(&shared).is_empty());
}
