//! Epochs: the service notices that an older database was restored, however far that has counted
//! since.

use serde_json::{Value, json};

use crate::durability::execute;
use crate::postgres::Postgres;
use crate::program::{Program, text};

/// A gateway that has read the changes up to `since`.
struct Reader {
    since: u64,
    epoch: String,
}

impl Reader {
    fn of(program: &Program) -> Self {
        let page = program.get("/changes").expect(200);
        Self { since: page["next"].as_u64().unwrap(), epoch: text(&page["epoch"]) }
    }

    fn asks(&self, program: &Program) -> Value {
        program.get(&format!("/changes?since={}", self.since)).expect(200)
    }

    /// `true` if the gateway must forget everything.
    fn is_told_to_forget(&self, program: &Program) -> bool {
        let page = self.asks(program);
        let with_epoch = format!("/changes?since={}&epoch={}", self.since, self.epoch);
        let reset = program.get(&with_epoch).expect(200)["reset"] == true;
        let other = page["reset"] == true || page["epoch"] != json!(self.epoch);
        assert_eq!(reset, other, "both ways of asking agree");
        other
    }
}

fn write(program: &Program, name: &str, count: usize) {
    for number in 0..count {
        program.consumer(&format!("{name}{number}"));
    }
}

#[test]
fn two_databases_have_two_epochs() {
    assert_ne!(Program::on_sqlite().epoch(), Program::on_sqlite().epoch());
    assert_ne!(Program::on_postgres().epoch(), Program::on_postgres().epoch());
}

#[test]
fn an_older_sqlite_file_put_back_is_noticed_behind_and_beyond_the_readers_place() {
    for later in [0, 5, 50] {
        let program = Program::on_sqlite();
        let file = program.url().strip_prefix("sqlite:").unwrap().to_owned();
        write(&program, "before", 3);
        program.terminate();
        assert!(program.wait().success());
        let backup = format!("{file}.backup");
        std::fs::copy(&file, &backup).unwrap();

        let lost = program.beside(&[]);
        write(&lost, "lost", 5);
        let reader = Reader::of(&lost);
        assert!(!reader.is_told_to_forget(&lost));
        lost.terminate();
        assert!(lost.wait().success());
        std::fs::copy(&backup, &file).unwrap();

        let restored = program.beside(&[]);
        write(&restored, "after", later);
        restored.get("/consumers/lost0").expect(404);
        assert!(reader.is_told_to_forget(&restored), "{later} changes later");
    }
}

#[test]
fn a_sqlite_file_restored_under_the_running_service_is_noticed() {
    for later in [0, 5, 50] {
        let program = Program::on_sqlite();
        write(&program, "before", 3);
        write(&program, "lost", 5);
        let reader = Reader::of(&program);
        // Like `.restore`, this puts the older content into place in one transaction.
        execute(
            program.url(),
            "BEGIN IMMEDIATE; DELETE FROM changes WHERE seq > 3; UPDATE ledger SET seq = 3; \
             DELETE FROM consumers WHERE username LIKE 'lost%'; COMMIT;",
        );
        write(&program, "after", later);
        assert!(reader.is_told_to_forget(&program), "{later} changes later");
        let reader = Reader::of(&program);
        assert!(!reader.is_told_to_forget(&program), "once is enough");
    }
}

#[test]
fn postgres_nodes_agree_and_the_restart_of_one_changes_nothing() {
    let first = Program::on_postgres();
    let second = first.beside(&[]);
    write(&first, "a", 2);
    let reader = Reader::of(&second);
    assert_eq!(reader.epoch, first.epoch());
    first.terminate();
    assert!(first.wait().success());
    let again = second.beside(&[]);
    write(&again, "b", 2);
    for node in [&second, &again] {
        assert!(!reader.is_told_to_forget(node));
        assert_eq!(reader.asks(node)["data"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn a_postgres_dump_put_back_under_running_nodes_is_noticed_by_all() {
    for later in [0, 5, 50] {
        let server = Postgres::shared();
        let url = server.database();
        let database = url.split(['/', '?']).nth(3).unwrap();
        let (one, two) = (Program::start(&url, &[]), Program::start(&url, &[]));
        write(&one, "before", 3);
        let dump = server.run("pg_dump", &["-d", database, "--clean", "--if-exists"]);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("dump.sql");
        std::fs::write(&file, dump).unwrap();
        write(&two, "lost", 5);
        let reader = Reader::of(&one);
        let arguments = ["-d", database, "-q", "-v", "ON_ERROR_STOP=1", "-1", "-f"];
        server.run("psql", &[&arguments[..], &[file.to_str().unwrap()]].concat());
        write(&two, "after", later);
        for node in [&one, &two, &one.beside(&[])] {
            assert!(reader.is_told_to_forget(node), "{later} changes later");
        }
        assert_eq!(one.epoch(), two.epoch());
    }
}

#[test]
fn an_operator_can_make_every_gateway_forget() {
    let program = Program::on_postgres();
    write(&program, "before", 3);
    let reader = Reader::of(&program);
    execute(program.url(), "UPDATE ledger SET engine = ''");
    assert!(reader.is_told_to_forget(&program));
    assert!(!Reader::of(&program).is_told_to_forget(&program), "once is enough");
}
