use super::*;
use admin_api::{Entity, Operation};
use exchange::Call;
use std::time::Duration;

const ENVOY: fn(u64) -> Moment = |now| Moment { now, newer: 0, can_park: true, can_wake: true };
const KONG: fn(u64) -> Moment = |now| Moment { now, newer: 0, can_park: true, can_wake: false };
const OLD_KONG: fn(u64) -> Moment =
    |now| Moment { now, newer: 0, can_park: false, can_wake: false };

/// Answers `{"seq":n,"value":"..."}`.
struct Words;

impl Source for Words {
    fn call(&self, key: &Key) -> Call {
        Call::get([&key.name])
    }

    fn read(&self, _: &Key, answer: &Answer) -> Option<(Finding, Option<u64>)> {
        let document: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
        let seq = document.get("seq").and_then(serde_json::Value::as_u64);
        match (answer.status, document.get("value")) {
            (200, Some(value)) => Some((Finding::Value(value.as_str()?.into()), seq)),
            (404, None) => Some((Finding::Nothing, seq)),
            _ => None,
        }
    }

    fn touched(&self, change: &Change) -> Vec<Key> {
        vec![Key::new(1, change.consumer_id.clone())]
    }
}

struct Bench {
    lookups: Lookups,
    store: Store,
}

fn bench() -> Bench {
    let cache = Cache {
        ttl: Duration::from_secs(60),
        negative_ttl: Duration::from_secs(10),
        stale_ttl: Duration::from_secs(300),
        max_lookups: 4,
        ..Cache::default()
    };
    let store = Store::own();
    let lookups = Lookups::new(Box::new(Words), cache, 1, b"0123456789abcdef", 0);
    lookups.ensure_generation(&store, || 7);
    Bench { lookups, store }
}

fn key(name: &str) -> Key {
    Key::new(1, name)
}

