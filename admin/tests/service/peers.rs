//! The connections of one peer cannot shut out the others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use patience::eventually;

use crate::client::{Answer, request};
use crate::durability::OtherWriter;
use crate::postgres::Postgres;
use crate::program::Program;

/// Opens a connection from another loopback address.
fn from(source: &str, program: &Program) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
        socket.connect(program.address).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(600))).unwrap();
    stream
}

fn status(mut stream: TcpStream) -> u16 {
    stream
        .write_all(b"GET /status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut bytes = vec![];
    let _ = stream.read_to_end(&mut bytes);
    Answer::parse(&bytes, false).unwrap().status
}

#[test]
fn idle_connections_of_one_peer_shut_nobody_else_out() {
    // The timeout is longer than the test, so that no connection ends because of it.
    let program = Program::on_sqlite_with(&["--max-connections", "8", "--client-timeout", "3600"]);
    let mut held = vec![];
    for _ in 0..8 {
        let mut stream = from("127.0.0.2", &program);
        // The service waits for the rest of a head.
        let _ = stream.write_all(b"GET /status HTTP/1.1\r\nx-slow: ");
        held.push(stream);
    }
    // The peer has only half of all connections, and the others are free.
    assert_eq!(status(from("127.0.0.3", &program)), 200);
    let metrics = program.get("/metrics").text();
    assert!(!metrics.contains("turned_away_total 0\n"), "{metrics}");
}

/// Otherwise, a client that does not wait for answers could put any number of writes before those of
/// others.
#[test]
fn a_client_that_goes_away_keeps_its_place_until_its_request_is_carried_out() {
    let flags = ["--max-connections-per-peer", "1"];
    let program = Program::start(&Postgres::shared().database(), &flags);
    let other_writer = OtherWriter::begin(program.url());
    let json = ("content-type", "application/json");
    let sent = request("POST", "/consumers", &[json], b"{\"username\":\"fiona\"}");
    from("127.0.0.2", &program).write_all(&sent).unwrap();
    let alone = "\ngatehouse_admin_connections 1\n";
    eventually("end of the connection", || {
        program.get("/metrics").text().contains(alone).then_some(())
    });
    assert_eq!(status(from("127.0.0.2", &program)), 503);
    assert_eq!(status(from("127.0.0.3", &program)), 200);

    other_writer.end();
    eventually("place that is free", || (status(from("127.0.0.2", &program)) == 200).then_some(()));
    program.get("/consumers/fiona").expect(200);
}

#[test]
fn a_silent_new_connection_is_closed_long_before_an_idle_one() {
    let program = Program::on_sqlite_with(&["--client-timeout", "3600"]);
    for said in ["", "GET /status HTTP/1.1\r\nx-slow: "] {
        let mut stream = from("127.0.0.1", &program);
        stream.write_all(said.as_bytes()).unwrap();
        let mut bytes = vec![];
        // The connection ends in seconds. The longer timeout only bounds a failing test.
        match stream.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{said}"),
        }
        assert!(!bytes.starts_with(b"HTTP/1.1 200"), "{said}");
    }
}
