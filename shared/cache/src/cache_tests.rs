// A test's own counts are small.
#![allow(clippy::arithmetic_side_effects)]

use super::*;
use crate::entries::Secrecy;
use crate::shared_data::{LocalData, Put};
use crate::waiting::Room;
use admin_api::{Change, Entity, Operation};
use exchange::{Answer, Call};
use settings::Common;
use std::time::Duration;

pub(crate) const ENVOY: fn(u64) -> Conditions =
    |now| Conditions { now, not_before: 0, can_park: true, can_wake: true, bytes: 4096 };
pub(super) const KONG: fn(u64) -> Conditions = |now| Conditions { can_wake: false, ..ENVOY(now) };
pub(super) const OLD_KONG: fn(u64) -> Conditions =
    |now| Conditions { can_park: false, ..KONG(now) };

/// Answers `{"seq":n,"value":"..."}`.
pub(crate) struct Words;

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

pub(super) struct Bench {
    pub(super) cache: Cache,
    pub(super) data: Rc<LocalData>,
    pub(super) rooms: Rooms,
}

pub(super) fn bench() -> Bench {
    bench_of(Box::new(Words), 4)
}

pub(super) fn bench_of(source: Box<dyn Source>, max_lookups: usize) -> Bench {
    bench_on(Rc::default(), source, max_lookups)
}

/// Makes the cache of a VM on shared data that other VMs may use, too.
pub(super) fn bench_on(data: Rc<LocalData>, source: Box<dyn Source>, max_lookups: usize) -> Bench {
    let settings = settings::Cache {
        ttl: Duration::from_secs(60),
        negative_ttl: Duration::from_secs(10),
        stale_ttl: Duration::from_secs(300),
        max_lookups,
        ..settings::Cache::default()
    };
    let common = Common { cache: settings, ..Common::default() };
    let rooms = Rooms::default();
    let setup = Setup {
        filter: ("test", 1),
        common: &common,
        depends: b"",
        data: Rc::<LocalData>::clone(&data),
        rooms: rooms.clone(),
        random: || 7,
        started: 0,
    };
    Bench { cache: Cache::new(setup, source, 0), data, rooms }
}

pub(crate) fn key(name: &str) -> Key {
    Key::new(1, name)
}

