//! Limits for slow clients, many clients and large heads.

use std::io::{Read, Write};

use patience::{Patient, eventually};

use crate::client::{Answer, exchange, request};
use crate::program::Program;

/// Reads until the service closes the connection.
fn rest(stream: &mut Patient) -> Vec<u8> {
    let mut bytes = vec![];
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
    bytes
}

#[test]
fn a_client_that_sends_nothing_or_half_a_head_is_disconnected() {
    let program = Program::on_sqlite_with(&["--client-timeout", "1"]);
    for said in ["", "GET /sta", "GET /status HTTP/1.1\r\nhost: localhost\r\nx-slow: "] {
        let mut stream = Patient::connect(program.address).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        assert!(!rest(&mut stream).starts_with(b"HTTP/1.1 200"), "{said}");
    }
}

#[test]
fn a_connection_that_idles_after_an_answer_is_closed() {
    let program = Program::on_sqlite_with(&["--client-timeout", "1"]);
    let mut stream = Patient::connect(program.address).unwrap();
    stream.write_all(b"GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    Answer::parse(&rest(&mut stream), false).unwrap().expect(200);
}

#[test]
fn a_body_that_does_not_arrive_is_408() {
    let program = Program::on_sqlite_with(&["--client-timeout", "1"]);
    let json = ("content-type", "application/json");
    let sent = request("POST", "/consumers", &[json], b"{\"username\":\"fiona\"}");
    let mut stream = Patient::connect(program.address).unwrap();
    stream.write_all(&sent[..sent.len() - 1]).unwrap();
    Answer::parse(&rest(&mut stream), false).unwrap().expect(408);
    program.get("/consumers/fiona").expect(404);
}

#[test]
fn one_connection_serves_one_request_after_another() {
    let program = Program::on_sqlite();
    let mut stream = Patient::connect(program.address).unwrap();
    let one = "GET /consumers/x HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let last = "GET /status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(format!("{one}{one}{last}").as_bytes()).unwrap();
    let bytes = String::from_utf8(rest(&mut stream)).unwrap();
    assert_eq!(bytes.matches("HTTP/1.1 404").count(), 2, "{bytes}");
    assert_eq!(bytes.matches("HTTP/1.1 200").count(), 1, "{bytes}");
}

#[test]
fn a_connection_beyond_the_maximum_is_503() {
    let flags = ["--max-connections", "2", "--max-connections-per-peer", "2"];
    let program = Program::on_sqlite_with(&flags);
    let mut held: Vec<Patient> = (0..2)
        .map(|_| {
            let mut stream = Patient::connect(program.address).unwrap();
            stream.write_all(b"GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            stream
        })
        .collect();
    let sent = request("GET", "/status", &[], b"");
    let answer = exchange(program.address, &sent).unwrap();
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.expect(503)["message"], "too many connections");
    held.pop();
    // The service needs a moment to notice that a client has closed its connection.
    let sent = request("GET", "/metrics", &[], b"");
    let metrics = eventually("place that is free", || {
        let answer = exchange(program.address, &sent).unwrap();
        (answer.status == 200).then(|| answer.text())
    });
    assert!(metrics.contains("\ngatehouse_admin_connections 2\n"), "{metrics}");
    assert!(!metrics.contains("turned_away_total 0\n"), "{metrics}");
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let program = Program::on_sqlite();
    let long = "x".repeat(300_000);
    for sent in [
        request("GET", &format!("/consumers/{long}"), &[], b""),
        request("GET", "/status", &[("x-long", &long)], b""),
        request("GET", "/status", &vec![("x", "y"); 500], b""),
    ] {
        if let Some(answer) = exchange(program.address, &sent) {
            assert!([414, 431].contains(&answer.status), "{}", answer.status);
        }
    }
    program.get("/status").expect(200);
}
