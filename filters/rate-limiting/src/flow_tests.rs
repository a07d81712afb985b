#![allow(clippy::arithmetic_side_effects)]

use super::*;
use crate::config::tests::config;
use crate::table::Table;
use crate::table::tests::{NOW, Shared, distinct};
use consumer::testing::Driver;
use exchange::{Body, Call, Request, Response, Then, testing};
use serde_json::{Value, json};
use std::cell::Cell;

fn limited(json: &str) -> Rc<Config> {
    let config = config(json);
    let shared = Shared::default();
    config.limiter.open(|| Some(Table::new(Box::new(shared), 1000, distinct)));
    Rc::new(config)
}

fn request(now: u64) -> Request {
    let peer = Some("192.0.2.1".into());
    Request { peer, now, ..testing::request("GET", "/", &[(":path", "/")]) }
}

thread_local! {
    static PRESENT: Cell<u64> = const { Cell::new(NOW) };
}

fn present() -> u64 {
    PRESENT.get()
}

/// The filter after a request, and the first step of the request.
fn send(config: &Rc<Config>, now: u64) -> (Driver, Step) {
    PRESENT.set(now);
    let (common, config) = (config.common.clone(), Rc::clone(config));
    let start = move |admitted| LimitFlow::start(Rc::clone(&config), &admitted, present);
    let mut filter = Driver::new(&common, start);
    let step = filter.send(request(now));
    (filter, step)
}

