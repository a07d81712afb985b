//! Status, metrics, starting and stopping.

use std::io::{Read, Write};
use std::net::TcpStream;

use patience::eventually;
use serde_json::json;

use crate::client::{Answer, request};
use crate::on_both_databases;
use crate::postgres::Postgres;
use crate::program::{Program, text};

fn the_status_tells_version_database_epoch_and_seq(program: &Program) {
    program.consumer("fiona");
    let status = program.get("/status").expect(200);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["database"]["reachable"], true);
    assert_eq!((&status["seq"], &status["epoch"]), (&json!(1), &json!(program.epoch())));
}

fn metrics_count_requests_and_entities(program: &Program) {
    program.consumer("fiona");
    program.app_id("fiona", "Portal");
    program.app_id("fiona", "NTP");
    program.get("/consumers/nobody").expect(404);
    program.get("/consumers/no%2Fbody").expect(404);
    program.get("/secret_path").expect(404);
    let metrics = program.get("/metrics").text();
    for line in [
        r#"gatehouse_admin_requests_total{method="POST",route="/consumers/{consumer}/appids",status="201"} 2"#,
        r#"gatehouse_admin_requests_total{method="GET",route="/consumers/{consumer}",status="404"} 2"#,
        r#"gatehouse_admin_requests_total{method="GET",route="",status="404"} 1"#,
        r#"gatehouse_admin_request_seconds_count{method="POST",route="/consumers"} 1"#,
        r#"gatehouse_admin_entities{entity="consumers"} 1"#,
        r#"gatehouse_admin_entities{entity="appids"} 2"#,
        r#"gatehouse_admin_entities{entity="keyauth_credentials"} 0"#,
        "gatehouse_admin_changes_seq 3",
        "gatehouse_admin_database_up 1",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains("secret_path") && !metrics.contains("nobody"), "{metrics}");
}

fn everything_is_still_there_after_a_restart(program: &Program) {
    let id = program.consumer("fiona");
    let made = program.app_id("fiona", "Portal");
    program.terminate();
    assert!(program.wait().success());
    let again = program.beside(&[]);
    assert_eq!(again.get("/consumers/fiona").expect(200)["id"], json!(id));
    assert_eq!(again.get("/appids").expect(200)["data"], json!([made]));
    assert_eq!(again.changes(0).len(), 2);
}

fn many_can_start_on_an_empty_database_at_once(program: &Program) {
    // The database of the fixture has its tables already, so this test uses a new one.
    let url = if program.url().starts_with("sqlite:") {
        format!("{}.other", program.url())
    } else {
        Postgres::shared().database()
    };
    let programs: Vec<Program> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..5).map(|_| scope.spawn(|| Program::start(&url, &[]))).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    for (number, program) in programs.iter().enumerate() {
        program.consumer(&format!("u{number}"));
    }
    assert_eq!(programs[0].seq(), 5);
    let epochs: Vec<String> = programs.iter().map(Program::epoch).collect();
    assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "{epochs:?}");
}

fn a_request_that_is_under_way_is_finished_before_the_end(program: &Program) {
    let kind = ("content-type", "application/json");
    let sent = request("POST", "/consumers", &[kind], b"{\"username\":\"fiona\"}");
    let mut stream = TcpStream::connect(program.address).unwrap();
    // After 100 Continue, the service waits for the body, so the request is under way.
    let head = String::from_utf8(sent[..sent.len() - 20].to_vec()).unwrap();
    let head = head.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut proceed = [0; 25];
    stream.read_exact(&mut proceed).unwrap();
    assert_eq!(&proceed, b"HTTP/1.1 100 Continue\r\n\r\n");
    program.terminate();
    eventually("service that takes no connection any more", || {
        TcpStream::connect(program.address).is_err().then_some(())
    });
    stream.write_all(&sent[sent.len() - 20..]).unwrap();
    let mut bytes = vec![];
    stream.read_to_end(&mut bytes).unwrap();
    Answer::parse(&bytes, false).unwrap().expect(201);
    assert!(program.wait().success());
    program.beside(&[]).get("/consumers/fiona").expect(200);
}

fn an_idle_connection_does_not_hold_up_the_end(program: &Program) {
    let mut stream = TcpStream::connect(program.address).unwrap();
    stream.write_all(b"GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    program.terminate();
    assert!(program.wait().success());
}

on_both_databases!(
    the_status_tells_version_database_epoch_and_seq,
    metrics_count_requests_and_entities,
    everything_is_still_there_after_a_restart,
    many_can_start_on_an_empty_database_at_once,
    a_request_that_is_under_way_is_finished_before_the_end,
    an_idle_connection_does_not_hold_up_the_end,
);

#[test]
fn a_database_of_a_newer_program_is_left_alone() {
    let program = Program::on_sqlite();
    program.terminate();
    program.wait();
    crate::durability::execute(program.url(), "INSERT INTO schema_version (version) VALUES (999)");
    let error = Program::try_start(program.url(), &[]).err().unwrap();
    assert!(error.contains("newer gatehouse-admin"), "{error}");
}

#[test]
fn a_database_that_cannot_be_used_is_an_error_in_plain_words() {
    for (url, problem) in [
        ("mysql://x", "must start with `sqlite:` or `postgres://`"),
        ("sqlite::memory:", "must name a file"),
        ("sqlite:/nowhere/at/all/x.db", "cannot be created"),
        ("postgres://u:secret@127.0.0.1:1/x", "cannot be opened"),
    ] {
        let error = Program::try_start(url, &[]).err().unwrap();
        assert!(error.contains(problem) && !error.contains("secret"), "{error}");
    }
}

#[test]
fn a_postgres_that_goes_away_is_503_and_its_return_is_a_new_epoch() {
    let mut server = Postgres::start();
    let program = Program::start(&server.database(), &[]);
    program.consumer("fiona");
    let epoch = program.epoch();
    server.go_away();
    assert_eq!(program.get("/status").expect(503)["database"]["reachable"], false);
    assert!(program.get("/metrics").text().contains("gatehouse_admin_database_up 0"));
    for answer in [program.get("/changes"), program.form("POST", "/consumers", "username=x")] {
        assert_eq!(text(&answer.expect(503)["message"]), "the database cannot be reached");
    }
    server.come_back();
    program.get("/consumers/fiona").expect(200);
    let page = program.get(&format!("/changes?since=1&epoch={epoch}")).expect(200);
    assert_eq!(page["reset"], true);
    assert_ne!(page["epoch"], json!(epoch));
}
