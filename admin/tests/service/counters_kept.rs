//! Counters where they are kept: SQLite and Redis agree, survive failures, and forget old windows.

use patience::eventually;
use serde_json::{Value, json};

use crate::counters::{add, count, now, on_redis, post, start};
use crate::durability::{execute, write_until_killed};
use crate::postgres::Postgres;
use crate::program::{Program, text};
use crate::redis::Redis;

/// Sends random batches to SQLite and to Redis, and compares the answers.
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
        // An id may have been used by a batch of another size. Then both places refuse the batch
        // with 409.
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
    // Redis may also be away when the service starts.
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

/// Redis refuses connections while it loads its data as well.
#[test]
fn a_redis_that_has_refused_a_connection_is_asked_again() {
    use std::io::{Read as _, Write as _};
    let server = Redis::start();
    let url = server.database();
    let socket = url.trim_start_matches("redis+unix://").split('?').next().unwrap();
    let order = |commands: &str| {
        let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        stream.write_all(format!("{commands}QUIT\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(!answer.contains("-ERR") && !answer.contains("-NOAUTH"), "{answer}");
    };
    order("CONFIG SET requirepass another\r\n");
    let program = Program::on_sqlite_with(&["--redis-url", &format!("{url}&pass=mine")]);
    let one = json!({ "increments": [add("a", 1)] });
    for _ in 0..2 {
        program.json("POST", "/counters", &one).expect(503);
    }
    order("AUTH another\r\nCONFIG SET requirepass mine\r\n");
    eventually("Redis that accepts the password", || {
        (program.json("POST", "/counters", &one).status == 200).then_some(())
    });
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
        // For each writer, one more batch may be committed that was not answered before the kill.
        assert!(
            (acknowledged..=acknowledged + 8).contains(&total),
            "{key}: {acknowledged} {total}"
        );
    }
}

#[test]
fn counters_of_past_windows_are_deleted() {
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

/// A counter and a batch in Redis expire some time after the window.
#[test]
fn counters_in_redis_expire_after_their_window() {
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
    // Redis rounds, and time has passed since the request.
    let about = |found: i64, at: u64| {
        let [from, to] = [now(), begun].map(|now| i64::try_from(at - now).unwrap());
        (from - 1..=to + 1).contains(&found)
    };
    assert!((-2..=60).contains(&left("gatehouse:batch:one")));
    assert!(about(left(&name("fixed")), start() + 3600 + 60));
    assert!(about(left(&name("sliding")), start() + 3600 + 60 + 3600));
}
