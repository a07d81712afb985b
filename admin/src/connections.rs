//! Connections, limited in number, in number for each peer, and in time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::api::Middleware;
use crate::metrics::Metrics;

/// The maximum time of a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// The maximum time from the connection to the first byte of the first request. A connection that
/// has carried a request may be idle for longer.
const FIRST_BYTE: Duration = Duration::from_secs(5);
/// The maximum time for the head of the first request.
const FIRST_HEAD: Duration = Duration::from_secs(10);
/// The maximum size of a request's head, in bytes. A larger one is answered with 431.
const HEAD_BYTES: usize = 64 * 1024;
/// The maximum number of refused connections that wait for their 503. Any more are just closed.
const REFUSED: usize = 64;

/// The answer to a refused connection.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/json; charset=utf-8\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 34\r\n\r\n{\"message\":\"too many connections\"}";

/// The server: accepts connections and passes their requests to the middleware.
pub(crate) struct Connections {
    middleware: Middleware,
    metrics: Arc<Metrics>,
    /// The newest certificate, if the service speaks TLS.
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    /// Permits for open connections.
    free: Arc<Semaphore>,
    peers: Peers,
    /// Permits to send a 503 to a refused connection.
    refusals: Arc<Semaphore>,
    /// The maximum time for the head of a request, the wait on an idle connection included, and for
    /// the client to accept the next bytes of an answer.
    client_timeout: Duration,
    stopped: watch::Receiver<bool>,
}

