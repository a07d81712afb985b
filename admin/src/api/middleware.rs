//! The checks that every request passes before its handler: host, origin, token, path and role.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request};
use axum::http::uri::PathAndQuery;
use axum::http::{Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::Router;
use tower_service::Service as _;

use super::answer::Refusal;
use super::gateways::Peer;
use super::{GATEWAY_READS, GATEWAY_WRITES, text, ui};
use crate::auth::{Auth, Role};
use crate::metrics::{Metrics, known};
use crate::telemetry::Traces;

/// The maximum time of a request that reads. PostgreSQL ends each statement before. But if the
/// network cuts a connection off without notice, no answer ever comes. Writers have limits of their
/// own.
const READ: Duration = Duration::from_secs(60);

/// The router behind authentication, metrics and the log.
#[derive(Clone)]
pub(crate) struct Middleware {
    router: Router,
    auth: Arc<Auth>,
    metrics: Arc<Metrics>,
    /// `true` if the page for operators is served.
    ui: bool,
    traces: Option<Arc<Traces>>,
}

/// The route of a request, for metrics and the log. It holds no text that a client has chosen.
#[derive(Clone)]
struct MatchedRoute(String);

impl Middleware {
    pub(crate) const fn new(
        router: Router,
        auth: Arc<Auth>,
        metrics: Arc<Metrics>,
        ui: bool,
    ) -> Self {
        Self { router, auth, metrics, ui, traces: None }
    }

    /// Makes a trace of each request.
    pub(crate) fn with_traces(self, traces: Option<Arc<Traces>>) -> Self {
        Self { traces, ..self }
    }

    /// Answers one request that comes from the address `peer`, counts it and logs it. Keeps `place`
    /// until the request is carried out, even if the client has gone away before.
    pub(crate) async fn answer<B>(
        mut self,
        peer: IpAddr,
        place: impl Send + 'static,
        mut request: Request<B>,
    ) -> Result<Response, Infallible>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (begun, method) = (Instant::now(), request.method().clone());
        let reads = [Method::GET, Method::HEAD].contains(&method);
        let trace = self.traces.as_ref().map(|traces| traces.begin(request.headers()));
        request.extensions_mut().insert(Peer(peer));
        let response = match self.admit(request) {
            // The router runs in a task of its own, because a client that disconnects must not
            // abort a transaction halfway.
            Ok(request) => {
                let answer = self.router.call(request);
                let most = if reads { READ } else { Duration::MAX };
                let answer = tokio::spawn(async move {
                    let _place = place;
                    match tokio::time::timeout(most, answer).await {
                        Ok(Ok(response)) => response,
                        Err(_) => Refusal::Database(sqlx::Error::PoolTimedOut).into_response(),
                    }
                });
                answer.await.unwrap_or_else(|_| Refusal::Broken.into_response())
            }
            Err(refusal) => refusal.into_response(),
        };
        let route = response.extensions().get::<MatchedRoute>().map_or("", |matched| &matched.0);
        let (status, took) = (response.status().as_u16(), begun.elapsed());
        self.metrics.count(&method, route, status, took);
        if let (Some(traces), Some(trace)) = (&self.traces, &trace) {
            traces.end(trace, known(&method), route, status);
        }
        // The path itself is not logged, because it may hold a key.
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        // The log shows the writes of people, not the frequent requests of gateways.
        if reads || GATEWAY_WRITES.contains(&route) {
            tracing::debug!(%method, route, status, milliseconds, "answered");
        } else {
            tracing::info!(%method, route, status, milliseconds, "answered");
        }
        Ok(response)
    }

    /// Authenticates a request and adds its [`Role`] to it.
    fn admit<B>(&self, request: Request<B>) -> Result<Request<Body>, Refusal>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (mut parts, body) = request.into_parts();
        let role = if self.ui && ui::has(parts.uri.path()) {
            self.auth.admit_visitor(&parts.uri, &parts.headers)?
        } else {
            self.auth.admit(&parts.uri, &parts.headers)?
        };
        parts.uri = normalized(&parts.uri)?;
        parts.extensions.insert(role);
        Ok(Request::from_parts(parts, Body::new(body)))
    }
}

/// Refuses a request whose role may not use its route. It runs only for paths that exist.
pub(super) async fn authorise(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_default();
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    let open: &[&str] = if reads { &GATEWAY_READS } else { &GATEWAY_WRITES };
    let mut response = match request.extensions().get::<Role>() {
        Some(Role::Admin) => next.run(request).await,
        Some(Role::Gateway) if open.contains(&route.as_str()) => next.run(request).await,
        Some(Role::Visitor) if ui::has(&route) => next.run(request).await,
        Some(Role::Gateway | Role::Visitor) => {
            Refusal::Forbidden("the gateway's token does not open this").into_response()
        }
        None => Refusal::Unauthorized.into_response(),
    };
    response.extensions_mut().insert(MatchedRoute(route));
    response
}

/// Returns the URI without a slash at the end of its path. It is an error if the path is not valid
/// percent-encoded UTF-8.
fn normalized(uri: &Uri) -> Result<Uri, Refusal> {
    let path = uri.path();
    text::decoded(path.as_bytes())
        .map_err(|problem| Refusal::Malformed(format!("Cannot parse path: {problem}")))?;
    let Some(shorter) = path.strip_suffix('/').filter(|shorter| !shorter.is_empty()) else {
        return Ok(uri.clone());
    };
    let whole =
        uri.query().map_or_else(|| shorter.to_owned(), |query| format!("{shorter}?{query}"));
    match whole.parse::<PathAndQuery>() {
        Ok(whole) => Ok(Uri::from(whole)),
        Err(_) => Err(Refusal::Malformed("Cannot parse path".into())),
    }
}
