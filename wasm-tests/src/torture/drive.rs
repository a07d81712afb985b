//! Clients that send cases over HTTP/1.1 or HTTP/2 and say how each one ended.

use super::answer::Reading;
use super::plan::Plan;
use super::shape::{Body, Case, End, Shape};
use super::tally::{Seen, Tally};
use crate::real::{Connection, Http2, Http2Request};
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

/// A protocol of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

impl Protocol {
    /// The name for a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

/// The address of a gateway, and how many clients it gets.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The address.
    pub address: SocketAddr,
    /// The number of clients.
    pub clients: usize,
    /// The statuses from 500 on that the gateway itself may answer with.
    pub own_5xx: &'static [u16],
    /// The rules by which its answers are read.
    pub reading: Reading,
}

/// A run of many cases.
pub struct Run<'a> {
    /// Where the cases go.
    pub target: Target,
    /// The cases.
    pub plan: &'a Plan,
    /// `true` if the gateway speaks HTTP/2.
    pub http2: bool,
}

impl Run<'_> {
    /// Sends the cases of these numbers, each once, and returns what was seen.
    pub fn go(&self, numbers: Range<u64>) -> Tally {
        let (next, all) = (AtomicU64::new(numbers.start), Mutex::new(Tally::default()));
        std::thread::scope(|scope| {
            for _ in 0..self.target.clients {
                scope.spawn(|| {
                    let mut client = Client::new(self.target.address, self.target.reading);
                    let mut tally = Tally { own_5xx: self.target.own_5xx, ..Tally::default() };
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= numbers.end {
                            break;
                        }
                        let (case, protocol) = self.plan.case(number, self.http2);
                        let seen = client.send(&case, protocol);
                        tally.count(&case, protocol, &seen);
                    }
                    all.lock().unwrap_or_else(PoisonError::into_inner).add(tally);
                });
            }
        });
        all.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client with its connections.
pub struct Client {
    address: SocketAddr,
    reading: Reading,
    http1: Option<Connection>,
    http2: Option<Http2>,
}

impl Client {
    /// A client without connections.
    pub fn new(address: SocketAddr, reading: Reading) -> Self {
        Self { address, reading, http1: None, http2: None }
    }

    /// Sends a case and says how each of its requests ended.
    pub fn send(&mut self, case: &Case, protocol: Protocol) -> Vec<Seen> {
        match (case, protocol) {
            (Case::Shape(shape), Protocol::Http1) => {
                let end = if is_risky(shape) { End::Last } else { End::Keep };
                let method = String::from_utf8_lossy(&shape.method).into_owned();
                self.http1(&[http1_bytes(shape)], &method, 1, end)
            }
            (Case::Shape(shape), Protocol::Http2) => vec![self.http2(&http2_request(shape))],
            (Case::Http1 { pieces, answers, end, .. }, _) => self.http1(pieces, "", *answers, *end),
            (Case::Http2 { frames, end, .. }, _) => vec![self.frames(frames, *end)],
        }
    }

    fn http1(&mut self, pieces: &[Vec<u8>], method: &str, answers: usize, end: End) -> Vec<Seen> {
        if end != End::Keep {
            self.http1 = None;
        }
        let used = self.http1.is_some();
        let seen = self.http1_once(pieces, method, answers, end);
        // A gateway may close a connection while the next request is on its way.
        match seen.as_slice() {
            [Seen::Closed] if used => self.http1_once(pieces, method, answers, end),
            _ => seen,
        }
    }

    fn http1_once(
        &mut self,
        pieces: &[Vec<u8>],
        method: &str,
        answers: usize,
        end: End,
    ) -> Vec<Seen> {
        let mut connection = match self.http1.take() {
            Some(connection) => connection,
            None => Connection::open(self.address).expect("a connection"),
        };
        for piece in pieces {
            // The gateway may refuse and close before it has read everything.
            if connection.write(piece).is_err() {
                break;
            }
        }
        if end == End::Leave {
            return vec![Seen::Left];
        }
        if end == End::Last {
            let _ = connection.write(&[b"\r\n\r\n", [b'z'; 700].as_slice(), b"\r\n\r\n"].concat());
        }
        let mut seen = Vec::new();
        while seen.len() < answers {
            match connection.answer_to(method) {
                Ok(answer) => {
                    seen.push(self.reading.seen(answer.status(), &answer.headers));
                    let closes = |value: &String| value.to_ascii_lowercase().contains("close");
                    if answer.all("connection").iter().any(closes) || answer.status() == 101 {
                        return seen;
                    }
                }
                Err(error) => {
                    seen.push(ended(&error));
                    return seen;
                }
            }
        }
        if end == End::Keep {
            self.http1 = Some(connection);
        }
        seen
    }

