//! No acknowledged write is lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::Connection as _;

use crate::client::{exchange, request};
use crate::program::{Program, text};

pub(crate) const WRITERS: usize = 8;

/// Runs a statement on the database directly, without the service.
pub(crate) fn execute(url: &str, statement: &str) {
    sqlx::any::install_default_drivers();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// A transaction of another node on PostgreSQL, behind which all writers wait.
pub(crate) struct OtherWriter {
    runtime: tokio::runtime::Runtime,
    connection: sqlx::AnyConnection,
}

impl OtherWriter {
    pub(crate) fn begin(url: &str) -> Self {
        sqlx::any::install_default_drivers();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(async {
            let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
            let lock = sqlx::raw_sql("BEGIN; SELECT seq FROM ledger FOR UPDATE");
            lock.execute(&mut connection).await.unwrap();
            connection
        });
        Self { runtime, connection }
    }

    /// `true` if a writer waits.
    pub(crate) fn has_one_behind_it(&mut self) -> bool {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting = sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut self.connection);
        self.runtime.block_on(waiting).unwrap() > 0
    }

    /// Ends the transaction, which has written nothing.
    pub(crate) fn end(self) {
        self.runtime.block_on(self.connection.close()).unwrap();
    }
}

/// Sends writes from several threads, and kills the service meanwhile. Returns the names of the
/// acknowledged writes.
///
/// `write` returns the method, the target, the type and the text of the body, and the name of a
/// write, by the writer and the number.
pub(crate) fn write_until_killed(
    program: &Program,
    write: impl Fn(usize, u32) -> (&'static str, String, &'static str, String, String) + Sync,
) -> Vec<String> {
    let (acknowledged, count) = (Mutex::new(vec![]), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (acknowledged, count, write) = (&acknowledged, &count, &write);
            scope.spawn(move || {
                for number in 0.. {
                    let (method, target, kind, body, name) = write(writer, number);
                    let kind = [("content-type", kind)];
                    let sent = request(method, &target, &kind, body.as_bytes());
                    match exchange(program.address, &sent) {
                        Some(answer) if [200, 201].contains(&answer.status) => {
                            acknowledged.lock().unwrap().push(name);
                            count.fetch_add(1, Ordering::SeqCst);
                        }
                        Some(answer) => panic!("{}: {}", answer.status, answer.text()),
                        None => return,
                    }
                }
            });
        }
        while count.load(Ordering::SeqCst) < 300 {
            std::thread::yield_now();
        }
        program.kill();
    });
    acknowledged.into_inner().unwrap()
}

/// The write that creates an App ID of fiona.
fn app_id(
    round: usize,
    writer: usize,
    number: u32,
) -> (&'static str, String, &'static str, String, String) {
    let name = format!("app.{round}.{writer}.{number}");
    let kind = "application/x-www-form-urlencoded";
    ("POST", "/consumers/fiona/appids".into(), kind, format!("appid={name}"), name)
}

#[test]
fn a_kill_under_write_load_loses_nothing_that_was_acknowledged() {
    let mut program = Program::on_sqlite();
    program.consumer("fiona");
    let directory = program.url().to_owned();
    let mut fixtures = vec![];
    let mut acknowledged = vec![];
    for round in 0..4 {
        acknowledged
            .extend(write_until_killed(&program, |writer, number| app_id(round, writer, number)));
        let next = Program::start(&directory, &[]);
        // The first program owns the directory, which must outlive all rounds.
        fixtures.push(std::mem::replace(&mut program, next));

        let mut stored = vec![];
        let mut target = "/consumers/fiona/appids?size=1000".to_owned();
        loop {
            let page = program.get(&target).expect(200);
            stored.extend(page["data"].as_array().unwrap().iter().map(|it| text(&it["appid"])));
            match page.get("next") {
                Some(next) => target = text(next),
                None => break,
            }
        }
        let missing: Vec<_> = acknowledged.iter().filter(|name| !stored.contains(name)).collect();
        assert!(missing.is_empty(), "lost: {missing:?}");

        // The log has one change for each stored item and no others, and its numbers have no gap.
        let page = program.get("/changes?since=0&limit=10000").expect(200);
        let rows = page["data"].as_array().unwrap();
        assert!((1..).zip(rows).all(|(seq, row)| row["seq"] == serde_json::json!(seq)));
        let mut history: Vec<_> = rows[1..].iter().map(|row| text(&row["key"])).collect();
        history.sort();
        stored.sort();
        assert_eq!(history, stored);
    }
}

#[test]
fn the_history_on_disk_agrees_with_the_entities_after_a_kill() {
    let program = Program::on_sqlite();
    program.consumer("fiona");
    write_until_killed(&program, |writer, number| app_id(0, writer, number));
    // A commit is atomic, so the newest change has the number in the table `ledger`.
    let again = program.beside(&[]);
    let page = again.get("/changes?since=0&limit=10000").expect(200);
    let last = page["data"].as_array().unwrap().last().unwrap()["seq"].clone();
    assert_eq!(again.get("/status").expect(200)["seq"], last);
}
