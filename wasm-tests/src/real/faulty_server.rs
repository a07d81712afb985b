//! A server between a gateway and a service, such as gatehouse-admin, whose answers a test can
//! delay or damage. It also records every request.

use super::client::RawRequest;
use super::server::{Answer, Server, lock};
use super::wire::Message;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The treatment of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Passes the request on.
    Pass,
    /// Holds the request until the mode changes, then treats it by the new mode.
    Hold,
    /// Answers with this status and a JSON body that the service would not send.
    Status(u16),
    /// Passes the request on, and closes the connection after half of the response body.
    Truncate,
    /// Answers 200 with a body that is not JSON.
    Garbage,
    /// Answers 200 with a JSON document of an unexpected shape.
    Stranger,
    /// Closes the connection without a response.
    HangUp,
}

/// A running server. The cluster `admin` of a test's gateway points to it.
pub struct FaultyServer {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    mode: Mutex<Mode>,
    changed: Condvar,
    requests: Mutex<Vec<Message>>,
}

impl FaultyServer {
    /// Starts a server that passes requests on to the service at this address.
    pub fn before(service: SocketAddr) -> Self {
        Self::scripted(move |request| forward(request, service))
    }

    /// Starts a server in which `service` answers, instead of a second server.
    pub fn scripted(service: impl Fn(&Message) -> Answer + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            mode: Mutex::new(Mode::Pass),
            changed: Condvar::new(),
            requests: Mutex::new(Vec::new()),
        });
        let inner = shared.clone();
        let server = Server::start(move |request| {
            lock(&inner.requests).push(request.clone());
            match inner.mode_to_act_on() {
                Mode::Pass | Mode::Hold => service(request),
                Mode::Status(status) => Answer::json(status, json!({"message": "not the service"})),
                Mode::Truncate => truncated(&service(request)),
                Mode::Garbage => Answer::json(200, "{\"data\": [\u{fffd}"),
                Mode::Stranger => Answer::json(200, json!(["somebody", "else"])),
                Mode::HangUp => Answer::Bytes(Vec::new()),
            }
        });
        Self { server, shared }
    }

    /// The address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Changes the mode, also for the requests that are on hold.
    pub fn set(&self, mode: Mode) {
        *lock(&self.shared.mode) = mode;
        self.shared.changed.notify_all();
    }

    /// Closes the port and every connection, as a stopped service does.
    pub fn stop(&mut self) {
        self.set(Mode::HangUp);
        self.server.stop();
    }

    /// Listens again on the earlier port, in the mode `Pass`.
    pub fn resume(&mut self) {
        self.set(Mode::Pass);
        self.server.resume();
    }

    /// The number of requests so far whose path contains `part`.
    pub fn count(&self, part: &str) -> usize {
        lock(&self.shared.requests).iter().filter(|r| r.path().contains(part)).count()
    }

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<Message> {
        lock(&self.shared.requests).clone()
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        // Releases the requests that are on hold.
        self.set(Mode::HangUp);
    }
}

impl Shared {
    /// Waits while the mode is `Hold`.
    fn mode_to_act_on(&self) -> Mode {
        // The wait ends: the test changes the mode, or `drop` does.
        let waiting = self.changed.wait_while(lock(&self.mode), |mode| *mode == Mode::Hold);
        *waiting.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends `request` to another server, and returns its answer. Without an answer, the connection
/// is to be closed.
pub fn forward(request: &Message, to: SocketAddr) -> Answer {
    let hop = |name: &[u8]| {
        [&b"connection"[..], b"transfer-encoding", b"content-length"]
            .iter()
            .any(|hop| name.eq_ignore_ascii_case(hop))
    };
    let mut copy = RawRequest::new(request.method(), request.path());
    if !request.body.is_empty() {
        copy = copy.body(&request.body);
    }
    for (name, value) in request.headers.iter().filter(|(name, _)| !hop(name)) {
        copy = copy.header(name, value);
    }
    match copy.try_send(to) {
        Ok(answer) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = answer.headers.iter().filter(|(name, _)| !hop(name));
            let headers = headers.map(|(name, value)| (text(name), text(value))).collect();
            Answer::Reply { status: answer.status(), headers, body: answer.body }
        }
        Err(_) => Answer::Bytes(Vec::new()),
    }
}

fn truncated(answer: &Answer) -> Answer {
    let mut bytes = answer.bytes();
    let body = match answer {
        Answer::Reply { body, .. } => body.len(),
        Answer::Bytes(_) => 0,
    };
    bytes.truncate(bytes.len().saturating_sub(body.div_ceil(2)));
    Answer::Bytes(bytes)
}
