//! The command `health`, which a container's engine runs.

use std::path::Path;
use std::process::Command;

use patience::eventually;

use crate::postgres::Postgres;
use crate::program::Program;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Returns whether `gatehouse-admin health` finds the service well, and what it prints.
fn ask(environment: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse-admin"));
    command.env_clear().envs(environment.iter().copied()).arg("health");
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

fn file(directory: &Path, name: &str, content: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_service_that_runs_is_well_and_one_that_ended_is_not() {
    let program = Program::on_sqlite();
    let address = program.address.to_string();
    assert_eq!(ask(&[("GATEHOUSE_LISTEN", &address)]), (true, String::new()));
    program.kill();
    let (well, why) = ask(&[("GATEHOUSE_LISTEN", &address)]);
    assert!(!well && why.contains(&address), "{why}");
}

#[test]
fn a_service_with_tls_and_tokens_is_asked_with_the_environment_that_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["gatehouse-admin.internal".to_owned()]).unwrap();
    let cert = file(directory.path(), "cert.pem", &made.cert.pem());
    let key = file(directory.path(), "key.pem", &made.signing_key.serialize_pem());
    let token = file(directory.path(), "token", TOKEN);
    let flags = ["--listen", "0.0.0.0:0", "--admin-token-file", &token, "--tls-cert", &cert];
    let program = Program::on_sqlite_with(&[&flags[..], &["--tls-key", &key]].concat());
    let listen = program.address.to_string();
    let environment = [
        ("GATEHOUSE_LISTEN", &*listen),
        ("GATEHOUSE_TLS_CERT", &cert),
        ("GATEHOUSE_ADMIN_TOKEN_FILE", &token),
    ];
    assert_eq!(ask(&environment), (true, String::new()));
    let (well, why) = ask(&environment[..2]);
    assert!(!well && why.contains("401"), "{why}");
}

#[test]
fn a_service_is_as_well_as_its_database() {
    let mut postgres = Postgres::start();
    let program = Program::start(&postgres.database(), &[]);
    let address = program.address.to_string();
    assert!(ask(&[("GATEHOUSE_LISTEN", &address)]).0);
    postgres.go_away();
    // The answer is 503, or does not come in time.
    assert!(!ask(&[("GATEHOUSE_LISTEN", &address)]).0);
    postgres.come_back();
    eventually("a service that is well again", || {
        ask(&[("GATEHOUSE_LISTEN", &address)]).0.then_some(())
    });
}
