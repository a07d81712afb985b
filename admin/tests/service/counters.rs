//! `/counters`: counters that several gateways share, in SQLite, in PostgreSQL and in Redis.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::program::Program;
use crate::redis::Redis;

/// Makes a test of each rule in each place where counters can be kept.
macro_rules! everywhere {
    ($($rule:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $rule() { super::$rule(&crate::program::Program::on_sqlite()) })*
        }
        mod postgres {
            $(#[test] fn $rule() { super::$rule(&crate::program::Program::on_postgres()) })*
        }
        mod redis {
            $(#[test] fn $rule() { super::$rule(&super::on_redis()) })*
        }
    };
}

/// The program with its counters in Redis.
pub(crate) fn on_redis() -> Program {
    Program::on_sqlite_with(&["--redis-url", &Redis::shared().database()])
}

/// A second node on the database and the counters of `program`.
fn beside(program: &Program) -> Program {
    let flags = program.flags();
    program.beside(&flags.iter().map(String::as_str).collect::<Vec<_>>())
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The beginning of the current hour, in seconds since 1970.
pub(crate) fn start() -> u64 {
    now() / 3600 * 3600
}

/// An increment of a counter of the current hour.
pub(crate) fn add(key: &str, by: u64) -> Value {
    json!({ "key": key, "window_start": start(), "window": 3600, "by": by })
}

fn limited(key: &str, by: u64, limit: u64) -> Value {
    let mut increment = add(key, by);
    increment["limit"] = json!(limit);
    increment
}

/// Sends increments, and returns their totals.
#[track_caller]
pub(crate) fn count(program: &Program, increments: &[Value]) -> Vec<Value> {
    post(program, &json!({ "increments": increments }))
}

#[track_caller]
pub(crate) fn post(program: &Program, batch: &Value) -> Vec<Value> {
    let answer = program.json("POST", "/counters", batch).expect(200);
    answer["totals"].as_array().unwrap().clone()
}

fn totals_come_in_the_order_of_the_increments(program: &Program) {
    let answer = count(program, &[add("b", 2), add("a", 1), add("b", 3), add("ä ", 0)]);
    let totals = [json!({"total":2}), json!({"total":1}), json!({"total":5}), json!({"total":0})];
    assert_eq!(answer, totals);
    assert_eq!(count(program, &[add("b", 0)]), [json!({ "total": 5 })]);
    assert_eq!(program.seq(), 0);
}

fn a_counter_is_its_key_and_its_window(program: &Program) {
    count(program, &[add("a", 7)]);
    let mut other = add("a", 1);
    other["window_start"] = json!(start() - 3600);
    assert_eq!(count(program, &[other]), [json!({ "total": 1 })]);
    let mut other = add("a", 1);
    other["window"] = json!(60);
    assert_eq!(count(program, &[other]), [json!({ "total": 1 })]);
    // A key that looks like the stored name of another counter is a counter of its own.
    let tricky = format!("3600:{}:a", start());
    assert_eq!(
        count(program, &[add(&tricky, 1), add("a", 0)]),
        [json!({"total":1}), json!({"total":7})]
    );
}

fn a_limit_admits_what_fits_and_counts_nothing_else(program: &Program) {
    let answer = count(
        program,
        &[limited("a", 2, 3), limited("a", 2, 3), limited("a", 1, 3), limited("a", 1, 3)],
    );
    let expected = [
        json!({ "total": 2, "admitted": true }),
        json!({ "total": 2, "admitted": false }),
        json!({ "total": 3, "admitted": true }),
        json!({ "total": 3, "admitted": false }),
    ];
    assert_eq!(answer, expected);
    assert_eq!(
        count(program, &[limited("b", 1, 0), limited("a", 0, 3)]),
        [json!({ "total": 0, "admitted": false }), json!({ "total": 3, "admitted": true }),]
    );
    // An increment without a limit is added beyond the limit of others, which then stays exceeded.
    assert_eq!(count(program, &[add("a", 5)]), [json!({ "total": 8 })]);
    assert_eq!(count(program, &[limited("a", 0, 3)]), [json!({ "total": 8, "admitted": false })]);
}

fn all_or_nothing_adds_all_or_nothing(program: &Program) {
    count(program, &[add("minute", 5)]);
    let batch = |limit: u64| {
        json!({
            "all_or_nothing": true,
            "increments": [limited("second", 1, 9), limited("minute", 1, limit), add("free", 1), limited("second", 1, 9)],
        })
    };
    assert_eq!(
        post(program, &batch(5)),
        [
            json!({ "total": 0, "admitted": true }),
            json!({ "total": 5, "admitted": false }),
            json!({ "total": 0 }),
            json!({ "total": 0, "admitted": true }),
        ]
    );
    assert_eq!(
        post(program, &batch(6)),
        [
            json!({ "total": 1, "admitted": true }),
            json!({ "total": 6, "admitted": true }),
            json!({ "total": 1 }),
            json!({ "total": 2, "admitted": true }),
        ]
    );
}

fn a_window_that_slides_holds_a_share_of_the_one_before(program: &Program) {
    let sliding = |by: u64, limit: u64, share: u64| {
        let mut increment = limited("a", by, limit);
        increment["previous"] =
            json!({ "window_start": start() - 3600, "window": 3600, "share": share });
        increment
    };
    let mut before = add("a", 9);
    before["window_start"] = json!(start() - 3600);
    count(program, &[before]);
    // Half of nine is four.
    let answer = count(
        program,
        &[
            sliding(6, 10, 500_000),
            sliding(1, 10, 500_000),
            sliding(1, 10, 1_000_000),
            sliding(1, 10, 0),
        ],
    );
    assert_eq!(
        answer,
        [
            json!({ "total": 6, "admitted": true, "previous": 9 }),
            json!({ "total": 6, "admitted": false, "previous": 9 }),
            json!({ "total": 6, "admitted": false, "previous": 9 }),
            json!({ "total": 7, "admitted": true, "previous": 9 }),
        ]
    );
}

fn a_batch_that_is_sent_again_is_answered_again_and_not_counted_again(program: &Program) {
    let other = beside(program);
    let batch = |id: &str| json!({ "id": id, "increments": [add("a", 2), limited("b", 1, 1)] });
    let first = post(program, &batch("one"));
    assert_eq!(first, [json!({ "total": 2 }), json!({ "total": 1, "admitted": true })]);
    assert_eq!(post(&other, &batch("one")), first);
    assert_eq!(
        post(&other, &batch("two")),
        [json!({"total":4}), json!({"total":1,"admitted":false})]
    );
    // The answer to a batch that was not admitted is remembered too.
    let refused = json!({ "id": "three", "all_or_nothing": true, "increments": [add("a", 1), limited("b", 1, 1)] });
    let answer = post(program, &refused);
    assert_eq!(answer, [json!({"total":4}), json!({"total":1,"admitted":false})]);
    count(program, &[add("a", 1)]);
    assert_eq!(post(&other, &refused), answer);
    // A batch that is sent several times at once is counted once.
    let answers: Vec<_> = std::thread::scope(|scope| {
        let sent: Vec<_> = (0..8)
            .map(|n| {
                let node = if n % 2 == 0 { program } else { &other };
                scope.spawn(move || {
                    post(node, &json!({ "id": "four", "increments": [add("c", 1)] }))
                })
            })
            .collect();
        sent.into_iter().map(|sent| sent.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| *answer == [json!({ "total": 1 })]), "{answers:?}");
}

fn many_at_once_are_admitted_exactly_up_to_the_limit(program: &Program) {
    let other = beside(program);
    let (admitted, highest) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let node = if thread % 2 == 0 { program } else { &other };
            let (admitted, highest) = (&admitted, &highest);
            scope.spawn(move || {
                for n in 0..25 {
                    // Batches name two counters in either order, and must not wait for each other.
                    let mut pair = [limited("a", 1, 100), limited("b", 1, 1000)];
                    pair.rotate_left((thread + n) % 2);
                    let batch = json!({ "all_or_nothing": true, "increments": pair });
                    let answer = post(node, &batch);
                    if answer.iter().all(|total| total["admitted"] == true) {
                        admitted.fetch_add(1, Ordering::SeqCst);
                    }
                    for total in answer {
                        highest.fetch_max(total["total"].as_u64().unwrap(), Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!((admitted.into_inner(), highest.into_inner()), (100, 100));
    assert_eq!(
        count(program, &[add("a", 0), add("b", 0)]),
        [json!({"total":100}), json!({"total":100})]
    );
}

fn an_invalid_batch_is_refused_and_not_counted(program: &Program) {
    let with = |field: &str, value: Value| {
        let mut increment = limited("a", 1, 5);
        increment["previous"] = json!({ "window_start": 0, "window": 60, "share": 0 });
        match field.split_once('.') {
            None => increment[field] = value,
            Some((outer, inner)) => increment[outer][inner] = value,
        }
        json!({ "increments": [add("good", 1), increment] })
    };
    for (batch, field) in [
        (json!({}), "body"),
        (json!({ "increments": [] }), "increments"),
        (json!({ "increments": vec![add("a", 1); 1001] }), "increments"),
        (json!({ "increments": [add("a", 1)], "mood": 1 }), "mood"),
        (json!({ "increments": [add("a", 1)], "id": "" }), "id"),
        (json!({ "increments": [add("a", 1)], "id": "x".repeat(101) }), "id"),
        (json!({ "increments": [add("a", 1)], "all_or_nothing": 1 }), "all_or_nothing"),
        (with("key", json!("")), "increments[1].key"),
        (with("key", json!("x".repeat(201))), "increments[1].key"),
        (with("key", json!("a\u{0}")), "increments[1].key"),
        (with("key", json!(1)), "increments[1].key"),
        (with("by", json!(-1)), "increments[1].by"),
        (with("by", json!(1_000_000_001_u64)), "increments[1].by"),
        (with("window", json!(0)), "increments[1].window"),
        (with("window", json!(31_622_401)), "increments[1].window"),
        (with("window_start", json!(now() + 7200)), "increments[1].window_start"),
        (with("limit", json!(-1)), "increments[1].limit"),
        (with("limit", json!(1.5)), "increments[1].limit"),
        (with("previous.window", json!(0)), "increments[1].previous.window"),
        (with("previous.share", json!(1_000_001)), "increments[1].previous.share"),
        (with("mood", json!(1)), "increments[1].mood"),
    ] {
        let refused = program.json("POST", "/counters", &batch).expect(400);
        assert!(refused["fields"].get(field).is_some(), "{field}: {refused}");
    }
    program.form("POST", "/counters", "increments=1").expect(415);
    program.json("PUT", "/counters", &json!({})).expect(405);
    assert_eq!(
        count(program, &[add("good", 0), add("a", 0)]),
        [json!({"total":0}), json!({"total":0})]
    );
}

fn a_batch_of_maximum_size_is_counted(program: &Program) {
    let mut increment = json!({
        "key": "ä".repeat(100), "window_start": start(), "window": 31_622_400, "by": 1_000_000_000,
        "limit": u64::MAX,
    });
    increment["previous"] = json!({ "window_start": 0, "window": 31_622_400, "share": 1_000_000 });
    let totals = count(program, &vec![increment; 1000]);
    assert_eq!(totals.len(), 1000);
    let last = json!({ "total": 1_000_000_000_000_u64, "admitted": true, "previous": 0 });
    assert_eq!(totals[999], last);
}

fn metrics_and_status_show_the_state_of_counters(program: &Program) {
    count(program, &[add("a", 1), limited("a", 1, 1), limited("b", 1, 1)]);
    let metrics = program.get("/metrics").text();
    for line in [
        r#"gatehouse_admin_counter_increments_total{admitted="true"} 2"#,
        r#"gatehouse_admin_counter_increments_total{admitted="false"} 1"#,
        "gatehouse_admin_counters_up 1",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line} is not in\n{metrics}");
    }
    let status = program.get("/status").expect(200);
    assert_eq!(status["counters"]["reachable"], true);
    let engine =
        if program.flags().is_empty() { &status["database"]["engine"] } else { &json!("redis") };
    assert_eq!(&status["counters"]["engine"], engine);
}

fn an_id_of_a_batch_of_another_size_is_409_and_nothing_is_counted(program: &Program) {
    post(program, &json!({ "id": "x", "increments": [add("a", 1)] }));
    let other = json!({ "id": "x", "increments": [add("a", 1), add("b", 1)] });
    let refused = program.json("POST", "/counters", &other).expect(409);
    assert_eq!(refused["fields"], json!({ "id": "already exists" }));
    let totals = [json!({ "total": 1 }), json!({ "total": 0 })];
    assert_eq!(count(program, &[add("a", 0), add("b", 0)]), totals);
}

everywhere!(
    an_id_of_a_batch_of_another_size_is_409_and_nothing_is_counted,
    totals_come_in_the_order_of_the_increments,
    a_counter_is_its_key_and_its_window,
    a_limit_admits_what_fits_and_counts_nothing_else,
    all_or_nothing_adds_all_or_nothing,
    a_window_that_slides_holds_a_share_of_the_one_before,
    a_batch_that_is_sent_again_is_answered_again_and_not_counted_again,
    many_at_once_are_admitted_exactly_up_to_the_limit,
    an_invalid_batch_is_refused_and_not_counted,
    a_batch_of_maximum_size_is_counted,
    metrics_and_status_show_the_state_of_counters,
);
