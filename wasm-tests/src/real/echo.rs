//! An upstream that answers with the request that it received, and records it.

use super::server::{Answer, Server, lock};
use super::wire::Message;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// An upstream that answers every request with a JSON description of it.
pub struct Echo {
    server: Server,
    received: Arc<Mutex<Vec<Received>>>,
}

/// A request as it reached the upstream.
pub type Received = Message;

impl Echo {
    /// Starts the upstream on a free port.
    pub fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let memory = received.clone();
        let server = Server::start(move |request| {
            lock(&memory).push(request.clone());
            describe(request)
        });
        Self { server, received }
    }

    /// The address that the upstream listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The number of requests that have reached the upstream.
    pub fn count(&self) -> usize {
        lock(&self.received).len()
    }

    /// The newest request. Panics if there is none.
    #[track_caller]
    pub fn last(&self) -> Received {
        lock(&self.received).last().cloned().expect("nothing reached the upstream")
    }
}

fn describe(request: &Message) -> Answer {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<_> = request.headers.iter().map(|(n, v)| [text(n), text(v)]).collect();
    Answer::json(
        200,
        json!({
            "method": request.method(),
            "path": request.path(),
            "headers": headers,
            "body": request.text(),
        }),
    )
}
