//! Traces of requests, at a collector of the test's own.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use patience::eventually;
use prost::Message as _;

use crate::program::{Program, digest};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const KEY: &str = "a-key-that-nobody-may-see";

/// Heads and bodies.
type Requests = Vec<(String, Vec<u8>)>;

/// A collector that keeps the bodies of all requests, and answers with a status.
struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Requests>>,
}

impl Collector {
    fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
                let (head, body) = loop {
                    let count = stream.read(&mut chunk).unwrap();
                    bytes.extend(&chunk[..count]);
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|line| {
                        line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
                    });
                    let length: usize = length.unwrap();
                    if bytes.len() >= head.len() + 4 + length {
                        break (head.to_owned(), bytes[head.len() + 4..].to_vec());
                    }
                };
                kept.lock().unwrap().push((head, body));
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { address, received }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn spans(&self) -> Vec<Span> {
        let received = self.received.lock().unwrap();
        let requests = received.iter().map(|(head, body)| {
            assert!(head.starts_with("POST /v1/traces HTTP/1.1"), "{head}");
            ExportTraceServiceRequest::decode(&body[..]).unwrap()
        });
        let resources = requests.flat_map(|request| request.resource_spans);
        let scopes = resources.flat_map(|resource| {
            let attributes = resource.resource.unwrap().attributes;
            assert_eq!(value(&attributes, "service.name"), "gatehouse-admin");
            resource.scope_spans
        });
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

fn value(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{key}: {other:?} of {attributes:?}"),
    }
}

fn end(program: &Program) {
    program.terminate();
    assert!(program.wait().success());
}

fn parent(sampled: bool) -> String {
    format!("00-{TRACE}-{PARENT}-0{}", u8::from(sampled))
}

#[test]
fn a_request_is_a_span_of_its_route_that_continues_the_trace_of_the_gateway() {
    let collector = Collector::start("200 OK");
    let program = Program::on_sqlite_with(&["--otlp-endpoint", &collector.endpoint()]);
    program.consumer("fiona");
    program.key("fiona", KEY);
    let traceparent = parent(true);
    let headers = [("traceparent", traceparent.as_str())];
    let paths = [format!("/identities/key-auth/{}", digest(KEY)), format!("/identities/jwt/{KEY}")];
    for path in &paths {
        program.send("GET", &format!("{path}?secret=of-a-query"), &headers, b"");
    }
    program.get(&format!("/no/such/path/{KEY}")).expect(404);
    end(&program);

    let spans = collector.spans();
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    let expected = [
        "POST /consumers",
        "POST /consumers/{consumer}/key-auth",
        "GET /identities/key-auth/{digest}",
        "GET /identities/jwt/{key}",
        "GET",
    ];
    assert_eq!(names, expected);
    let span = &spans[3];
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE.into(), PARENT.into()));
    assert_eq!(span.kind, 2, "a server's");
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    assert_eq!(value(&span.attributes, "http.request.method"), "GET");
    assert_eq!(value(&span.attributes, "http.route"), "/identities/jwt/{key}");
    assert!(value(&span.attributes, "http.response.status_code").starts_with('4'));
    assert!(spans[0].parent_span_id.is_empty());
    assert_ne!(hex(&spans[0].trace_id), TRACE);
    for (_, body) in collector.received.lock().unwrap().iter() {
        let body = String::from_utf8_lossy(body);
        for secret in [KEY, &digest(KEY), "of-a-query", "fiona", "no/such/path"] {
            assert!(!body.contains(secret), "{secret} in {body}");
        }
    }
}

#[test]
fn a_trace_that_the_gateway_does_not_record_is_not_recorded_here() {
    let collector = Collector::start("200 OK");
    let program = Program::on_sqlite_with(&["--otlp-endpoint", &collector.endpoint()]);
    let traceparent = parent(false);
    program.send("GET", "/status", &[("traceparent", &traceparent)], b"").expect(200);
    program.send("GET", "/consumers", &[("traceparent", "garbage")], b"").expect(200);
    end(&program);
    let names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["GET /consumers"]);
}

#[test]
fn a_collector_that_refuses_or_is_away_is_named_in_the_log_and_harms_nothing() {
    let refusing = Collector::start("400 Bad Request").endpoint();
    let gone = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    for endpoint in [refusing, format!("http://{gone}")] {
        let program = Program::on_sqlite_with(&["--otlp-endpoint", &endpoint]);
        program.get("/consumers").expect(200);
        end(&program);
        let line = "the collector does not take traces";
        let log = eventually("a line of the log", || {
            let log = program.log();
            log.contains("\"stopped\"").then_some(log)
        });
        assert_eq!(log.matches(line).count(), 1, "{log}");
    }
}

#[test]
fn an_address_of_another_kind_is_refused_at_the_start() {
    for endpoint in ["https://collector:4318", "collector:4318", "/v1/traces", "http://"] {
        let error = Program::try_start("sqlite::memory:", &["--otlp-endpoint", endpoint]);
        let error = error.err().expect("no start");
        assert!(error.contains("--otlp-endpoint"), "{error}");
    }
}