fn value(text: &str, seq: u64) -> Answer {
    Answer::new(200, format!(r#"{{"seq":{seq},"value":"{text}"}}"#).into_bytes())
}

fn nothing(seq: u64) -> Answer {
    Answer::new(404, format!(r#"{{"seq":{seq}}}"#).into_bytes())
}

fn found(text: &str) -> Result<Finding, Unavailable> {
    Ok(Finding::Value(text.into()))
}

impl Bench {
    fn find(&mut self, name: &str, waiter: u32, moment: Moment) -> Lookup {
        self.lookups.find(&self.store, &key(name), waiter, moment)
    }

    fn landed(
        &mut self,
        name: &str,
        answer: Option<Answer>,
        now: u64,
    ) -> Vec<(u32, Result<Finding, Unavailable>)> {
        self.lookups.landed(&self.store, &key(name), answer.as_ref(), now)
    }

    /// Looks `a` up at `now` and answers.
    fn learn(&mut self, answer: Answer, now: u64) {
        assert!(matches!(self.find("a", 1, ENVOY(now)), Lookup::Ask(_)));
        self.landed("a", Some(answer), now);
    }
}

#[test]
fn many_requests_wait_for_one_call() {
    let mut bench = bench();
    assert!(matches!(bench.find("a", 1, ENVOY(0)), Lookup::Ask(_)));
    for waiter in 2..200 {
        assert_eq!(bench.find("a", waiter, ENVOY(0)), Lookup::Join);
    }
    let woken = bench.landed("a", Some(value("x", 1)), 5);
    assert_eq!(woken.len(), 199);
    assert!(woken.iter().all(|(_, result)| *result == found("x")));
    assert_eq!(bench.find("a", 300, ENVOY(5)), Lookup::Ready(found("x")));
    assert_eq!(bench.lookups.waiting, 0);
}

#[test]
fn where_nobody_can_be_woken_each_request_asks_for_itself() {
    let mut bench = bench();
    for waiter in 0..4 {
        assert!(matches!(bench.find("a", waiter, KONG(0)), Lookup::Ask(_)));
    }
    assert_eq!(bench.find("a", 5, KONG(0)), Lookup::Ready(Err(Unavailable)), "the fifth of four");
    let result = bench.lookups.landed_for(&bench.store, &key("a"), Some(&value("x", 1)), 5);
    assert_eq!(result, found("x"));
    bench.lookups.abandon(&key("a"));
    let result = bench.lookups.landed_for(&bench.store, &key("a"), None, 5);
    assert_eq!(result, found("x"), "somebody else's answer serves");
}

#[test]
fn where_nobody_may_wait_a_miss_is_refused_and_asked_on_the_tick() {
    let mut bench = bench();
    assert_eq!(bench.find("a", 1, OLD_KONG(0)), Lookup::Ready(Err(Unavailable)));
    let due = bench.lookups.due(&bench.store, 10);
    assert_eq!(due.len(), 1);
    bench.landed("a", Some(value("x", 1)), 20);
    assert_eq!(bench.find("a", 2, OLD_KONG(30)), Lookup::Ready(found("x")));
}

#[test]
fn an_answer_serves_for_its_time_and_is_asked_again_while_it_still_serves() {
    let mut bench = bench();
    bench.learn(value("x", 1), 0);
    assert_eq!(bench.find("a", 2, ENVOY(60_000)), Lookup::Ready(found("x")));
    assert!(bench.lookups.due(&bench.store, 60_000).is_empty());
    assert_eq!(bench.find("a", 2, ENVOY(60_001)), Lookup::Ready(found("x")));
    assert_eq!(bench.find("a", 3, ENVOY(60_001)), Lookup::Ready(found("x")));
    assert_eq!(bench.lookups.due(&bench.store, 60_500).len(), 1, "once, not twice");
    bench.landed("a", Some(value("y", 1)), 60_600);
    assert_eq!(bench.find("a", 4, ENVOY(60_700)), Lookup::Ready(found("y")));
}

#[test]
fn an_answer_serves_while_the_admin_is_away_and_not_for_ever() {
    let mut bench = bench();
    bench.learn(value("x", 1), 0);
    assert_eq!(bench.find("a", 2, ENVOY(360_000)), Lookup::Ready(found("x")));
    assert!(matches!(bench.find("a", 2, ENVOY(360_001)), Lookup::Ask(_)));
    assert_eq!(bench.landed("a", None, 360_002), [(2, Err(Unavailable))]);
}

#[test]
fn that_there_is_none_serves_for_a_shorter_time_and_never_stale() {
    let mut bench = bench();
    bench.learn(nothing(1), 0);
    assert_eq!(bench.find("a", 2, ENVOY(9_999)), Lookup::Ready(Ok(Finding::Nothing)));
    assert!(matches!(bench.find("a", 2, ENVOY(10_000)), Lookup::Ask(_)));
    assert_eq!(bench.landed("a", None, 10_001), [(2, Err(Unavailable))]);
}

#[test]
fn an_answer_to_another_question_is_a_failure() {
    let mut bench = bench();
    for (status, body) in
        [(200, "{"), (200, ""), (404, "<html>"), (500, "{}"), (200, r#"{"value":1}"#), (204, "")]
    {
        assert!(matches!(bench.find("a", 1, ENVOY(0)), Lookup::Ask(_)));
        let answer = Answer::new(status, body);
        assert_eq!(bench.landed("a", Some(answer), 1), [(1, Err(Unavailable))], "{status} {body}");
    }
}

fn changed(bench: &mut Bench, seq: u64) {
    let change = Change {
        seq,
        entity: Entity::Appids,
        operation: Operation::Create,
        consumer_id: "a".into(),
        key: "x".into(),
    };
    bench.lookups.apply(&bench.store, &change);
}

#[test]
fn a_change_makes_the_next_request_ask_again() {
    for answer in [value("x", 5), nothing(5)] {
        let mut bench = bench();
        bench.learn(answer, 0);
        changed(&mut bench, 6);
        assert!(matches!(bench.find("a", 2, ENVOY(1)), Lookup::Ask(_)));
    }
}

#[test]
fn an_answer_older_than_a_change_serves_who_waited_and_is_not_kept() {
    let mut bench = bench();
    assert!(matches!(bench.find("a", 1, ENVOY(0)), Lookup::Ask(_)));
    changed(&mut bench, 6);
    assert_eq!(bench.landed("a", Some(value("old", 5)), 1), [(1, found("old"))]);
    assert!(matches!(bench.find("a", 2, ENVOY(2)), Lookup::Ask(_)));
    assert_eq!(bench.landed("a", Some(value("new", 6)), 3), [(2, found("new"))]);
    assert_eq!(bench.find("a", 3, ENVOY(4)), Lookup::Ready(found("new")));
}

#[test]
fn dropping_everything_also_drops_what_is_on_its_way() {
    let mut bench = bench();
    bench.learn(value("x", 5), 0);
    assert!(matches!(bench.find("b", 1, ENVOY(0)), Lookup::Ask(_)));
    bench.lookups.drop_all(&bench.store, 8);
    bench.landed("b", Some(value("y", 5)), 1);
    for name in ["a", "b"] {
        assert!(matches!(bench.find(name, 2, ENVOY(2)), Lookup::Ask(_)), "{name}");
    }
}

#[test]
fn what_may_have_missed_a_change_serves_only_if_it_cannot_be_asked_for() {
    let mut bench = bench();
    bench.learn(value("x", 5), 0);
    bench.lookups.distrust(1000);
    assert!(matches!(bench.find("a", 1, ENVOY(1000)), Lookup::Ask(_)));
    assert_eq!(bench.landed("a", None, 1001), [(1, found("x"))]);
}

#[test]
fn guesses_have_a_budget() {
    let mut bench = bench();
    let mut refused = 0;
    for n in 0..300 {
        match bench.find(&format!("guess-{n}"), n, ENVOY(0)) {
            Lookup::Ask(_) => {
                bench.landed(&format!("guess-{n}"), Some(nothing(1)), 0);
            }
            Lookup::Ready(Err(Unavailable)) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 200, "100 calls a second");
    assert!(matches!(bench.find("guess-299", 1, ENVOY(1000)), Lookup::Ask(_)));
}

#[test]
fn who_went_away_is_not_woken() {
    let mut bench = bench();
    assert!(matches!(bench.find("a", 1, ENVOY(0)), Lookup::Ask(_)));
    assert_eq!(bench.find("a", 2, ENVOY(0)), Lookup::Join);
    bench.lookups.leave(&key("a"), 1);
    assert_eq!(bench.landed("a", Some(value("x", 1)), 1), [(2, found("x"))]);
    assert_eq!(bench.lookups.waiting, 0);
}

#[test]
fn an_answer_that_comes_after_it_was_given_up_is_ignored() {
    let mut bench = bench();
    assert!(matches!(bench.find("a", 1, ENVOY(0)), Lookup::Ask(_)));
    assert_eq!(bench.lookups.overdue(5000, 4000), [key("a")]);
    assert_eq!(bench.landed("a", None, 5000), [(1, Err(Unavailable))]);
    assert!(bench.landed("a", Some(value("x", 1)), 6000).is_empty());
}

#[test]
fn what_was_read_too_early_is_asked_for_again_and_serves_if_that_fails() {
    let mut bench = bench();
    bench.learn(value("x", 1), 1000);
    let newer = |than| Moment { newer: than, ..ENVOY(5000) };
    assert_eq!(bench.find("a", 1, newer(1000)), Lookup::Ready(found("x")));
    assert!(matches!(bench.find("a", 1, newer(1001)), Lookup::Ask(_)));
    assert_eq!(bench.landed("a", None, 5001), [(1, found("x"))]);
}

#[test]
fn a_long_value_is_kept_in_pieces() {
    let mut bench = bench();
    let long = "x".repeat(20_000);
    bench.learn(value(&long, 1), 0);
    assert_eq!(bench.find("a", 1, ENVOY(1)), Lookup::Ready(found(&long)));
    changed(&mut bench, 2);
    assert!(matches!(bench.find("a", 1, ENVOY(2)), Lookup::Ask(_)));
}

#[test]
fn something_newer_is_asked_for_once_and_not_again_while_that_has_failed() {
    for (moment, joins) in [(ENVOY as fn(u64) -> Moment, true), (KONG, false)] {
        let mut bench = bench();
        let newer = |now: u64| Moment { newer: now - 10_000, ..moment(now) };
        assert!(matches!(bench.find("a", 1, moment(0)), Lookup::Ask(_)));
        bench.lookups.landed(&bench.store, &key("a"), Some(&value("old", 1)), 0);
        assert!(matches!(bench.find("a", 1, newer(20_000)), Lookup::Ask(_)));
        // While the call is under way: waiting where that is possible, what is there otherwise.
        let second = bench.find("a", 2, newer(20_001));
        let expected = if joins { Lookup::Join } else { Lookup::Ready(found("old")) };
        assert_eq!(second, expected);
        bench.lookups.landed(&bench.store, &key("a"), None, 20_002);
        assert_eq!(bench.find("a", 3, newer(29_999)), Lookup::Ready(found("old")));
        assert!(matches!(bench.find("a", 4, newer(30_001)), Lookup::Ask(_)));
        bench.lookups.landed(&bench.store, &key("a"), Some(&value("new", 2)), 30_002);
        assert_eq!(bench.find("a", 5, newer(40_001)), Lookup::Ready(found("new")));
    }
}
