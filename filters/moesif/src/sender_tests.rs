use super::*;
use crate::config::tests::config;
use exchange::{Call, CallError};
use std::cell::RefCell;

thread_local! {
    static LOG: RefCell<Vec<String>> = RefCell::default();
}

fn log(line: &str) {
    LOG.with_borrow_mut(|log| log.push(line.to_owned()));
}

const TOOLS: Tools = Tools { random: |_| true, report: log, note: log };

fn sender(json: &str) -> Sender {
    let shared = Rc::new(Shared::new(config(json)));
    shared.set_gateway(true, true);
    LOG.take();
    let mut sender = Sender::new(shared, TOOLS);
    // Other tests cover configuration and rules.
    for call in sender.due(0) {
        let document = if call.call.segments.concat().ends_with(b"rules") { "[]" } else { "{}" };
        sender.answered(call.id, ok(200, document), 0);
    }
    sender
}

fn ok(status: u16, body: &str) -> CallResult {
    Ok(Answer::new(status, body))
}

fn queue(sender: &Sender, events: &[&str], now: u64) {
    for event in events {
        sender.shared.with_queue(|queue| queue.push(event.as_bytes().to_vec(), now));
    }
}

fn body(call: &Call) -> String {
    String::from_utf8(call.body.clone()).unwrap()
}

/// Keeps the calls that carry events.
fn posts(calls: Vec<BackgroundCall>) -> Vec<(u64, String)> {
    let posts = calls.into_iter().filter(|call| call.call.method == "POST");
    posts.map(|call| (call.id, body(&call.call))).collect()
}

fn counts(sender: &mut Sender) -> Vec<(String, u64)> {
    let counts = sender.tally().into_iter().filter_map(|tally| match tally {
        Tally::Count(name, by) => Some((name.into_owned(), by)),
        Tally::Gauge(..) | Tally::Record(..) => None,
    });
    counts.collect()
}