impl Connections {
    pub(crate) fn new(
        middleware: Middleware,
        metrics: Arc<Metrics>,
        tls: Option<watch::Receiver<Arc<ServerConfig>>>,
        (most, most_of_peer): (u32, u32),
        client_timeout: Duration,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            middleware,
            metrics,
            tls,
            free: Arc::new(Semaphore::new(most.try_into().unwrap_or(usize::MAX))),
            peers: Peers { most: most_of_peer, open: Arc::default() },
            refusals: Arc::new(Semaphore::new(REFUSED)),
            client_timeout,
            stopped,
        }
    }

    /// Accepts connections until `stopped` is `true`, then waits for the open ones to end.
    pub(crate) async fn accept(self, listener: TcpListener) {
        let mut stopped = self.stopped.clone();
        let mut open = JoinSet::new();
        loop {
            while open.try_join_next().is_some() {}
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopped.wait_for(|stopped| *stopped) => break,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer.ip(), &mut open),
                Err(error) => {
                    // Most likely there are no file descriptors left. Other connections may end
                    // during the pause.
                    tracing::warn!(error = %error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(listener);
        while open.join_next().await.is_some() {}
    }

    /// Serves a connection, or refuses it if there are too many.
    fn admit(&self, stream: TcpStream, peer: IpAddr, open: &mut JoinSet<()>) {
        // Without this option, a small answer waits for the acknowledgement of the one before it.
        let _ = stream.set_nodelay(true);
        let permit = Arc::clone(&self.free).try_acquire_owned().ok();
        match permit.zip(self.peers.acquire(peer)) {
            Some(held) => {
                open.spawn(self.serve(stream, peer, held));
            }
            None => {
                self.metrics.turned_away.fetch_add(1, Ordering::Relaxed);
                if self.tls.is_none()
                    && let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned()
                {
                    open.spawn(refuse(stream, permit));
                }
            }
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        peer: IpAddr,
        held: (OwnedSemaphorePermit, PeerPermit),
    ) -> impl Future<Output = ()> + use<> {
        let middleware = self.middleware.clone();
        let tls = self.tls.as_ref().map(|tls| TlsAcceptor::from(Arc::clone(&tls.borrow())));
        let (client_timeout, stopped) = (self.client_timeout, self.stopped.clone());
        let counted = Counted::new(&self.metrics);
        async move {
            let (_counted, held) = (counted, Arc::new(held));
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(client_timeout));
            let stream = Box::pin(stream);
            match tls {
                None => {
                    serve_requests(stream, (peer, held, middleware), client_timeout, stopped).await;
                }
                Some(tls) => {
                    if let Ok(Ok(stream)) =
                        tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await
                    {
                        let requests = (peer, held, middleware);
                        serve_requests(stream, requests, client_timeout, stopped).await;
                    }
                }
            }
        }
    }
}

/// The number of open connections of each peer, limited so that one peer cannot take all of them.
struct Peers {
    most: u32,
    open: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

impl Peers {
    /// Counts one more connection of `peer`. Returns `None` if the peer has the maximum already.
    fn acquire(&self, peer: IpAddr) -> Option<PeerPermit> {
        let peer = peer_address(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(peer).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(PeerPermit { open: Arc::clone(&self.open), peer })
    }
}

/// One counted connection of a peer. Dropping it frees its place.
struct PeerPermit {
    open: Arc<Mutex<HashMap<IpAddr, u32>>>,
    peer: IpAddr,
}

impl Drop for PeerPermit {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// Returns the address that stands for a peer: an IPv4 address as it is, and the first 64 bits of
/// an IPv6 address, since a network assigns all of the others.
fn peer_address(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// One connection in the metric of open connections. Dropping it ends the connection there.
struct Counted(Arc<Metrics>);

impl Counted {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(metrics))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The place of a connection among all and among those of its peer. A request keeps it until it is
/// carried out: otherwise, a client that does not wait for answers could have any number of them
/// under way, and all others would wait behind.
type Place = Arc<(OwnedSemaphorePermit, PeerPermit)>;

/// Answers the requests of one connection from `peer` until it ends or `stopped` is `true`.
async fn serve_requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    (peer, place, middleware): (IpAddr, Place, Middleware),
    client_timeout: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    // The bytes of this first read stay in the buffer for hyper.
    let mut stream = BufReader::new(stream);
    let has_bytes = tokio::select! {
        first = tokio::time::timeout(FIRST_BYTE.min(client_timeout), stream.fill_buf()) => {
            matches!(first, Ok(Ok(bytes)) if !bytes.is_empty())
        }
        _ = stopped.wait_for(|stopped| *stopped) => false,
    };
    if !has_bytes {
        return;
    }
    let head_arrived = Arc::new(Notify::new());
    let notify = Arc::clone(&head_arrived);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(client_timeout)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| {
                notify.notify_one();
                middleware.clone().answer(peer, Arc::clone(&place), request)
            }),
        );
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = head_is_late(&head_arrived) => return,
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Returns when the head of the first request is late. Never returns once it has arrived.
async fn head_is_late(head_arrived: &Notify) {
    if tokio::time::timeout(FIRST_HEAD, head_arrived.notified()).await.is_ok() {
        std::future::pending().await
    }
}

/// Sends 503 on a connection that is refused, for at most one second.
async fn refuse(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let sent = async {
        stream.write_all(TOO_MANY).await?;
        stream.shutdown().await?;
        // Closing with unread bytes resets the connection, and the answer may be lost.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), sent).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_an_ipv4_address_or_an_ipv6_network_and_its_places_become_free() {
        let peers = Peers { most: 2, open: Arc::default() };
        let permit = |peer: &str| peers.acquire(peer.parse().unwrap());
        let (first, _second) = (permit("192.0.2.1"), permit("::ffff:192.0.2.1"));
        assert!(first.is_some() && permit("192.0.2.1").is_none());
        assert!(permit("192.0.2.2").is_some());
        let network = (permit("2001:db8::1"), permit("2001:db8::ffff:0:0:2"));
        assert!(network.1.is_some() && permit("2001:db8::3").is_none());
        assert!(permit("2001:db8:0:1::1").is_some());
        drop((first, network));
        assert!(permit("192.0.2.1").is_some());
        assert_eq!(peers.open.lock().unwrap().len(), 1, "who has none is forgotten");
    }
}