pub(crate) fn value(text: &str, seq: u64) -> Answer {
    Answer::new(200, format!(r#"{{"seq":{seq},"value":"{text}"}}"#).into_bytes())
}

pub(super) fn nothing(seq: u64) -> Answer {
    Answer::new(404, format!(r#"{{"seq":{seq}}}"#).into_bytes())
}

pub(super) fn value_of(text: &str) -> Finding {
    Finding::Value(text.into())
}

pub(super) fn found(text: &str) -> Result<Finding, Unavailable> {
    Ok(value_of(text))
}

impl Bench {
    pub(super) fn find(&mut self, name: &str, waiter: u32, conditions: Conditions) -> Lookup {
        self.cache.find(&key(name), waiter, conditions)
    }

    pub(super) fn answered(
        &mut self,
        name: &str,
        answer: Option<Answer>,
        now: u64,
    ) -> Vec<(u32, Result<Finding, Unavailable>)> {
        self.answered_key(key(name), answer, now)
    }

    pub(super) fn answered_key(
        &mut self,
        key: Key,
        answer: Option<Answer>,
        now: u64,
    ) -> Vec<(u32, Result<Finding, Unavailable>)> {
        let result = answer.ok_or(CallError::NoAnswer);
        self.cache.answered(&Purpose::Key(key), &result, true, now).woken
    }

    pub(super) fn answered_own(
        &mut self,
        name: &str,
        answer: Option<Answer>,
        now: u64,
    ) -> Result<Finding, Unavailable> {
        self.cache.answered_own(&key(name), &answer.ok_or(CallError::NoAnswer), now).0
    }

    /// Looks `a` up at `now` and answers.
    pub(super) fn learn(&mut self, answer: Answer, now: u64) {
        assert!(matches!(self.find("a", 1, ENVOY(now)), Lookup::Fetch(..)));
        self.answered("a", Some(answer), now);
    }
}

#[test]
fn many_requests_wait_for_one_call() {
    let mut bench = bench();
    assert!(matches!(bench.find("a", 1, ENVOY(0)), Lookup::Fetch(..)));
    let mut seats = Vec::new();
    for waiter in 2..200 {
        match bench.find("a", waiter, ENVOY(0)) {
            Lookup::Join(seat) => seats.push(seat),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bench.rooms.waiting(Room::Stranger), (198, 198 * 4096));
    drop(seats);
    let woken = bench.answered("a", Some(value("x", 1)), 5);
    assert_eq!(woken.len(), 199);
    assert!(woken.iter().all(|(_, result)| *result == found("x")));
    assert_eq!(bench.find("a", 300, ENVOY(5)), Lookup::Hit(value_of("x")));
    assert_eq!(bench.rooms.waiting(Room::Stranger), (0, 0));
}

#[test]
fn where_nobody_can_be_woken_each_request_asks_for_itself_and_counts_as_one_key() {
    let mut bench = bench();
    // Four keys may be asked for at once, and four times as many calls be under way.
    for waiter in 0..16 {
        assert!(matches!(bench.find("a", waiter, KONG(0)), Lookup::Fetch(..)), "{waiter}");
    }
    assert_eq!(bench.find("a", 17, KONG(0)), Lookup::Unavailable);
    for name in ["b", "c", "d"] {
        assert!(matches!(bench.find(name, 18, KONG(0)), Lookup::Fetch(..)), "{name}");
    }
    assert_eq!(bench.find("e", 19, KONG(0)), Lookup::Unavailable, "a fifth key");
    let result = bench.answered_own("a", Some(value("x", 1)), 5);
    assert_eq!(result, found("x"));
    bench.cache.left(&key("a"), 0, true);
    let result = bench.answered_own("a", None, 5);
    assert_eq!(result, found("x"), "somebody else's answer serves");
}

#[test]
fn where_nobody_may_wait_a_miss_is_refused_and_asked_on_the_tick() {
    let mut bench = bench();
    assert_eq!(bench.find("a", 1, OLD_KONG(0)), Lookup::Queued);
    assert_eq!(bench.find("a", 1, OLD_KONG(0)), Lookup::Queued, "the same again");
    let due = bench.cache.due(10);
    assert_eq!(due.len(), 1);
    bench.answered("a", Some(value("x", 1)), 20);
    assert_eq!(bench.find("a", 2, OLD_KONG(30)), Lookup::Hit(value_of("x")));
}

#[test]
fn an_answer_serves_for_its_time_and_is_asked_again_while_it_still_serves() {
    let mut bench = bench();
    bench.learn(value("x", 1), 0);
    assert_eq!(bench.find("a", 2, ENVOY(60_000)), Lookup::Hit(value_of("x")));
    assert!(bench.cache.due(60_000).is_empty());
    assert_eq!(bench.find("a", 2, ENVOY(60_001)), Lookup::Stale(value_of("x")));
    assert_eq!(bench.find("a", 3, ENVOY(60_001)), Lookup::Stale(value_of("x")));
    assert_eq!(bench.cache.due(60_500).len(), 1, "once, not twice");
    bench.answered("a", Some(value("y", 1)), 60_600);
    assert_eq!(bench.find("a", 4, ENVOY(60_700)), Lookup::Hit(value_of("y")));
}

#[test]
fn an_answer_serves_while_the_admin_is_away_and_not_for_ever() {
    let mut bench = bench();
    bench.learn(value("x", 1), 0);
    assert_eq!(bench.find("a", 2, ENVOY(360_000)), Lookup::Stale(value_of("x")));
    assert!(matches!(bench.find("a", 2, ENVOY(360_001)), Lookup::Fetch(..)));
    assert_eq!(bench.answered("a", None, 360_002), [(2, Err(Unavailable))]);
}

#[test]
fn that_there_is_none_serves_for_a_shorter_time_and_never_stale() {
    let mut bench = bench();
    bench.learn(nothing(1), 0);
    assert_eq!(bench.find("a", 2, ENVOY(9_999)), Lookup::Hit(Finding::Nothing));
    assert!(matches!(bench.find("a", 2, ENVOY(10_000)), Lookup::Fetch(..)));
    assert_eq!(bench.answered("a", None, 10_001), [(2, Err(Unavailable))]);
}

#[test]
fn an_answer_to_another_question_is_a_failure() {
    let mut bench = bench();
    for (status, body) in
        [(200, "{"), (200, ""), (404, "<html>"), (500, "{}"), (200, r#"{"value":1}"#), (204, "")]
    {
        assert!(matches!(bench.find("a", 1, ENVOY(0)), Lookup::Fetch(..)));
        let answer = Answer::new(status, body);
        assert_eq!(
            bench.answered("a", Some(answer), 1),
            [(1, Err(Unavailable))],
            "{status} {body}"
        );
    }
}

pub(super) fn changed(bench: &mut Bench, seq: u64) {
    let change = Change {
        seq,
        entity: Entity::Appids,
        operation: Operation::Create,
        consumer_id: "a".into(),
        key: "x".into(),
    };
    bench.cache.apply(&change);
}

#[test]
fn a_change_makes_the_next_request_ask_again() {
    for answer in [value("x", 5), nothing(5)] {
        let mut bench = bench();
        bench.learn(answer, 0);
        changed(&mut bench, 6);
        assert!(matches!(bench.find("a", 2, ENVOY(1)), Lookup::Fetch(..)));
    }
}

#[test]
fn an_answer_older_than_a_change_serves_who_waited_and_is_not_kept() {
    let mut bench = bench();
    assert!(matches!(bench.find("a", 1, ENVOY(0)), Lookup::Fetch(..)));
    changed(&mut bench, 6);
    assert_eq!(bench.answered("a", Some(value("old", 5)), 1), [(1, found("old"))]);
    assert!(matches!(bench.find("a", 2, ENVOY(2)), Lookup::Fetch(..)));
    assert_eq!(bench.answered("a", Some(value("new", 6)), 3), [(2, found("new"))]);
    assert_eq!(bench.find("a", 3, ENVOY(4)), Lookup::Hit(value_of("new")));
}

#[test]
fn dropping_everything_also_drops_what_is_on_its_way() {
    let mut bench = bench();
    bench.learn(value("x", 5), 0);
    assert!(matches!(bench.find("b", 1, ENVOY(0)), Lookup::Fetch(..)));
    bench.cache.drop_all(8);
    bench.answered("b", Some(value("y", 5)), 1);
    for name in ["a", "b"] {
        assert!(matches!(bench.find(name, 2, ENVOY(2)), Lookup::Fetch(..)), "{name}");
    }
}

#[test]
fn what_may_have_missed_a_change_serves_only_if_it_cannot_be_asked_for() {
    let mut bench = bench();
    bench.learn(value("x", 5), 0);
    bench.cache.revalidate_before = 1000;
    assert!(matches!(bench.find("a", 1, ENVOY(1000)), Lookup::Fetch(..)));
    assert_eq!(bench.answered("a", None, 1001), [(1, found("x"))]);
}

#[test]
fn who_went_away_is_not_woken() {
    let mut bench = bench();
    assert!(matches!(bench.find("a", 1, ENVOY(0)), Lookup::Fetch(..)));
    assert!(matches!(bench.find("a", 2, ENVOY(0)), Lookup::Join(_)));
    bench.cache.left(&key("a"), 1, false);
    assert_eq!(bench.answered("a", Some(value("x", 1)), 1), [(2, found("x"))]);
    assert_eq!(bench.rooms.waiting(Room::Stranger), (0, 0));
}

#[test]
fn an_answer_that_comes_after_it_was_given_up_is_ignored() {
    let mut bench = bench();
    assert!(matches!(bench.find("a", 1, ENVOY(0)), Lookup::Fetch(..)));
    assert_eq!(bench.cache.fetches.overdue(5000, 4000), [key("a")]);
    assert_eq!(bench.answered("a", None, 5000), [(1, Err(Unavailable))]);
    assert!(bench.answered("a", Some(value("x", 1)), 6000).is_empty());
}

#[test]
fn what_was_read_too_early_is_asked_for_again_and_serves_if_that_fails() {
    let mut bench = bench();
    bench.learn(value("x", 1), 1000);
    let newer = |than| Conditions { not_before: than, ..ENVOY(5000) };
    assert_eq!(bench.find("a", 1, newer(1000)), Lookup::Hit(value_of("x")));
    assert!(matches!(bench.find("a", 1, newer(1001)), Lookup::Fetch(..)));
    assert_eq!(bench.answered("a", None, 5001), [(1, found("x"))]);
}

#[test]
fn a_long_value_is_kept_in_pieces() {
    let mut bench = bench();
    let long = "x".repeat(20_000);
    bench.learn(value(&long, 1), 0);
    assert_eq!(bench.find("a", 1, ENVOY(1)), Lookup::Hit(value_of(&long)));
    changed(&mut bench, 2);
    assert!(matches!(bench.find("a", 1, ENVOY(2)), Lookup::Fetch(..)));
}

#[test]
fn something_newer_is_asked_for_once_and_not_again_while_that_has_failed() {
    for (conditions, joins) in [(ENVOY as fn(u64) -> Conditions, true), (KONG, false)] {
        let mut bench = bench();
        let newer = |now: u64| Conditions { not_before: now - 10_000, ..conditions(now) };
        assert!(matches!(bench.find("a", 1, conditions(0)), Lookup::Fetch(..)));
        bench.answered("a", Some(value("old", 1)), 0);
        assert!(matches!(bench.find("a", 1, newer(20_000)), Lookup::Fetch(..)));
        // While the call is under way: waiting where that is possible, what is there otherwise.
        let second = bench.find("a", 2, newer(20_001));
        match joins {
            true => assert!(matches!(second, Lookup::Join(_))),
            false => assert_eq!(second, Lookup::Stale(value_of("old"))),
        }
        bench.answered("a", None, 20_002);
        assert_eq!(bench.find("a", 3, newer(29_999)), Lookup::Stale(value_of("old")));
        assert!(matches!(bench.find("a", 4, newer(30_001)), Lookup::Fetch(..)));
        bench.answered("a", Some(value("new", 2)), 30_002);
        assert_eq!(bench.find("a", 5, newer(40_001)), Lookup::Hit(value_of("new")));
    }
}

/// Shared data that loses everything.
struct Shared;

impl SharedData for Shared {
    fn get(&self, _: u32) -> Option<(Vec<u8>, u32)> {
        None
    }

    fn put(&self, _: u32, _: &[u8], _: Option<u32>) -> Put {
        Put::Failed
    }

    fn is_shared(&self) -> bool {
        true
    }
}

#[test]
fn secrets_lie_encrypted_where_others_can_read_or_not_there_at_all() {
    let token = b"a gateway token of some length";
    let shared = Shared;
    let with_token = Secrecy::of(&shared, token, b"print");
    assert!(matches!(with_token, Secrecy::Encrypted(_)));
    let without = Secrecy::of(&shared, b"", b"print");
    assert!(matches!(without, Secrecy::Vm));
    let alone = Secrecy::of(&LocalData::default(), token, b"print");
    assert!(matches!(alone, Secrecy::Alone));
    for (secrecy, readable) in [(with_token, false), (without, false), (alone, true)] {
        let mut bench = bench();
        bench.cache.entries.secrecy = secrecy;
        bench.learn(value("a very secret secret", 1), 0);
        assert_eq!(bench.find("a", 2, ENVOY(1)), Lookup::Hit(value_of("a very secret secret")));
        let slots = &bench.data.0;
        let secret = |bytes: &[u8]| bytes.windows(6).any(|window| window == b"secret");
        let read = slots.borrow().values().any(|(bytes, _)| secret(bytes));
        assert_eq!(read, readable, "{:?}", bench.cache.entries.secrecy);
        changed(&mut bench, 6);
        assert!(matches!(bench.find("a", 2, ENVOY(2)), Lookup::Fetch(..)));
    }
}
