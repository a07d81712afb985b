//! `/sessions` and `/revocations`: storing, expiry, and the changes that gateways read.

use patience::eventually;
use serde_json::{Value, json};

use crate::durability::{WRITERS, execute, write_until_killed};
use crate::on_both_databases;
use crate::program::{Program, digest, text};

fn path(name: &str) -> String {
    format!("/sessions/{}", digest(name))
}

fn revocation(name: &str) -> String {
    format!("/revocations/{}", digest(name))
}

fn put(program: &Program, name: &str, data: &str, ttl: u64) -> Value {
    program.json("PUT", &path(name), &json!({ "data": data, "ttl": ttl })).expect(200)
}

fn ttl(answer: &Value) -> u64 {
    answer["ttl"].as_u64().unwrap()
}

fn a_session_is_read_as_it_was_stored(program: &Program) {
    program.consumer("fiona");
    let kept = put(program, "one", "c2VhbGVk", 3600);
    assert_eq!(kept, json!({ "data": "c2VhbGVk", "ttl": 3600, "seq": program.seq() }));
    let read = program.get(&path("one")).expect(200);
    assert_eq!((&read["data"], &read["seq"]), (&kept["data"], &kept["seq"]));
    assert!((1000..=3600).contains(&ttl(&read)), "{read}");
    let nobody = program.get(&path("two")).expect(404);
    assert_eq!(nobody, json!({ "message": "Not found", "seq": program.seq() }));
}

fn a_session_that_ended_is_gone_and_ending_it_again_is_no_mistake(program: &Program) {
    put(program, "one", "AA==", 3600);
    let since = program.seq();
    program.delete(&path("one")).expect(204);
    program.delete(&path("one")).expect(204);
    program.delete(&path("never")).expect(204);
    assert_eq!(program.get(&path("one")).expect(404)["seq"], json!(program.seq()));
    assert_eq!(program.changes(since), [format!("sessions delete {}", digest("one"))]);
}

fn a_new_session_is_no_change_and_a_replaced_one_is(program: &Program) {
    let since = program.seq();
    put(program, "one", "AA==", 100);
    put(program, "one", "AA==", 200);
    assert_eq!(program.changes(since), Vec::<String>::new());
    let kept = put(program, "one", "AAA=", 200);
    put(program, "one", "AAA=", 100);
    let update = format!("sessions update {}", digest("one"));
    assert_eq!(program.changes(since), [update.clone(), update]);
    assert_eq!(kept["seq"], json!(since + 1));
    let page = program.get(&format!("/changes?since={since}")).expect(200);
    assert_eq!(page["data"][0]["consumer_id"], "");
}

fn a_session_can_be_shortened_and_never_prolonged(program: &Program) {
    put(program, "one", "AA==", 100);
    let since = program.seq();
    let longer = program.json("PATCH", &path("one"), &json!({ "ttl": 1000 })).expect(200);
    assert!(ttl(&longer) <= 100, "{longer}");
    assert_eq!(program.seq(), since);
    let shorter = program.json("PATCH", &path("one"), &json!({ "ttl": 50 })).expect(200);
    assert_eq!(shorter, json!({ "data": "AA==", "ttl": 50, "seq": since + 1 }));
    assert!(ttl(&program.get(&path("one")).expect(200)) <= 50);
    assert_eq!(program.changes(since), [format!("sessions update {}", digest("one"))]);
    let nobody = program.json("PATCH", &path("two"), &json!({ "ttl": 50 })).expect(404);
    assert_eq!(nobody["seq"], json!(since + 1));
}