    fn http2(&mut self, request: &Http2Request) -> Seen {
        let used = self.http2.is_some();
        match self.http2_once(request) {
            Seen::Closed if used && self.http2.is_none() => self.http2_once(request),
            seen => seen,
        }
    }

    fn http2_once(&mut self, request: &Http2Request) -> Seen {
        let mut connection = match self.http2.take() {
            Some(connection) => connection,
            None => Http2::open(self.address).expect("a connection"),
        };
        match connection.exchange(request) {
            Ok(answer) => {
                self.http2 = Some(connection);
                self.reading.seen(answer.status(), &answer.headers)
            }
            Err(error) => ended(&error),
        }
    }

    fn frames(&mut self, frames: &[u8], end: End) -> Seen {
        let mut connection = Http2::open(self.address).expect("a connection");
        let sent = connection.write(frames);
        match (end, sent) {
            (End::Leave, _) => Seen::Left,
            (_, Ok(())) => match connection.answer(1) {
                Ok(answer) => self.reading.seen(answer.status(), &answer.headers),
                Err(error) => ended(&error),
            },
            (_, Err(error)) => ended(&error),
        }
    }
}

fn ended(error: &Error) -> Seen {
    if error.kind() == ErrorKind::TimedOut { Seen::Hung } else { Seen::Closed }
}

/// Returns `true` if a gateway may find another end of the request than its client means.
fn is_risky(shape: &Shape) -> bool {
    let splits = |bytes: &[u8]| bytes.iter().any(|b| matches!(b, b'\r' | b'\n' | 0));
    let framing: [&[u8]; 6] =
        [b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect", b"host"];
    let odd = |name: &[u8]| {
        let plain: Vec<u8> = super::reading::name(name.trim_ascii());
        framing.contains(&plain.as_slice())
    };
    let fields = || shape.headers.iter().chain(&shape.trailers);
    let splitting = fields().any(|(n, v)| splits(n) || splits(v));
    splitting
        || splits(&shape.target)
        || fields().any(|(name, _)| odd(name))
        || matches!(shape.method.as_slice(), b"CONNECT" | b"PRI" | b"")
}

/// The request as bytes of HTTP/1.1.
pub fn http1_bytes(shape: &Shape) -> Vec<u8> {
    let mut bytes = [&shape.method[..], b" ", &shape.target, b" HTTP/1.1\r\n"].concat();
    let mut line = |name: &[u8], value: &[u8]| {
        bytes.extend_from_slice(&[name, b": ", value, b"\r\n"].concat());
    };
    line(b"host", &shape.authority);
    shape.headers.iter().for_each(|(name, value)| line(name, value));
    let pieces: Vec<&[u8]> = match &shape.body {
        Body::Whole(body) if shape.trailers.is_empty() => {
            line(b"content-length", body.len().to_string().as_bytes());
            bytes.extend_from_slice(&[b"\r\n", body.as_slice()].concat());
            return bytes;
        }
        Body::None if shape.trailers.is_empty() => {
            bytes.extend_from_slice(b"\r\n");
            return bytes;
        }
        Body::None => Vec::new(),
        Body::Whole(body) => vec![body],
        Body::Pieces(pieces) => pieces.iter().map(Vec::as_slice).collect(),
    };
    line(b"transfer-encoding", b"chunked");
    bytes.extend_from_slice(b"\r\n");
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(&[piece, b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"0\r\n");
    for (name, value) in &shape.trailers {
        bytes.extend_from_slice(&[&name[..], b": ", value, b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// The request for HTTP/2. Names are in lower case, as the protocol wants them.
pub fn http2_request(shape: &Shape) -> Http2Request {
    let mut headers: Vec<(Vec<u8>, Vec<u8>)> = vec![(b":method".to_vec(), shape.method.clone())];
    let is_connect = shape.method == b"CONNECT" && shape.protocol.is_none();
    if !is_connect {
        headers.push((b":scheme".to_vec(), b"http".to_vec()));
        headers.push((b":path".to_vec(), shape.target.clone()));
    }
    if let Some(protocol) = shape.protocol {
        headers.push((b":protocol".to_vec(), protocol.into()));
    }
    headers.push((b":authority".to_vec(), shape.authority.clone()));
    let lower = |(name, value): &(Vec<u8>, Vec<u8>)| (name.to_ascii_lowercase(), value.clone());
    headers.extend(shape.headers.iter().map(lower));
    let body = match &shape.body {
        Body::None => Vec::new(),
        Body::Whole(body) => body.chunks(16_000).map(<[u8]>::to_vec).collect(),
        Body::Pieces(pieces) => pieces.clone(),
    };
    if let Body::Whole(body) = &shape.body {
        headers.push((b"content-length".to_vec(), body.len().to_string().into_bytes()));
    }
    Http2Request {
        headers,
        body,
        trailers: shape.trailers.iter().map(lower).collect(),
        open: false,
    }
}
