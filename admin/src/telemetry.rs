//! Traces of requests, in OpenTelemetry's protocol (OTLP, protobuf over HTTP/1.1).
//!
//! A request is one span, which continues the trace of its `traceparent` (W3C Trace Context). Its
//! name and its attributes hold the route and never the path, since a path may hold a key.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

/// The time that the collector has to take a batch.
const PATIENCE: Duration = Duration::from_secs(10);
/// The greatest answer of a collector that is read, in bytes.
const ANSWER_MAX: usize = 64 * 1024;

/// The traces of the service.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    propagator: TraceContextPropagator,
}

/// A request that is being answered.
pub(crate) struct Begun {
    parent: Context,
    at: SystemTime,
}

impl Traces {
    /// Sends traces to the collector at `endpoint`: `http://<host>[:<port>]`, optionally with a
    /// path before `/v1/traces`. It is an error if `endpoint` is anything else, or holds a user and a
    /// password, which are not shown. The variables
    /// `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`,
    /// `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_BSP_…` mean what OpenTelemetry says.
    ///
    /// It is called within the runtime of the service.
    pub(crate) fn to(endpoint: &str) -> Result<Self, String> {
        if endpoint.contains('@') {
            return Err("--otlp-endpoint: found a user in the address (not shown), expected \
                        http://<host>:<port>, and OTEL_EXPORTER_OTLP_HEADERS for a password"
                .to_owned());
        }
        let wrong = |problem: &dyn fmt::Display| format!("--otlp-endpoint {endpoint}: {problem}");
        let uri: Uri = endpoint.parse().map_err(|error| wrong(&error))?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() {
            return Err(wrong(&"expected http://<host>:<port> of a collector"));
        }
        let client = Client { runtime: Handle::current(), away: AtomicBool::new(false) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| wrong(&error))?;
        let mut resource = Resource::builder()
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(env!("CARGO_PKG_NAME"));
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
        Ok(Self { provider, tracer, propagator: TraceContextPropagator::new() })
    }

    /// Notes the beginning of a request.
    pub(crate) fn begin(&self, headers: &HeaderMap) -> Begun {
        let parent =
            self.propagator.extract_with_context(&Context::new(), &HeaderExtractor(headers));
        Begun { parent, at: SystemTime::now() }
    }

    /// Notes the end of a request. `method` and `route` hold no text of a client's.
    pub(crate) fn end(&self, begun: &Begun, method: &'static str, route: &str, status: u16) {
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.response.status_code", i64::from(status)),
        ];
        let mut name = method.to_owned();
        if !route.is_empty() {
            name = format!("{method} {route}");
            attributes.push(KeyValue::new("http.route", route.to_owned()));
        }
        if status >= 500 {
            attributes.push(KeyValue::new("error.type", status.to_string()));
        }
        let builder = self.tracer.span_builder(name).with_kind(SpanKind::Server);
        let builder = builder.with_start_time(begun.at).with_attributes(attributes);
        let mut span = self.tracer.build_with_context(builder, &begun.parent);
        if status >= 500 {
            span.set_status(Status::error(""));
        }
        span.end();
    }

    /// Sends what waits, and waits for that.
    pub(crate) async fn finish(&self) {
        let provider = self.provider.clone();
        // The thread that sends needs this one for its connection.
        let sent = tokio::task::spawn_blocking(move || {
            let _ = provider.shutdown_with_timeout(Duration::from_secs(5));
        });
        let _ = sent.await;
    }
}

/// A client of one collector, with a connection for each batch.
#[derive(Debug)]
struct Client {
    /// The batches come from a thread of their own, outside of the runtime.
    runtime: Handle,
    /// The last batch was not taken.
    away: AtomicBool,
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Sending<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        // The clock for the time-out is the runtime's.
        let sent =
            self.runtime.spawn(async { tokio::time::timeout(PATIENCE, send(request)).await });
        Box::pin(async move {
            let answer = match sent.await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err("no answer".into()),
                Err(error) => Err(error.into()),
            };
            let problem = match &answer {
                Ok(answer) if answer.status().is_success() => None,
                Ok(answer) => Some(format!("it answers {}", answer.status().as_u16())),
                Err(error) => Some(error.to_string()),
            };
            // A long failure is told once.
            match (problem, self.away.load(Ordering::Relaxed)) {
                (Some(problem), false) => {
                    self.away.store(true, Ordering::Relaxed);
                    tracing::warn!(problem, "the collector does not take traces");
                }
                (None, true) => {
                    self.away.store(false, Ordering::Relaxed);
                    tracing::info!("the collector takes traces again");
                }
                _ => {}
            }
            answer
        })
    }
}

async fn send(mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let authority = request.uri().authority().ok_or("an address without a host")?.clone();
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    request.headers_mut().insert("host", authority.as_str().parse()?);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
    *request.uri_mut() = path;
    let (head, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
    let body = Limited::new(body, ANSWER_MAX).collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}
