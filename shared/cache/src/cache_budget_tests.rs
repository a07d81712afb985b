// A test's own counts are small.
#![allow(clippy::arithmetic_side_effects)]

use super::tests::*;
use super::*;
use crate::waiting::Room;
use admin_api::{Change, Entity, Operation};
use exchange::Answer;

#[test]
fn a_crowd_for_one_key_takes_one_place_of_the_seconds_budget() {
    let mut bench = bench_of(Box::new(Words), 64);
    for waiter in 0..200 {
        assert!(matches!(bench.find("a", waiter, KONG(0)), Lookup::Fetch(..)), "{waiter}");
    }
    for _ in 0..200 {
        let result = bench.answered_own("a", Some(value("x", 1)), 1);
        assert_eq!(result, found("x"));
    }
    for n in 0..99 {
        let name = format!("stranger-{n}");
        assert!(matches!(bench.find(&name, n, KONG(2)), Lookup::Fetch(..)), "{n}");
        bench.cache.left(&key(&name), 0, true);
    }
    assert_eq!(bench.find("one-more", 1, KONG(3)), Lookup::Unavailable);
}

#[test]
fn guesses_have_a_budget() {
    let mut bench = bench();
    let mut refused = 0;
    for n in 0..300 {
        match bench.find(&format!("guess-{n}"), n, ENVOY(0)) {
            Lookup::Fetch(..) => {
                bench.answered(&format!("guess-{n}"), Some(nothing(1)), 0);
            }
            Lookup::Unavailable => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 200, "100 calls a second");
    assert!(matches!(bench.find("guess-299", 1, ENVOY(1000)), Lookup::Fetch(..)));
}

/// Known consumers under the guesses of strangers for an hour, on a gateway of this kind.
fn under_guesses(host: fn(u64) -> Conditions, lookups: usize) {
    const KNOWN: u32 = 10;
    let mut bench = bench_of(Box::new(Words), lookups);
    let (mut seed, mut refused, mut asked) = (1_u64, 0, 0);
    for n in 0..KNOWN {
        let name = format!("known-{n}");
        bench.find(&name, n, host(0));
        bench.cache.due(0);
        bench.answered(&name, Some(value("x", 1)), 0);
    }
    // For an hour: past `ttl` and `stale_ttl` many times over. 1800 guesses come in a second now
    // and then; in all others as many as are enough to use the strangers' budget up before anybody
    // else comes.
    for tick in 1..=360_u64 {
        let now = tick * 10_000;
        let mut called = Vec::new();
        for n in 0..if tick % 50 == 0 { 1800 } else { 101 } {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let name = format!("guess-{seed}");
            if let Lookup::Fetch(..) = bench.find(&name, n, host(now)) {
                called.push(key(&name));
            }
        }
        for n in 0..KNOWN {
            // One of them changes now and then, and one that was idle for long comes back.
            let name = format!("known-{n}");
            if u64::from(n) == tick % 30 {
                changed_of(&mut bench, &name);
            }
            if n == 7 && tick % 90 > 10 {
                continue;
            }
            match bench.find(&name, n, host(now)) {
                Lookup::Hit(finding) | Lookup::Stale(finding) => {
                    assert_eq!(Ok(finding), found("x"));
                }
                Lookup::Fetch(..) | Lookup::Join(_) => called.push(key(&name)),
                Lookup::Unavailable if host(now).can_park => {
                    panic!("{name} was refused at {now}");
                }
                // Where nobody may wait, the next tick helps.
                Lookup::Unavailable | Lookup::Queued => refused += 1,
            }
        }
        called.extend(bench.cache.due(now));
        for key in called {
            asked += 1;
            let known = key.name.starts_with(b"known");
            let answer = if known { value("x", u64::MAX) } else { nothing(1) };
            bench.answered_key(key, Some(answer), now + 20);
        }
    }
    // A consumer that has changed waits for a tick or two where requests may not, and no longer.
    assert!(refused <= 360 / 30 * KNOWN + 8, "{refused}");
    assert!(asked <= 360 * 100 + 360 * KNOWN, "{asked}");
}

#[test]
fn strangers_with_1800_random_keys_a_second_keep_no_known_consumer_out_for_an_hour() {
    under_guesses(ENVOY, 64);
    under_guesses(KONG, 64);
}

#[test]
fn strangers_do_not_push_what_is_known_out_of_the_queue_where_no_request_may_wait() {
    under_guesses(OLD_KONG, 64);
}

fn changed_of(bench: &mut Bench, name: &str) {
    let change = Change {
        seq: 9,
        entity: Entity::Appids,
        operation: Operation::Create,
        consumer_id: name.into(),
        key: "x".into(),
    };
    bench.cache.apply(&change);
}

#[test]
fn strangers_that_wait_for_a_slow_service_leave_room_for_those_who_are_known() {
    for host in [ENVOY, KONG] {
        let mut bench = bench();
        bench.find("a", 1, host(0));
        bench.answered("a", Some(value("x", 1)), 0);
        let mut seats = Vec::new();
        for n in 0..10_000 {
            // All keys that there may be, and as many who wait for one of them.
            match bench.find(&format!("guess-{}", n % 5), n, host(1000)) {
                Lookup::Fetch(_, seat) | Lookup::Join(seat) => seats.push(seat),
                other => assert_eq!(other, Lookup::Unavailable),
            }
        }
        changed(&mut bench, 6);
        assert!(matches!(bench.find("a", 1, host(1000)), Lookup::Fetch(..)));
    }
}

#[test]
fn a_key_for_which_the_queue_has_no_room_is_told_from_one_that_waits_in_it() {
    let mut bench = bench();
    let find = |n: u32| bench.find(&format!("guess-{n}"), n, OLD_KONG(0));
    let found: Vec<Lookup> = (0..2000).map(find).collect();
    let queued = found.iter().take_while(|found| **found == Lookup::Queued).count();
    assert!((1000..1100).contains(&queued), "{queued}");
    assert!(found.iter().skip(queued).all(|found| *found == Lookup::Unavailable));
}

#[test]
fn what_requests_keep_while_they_wait_is_bounded_in_bytes() {
    let mut bench = bench();
    let large = Conditions { bytes: 96 << 10, ..ENVOY(0) };
    let mut seats = Vec::new();
    for n in 0..8192 {
        match bench.find("a", n, large) {
            Lookup::Fetch(_, seat) | Lookup::Join(seat) => seats.push(seat),
            other => assert_eq!(other, Lookup::Unavailable),
        }
    }
    let (_, bytes) = bench.rooms.waiting(Room::Stranger);
    assert!(bytes <= 8 << 20 && bytes > 7 << 20, "{bytes}");
    seats.pop();
    assert!(matches!(bench.find("a", 9000, large), Lookup::Join(_)), "a place became free");
}

/// A source that wants a key of another service for itself.
struct Wants;

impl Source for Wants {
    fn call(&self, key: &Key) -> Call {
        Words.call(key)
    }

    fn read(&self, key: &Key, answer: &Answer) -> Option<(Finding, Option<u64>)> {
        Words.read(key, answer)
    }

    fn target(&self, key: &Key) -> Option<Rc<Target>> {
        (key.table == 4).then(|| {
            Rc::new(Target {
                upstream: "idp".into(),
                authority: "idp".into(),
                tls: false,
                prefix: vec![],
                timeout: Duration::from_secs(1),
                token: None,
            })
        })
    }

    fn wanted(&self) -> Vec<Key> {
        vec![Key::new(4, "keys")]
    }
}

#[test]
fn strangers_take_nothing_from_what_the_filter_wants_for_itself() {
    for host in [ENVOY, KONG, OLD_KONG] {
        let mut bench = bench_of(Box::new(Wants), 4);
        for n in 0..5000 {
            bench.find(&format!("guess-{n}"), n, host(0));
        }
        let first = bench.cache.due(0).into_iter().next();
        assert_eq!(first, Some(Key::new(4, "keys")));
        bench.answered_key(Key::new(4, "keys"), None, 1);
        if host(0).can_park {
            let found = bench.cache.find(&Key::new(4, "keys"), 1, host(2));
            assert!(matches!(found, Lookup::Fetch(..)));
        }
    }
}

#[test]
fn who_is_known_stays_known_when_everything_is_dropped_and_who_is_gone_does_not() {
    let mut bench = bench();
    bench.learn(value("x", 5), 0);
    assert_eq!(bench.cache.share(&key("a")), Share::Known);
    bench.cache.drop_all(8);
    assert_eq!(bench.cache.share(&key("a")), Share::Known);
    assert_eq!(bench.cache.share(&key("b")), Share::Stranger);
    bench.learn(nothing(6), 10);
    assert_eq!(bench.cache.share(&key("a")), Share::Stranger);
    assert_eq!(bench.find("a", 1, ENVOY(11)), Lookup::Hit(Finding::Nothing));
    // Nothing is known of what never was there.
    assert!(matches!(bench.find("b", 1, ENVOY(11)), Lookup::Fetch(..)));
    bench.answered("b", Some(nothing(6)), 12);
    assert_eq!(bench.cache.share(&key("b")), Share::Stranger);
}

#[test]
fn the_service_is_away_from_a_lookup_that_failed_to_one_that_did_not() {
    let mut bench = bench_of(Box::new(Wants), 4);
    assert!(!bench.cache.away, "nobody has been asked");
    let answers = [
        ("a", None, true),
        ("b", Some(nothing(1)), false),
        ("c", Some(Answer::new(500, "")), true),
        ("d", Some(value("x", 1)), false),
    ];
    for (name, answer, away) in answers {
        assert!(matches!(bench.find(name, 1, ENVOY(0)), Lookup::Fetch(..)));
        bench.answered(name, answer, 1);
        assert_eq!(bench.cache.away, away, "{name}");
    }
    // Another service says nothing about the admin service.
    let keys = Key::new(4, "keys");
    assert!(matches!(bench.cache.find(&keys, 1, ENVOY(0)), Lookup::Fetch(..)));
    bench.answered_key(keys, None, 1);
    assert!(!bench.cache.away);
}
