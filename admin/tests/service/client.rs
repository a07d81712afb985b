//! A client that checks the framing of each answer.

use std::io::{Read, Write};
use std::net::SocketAddr;

use patience::Patient;
use serde_json::Value;

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}\n{}", self.head, self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Checks the status and returns the JSON.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Parses an answer. It must have a length and a whole body, as Kong's callouts need.
    pub(crate) fn parse(bytes: &[u8], to_head: bool) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let body = bytes[end + 4..].to_vec();
        let answer = Self { status, head, body };
        assert_eq!(answer.header("transfer-encoding"), None, "{answer:?}");
        if ![204, 304].contains(&status) {
            let length = answer.header("content-length").expect("an answer has a length");
            if !to_head {
                assert_eq!(length, answer.body.len().to_string(), "{answer:?}");
            }
        }
        let is_page = answer.header("content-security-policy").is_some();
        if !answer.body.is_empty() && !is_page && answer.header("content-type") != Some(METRICS) {
            assert_eq!(answer.header("content-type"), Some(JSON), "{answer:?}");
            answer.json();
        }
        Some(answer)
    }
}

const JSON: &str = "application/json; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Sends one request on a connection of its own. Returns `None` if the connection ends without an
/// answer.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> Option<Answer> {
    let mut stream = Patient::connect(address).ok()?;
    // Writing may fail, because the service may answer before it has read everything.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    Answer::parse(&bytes, request.starts_with(b"HEAD "))
}

/// Returns the bytes of a request.
pub(crate) fn request(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str("host: localhost\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method != "GET" {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// Encodes everything but letters and digits for a path segment.
pub(crate) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
