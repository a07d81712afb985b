//! Stands before an admin service: counts what gateways ask, holds answers back, and breaks them.

use super::client::Request;
use super::server::{Answer, Server, lock};
use super::wire::Message;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// What the front does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Passes it on.
    Pass,
    /// Keeps it waiting until the mode changes, then does what the new one says.
    Hold,
    /// Answers with this status and a JSON body that is not the service's.
    Status(u16),
    /// Passes it on and breaks the connection in the middle of the answer's body.
    Truncate,
    /// Answers 200 with bytes that are no JSON.
    Garbage,
    /// Answers 200 with a JSON document of another shape.
    Stranger,
    /// Ends the connection without an answer.
    HangUp,
}

/// The front; a gateway's `admin` cluster points here.
pub struct Front {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    mode: Mutex<Mode>,
    changed: Condvar,
    requests: Mutex<Vec<Message>>,
}

impl Front {
    /// Before a service at this address.
    pub fn before(service: SocketAddr) -> Self {
        Self::scripted(move |request| forward(request, service))
    }

    /// Instead of a service: this script answers.
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// From now on does this; requests on hold follow.
    pub fn set(&self, mode: Mode) {
        *lock(&self.shared.mode) = mode;
        self.shared.changed.notify_all();
    }

    /// Goes away, as a stopped service does.
    pub fn stop(&mut self) {
        self.set(Mode::HangUp);
        self.server.stop();
    }

    /// Comes back.
    pub fn resume(&mut self) {
        self.set(Mode::Pass);
        self.server.resume();
    }

    /// How many requests for a path that contains `part` have come.
    pub fn count(&self, part: &str) -> usize {
        lock(&self.shared.requests).iter().filter(|r| r.path().contains(part)).count()
    }

    /// Every request that has come.
    pub fn requests(&self) -> Vec<Message> {
        lock(&self.shared.requests).clone()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // Whoever is on hold goes home.
        self.set(Mode::HangUp);
    }
}

impl Shared {
    fn mode_to_act_on(&self) -> Mode {
        // The test changes the mode, or ends and drops the front, which changes it too.
        let waiting = self.changed.wait_while(lock(&self.mode), |mode| *mode == Mode::Hold);
        *waiting.unwrap_or_else(PoisonError::into_inner)
    }
}

fn forward(request: &Message, to: SocketAddr) -> Answer {
    let hop = |name: &[u8]| {
        [&b"connection"[..], b"transfer-encoding", b"content-length"]
            .iter()
            .any(|hop| name.eq_ignore_ascii_case(hop))
    };
    let mut copy = Request::new(request.method(), request.path());
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