fn shown(headers: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<String> {
    let text = |(name, value)| format!("{name}: {}", String::from_utf8(value).unwrap());
    headers.into_iter().map(text).collect()
}

/// The headers that the filter adds to a response of the upstream.
fn response(flow: &mut Driver) -> Vec<String> {
    if !flow.wants_response() {
        return vec![];
    }
    let head = Response { status: 200, ..Response::default() };
    let ResponseStep::Forward(edits) = flow.on_response(ResponseEvent::Head(Box::new(head))) else {
        panic!("a response does not wait");
    };
    shown(edits.into_iter().map(|edit| match edit {
        Edit::Set(name, value) => (name.into_owned(), value),
        other => panic!("{other:?}"),
    }))
}

fn refusal(step: Step) -> (u16, String, Vec<String>) {
    let Step {
        then: Then::Reply(Reply { status, headers, body: Body::Error(message), .. }), ..
    } = step
    else {
        panic!("{step:?}");
    };
    let headers = headers.into_iter().map(|(name, value)| (name.into_owned(), value));
    (status, message.into_owned(), shown(headers))
}

fn counted(flow: &mut Driver) -> Vec<String> {
    flow.tally()
        .into_iter()
        .map(|tally| match tally {
            Tally::Count(what, 1) => what.into_owned(),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn requests_pass_up_to_the_limit_and_then_are_told_when_to_come_again() {
    let config = limited(r#"{"second":2,"minute":9,"limit_by":"ip"}"#);
    for remaining in [1, 0] {
        let (mut flow, step) = send(&config, NOW + 30_400);
        assert_eq!(step, Step::forward(vec![]));
        let expected = [
            "X-RateLimit-Limit-Second: 2".into(),
            format!("X-RateLimit-Remaining-Second: {remaining}"),
            "X-RateLimit-Limit-Minute: 9".into(),
            format!("X-RateLimit-Remaining-Minute: {}", remaining + 7),
            "RateLimit-Limit: 2".into(),
            format!("RateLimit-Remaining: {remaining}"),
            "RateLimit-Reset: 1".into(),
        ];
        assert_eq!(response(&mut flow), expected);
        assert!(counted(&mut flow).is_empty());
    }
    let (mut flow, step) = send(&config, NOW + 30_900);
    let (status, message, headers) = refusal(step);
    assert_eq!((status, message.as_str()), (429, "API rate limit exceeded"));
    assert_eq!(headers[1], "X-RateLimit-Remaining-Second: 0");
    assert_eq!(headers[3], "X-RateLimit-Remaining-Minute: 7", "a refusal costs nothing");
    assert_eq!(headers[7], "Retry-After: 1");
    assert_eq!(counted(&mut flow), ["limited"]);
    assert_eq!(send(&config, NOW + 31_000).1, Step::forward(vec![]));
}

#[test]
fn the_response_to_our_own_refusal_is_left_alone() {
    let config = limited(r#"{"second":1}"#);
    send(&config, NOW);
    let (mut flow, _) = send(&config, NOW);
    assert!(!flow.wants_response());
    let (mut other, _) = send(&config, NOW + 1000);
    let ours = ResponseEvent::Head(Box::new(Response { ours: true, ..Response::default() }));
    assert_eq!(other.on_response(ours.clone()), ResponseStep::Forward(vec![]));
    assert_eq!(flow.on_response(ours), ResponseStep::Forward(vec![]));
}

#[test]
fn status_and_message_are_the_operators() {
    let config = limited(r#"{"second":1,"error_code":404,"error_message":"Not today"}"#);
    send(&config, NOW);
    let (status, message, _) = refusal(send(&config, NOW).1);
    assert_eq!((status, message.as_str()), (404, "Not today"));
}

#[test]
fn hidden_headers_are_on_no_response() {
    let config = limited(r#"{"second":1,"hide_client_headers":true}"#);
    assert!(response(&mut send(&config, NOW).0).is_empty());
    assert!(refusal(send(&config, NOW).1).2.is_empty());
}

#[test]
fn a_dry_run_counts_and_tells_and_refuses_nobody() {
    let config = limited(r#"{"second":1,"dry_run":true}"#);
    send(&config, NOW);
    let (mut flow, step) = send(&config, NOW);
    assert_eq!(step, Step::forward(vec![]));
    let headers = response(&mut flow);
    assert!(headers.contains(&"RateLimit-Remaining: 0".to_owned()), "{headers:?}");
    assert!(!headers.iter().any(|header| header.starts_with("Retry-After")));
    assert_eq!(counted(&mut flow), ["by_ip_instead", "would_be_limited"]);
}

#[test]
fn a_caller_without_the_identifier_is_reported() {
    let config = limited(r#"{"second":1,"limit_by":"header","header_name":"x"}"#);
    assert_eq!(counted(&mut send(&config, NOW).0), ["by_ip_instead"]);
    let config = limited(r#"{"second":1,"limit_by":"ip"}"#);
    assert!(counted(&mut send(&config, NOW).0).is_empty());
}

#[test]
fn requests_of_others_are_not_counted() {
    let config = limited(r#"{"second":1,"match":{"paths":["/other"]}}"#);
    for _ in 0..3 {
        let (mut flow, step) = send(&config, NOW);
        assert_eq!((step, response(&mut flow)), (Step::forward(vec![]), vec![]));
    }
}

#[test]
fn without_any_counts_a_request_passes_if_faults_are_tolerated() {
    for (json, passes) in
        [(r#"{"second":1}"#, true), (r#"{"second":1,"fault_tolerant":false}"#, false)]
    {
        let config = Rc::new(config(json));
        let (mut flow, step) = send(&config, NOW);
        match step {
            Step { then: Then::Forward, .. } => assert!(passes),
            step => assert_eq!((refusal(step).0, passes), (500, false)),
        }
        assert!(counted(&mut flow).contains(&"uncounted".to_owned()));
    }
}

// === Asking ===

const ASKING: &str = r#"{"second":2,"policy":"redis","admin":{"upstream":"admin","token":"t"}}"#;

fn asked(config: &Rc<Config>) -> (Driver, Call) {
    let (flow, step) = send(config, NOW);
    match step {
        Step { then: Then::Ask(target, call), .. } => {
            assert_eq!(target.upstream, "admin");
            (flow, call)
        }
        other => panic!("{other:?}"),
    }
}

fn total(total: u64, admitted: bool) -> Event {
    let body = json!({ "totals": [{ "total": total, "admitted": admitted }] }).to_string();
    Event::Answered(Ok(Answer::new(200, body)))
}

#[test]
fn the_service_decides_when_it_is_asked() {
    let config = limited(ASKING);
    let (mut flow, call) = asked(&config);
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["increments"][0]["limit"], 2);
    assert_eq!(flow.on(total(1, true)), Step::forward(vec![]));
    assert_eq!(response(&mut flow)[1], "X-RateLimit-Remaining-Second: 1");
    let (mut flow, _) = asked(&config);
    let (status, _, headers) = refusal(flow.on(total(2, false)));
    assert_eq!((status, headers[1].as_str()), (429, "X-RateLimit-Remaining-Second: 0"));
}

#[test]
fn a_service_that_is_away_is_replaced_by_counts_of_the_node_or_by_500() {
    let away = || Event::Answered(Err(Unavailable));
    let config = limited(ASKING);
    let mut statuses = vec![];
    for _ in 0..3 {
        let (mut flow, _) = asked(&config);
        statuses.push(match flow.on(away()) {
            Step { then: Then::Forward, .. } => 200,
            step => refusal(step).0,
        });
        assert!(counted(&mut flow).contains(&"counted_here_instead".to_owned()));
    }
    assert_eq!(statuses, [200, 200, 429]);
    let strict = limited(&ASKING.replace("\"second\"", "\"fault_tolerant\":false,\"second\""));
    for event in [away(), Event::Answered(Ok(Answer::new(200, "{}")))] {
        let (mut flow, _) = asked(&strict);
        assert_eq!(refusal(flow.on(event)).0, 500);
    }
}

#[test]
fn a_request_that_waited_in_vain_is_counted_at_the_time_of_its_decision() {
    let config = limited(ASKING);
    let away = |flow: &mut Driver| match flow.on(Event::Answered(Err(Unavailable))) {
        Step { then: Then::Forward, .. } => 200,
        step => refusal(step).0,
    };
    // Some calls fail at once, and others after the longest time for an answer.
    let mut waiting: Vec<Driver> = (0..4).map(|_| send(&config, NOW - 3000).0).collect();
    let mut statuses = vec![];
    for late in &mut waiting {
        let (mut flow, _) = send(&config, NOW);
        statuses.push(away(&mut flow));
        statuses.push(away(late));
    }
    assert_eq!(statuses, [200, 200, 429, 429, 429, 429, 429, 429]);
}

#[test]
fn a_group_and_the_others_have_their_own_counts_wherever_they_are_counted() {
    let limits = r#""limit_by":"ip","minute":2,"limits":[{"groups":["gold"],"hour":3}]"#;
    let cluster = r#""policy":"cluster","admin":{"upstream":"admin"}"#;
    for settings in [
        format!("{{{limits}}}"),
        format!(r#"{{{limits},"algorithm":"sliding_window"}}"#),
        format!(r#"{{{limits},"algorithm":"token_bucket"}}"#),
        format!("{{{limits},{cluster}}}"),
        format!(r#"{{{limits},{cluster},"sync_rate":1}}"#),
    ] {
        let config = limited(&settings);
        let gold = Identity { groups: vec!["gold".into()], ..Identity::default() };
        let [nobody, gold] = [None, Some(Rc::new(gold))];
        let mut passed = [0, 0];
        for _ in 0..5 {
            for (identity, passed) in [&nobody, &gold].into_iter().zip(&mut passed) {
                let request = Box::new(request(NOW));
                let admitted = Admitted { request, identity: identity.clone() };
                let Started { step, mut flow } =
                    LimitFlow::start(Rc::clone(&config), &admitted, present);
                let step = match step.then {
                    Then::Ask(..) => flow.on(Event::Answered(Err(Unavailable))),
                    _ => step,
                };
                *passed += u32::from(step.then == Then::Forward);
            }
        }
        assert_eq!(passed, [2, 3], "{settings}");
    }
}

// === Comparing ===

#[test]
fn between_two_comparisons_the_node_decides() {
    let config = limited(
        r#"{"second":2,"policy":"cluster","sync_rate":1,"admin":{"upstream":"admin"},"limit_by":"ip"}"#,
    );
    let passes =
        |config: &Rc<Config>| matches!(send(config, NOW).1, Step { then: Then::Forward, .. });
    assert_eq!([passes(&config), passes(&config), passes(&config)], [true, true, false]);
}

#[test]
fn while_counts_cannot_be_compared_an_intolerant_filter_refuses() {
    for (tolerant, status) in [(true, None), (false, Some(500))] {
        let config = limited(&format!(
            r#"{{"second":2,"policy":"cluster","sync_rate":1,"admin":{{"upstream":"a"}},"fault_tolerant":{tolerant}}}"#
        ));
        send(&config, NOW);
        config.limiter.ledger(|ledger| {
            let number = ledger.due(NOW, 1000, false)[0];
            ledger.answered(number, None, NOW);
        });
        let found = match send(&config, NOW).1 {
            Step { then: Then::Forward, .. } => None,
            step => Some(refusal(step).0),
        };
        assert_eq!(found, status);
    }
}

#[test]
fn events_out_of_order_are_refused() {
    let config = limited(r#"{"second":9}"#);
    for event in [total(1, true), Event::Found(Err(Unavailable)), Event::Body(Ok(vec![]))] {
        let (mut flow, _) = send(&config, NOW);
        assert_eq!(refusal(flow.on(event)).0, 500);
    }
}