fn a_session_shortens_the_one_that_it_replaces(program: &Program) {
    put(program, "old", "AA==", 1000);
    let since = program.seq();
    let successor = |ttl: u64| json!({ "data": "AAA=", "ttl": 2000, "stale": { "id": digest("old"), "ttl": ttl } });
    let kept = program.json("PUT", &path("new"), &successor(10)).expect(200);
    assert_eq!(kept["seq"], json!(since + 1));
    assert!(ttl(&program.get(&path("old")).expect(200)) <= 10);
    assert_eq!(program.changes(since), [format!("sessions update {}", digest("old"))]);
    // Sending the session again, with more time for the old one, changes nothing.
    program.json("PUT", &path("new"), &successor(500)).expect(200);
    assert!(ttl(&program.get(&path("old")).expect(200)) <= 10);
    assert_eq!(program.seq(), since + 1);
    program.json("PUT", &path("new"), &successor(0)).expect(200);
    program.get(&path("old")).expect(404);
    // A missing old session is no error.
    program.delete(&path("old")).expect(204);
    program.json("PUT", &path("newer"), &successor(10)).expect(200);
    program.get(&path("old")).expect(404);
}

fn a_revocation_can_be_prolonged_and_never_shortened(program: &Program) {
    let since = program.seq();
    let nobody = json!({ "message": "Not found", "seq": since });
    assert_eq!(program.get(&revocation("one")).expect(404), nobody);
    let revoke =
        |ttl: u64| program.json("PUT", &revocation("one"), &json!({ "ttl": ttl })).expect(200);
    assert_eq!(revoke(5000), json!({ "ttl": 5000, "seq": since + 1 }));
    assert!(ttl(&revoke(10)) > 1000);
    assert_eq!(program.seq(), since + 1);
    assert_eq!(revoke(9000), json!({ "ttl": 9000, "seq": since + 2 }));
    let read = program.get(&revocation("one")).expect(200);
    assert!((5001..=9000).contains(&ttl(&read)) && read["seq"] == json!(since + 2), "{read}");
    let id = digest("one");
    let told = [format!("revocations create {id}"), format!("revocations update {id}")];
    assert_eq!(program.changes(since), told);
    // A revocation does not create a session.
    program.get(&path("one")).expect(404);
}

fn an_expired_session_is_never_in_an_answer(program: &Program) {
    put(program, "one", "AA==", 1);
    program.json("PUT", &revocation("one"), &json!({ "ttl": 1 })).expect(200);
    let gone = |path: &str| program.get(path).status != 200;
    eventually("session and revocation that have expired", || {
        (gone(&path("one")) && gone(&revocation("one"))).then_some(())
    });
    program.json("PATCH", &path("one"), &json!({ "ttl": 50 })).expect(404);
    let since = program.seq();
    // The new session replaces an expired row that may still be there.
    put(program, "one", "AAA=", 100);
    assert_eq!(program.seq(), since);
    program.json("PUT", &revocation("one"), &json!({ "ttl": 100 })).expect(200);
    assert_eq!(program.changes(since), [format!("revocations create {}", digest("one"))]);
}

