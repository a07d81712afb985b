//! Several nodes on one PostgreSQL: changes have one order, and no reader sees a later one first.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use patience::eventually;
use serde_json::json;

use crate::durability::OtherWriter;
use crate::program::{Program, text};

const WRITERS: usize = 3;
const WRITES: usize = 60;

#[test]
fn a_reader_never_sees_a_change_before_an_earlier_one() {
    let nodes = [Program::on_postgres()];
    let nodes = [nodes[0].beside(&[]), nodes[0].beside(&[])];
    nodes[0].consumer("fiona");
    let running = AtomicUsize::new(nodes.len() * WRITERS);
    let seen: Vec<Vec<String>> = std::thread::scope(|scope| {
        for (number, node) in nodes.iter().enumerate() {
            for writer in 0..WRITERS {
                let running = &running;
                scope.spawn(move || {
                    let _working = Working(running);
                    for write in 0..WRITES {
                        let name = format!("app.{number}.{writer}.{write}");
                        node.app_id("fiona", &name);
                        if write % 3 == 0 {
                            node.delete(&format!("/consumers/fiona/appids/{name}")).expect(204);
                        }
                    }
                });
            }
        }
        let readers: Vec<_> = (0..2)
            .map(|reader| {
                scope.spawn({
                    let (nodes, running) = (&nodes, &running);
                    move || follow(nodes, reader, running)
                })
            })
            .collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    assert_eq!(seen[0], seen[1]);
    let creations = nodes.len() * WRITERS * WRITES;
    let deletions = nodes.len() * WRITERS * WRITES.div_ceil(3);
    assert_eq!(seen[0].len(), 1 + creations + deletions);
    let left = nodes[0].get("/appids?size=1").expect(200)["total"].as_u64().unwrap();
    assert_eq!(left, (creations - deletions) as u64);
}

/// The list of consumers is in the order of creation, and whoever reads it page by page must not
/// miss one that another node overtakes.
#[test]
fn a_consumer_is_no_older_than_what_is_stored_before_it() {
    let program = Program::on_postgres();
    let mut other_writer = OtherWriter::begin(program.url());
    let overtaken = std::thread::scope(|scope| {
        let new = scope.spawn(|| program.form("POST", "/consumers", "username=fiona").expect(201));
        eventually("writer that waits", || other_writer.has_one_behind_it().then_some(()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        std::thread::sleep(Duration::from_millis(2));
        other_writer.end();
        let created = u128::from(new.join().unwrap()["created_at"].as_u64().unwrap());
        created < now
    });
    assert!(!overtaken);
}

/// Counts a running writer. Dropping it ends the writer, even after a panic, so that readers do not
/// wait for ever.
struct Working<'a>(&'a AtomicUsize);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Reads changes from both nodes in turn until all writers have ended.
fn follow(nodes: &[Program; 2], reader: usize, running: &AtomicUsize) -> Vec<String> {
    let (mut since, mut turn, mut seen) = (0, reader, vec![]);
    loop {
        let done = running.load(Ordering::SeqCst) == 0;
        turn += 1;
        let target = format!("/changes?since={since}&limit=7");
        let page = nodes[turn % 2].get(&target).expect(200);
        assert_eq!(page["reset"], false);
        let rows = page["data"].as_array().unwrap();
        for row in rows {
            since += 1;
            assert_eq!(row["seq"], json!(since), "skipped or out of order");
            seen.push(format!("{} {}", text(&row["operation"]), text(&row["key"])));
        }
        if done && rows.is_empty() {
            return seen;
        }
    }
}

#[test]
fn of_many_writers_of_one_name_one_wins_and_none_fails() {
    let first = Program::on_postgres();
    let second = first.beside(&[]);
    let fiona = first.consumer("fiona");
    let claims = [
        ("/consumers", json!({ "username": "ana" })),
        ("/consumers", json!({ "custom_id": "c9" })),
        ("/consumers/fiona/appids", json!({ "appid": "Portal" })),
        ("/consumers/fiona/acls", json!({ "group": "gold" })),
        ("/key-auths", json!({ "key": "open_sesame", "consumer": { "id": fiona } })),
    ];
    for (target, body) in claims {
        let mut statuses: Vec<u16> = std::thread::scope(|scope| {
            let posts: Vec<_> = (0..8)
                .map(|number| {
                    let node = if number % 2 == 0 { &first } else { &second };
                    let body = &body;
                    scope.spawn(move || node.json("POST", target, body).status)
                })
                .collect();
            posts.into_iter().map(|post| post.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409], "{target}");
    }
}

#[test]
fn a_consumer_that_is_deleted_while_others_add_to_it_leaves_nothing_behind() {
    let first = Program::on_postgres();
    let second = first.beside(&[]);
    for round in 0..5 {
        first.consumer("fiona");
        std::thread::scope(|scope| {
            for number in 0..4 {
                let node = if number % 2 == 0 { &first } else { &second };
                scope.spawn(move || {
                    for write in 0..5 {
                        let body = json!({ "appid": format!("app.{round}.{number}.{write}") });
                        let status = node.json("POST", "/consumers/fiona/appids", &body).status;
                        assert!([201, 404].contains(&status), "{status}");
                    }
                });
            }
            first.delete("/consumers/fiona").expect(204);
        });
        assert_eq!(second.get("/appids").expect(200)["total"], 0);
    }
}
