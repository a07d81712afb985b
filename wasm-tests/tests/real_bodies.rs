//! Bodies on a real Envoy: when a filter waits for one, changes it, and refuses it.

use patience::Patient;
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use wasm_tests::real::{Connection, Echo, Envoy, Filter, RawRequest, Setup};

/// An upstream that accepts every upgrade and echoes the bytes of the tunnel.
fn tunnel_end() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || agree(stream));
        }
    });
    address
}

fn agree(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    stream.write_all(
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n",
    )?;
    let mut frame = [0; 7];
    reader.read_exact(&mut frame)?;
    stream.write_all(&frame)
}

fn holding(feature: &str, mut settings: serde_json::Value) -> Filter {
    settings["allow_on_headers_stop_iteration"] = true.into();
    Filter::new(feature, &settings).holding_headers(true)
}

/// A connection on which silence fails the test instead of blocking it.
fn connected(to: SocketAddr) -> Patient {
    Patient::connect(to).expect("a connection")
}

fn handshake() -> RawRequest {
    RawRequest::get("/chat")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("content-type", "application/json")
        .header("apikey", "right")
}

#[test]
fn a_websocket_is_opened_through_filters_that_wait_for_bodies() {
    let keys = json!({"key_in_body": true,
        "consumers": [{"username": "ana", "keyauth_credentials": [{"key": "right"}]}]});
    let filters = vec![
        holding("key_auth", keys),
        holding(
            "request_transformer",
            json!({"add": {"body": ["a:b"]}, "remove": {"body": ["c"]}}),
        ),
    ];
    let ends = vec![holding("request_termination", json!({"status_code": 410, "echo": true}))];
    let setup = Setup::new(tunnel_end(), filters).listener("ends", ends);
    let envoy = Envoy::start(&setup);

    let mut client = connected(envoy.address("main"));
    client.write_all(&handshake().head()).expect("a handshake");
    let mut reader = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("a line") > 0, "{head}");
    }
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    reader.get_mut().write_all(b"a frame").expect("a tunnel");
    let mut frame = [0; 7];
    reader.read_exact(&mut frame).expect("the frame back");
    assert_eq!(&frame, b"a frame");

    // An extended CONNECT of HTTP/2 (RFC 8441) is answered with a head.
    assert!(extended_connect(envoy.address("main")), "no answer to an extended CONNECT");

    let mut ended = Connection::open(envoy.address("ends")).expect("a connection");
    ended.write(&handshake().head()).expect("a handshake");
    assert_eq!(ended.answer().expect("an answer").status(), 410);
}

/// Sends an extended CONNECT, and returns `true` if a HEADERS frame answers it.
fn extended_connect(to: SocketAddr) -> bool {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/chat"),
        (":authority", "gateway.test"),
        ("content-type", "application/json"),
        ("apikey", "right"),
    ] {
        // HPACK: a literal without indexing, with a new name. All lengths are below 127.
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("a short text"));
            block.extend_from_slice(text.as_bytes());
        }
    }
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let [_, length @ ..] = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
        [&length[..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let mut client = connected(to);
    let sent =
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[]), frame(1, 4, 1, &block)];
    client.write_all(&sent.concat()).expect("a request");
    loop {
        let mut head = [0; 9];
        if client.read_exact(&mut head).is_err() {
            return false;
        }
        let [a, b, c, kind, _, _, _, _, stream] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        client.read_exact(&mut payload).expect("a whole frame");
        match (kind, stream) {
            (1, 1) => return true,
            // RST_STREAM, or GOAWAY.
            (3, 1) | (7, _) => return false,
            _ => {}
        }
    }
}

#[test]
fn no_spelling_of_a_path_leads_past_a_filter() {
    let upstream = Echo::start();
    let settings = json!({"status_code": 410, "match": {"paths": ["/admin"]}});
    let filters = vec![Filter::new("request_termination", &settings)];
    let envoy = Envoy::start(&Setup::new(upstream.address(), filters));
    for path in ["/admin;v=1/users", "/admin%3Bv=1/users", "/%61dmin", "/admin/../x"] {
        assert_eq!(envoy.send(&RawRequest::get(path)).status(), 410, "{path}");
    }
    for path in ["/%2561dmin", "/x%252f..%252fadmin", "/x/..;/admin", "/%c1%a1dmin"] {
        assert_eq!(envoy.send(&RawRequest::get(path)).status(), 400, "{path}");
    }
    assert_eq!(upstream.count(), 0);
    assert_eq!(envoy.send(&RawRequest::get("/administrator;v=1")).status(), 200);
    assert_eq!(upstream.last().path(), "/administrator;v=1", "it goes on as it came");
}

#[test]
fn a_body_that_cannot_be_changed_does_not_pass_as_it_is() {
    let upstream = Echo::start();
    let filters = vec![holding("request_transformer", json!({"remove": {"body": ["role"]}}))];
    let envoy = Envoy::start(&Setup::new(upstream.address(), filters));
    let post = |body: &[u8], content_type: &str| {
        RawRequest::post("/", body).header("content-type", content_type)
    };
    let gzip = post(b"\x1f\x8b\x08\0\0\0\0\0\0\x03", "application/json");
    for (request, status) in [
        (gzip.header("content-encoding", "gzip"), 415),
        (post(b"role=admin", "text/plain"), 415),
        (post(br#"{"role":"admin",}"#, "application/json"), 400),
        (post(b"a=1;role=admin", "application/x-www-form-urlencoded"), 400),
    ] {
        assert_eq!(envoy.send(&request).status(), status, "{request:?}");
        assert_eq!(envoy.send(&request.chunked()).status(), status, "in chunks");
    }
    assert_eq!(upstream.count(), 0);
    envoy.send(&post(b"\xef\xbb\xbf{\"role\":1,\"a\":2}", "application/vnd.api+json"));
    assert_eq!(upstream.last().text(), r#"{"a":2}"#);

    // Trailers without a body leave nothing to change.
    let mut client = Connection::open(envoy.address("main")).expect("a connection");
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    client.write(format!("{head}0\r\nx-trailer: 1\r\n\r\n").as_bytes()).expect("a request");
    assert_eq!(client.answer().expect("an answer").status(), 200);
    assert_eq!(upstream.last().text(), "");
}
