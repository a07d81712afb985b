//! The disk of the database is full, and has space again.
//!
//! A limit on the size of files (`RLIMIT_FSIZE`) stands for the end of the disk: SQLite treats both
//! errors alike, and gives the transaction up.

use std::process::Command;

use crate::client::Answer;
use crate::program::{Program, text};

/// Sets the limit of the program's files, in bytes or `unlimited`.
fn limit(program: &Program, size: &str) {
    let pid = program.process().to_string();
    let mut prlimit = Command::new("prlimit");
    let done = prlimit.args(["--pid", &pid, &format!("--fsize={size}:unlimited")]).status();
    assert!(done.is_ok_and(|status| status.success()), "prlimit, of util-linux, is needed");
}

fn write(program: &Program, name: &str) -> Answer {
    program.form("POST", "/consumers", &format!("username={name}"))
}

#[test]
fn a_full_disk_refuses_writes_and_is_recovered_from_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("gatehouse.db").display());
    let program = Program::start_with_a_disk_to_fill(&url);
    program.consumer("before");
    for round in 0..3 {
        limit(&program, "1");
        for number in 0..5 {
            let refused = write(&program, &format!("refused-{round}-{number}"));
            assert_eq!(text(&refused.expect(503)["message"]), "the database cannot be written");
            // What only reads goes on, as a gateway needs it.
            program.get("/consumers/before").expect(200);
            program.get("/changes?since=0").expect(200);
        }
        limit(&program, "unlimited");
        let seq = program.seq();
        write(&program, &format!("after-{round}")).expect(201);
        assert_eq!(program.seq(), seq + 1, "the number of a write that was refused is free again");
        program.get(&format!("/consumers/refused-{round}-0")).expect(404);
    }
    program.kill();
    let again = Program::start(&url, &[]);
    for name in ["before", "after-0", "after-1", "after-2"] {
        again.get(&format!("/consumers/{name}")).expect(200);
    }
    assert_eq!(again.seq(), 4);
}
