//! Connections: so many at once, none of them for ever.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::api::Entrance;
use crate::metrics::Metrics;

const HANDSHAKE: Duration = Duration::from_secs(10);
/// A head larger than this is 431.
const HEAD_BYTES: usize = 64 * 1024;
/// How many may be told that there are too many.
const TURNED_AWAY: usize = 64;

const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/json; charset=utf-8\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 34\r\n\r\n{\"message\":\"too many connections\"}";

pub(crate) struct Connections {
    entrance: Entrance,
    metrics: Arc<Metrics>,
    tls: Option<TlsAcceptor>,
    room: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    /// How long a client may take for the head of a request, the wait on an idle connection
    /// included, or refuse to take the next bytes of an answer.
    patience: Duration,
    stopped: watch::Receiver<bool>,
}

impl Connections {
    pub(crate) fn new(
        entrance: Entrance,
        metrics: Arc<Metrics>,
        tls: Option<Arc<ServerConfig>>,
        most: u32,
        patience: Duration,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            entrance,
            metrics,
            tls: tls.map(TlsAcceptor::from),
            room: Arc::new(Semaphore::new(most.try_into().unwrap_or(usize::MAX))),
            spare: Arc::new(Semaphore::new(TURNED_AWAY)),
            patience,
            stopped,
        }
    }

    /// Takes connections until told to stop, then waits for those that are open.
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
                Ok((stream, _)) => self.admit(stream, &mut open),
                Err(error) => {
                    // Out of file descriptors, most likely: a pause lets others end.
                    tracing::warn!(error = %error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(listener);
        while open.join_next().await.is_some() {}
    }

    fn admit(&self, stream: TcpStream, open: &mut JoinSet<()>) {
        // A small answer must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        match Arc::clone(&self.room).try_acquire_owned() {
            Ok(permit) => {
                open.spawn(self.serve(stream, permit));
            }
            Err(_) => {
                self.metrics.turned_away.fetch_add(1, Ordering::Relaxed);
                if self.tls.is_none()
                    && let Ok(permit) = Arc::clone(&self.spare).try_acquire_owned()
                {
                    open.spawn(turn_away(stream, permit));
                }
            }
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + use<> {
        let (entrance, tls) = (self.entrance.clone(), self.tls.clone());
        let (patience, stopped) = (self.patience, self.stopped.clone());
        let counted = Counted::new(&self.metrics);
        async move {
            let _held = (permit, counted);
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(patience));
            let stream = Box::pin(stream);
            match tls {
                None => converse(stream, entrance, patience, stopped).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) =
                        tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await
                    {
                        converse(stream, entrance, patience, stopped).await;
                    }
                }
            }
        }
    }
}

/// An open connection, as long as it is not dropped.
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

/// One connection, request by request.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    entrance: Entrance,
    patience: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| entrance.clone().answer(request)),
        );
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Better a clear answer than a wait without end.
async fn turn_away(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let said = async {
        stream.write_all(TOO_MANY).await?;
        stream.shutdown().await?;
        // Closing with unread bytes would reset the connection and take the answer along.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), said).await;
}
