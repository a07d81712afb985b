//! An HTTP/1.1 server that answers by a closure, and can break off, hang or be away.

use super::wire::Message;
use std::collections::HashMap;
use std::io::{BufReader, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, spawn};

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An ordinary response.
    Reply {
        /// The status.
        status: u16,
        /// The headers, without the length, which is added.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// These bytes, and then the end of the connection.
    Bytes(Vec<u8>),
}

impl Answer {
    /// A response with a JSON body.
    pub fn json(status: u16, body: impl ToString) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self::Reply { status, headers, body: body.to_string().into_bytes() }
    }

    /// The response on the wire.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Reply { status, headers, body } => {
                let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                // A 204 with a length would be malformed.
                if *status != 204 {
                    head.push_str(&format!("content-length: {}\r\n", body.len()));
                }
                [head.as_bytes(), b"\r\n", body].concat()
            }
        }
    }
}

type Script = Arc<dyn Fn(&Message) -> Answer + Send + Sync>;

/// A running server. It stops when this value is dropped.
pub struct Server {
    address: SocketAddr,
    script: Script,
    running: Option<Running>,
}

struct Running {
    accepting: JoinHandle<()>,
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    stopped: bool,
    /// A second handle of each open connection, by number.
    connections: HashMap<u64, TcpStream>,
    accepted: u64,
}

impl Server {
    /// Listens on a free port.
    pub fn start(script: impl Fn(&Message) -> Answer + Send + Sync + 'static) -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { address: free, script: Arc::new(script), running: None };
        server.resume();
        server
    }

    /// The address of the server, also while it is stopped.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection, and refuses new ones.
    pub fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        let connections = {
            let mut open = lock(&running.open);
            open.stopped = true;
            std::mem::take(&mut open.connections)
        };
        for connection in connections.values() {
            let _ = connection.shutdown(Shutdown::Both);
        }
        // Wakes the accepting thread, which then ends.
        let _ = TcpStream::connect(self.address);
        let _ = running.accepting.join();
    }

    /// Listens again on the earlier address.
    pub fn resume(&mut self) {
        let listener = TcpListener::bind(self.address)
            .unwrap_or_else(|e| panic!("listen on {}: {e}", self.address));
        self.address = listener.local_addr().expect("an address");
        let open = Arc::new(Mutex::new(Open::default()));
        let (script, shared) = (self.script.clone(), open.clone());
        let accepting = spawn(move || accept(&listener, &script, &shared));
        self.running = Some(Running { accepting, open });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn accept(listener: &TcpListener, script: &Script, shared: &Arc<Mutex<Open>>) {
    for stream in listener.incoming().flatten() {
        let mut open = lock(shared);
        if open.stopped {
            return;
        }
        let Ok(second) = stream.try_clone() else { continue };
        let number = open.accepted;
        open.accepted += 1;
        open.connections.insert(number, second);
        let (script, shared) = (script.clone(), shared.clone());
        spawn(move || {
            let _ = serve(&stream, &script);
            lock(&shared).connections.remove(&number);
        });
    }
}

fn serve(stream: &TcpStream, script: &Script) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Message::read_request(&mut reader)? {
        let answer = script(&request);
        let mut stream = stream;
        stream.write_all(&answer.bytes())?;
        // A client that says `close` may take the end of the connection for the end of the answer
        // (RFC 9112, section 9.6), as Kong's callouts do with a 204.
        let closes = request.all("connection").iter().any(|said| said == "close");
        if closes || matches!(answer, Answer::Bytes(_)) {
            break;
        }
    }
    stream.shutdown(Shutdown::Both)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
