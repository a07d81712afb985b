//! An HTTP/1.1 client that sends any bytes, in any pieces.

use super::wire::Message;
use patience::Patient;
use std::io::{BufReader, Result, Write};
use std::net::SocketAddr;

/// An HTTP/1.1 request for a real gateway. Its bytes are sent unchanged, valid or not.
#[derive(Debug, Clone)]
pub struct RawRequest {
    method: String,
    path: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Option<Vec<u8>>,
    chunked: bool,
}

impl RawRequest {
    /// A request without a body.
    pub fn new(method: &str, path: impl AsRef<[u8]>) -> Self {
        let (method, path) = (method.to_owned(), path.as_ref().to_vec());
        Self { method, path, headers: Vec::new(), body: None, chunked: false }
    }

    /// A `GET` request.
    pub fn get(path: impl AsRef<[u8]>) -> Self {
        Self::new("GET", path)
    }

    /// A `POST` request with a body.
    pub fn post(path: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", path).body(body)
    }

    /// Adds a header. A second header of one name is sent as well.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Adds `Authorization: Bearer token`.
    #[must_use]
    pub fn bearer(self, token: impl AsRef<[u8]>) -> Self {
        self.header("authorization", [b"Bearer ", token.as_ref()].concat())
    }

    /// Sets the body, which is sent with its length.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    /// Sends the body in chunks, without a length.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Sends the request over a new connection. Panics if that fails.
    #[track_caller]
    pub fn send(&self, to: SocketAddr) -> Message {
        self.try_send(to).unwrap_or_else(|e| panic!("{} at {to}: {e}", self.method))
    }

    /// Sends the request over a new connection.
    pub fn try_send(&self, to: SocketAddr) -> Result<Message> {
        Connection::open(to)?.exchange(self)
    }

    /// The head on the wire, with the empty line after it.
    pub fn head(&self) -> Vec<u8> {
        let mut head = [self.method.as_bytes(), b" ", &self.path, b" HTTP/1.1\r\n"].concat();
        let has = |wanted: &str| {
            self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
        };
        let mut line = |name: &[u8], value: &[u8]| {
            head.extend_from_slice(&[name, b": ", value, b"\r\n"].concat());
        };
        if !has("host") {
            line(b"host", b"gateway.test");
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        match &self.body {
            Some(_) if self.chunked => line(b"transfer-encoding", b"chunked"),
            Some(body) if !has("content-length") => {
                line(b"content-length", body.len().to_string().as_bytes());
            }
            _ => {}
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    fn framed_body(&self) -> Vec<u8> {
        let body = self.body.clone().unwrap_or_default();
        if !self.chunked {
            return body;
        }
        let mut framed = Vec::new();
        for chunk in body.chunks(1000) {
            framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            framed.extend_from_slice(chunk);
            framed.extend_from_slice(b"\r\n");
        }
        framed.extend_from_slice(b"0\r\n\r\n");
        framed
    }
}

/// A connection for several requests, or for pieces of one.
pub struct Connection(BufReader<Patient>);

impl Connection {
    /// Opens a connection.
    pub fn open(to: SocketAddr) -> Result<Self> {
        Patient::connect(to).map(|stream| Self(BufReader::new(stream)))
    }

    /// Sends a request and reads the response.
    pub fn exchange(&mut self, request: &RawRequest) -> Result<Message> {
        // The server may refuse and close before it has read everything: its response counts.
        let sent = self.write(&request.head()).and_then(|()| self.write(&request.framed_body()));
        let answer = self.answer_to(&request.method);
        if answer.is_err() { sent.and(answer) } else { answer }
    }

    /// Sends these bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Reads the next response.
    pub fn answer(&mut self) -> Result<Message> {
        self.answer_to("")
    }

    /// Reads the next response, which answers a request with this method.
    pub fn answer_to(&mut self, method: &str) -> Result<Message> {
        Message::read_response(&mut self.0, method == "HEAD")
    }
}
