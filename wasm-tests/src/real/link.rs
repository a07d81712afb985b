//! A network between two programs that a test can cut: bytes vanish, and no connection ends.

use super::server::lock;
use std::collections::HashMap;
use std::io::{Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

/// A TCP proxy before a server. It ends when this value is dropped.
///
/// While it is cut, clients can connect, and whatever either side sends is lost. A connection that
/// has lost bytes is closed once the network is whole again, as TCP would give it up.
pub struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    is_cut: AtomicBool,
    over: AtomicBool,
    open: Mutex<Open>,
}

/// The open connections by number. An ended one is forgotten: Kong makes one for each lookup, and a
/// handle kept of each would soon be more than a process may have.
#[derive(Default)]
struct Open {
    pairs: HashMap<u64, Pair>,
    accepted: u64,
}

/// Both ends of a connection, and whether it has lost bytes.
struct Pair {
    ends: [TcpStream; 2],
    has_lost: Arc<AtomicBool>,
}

impl Link {
    /// Listens on a free port, and leads to the server at this address.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            is_cut: AtomicBool::new(false),
            over: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let inner = shared.clone();
        spawn(move || accept(&listener, server, &inner));
        Self { address, shared }
    }

    /// The address that clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes all bytes vanish from now on.
    pub fn cut(&self) {
        self.shared.is_cut.store(true, Ordering::SeqCst);
    }

    /// Lets bytes through again.
    pub fn mend(&self) {
        self.shared.is_cut.store(false, Ordering::SeqCst);
        lock(&self.shared.open).pairs.retain(|_, pair| {
            let broken = pair.has_lost.load(Ordering::SeqCst);
            if broken {
                end(&pair.ends);
            }
            !broken
        });
    }

    /// The number of connections that have not ended.
    pub fn connections(&self) -> usize {
        lock(&self.shared.open).pairs.len()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        lock(&self.shared.open).pairs.values().for_each(|pair| end(&pair.ends));
        // Wakes the accepting thread, which then ends.
        let _ = TcpStream::connect(self.address);
    }
}

fn end(ends: &[TcpStream; 2]) {
    for stream in ends {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn accept(listener: &TcpListener, server: SocketAddr, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        if shared.over.load(Ordering::SeqCst) {
            return;
        }
        // A client whose server is away meets the end of its connection.
        let Ok(upstream) = TcpStream::connect(server) else { continue };
        let _ = connect(client, upstream, shared);
    }
}

/// Carries the bytes between a client and the server in two threads. The error is that of a process
/// that may open no more files; both connections end then.
fn connect(client: TcpStream, upstream: TcpStream, shared: &Arc<Shared>) -> Result<()> {
    let has_lost = Arc::new(AtomicBool::new(false));
    let ends = [client.try_clone()?, upstream.try_clone()?];
    let back = (upstream.try_clone()?, client.try_clone()?);
    let number = {
        let mut open = lock(&shared.open);
        open.accepted += 1;
        let number = open.accepted;
        open.pairs.insert(number, Pair { ends, has_lost: has_lost.clone() });
        number
    };
    let shared = shared.clone();
    spawn(move || {
        std::thread::scope(|scope| {
            scope.spawn(|| carry(back.0, back.1, &shared, &has_lost));
            carry(client, upstream, &shared, &has_lost);
        });
        lock(&shared.open).pairs.remove(&number);
    });
    Ok(())
}

/// Carries bytes in one direction until a side ends.
fn carry(mut from: TcpStream, mut to: TcpStream, shared: &Shared, has_lost: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        // What followed a lost piece would be another message.
        if shared.is_cut.load(Ordering::SeqCst) || has_lost.load(Ordering::SeqCst) {
            has_lost.store(true, Ordering::SeqCst);
            if read == 0 {
                return;
            }
            continue;
        }
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}
