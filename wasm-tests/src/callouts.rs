//! HTTP calls that filters make, and every way in which they can end.

use crate::headers::Headers;
use crate::message::Response;
use crate::profile::{Host, KongVersion, Profile};
use crate::worker::Inner;
use std::rc::Rc;

/// A call that a filter waits for.
#[derive(Clone)]
pub struct Callout {
    pub(crate) worker: Rc<Inner>,
    pub(crate) token: u32,
    /// A cluster on Envoy, `host:port` on Kong.
    pub upstream: String,
    /// Pseudo-headers and fields.
    pub headers: Headers,
    /// The body, empty for none.
    pub body: Vec<u8>,
    /// In milliseconds.
    pub timeout_ms: u32,
}

impl std::fmt::Debug for Callout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.upstream, self.method(), self.path())
    }
}

impl Callout {
    /// The first field by that name, as text; `:path` and its like included.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, v)| String::from_utf8_lossy(v).into_owned())
    }

    /// The method.
    pub fn method(&self) -> String {
        self.header(":method").unwrap_or_default()
    }

    /// The path and query, exactly as they go out.
    pub fn path(&self) -> String {
        self.header(":path").unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Ends the call.
    pub fn answer(&self, answer: impl Into<Answer>) {
        self.worker.answer(self.token, answer.into());
        self.worker.pump();
    }

    /// Ends the call with a JSON response.
    pub fn json(&self, status: u16, body: impl AsRef<[u8]>) {
        self.answer(Response::json(status, body));
    }
}

/// How a call ends.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A whole response, with a length or chunked.
    Response(Response),
    /// A whole response whose end is the end of the connection.
    CloseDelimited(Response),
    /// Nothing listens there.
    Refused,
    /// The name cannot be resolved.
    UnknownHost,
    /// No answer in time.
    Timeout,
    /// The connection ends before the status line.
    EndBeforeStatus,
    /// The connection ends in the middle of the headers, after these.
    EndInHeaders(Response),
    /// The connection ends in the middle of the body, of which this many bytes were announced.
    EndInBody(Response, usize),
    /// What comes back is not HTTP.
    Garbage,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

/// Answers calls as they come; `None` leaves one to the test.
pub(crate) type Responder = Box<dyn FnMut(&Callout) -> Option<Answer>>;

/// A call that has not ended yet.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) token: u32,
    pub(crate) vm: usize,
    pub(crate) root: u32,
    /// The request that made it, and its filter's place in the chain.
    pub(crate) stream: Option<(u64, usize)>,
    pub(crate) upstream: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout_ms: u32,
    pub(crate) deadline_ns: Option<u64>,
    /// Envoy answers it itself, since it cannot be sent.
    pub(crate) made: Option<Response>,
    /// The responder was asked and left it to the test.
    pub(crate) left: bool,
}

/// What the filter is shown.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// What the callback counts.
    pub(crate) header_count: usize,
    pub(crate) headers: Headers,
    pub(crate) body: Shown,
    /// What the callback says about the body's size.
    pub(crate) body_size: usize,
}

/// What asking for the body gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    Bytes(Vec<u8>),
    /// There is none.
    Absent,
    /// It was announced and never came: asking is an error.
    Broken,
}

/// What becomes of a call's end.
pub(crate) enum Ending {
    /// The callback runs.
    Callback(Received),
    /// No callback; the request goes on (Kong 3.8).
    GoesOn,
    /// No callback; the client gets a 500 (Kong 3.4 to 3.7).
    Fails,
}

impl Answer {
    pub(crate) fn ending(self, profile: &Profile) -> Ending {
        match profile.host() {
            Host::Envoy(_) => Ending::Callback(self.on_envoy()),
            Host::Kong(kong) => self.on_kong(kong.version),
        }
    }

    fn on_envoy(self) -> Received {
        match self {
            Self::Response(response) | Self::CloseDelimited(response) => envoy_response(response),
            // Envoy answers such calls itself. (Measured on 1.40, like all of these.)
            Self::Refused | Self::UnknownHost => {
                envoy_made(503, &reset("remote connection failure"))
            }
            Self::EndBeforeStatus => envoy_made(503, &reset("connection termination")),
            Self::EndInHeaders(_) | Self::Garbage => envoy_made(502, &reset("protocol error")),
            Self::Timeout => envoy_made(504, "upstream request timeout"),
            // Only an answer that had begun leaves nothing.
            Self::EndInBody(..) => nothing(Vec::new()),
        }
    }

    fn on_kong(self, version: KongVersion) -> Ending {
        let failure = match self {
            Self::Response(response) => {
                let body = response.body.clone();
                let shown = if body.is_empty() { Shown::Absent } else { Shown::Bytes(body) };
                return Ending::Callback(kong_response(version, response, shown));
            }
            Self::CloseDelimited(response) => {
                let response = response.with_body([]);
                return Ending::Callback(kong_response(version, response, Shown::Absent));
            }
            Self::EndInHeaders(response) => {
                let response = response.with_body([]);
                return Ending::Callback(kong_response(version, response, Shown::Absent));
            }
            Self::EndInBody(response, announced) => {
                let mut received = kong_response(version, response, Shown::Broken);
                received.body_size = announced;
                return Ending::Callback(received);
            }
            // The end of the connection is a success to Kong, wherever it comes.
            Self::EndBeforeStatus => {
                return Ending::Callback(nothing(dispatch_status(version, "ok")));
            }
            Self::Refused => "broken connection",
            Self::UnknownHost => "resolver failure",
            Self::Timeout => "timeout",
            Self::Garbage => "reader failure",
        };
        match version {
            KongVersion::V3_9 => Ending::Callback(nothing(dispatch_status(version, failure))),
            KongVersion::V3_8 => Ending::GoesOn,
            _ => Ending::Fails,
        }
    }
}

fn nothing(headers: Headers) -> Received {
    Received { header_count: 0, headers, body: Shown::Absent, body_size: 0 }
}

fn reset(reason: &str) -> String {
    format!("upstream connect error or disconnect/reset before headers. reset reason: {reason}")
}

fn envoy_made(status: u16, body: &str) -> Received {
    envoy_response(made(status, body))
}

/// An answer that Envoy gives to a callout in the peer's place.
pub(crate) fn made(status: u16, body: &str) -> Response {
    let length = body.len().to_string();
    let response = Response::new(status).with("content-length", length);
    response.with("content-type", "text/plain").with_body(body)
}

fn envoy_response(response: Response) -> Received {
    let mut headers = vec![(":status".to_owned(), response.status.to_string().into_bytes())];
    headers.extend(response.headers.into_iter().map(|(n, v)| (n.to_ascii_lowercase(), v)));
    let body_size = response.body.len();
    Received { header_count: headers.len(), headers, body: Shown::Bytes(response.body), body_size }
}

fn kong_response(version: KongVersion, response: Response, body: Shown) -> Received {
    let header_count = response.headers.len();
    let mut headers = vec![(":status".to_owned(), response.status.to_string().into_bytes())];
    headers.extend(dispatch_status(version, "ok"));
    headers.extend(response.headers);
    Received { header_count, headers, body, body_size: response.body.len() }
}

fn dispatch_status(version: KongVersion, status: &str) -> Headers {
    match version {
        KongVersion::V3_9 => vec![(":dispatch_status".to_owned(), status.as_bytes().to_vec())],
        _ => Vec::new(),
    }
}
