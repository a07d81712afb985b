//! `/counters`: what several gateways count together, in each of the places where counts can be kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use patience::eventually;
use serde_json::{Value, json};

use crate::durability::{execute, write_until_killed};
use crate::postgres::Postgres;
use crate::program::{Program, text};
use crate::redis::Redis;

/// Makes each rule a test in each place.
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

fn on_redis() -> Program {
    Program::on_sqlite_with(&["--redis-url", &Redis::shared().database()])
}

/// A second node that counts in the same place.
fn beside(program: &Program) -> Program {
    let flags = program.flags();
    program.beside(&flags.iter().map(String::as_str).collect::<Vec<_>>())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// This hour.
fn start() -> u64 {
    now() / 3600 * 3600
}

fn add(key: &str, by: u64) -> Value {
    json!({ "key": key, "window_start": start(), "window": 3600, "by": by })
}

fn limited(key: &str, by: u64, limit: u64) -> Value {
    let mut increment = add(key, by);
    increment["limit"] = json!(limit);
    increment
}

#[track_caller]
fn count(program: &Program, increments: &[Value]) -> Vec<Value> {
    post(program, &json!({ "increments": increments }))
}

#[track_caller]
fn post(program: &Program, batch: &Value) -> Vec<Value> {
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
    // What looks like another counter's name is a key like any.
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
    // Without a limit it goes on, and a limit that was passed stays passed.
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
    // The last thing that was remembered is also what a refusal was.
    let refused = json!({ "id": "three", "all_or_nothing": true, "increments": [add("a", 1), limited("b", 1, 1)] });
    let answer = post(program, &refused);
    assert_eq!(answer, [json!({"total":4}), json!({"total":1,"admitted":false})]);
    count(program, &[add("a", 1)]);
    assert_eq!(post(&other, &refused), answer);
    // At the same time.
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
                    // Two counters, in either order: nobody may wait for somebody who waits for him.
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

fn what_is_no_batch_is_refused_and_nothing_is_counted(program: &Program) {
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
    program.get("/counters").expect(405);
    assert_eq!(
        count(program, &[add("good", 0), add("a", 0)]),
        [json!({"total":0}), json!({"total":0})]
    );
}

fn the_largest_of_everything_is_counted(program: &Program) {
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

fn metrics_and_status_tell_how_counting_goes(program: &Program) {
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

everywhere!(
    totals_come_in_the_order_of_the_increments,
    a_counter_is_its_key_and_its_window,
    a_limit_admits_what_fits_and_counts_nothing_else,
    all_or_nothing_adds_all_or_nothing,
    a_window_that_slides_holds_a_share_of_the_one_before,
    a_batch_that_is_sent_again_is_answered_again_and_not_counted_again,
    many_at_once_are_admitted_exactly_up_to_the_limit,
    what_is_no_batch_is_refused_and_nothing_is_counted,
    the_largest_of_everything_is_counted,
    metrics_and_status_tell_how_counting_goes,
);

/// The same sequences of random batches, answered by SQLite and by Redis.
#[test]
fn redis_counts_as_the_database_does() {
    let (database, redis) = (Program::on_sqlite(), on_redis());
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for n in 0..150 {
        let increments: Vec<Value> = (0..1 + random(6))
            .map(|_| {
                let mut increment = add(["a", "b", "c"][random(3) as usize], random(4));
                increment["window_start"] = json!(start() - 3600 * random(2));
                if random(3) > 0 {
                    increment["limit"] = json!(random(40));
                }
                if random(3) == 0 {
                    let share = random(1_000_001);
                    increment["previous"] =
                        json!({ "window_start": start() - 3600, "window": 3600, "share": share });
                }
                increment
            })
            .collect();
        let mut batch = json!({ "increments": increments, "all_or_nothing": random(2) == 0 });
        if random(4) == 0 {
            batch["id"] = json!(format!("{}", random(n + 1)));
        }
        // A batch of the same name may have had another size: then both refuse it.
        let answers = [&database, &redis].map(|program| program.json("POST", "/counters", &batch));
        let [one, other] = answers.map(|answer| (answer.status, answer.json()));
        assert_eq!(one, other, "{n}: {batch}");
    }
}

#[test]
fn a_redis_that_is_away_is_503_and_nothing_else_is() {
    let mut server = Redis::start();
    let program = Program::on_sqlite_with(&["--redis-url", &server.database()]);
    assert_eq!(count(&program, &[add("a", 1)]), [json!({ "total": 1 })]);
    server.go_away();
    for _ in 0..3 {
        let refused = program.json("POST", "/counters", &json!({ "increments": [add("a", 1)] }));
        assert_eq!(text(&refused.expect(503)["message"]), "Redis cannot be reached");
    }
    program.consumer("fiona");
    let status = program.get("/status").expect(200);
    assert_eq!(status["counters"], json!({ "reachable": false, "engine": "redis" }));
    assert!(program.get("/metrics").text().contains("gatehouse_admin_counters_up 0"));
    // It may also be away when the service starts.
    let second = Program::on_sqlite_with(&["--redis-url", &server.database()]);
    second.json("POST", "/counters", &json!({ "increments": [add("a", 1)] })).expect(503);
    server.come_back();
    for program in [&program, &second] {
        eventually("Redis that is back", || {
            let one = json!({ "increments": [add("a", 1)] });
            (program.json("POST", "/counters", &one).status == 200).then_some(())
        });
    }
}

#[test]
fn an_address_that_is_none_of_redis_is_refused_and_not_repeated() {
    for url in ["http://secret@host", "secret", "redis://:secret@host:port"] {
        let directory = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}", directory.path().join("x.db").display());
        let error = Program::try_start(&database, &["--redis-url", url]).err().unwrap();
        assert!(error.contains("--redis-url") && !error.contains("secret"), "{error}");
    }
}

#[test]
fn a_kill_under_load_loses_nothing_that_was_counted() {
    let program = Program::on_sqlite();
    let (url, from) = (program.url().to_owned(), start());
    let counted = write_until_killed(&program, |writer, number| {
        let key = format!("k{}", number % 3);
        let increment = json!({ "key": key, "window_start": from, "window": 3600, "by": 1 });
        let body =
            json!({ "increments": [increment], "id": format!("{writer}.{number}") }).to_string();
        ("POST", "/counters".into(), "application/json", body, key)
    });
    let program = Program::start(&url, &[]);
    for key in ["k0", "k1", "k2"] {
        let increment = json!({ "key": key, "window_start": from, "window": 3600, "by": 0 });
        let total = count(&program, &[increment])[0]["total"].as_u64().unwrap();
        let acknowledged = counted.iter().filter(|other| *other == key).count() as u64;
        // Up to one more for each writer: committed, and killed before the answer.
        assert!(
            (acknowledged..=acknowledged + 8).contains(&total),
            "{key}: {acknowledged} {total}"
        );
    }
}

#[test]
fn windows_that_are_over_are_removed() {
    for url in [None, Some(Postgres::shared().database())] {
        let first = url.map_or_else(Program::on_sqlite, |url| Program::start(&url, &[]));
        count(&first, &[add("kept", 1)]);
        execute(
            first.url(),
            "INSERT INTO counters (id, total, expires_at) VALUES ('old', 1, 1); \
             INSERT INTO counter_batches (id, answer, expires_at) VALUES ('old', '', 1);",
        );
        let program = first.beside(&["--sweep-interval", "1"]);
        for what in ["counters", "counter_batches"] {
            let line = format!(r#""what":"{what}","count":1"#);
            eventually(what, || program.log().contains(&line).then_some(()));
        }
        assert_eq!(count(&program, &[add("kept", 0)]), [json!({ "total": 1 })]);
    }
}

/// Redis keeps what it is told only until then.
#[test]
fn redis_is_told_when_a_window_is_over() {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;
    let server = Redis::start();
    let url = server.database();
    let program = Program::on_sqlite_with(&["--redis-url", &url]);
    let mut increments = vec![add("fixed", 1), add("sliding", 1)];
    increments[1]["previous"] =
        json!({ "window_start": start() - 3600, "window": 3600, "share": 0 });
    let begun = now();
    post(&program, &json!({ "id": "one", "increments": increments }));
    let path = url.trim_start_matches("redis+unix://").split('?').next().unwrap();
    let mut stream = BufReader::new(UnixStream::connect(path).unwrap());
    let mut left = |key: &str| {
        stream.get_mut().write_all(format!("TTL {key}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        line.trim_start_matches(':').trim().parse::<i64>().unwrap()
    };
    let name = |key: &str| format!("gatehouse:counter:3600:{}:{key}", start());
    // Redis rounds; the rest is what has passed since the request.
    let about = |found: i64, at: u64| {
        let [from, to] = [now(), begun].map(|now| i64::try_from(at - now).unwrap());
        (from - 1..=to + 1).contains(&found)
    };
    assert!((-2..=60).contains(&left("gatehouse:batch:one")));
    assert!(about(left(&name("fixed")), start() + 3600 + 60));
    assert!(about(left(&name("sliding")), start() + 3600 + 60 + 3600));
}