fn an_invalid_session_is_refused_and_not_stored(program: &Program) {
    let good = json!({ "data": "AA==", "ttl": 60 });
    for id in
        ["", "one", &digest("x").to_uppercase(), &digest("x")[..63], &format!("{}0", digest("x"))]
    {
        for paths in ["sessions", "revocations"] {
            let target = format!("/{paths}/{id}");
            for answer in [program.json("PUT", &target, &good), program.get(&target)] {
                // Without an id, the path does not exist or is that of the list.
                let expected = if id.is_empty() { &[400, 404, 405][..] } else { &[400] };
                assert!(expected.contains(&answer.status), "{target}: {}", answer.status);
            }
        }
    }
    let stale = |id: &str, ttl: i64| json!({ "data": "AA==", "ttl": 60, "stale": { "id": id, "ttl": ttl } });
    let ten_years = 315_360_000;
    for (body, field) in [
        (json!({ "ttl": 60 }), "body"),
        (json!({ "data": "AA==" }), "body"),
        (json!({ "data": "AA==", "ttl": 60, "mood": 1 }), "mood"),
        (json!({ "data": "AA==", "ttl": 0 }), "ttl"),
        (json!({ "data": "AA==", "ttl": -1 }), "ttl"),
        (json!({ "data": "AA==", "ttl": 1.5 }), "ttl"),
        (json!({ "data": "AA==", "ttl": "60" }), "ttl"),
        (json!({ "data": "AA==", "ttl": ten_years + 1 }), "ttl"),
        (json!({ "data": 7, "ttl": 60 }), "data"),
        (json!({ "data": "", "ttl": 60 }), "data"),
        (json!({ "data": "AA", "ttl": 60 }), "data"),
        (json!({ "data": "A A=", "ttl": 60 }), "data"),
        (json!({ "data": "__8=", "ttl": 60 }), "data"),
        (stale("nobody", 1), "stale.id"),
        (stale(&digest("x"), 1), "stale.id"),
        (stale(&digest("y"), -1), "stale.ttl"),
        (stale(&digest("y"), ten_years + 1), "stale.ttl"),
        (json!({ "data": "AA==", "ttl": 60, "stale": {} }), "stale"),
    ] {
        let refused = program.json("PUT", &path("x"), &body).expect(400);
        assert!(refused["fields"].get(field).is_some(), "{body}: {refused}");
    }
    for body in ["", "[]", "{", "null", r#"{"data":"AA==","ttl":60,"ttl":61}"#, "{}{}"] {
        let json = [("content-type", "application/json")];
        program.send("PUT", &path("x"), &json, body.as_bytes()).expect(400);
    }
    program.form("PUT", &path("x"), "data=AA==&ttl=60").expect(415);
    program.get(&path("x")).expect(404);
    assert_eq!(program.seq(), 0);
    let longest = json!({ "data": "AA==", "ttl": ten_years });
    program.json("PUT", &path("x"), &longest).expect(200);
}

fn the_data_of_a_session_have_a_maximum_size(program: &Program) {
    use base64::Engine as _;
    let body = |length: usize| {
        let data = base64::engine::general_purpose::STANDARD.encode(vec![0xff; length]);
        json!({ "data": data, "ttl": 60 })
    };
    program.json("PUT", &path("x"), &body(65_536)).expect(200);
    program.json("PUT", &path("x"), &body(65_537)).expect(400);
    let larger = program.beside(&["--session-data-max", "100000"]);
    larger.json("PUT", &path("x"), &body(100_000)).expect(200);
    larger.json("PUT", &path("x"), &body(100_001)).expect(400);
}

fn of_many_requests_that_shorten_a_session_the_shortest_wins(program: &Program) {
    let other = program.beside(&[]);
    put(program, "one", "AA==", 10_000);
    std::thread::scope(|scope| {
        for number in 0..8_u64 {
            let node = if number % 2 == 0 { program } else { &other };
            scope.spawn(move || {
                for step in 0..10 {
                    let ttl = 1000 + (number * 7 + step * 13) % 80 * 100;
                    if step % 2 == 0 {
                        node.json("PATCH", &path("one"), &json!({ "ttl": ttl })).expect(200);
                    } else {
                        let stale = json!({ "id": digest("one"), "ttl": ttl });
                        let body = json!({ "data": "AA==", "ttl": 60, "stale": stale });
                        node.json("PUT", &path(&format!("{number}.{step}")), &body).expect(200);
                    }
                }
            });
        }
    });
    // The shortest of all requested times wins.
    let least =
        (0..8_u64).flat_map(|n| (0..10).map(move |s| 1000 + (n * 7 + s * 13) % 80 * 100)).min();
    let left = ttl(&program.get(&path("one")).expect(200));
    assert!(left <= least.unwrap() && left > least.unwrap() - 100, "{left} {least:?}");
    // Only a request that shortened the session is a change.
    let told = program.changes(0);
    assert!(told.len() <= 80 && told.iter().all(|line| line.ends_with(&digest("one"))), "{told:?}");
}