#[test]
fn a_batch_goes_when_it_is_full_or_has_waited_long_enough() {
    let mut sender = sender(r#"{"batch_size":2,"batch_max_wait":2000}"#);
    queue(&sender, &["1", "2", "3"], 10);
    assert_eq!(posts(sender.due(10)), [(2, "[1,2]".to_owned())]);
    assert!(posts(sender.due(2009)).is_empty());
    assert_eq!(posts(sender.due(2010)), [(3, "[3]".to_owned())]);
    assert_eq!(sender.shared.with_queue(|queue| queue.count()), 3);
    assert!(sender.answered(2, ok(201, ""), 2050).is_empty());
    sender.answered(3, ok(201, "{}"), 2050);
    assert_eq!(sender.shared.with_queue(|queue| queue.count()), 0);
    assert_eq!(counts(&mut sender), [("sent".to_owned(), 3)]);
    assert!(LOG.take().is_empty(), "nothing is logged when all is well");
}

#[test]
fn several_batches_are_under_way_and_no_more_than_that() {
    let mut sender = sender(r#"{"batch_size":1}"#);
    let events: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    queue(&sender, &events.iter().map(String::as_str).collect::<Vec<_>>(), 0);
    let out = posts(sender.due(0));
    assert_eq!(out.len(), 8);
    assert!(!sender.shared.may_send.get());
    assert!(posts(sender.due(1)).is_empty());
    assert_eq!(posts(sender.answered(out[0].0, ok(201, ""), 2)).len(), 1, "the answer makes room");
}

#[test]
fn a_failed_batch_is_sent_again_first_and_unchanged() {
    for result in [
        ok(500, ""),
        ok(429, ""),
        ok(503, "x"),
        ok(302, ""),
        Err(CallError::NoAnswer),
        Err(CallError::Truncated),
        Err(CallError::NotSent),
    ] {
        let mut sender = sender(r#"{"batch_size":2}"#);
        queue(&sender, &["1", "2", "3", "4"], 0);
        let out = posts(sender.due(0));
        assert_eq!(out.len(), 2);
        assert!(posts(sender.answered(out[0].0, result.clone(), 10)).is_empty());
        assert!(posts(sender.answered(out[1].0, result, 11)).is_empty());
        assert!(posts(sender.due(100)).is_empty(), "the breaker is open");
        let again = posts(sender.due(600));
        assert_eq!(again.len(), 1, "one batch tries");
        assert_eq!(again[0].1, "[1,2]");
        let rest = posts(sender.answered(again[0].0, ok(201, ""), 610));
        assert_eq!(rest[0].1, "[3,4]");
        let log = LOG.take();
        assert_eq!(log.len(), 2, "one fault, one recovery: {log:?}");
    }
}

#[test]
fn a_wish_of_the_collectors_is_granted() {
    let mut sender = sender(r#"{"batch_size":1}"#);
    queue(&sender, &["1"], 0);
    let out = posts(sender.due(0));
    let busy = Answer { headers: vec![(RETRY_AFTER, b"7".to_vec())], ..Answer::new(429, "") };
    sender.answered(out[0].0, Ok(busy), 0);
    assert!(posts(sender.due(6999)).is_empty());
    assert_eq!(posts(sender.due(7000)).len(), 1);
}

#[test]
fn the_culprit_of_a_bad_batch_is_found_and_given_up() {
    let mut sender = sender(r#"{"batch_size":4}"#);
    queue(&sender, &["1", "X", "3", "4"], 0);
    let mut todo = posts(sender.due(0));
    let mut arrived = Vec::new();
    while let Some((id, body)) = todo.pop() {
        let bad = body.contains('X');
        if !bad {
            arrived.push(body);
        }
        let status = if bad { 400 } else { 201 };
        todo.extend(posts(sender.answered(id, ok(status, ""), 0)));
    }
    arrived.sort();
    assert_eq!(arrived, ["[1]", "[3,4]"]);
    assert_eq!(sender.shared.with_queue(|queue| queue.count()), 0);
    let expected = [("dropped_rejected", 1), ("sent", 3), ("splits", 2)];
    assert_eq!(counts(&mut sender), expected.map(|(name, by)| (name.to_owned(), by)));
}

#[test]
fn a_refusal_pauses_for_minutes_and_loses_nothing() {
    for status in [401, 402, 404] {
        let mut sender = sender(r#"{"batch_size":1}"#);
        queue(&sender, &["1"], 0);
        let out = posts(sender.due(0));
        sender.answered(out[0].0, ok(status, ""), 0);
        assert!(posts(sender.due(299_999)).is_empty());
        assert_eq!(posts(sender.due(300_000)).len(), 1);
        let log = LOG.take();
        assert!(log[0].contains(&status.to_string()) && log[0].contains("1 events"), "{log:?}");
    }
}

#[test]
fn all_that_waits_goes_when_the_configuration_goes() {
    let mut sender = sender(r#"{"batch_size":2}"#);
    queue(&sender, &["1", "2", "3"], 0);
    let out = posts(sender.leave(1));
    assert_eq!(out.iter().map(|(_, body)| body.as_str()).collect::<Vec<_>>(), ["[1,2]", "[3]"]);
    // The batch is tried again, but not without end.
    let again = posts(sender.answered(out[0].0, ok(503, ""), 2));
    assert_eq!(again[0].1, "[1,2]");
    let again = posts(sender.answered(again[0].0, ok(503, ""), 3));
    assert!(posts(sender.answered(again[0].0, ok(503, ""), 4)).is_empty());
    sender.answered(out[1].0, ok(201, ""), 5);
    let counts = counts(&mut sender);
    assert!(counts.contains(&("dropped_at_end".to_owned(), 2)), "{counts:?}");
}

#[test]
fn nothing_is_sent_before_the_host_is_known() {
    let shared = Rc::new(Shared::new(config(r#"{"batch_size":1}"#)));
    let mut sender = Sender::new(Rc::clone(&shared), TOOLS);
    queue(&sender, &["1"], 0);
    assert!(sender.due(5000).is_empty());
    shared.set_gateway(false, false);
    let calls = sender.due(5000);
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[0].target.upstream, "api.moesif.net:443");
}

#[test]
fn the_collectors_documents_are_fetched_and_survive_errors() {
    let shared = Rc::new(Shared::new(config(r#"{"batch_size":1}"#)));
    shared.set_gateway(true, true);
    let mut sender = Sender::new(Rc::clone(&shared), TOOLS);
    let asked: Vec<Vec<u8>> =
        sender.due(0).into_iter().map(|call| call.call.segments.concat()).collect();
    assert_eq!(asked, [&b"v1config"[..], b"v1rules"]);
    let rules = r#"[{"_id":"r","type":"regex"}]"#;
    sender.answered(0, ok(200, r#"{"sample_rate":7,"user_sample_rate":{"a":1}}"#), 1);
    sender.answered(1, ok(200, rules), 1);
    assert!(!shared.app().is_known_early() && !shared.rules().is_empty());
    // The response to a batch has an etag that is new.
    queue(&sender, &["1"], 2);
    let out = posts(sender.due(2));
    let answer = Answer {
        headers: vec![(CONFIG_TAG, b"c2".to_vec()), (RULES_TAG, b"r2".to_vec())],
        ..Answer::new(201, "")
    };
    let asked = sender.answered(out[0].0, Ok(answer), 3);
    assert_eq!(asked.len(), 2);
    for (call, result) in asked.iter().zip([ok(500, "{}"), ok(200, "<html>")]) {
        sender.answered(call.id, result, 4);
    }
    assert!(
        !shared.app().is_known_early() && !shared.rules().is_empty(),
        "the last good state stays"
    );
    assert!(sender.due(5).is_empty(), "not at once again");
    assert_eq!(sender.due(1100).len(), 2);
}

#[test]
fn documents_beyond_the_bounds_are_not_used_and_the_log_says_so_once() {
    let mut sender = sender("{}");
    let good = r#"[{"_id":"r","type":"regex"}]"#;
    let large = |count: usize, value: &str| {
        let condition = format!(r#"{{"path":"request.verb","value":"{value}"}}"#);
        format!(r#"{{"conditions":[{}]}}"#, vec![condition; count].join(","))
    };
    let conditions = [large(17, r"\\w{1000}"), large(4000, "(")];
    let padding = " ".repeat(MAX_DOCUMENT);
    let mut now = 0;
    let mut answer = |sender: &mut Sender, config: &str, rules: &str| {
        now += 120_000;
        sender.shared.last_request.set(now);
        for call in sender.due(now) {
            let is_rules = call.call.segments.concat().ends_with(b"rules");
            sender.answered(call.id, ok(200, if is_rules { rules } else { config }), now);
        }
        LOG.take()
    };
    for conditions in conditions {
        assert!(answer(&mut sender, r#"{"sample_rate":7}"#, good).is_empty());
        let rules = format!(r#"[{{"_id":"r","type":"regex","regex_config":[{conditions}]}}]"#);
        let (open, _) = conditions.split_at(conditions.len() - 1);
        let config = format!(r#"{{"regex_config":[{open},"sample_rate":1}}]}}"#);
        assert_eq!(answer(&mut sender, &config, &rules).len(), 2, "a line for each document");
        assert!(answer(&mut sender, &config, &rules).is_empty(), "the log says it once");
        assert!(sender.shared.app().is_known_early() && !sender.shared.rules().is_empty());
    }
    answer(&mut sender, "{}", good);
    let log = answer(&mut sender, "{}", &format!("[{padding}]"));
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(!sender.shared.rules().is_empty());
}

#[test]
fn no_log_line_has_a_secret_in_it() {
    let mut sender = sender(r#"{"batch_size":2,"debug":true,"application_id_env":""}"#);
    queue(&sender, &["\"secret-body\"", "\"secret-header\""], 0);
    for status in [201, 400, 401, 500] {
        queue(&sender, &["\"secret-body\"", "\"secret-header\""], 0);
        for (id, _) in posts(sender.due(1_000_000 * u64::from(status))) {
            sender.answered(id, ok(status, "secret-answer"), 0);
        }
    }
    let log = LOG.take();
    assert!(log.len() > 3, "{log:?}");
    assert!(log.iter().all(|line| !line.contains("secret") && !line.contains("app ")), "{log:?}");
}
