//! Back-up and restore, as docs/runbook.md has them.

use std::path::Path;

use crate::postgres::Postgres;
use crate::program::{Program, digest};

/// Creates what a back-up has to hold.
fn fill(program: &Program) {
    program.consumer("fiona");
    program.key("fiona", "before");
}

/// The status of the question of a gateway about a key.
fn asked(program: &Program, key: &str) -> u16 {
    program.get(&format!("/identities/key-auth/{}", digest(key))).status
}

#[test]
fn a_copy_of_sqlite_made_under_the_running_service_is_restored() {
    let directory = tempfile::tempdir().unwrap();
    let (file, copy) = (directory.path().join("gatehouse.db"), directory.path().join("copy.db"));
    let url = format!("sqlite:{}", file.display());
    let program = Program::start(&url, &[]);
    fill(&program);
    vacuum(&file, &copy);
    program.key("fiona", "after");
    let (epoch, seq) = (program.epoch(), program.seq());
    program.terminate();
    program.wait();

    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", file.display()));
    }
    std::fs::rename(&copy, &file).unwrap();
    let program = Program::start(&url, &[]);
    assert_eq!((asked(&program, "before"), asked(&program, "after")), (200, 404));
    assert_ne!(program.epoch(), epoch, "gateways forget what they know");
    assert!(program.seq() < seq);
}

/// Copies a database as `sqlite3 FILE "VACUUM INTO 'COPY'"` does; Python has the same library.
fn vacuum(file: &Path, copy: &Path) {
    let script =
        "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('VACUUM INTO ?', sys.argv[2:])";
    let mut python = std::process::Command::new("python3");
    assert!(python.args(["-c", script]).args([file, copy]).status().unwrap().success());
}

#[test]
fn a_dump_of_postgres_is_restored_under_the_running_service() {
    let server = Postgres::shared();
    let url = server.database();
    let (_, rest) = url.split_once("localhost/").unwrap();
    let name = rest.split('?').next().unwrap();
    let program = Program::start(&url, &[]);
    fill(&program);
    let dump = tempfile::NamedTempFile::new().unwrap();
    let dump = dump.path().to_str().unwrap();
    server.run("pg_dump", &["-Fc", "-f", dump, "-d", name]);
    program.key("fiona", "after");
    let (epoch, seq) = (program.epoch(), program.seq());

    server.run("pg_restore", &["--clean", "--if-exists", "-d", name, dump]);
    assert_eq!((asked(&program, "before"), asked(&program, "after")), (200, 404));
    assert_ne!(program.epoch(), epoch, "gateways forget what they know");
    assert!(program.seq() < seq);
    program.key("fiona", "later");
    assert_eq!(asked(&program, "later"), 200);
}