fn a_session_that_ends_while_others_shorten_it_stays_away(program: &Program) {
    let other = program.beside(&[]);
    for round in 0..5 {
        let name = format!("r{round}");
        put(program, &name, "AA==", 10_000);
        std::thread::scope(|scope| {
            for number in 0..4 {
                let (node, name) = (if number % 2 == 0 { program } else { &other }, &name);
                scope.spawn(move || {
                    for step in 0..5 {
                        let body = json!({ "ttl": 5000 - number * 100 - step });
                        let status = node.json("PATCH", &path(name), &body).status;
                        assert!([200, 404].contains(&status), "{status}");
                    }
                });
            }
            program.delete(&path(&name)).expect(204);
        });
        other.get(&path(&name)).expect(404);
        let last = program.changes(0).pop().unwrap();
        assert_eq!(last, format!("sessions delete {}", digest(&name)));
    }
}

fn sessions_outlive_a_restart_and_are_counted(program: &Program) {
    put(program, "one", "c2VhbGVk", 3600);
    program.json("PUT", &revocation("two"), &json!({ "ttl": 3600 })).expect(200);
    program.terminate();
    assert!(program.wait().success());
    let again = program.beside(&[]);
    assert_eq!(text(&again.get(&path("one")).expect(200)["data"]), "c2VhbGVk");
    again.get(&revocation("two")).expect(200);
    let metrics = again.get("/metrics").text();
    for entity in ["sessions", "revocations"] {
        let line = format!("gatehouse_admin_entities{{entity=\"{entity}\"}} 1");
        assert!(metrics.lines().any(|other| other == line), "{metrics}");
    }
}

on_both_databases!(
    a_session_is_read_as_it_was_stored,
    a_session_that_ended_is_gone_and_ending_it_again_is_no_mistake,
    a_new_session_is_no_change_and_a_replaced_one_is,
    a_session_can_be_shortened_and_never_prolonged,
    a_session_shortens_the_one_that_it_replaces,
    a_revocation_can_be_prolonged_and_never_shortened,
    an_expired_session_is_never_in_an_answer,
    an_invalid_session_is_refused_and_not_stored,
    the_data_of_a_session_have_a_maximum_size,
    of_many_requests_that_shorten_a_session_the_shortest_wins,
    a_session_that_ends_while_others_shorten_it_stays_away,
    sessions_outlive_a_restart_and_are_counted,
);

#[test]
fn a_kill_under_load_loses_no_session_that_was_acknowledged() {
    let mut program = Program::on_sqlite();
    let url = program.url().to_owned();
    let (mut fixtures, mut kept) = (vec![], vec![]);
    for round in 0..2 {
        kept.extend(write_until_killed(&program, |writer, number| {
            let name = format!("{round}.{writer}.{number}");
            let body = json!({ "data": "AA==", "ttl": 3600 }).to_string();
            ("PUT", path(&name), "application/json", body, name)
        }));
        let next = Program::start(&url, &[]);
        fixtures.push(std::mem::replace(&mut program, next));
        std::thread::scope(|scope| {
            for part in kept.chunks(kept.len().div_ceil(WRITERS)) {
                let program = &program;
                scope.spawn(move || {
                    for name in part {
                        program.get(&path(name)).expect(200);
                    }
                });
            }
        });
    }
}

#[test]
fn expired_rows_are_deleted_in_the_background() {
    let first = Program::on_sqlite();
    put(&first, "kept", "AA==", 3600);
    first.kill();
    // These are far more rows than one transaction deletes.
    execute(
        first.url(),
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1700) \
         INSERT INTO sessions (id, data, expires_at) SELECT 'old' || i, 'AA==', i FROM n; \
         INSERT INTO revocations (id, expires_at) VALUES ('old', 1);",
    );
    let program = first.beside(&["--sweep-interval", "1"]);
    let swept = [r#""what":"sessions","count":1700"#, r#""what":"revocations","count":1"#];
    eventually("sweep of all that has expired", || {
        let log = program.log();
        swept.iter().all(|line| log.contains(line)).then_some(())
    });
    program.get(&path("kept")).expect(200);
    // Expiry is no change, because no gateway caches a session for longer than it lasts.
    assert_eq!(program.seq(), 0);
}
