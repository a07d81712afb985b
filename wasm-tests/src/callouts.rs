//! HTTP calls that filters make, and every way in which they can end.

use crate::headers::Headers;
use crate::message::Response;
use crate::profile::{Host, KongVersion, Profile};
use serde_json::Value;
use std::rc::Rc;

/// A callout that a filter has made and that has not ended.
#[derive(Clone)]
pub struct Callout {
    pub(crate) token: u32,
    /// Gives the worker the end of the callout.
    pub(crate) end: Rc<dyn Fn(Answer)>,
    /// The destination: a cluster on Envoy, `host:port` on Kong.
    pub upstream: String,
    /// The headers of the request, pseudo-headers included.
    pub headers: Headers,
    /// The body of the request. Empty if there is none.
    pub body: Vec<u8>,
    /// The timeout in milliseconds.
    pub timeout_ms: u32,
}

impl std::fmt::Debug for Callout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.upstream, self.method(), self.path())
    }
}

impl Callout {
    /// The first value of a header as text. Pseudo-headers such as `:path` are included.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, v)| String::from_utf8_lossy(v).into_owned())
    }

    /// The request method.
    pub fn method(&self) -> String {
        self.header(":method").unwrap_or_default()
    }

    /// The path and query, exactly as the gateway sends them.
    pub fn path(&self) -> String {
        self.header(":path").unwrap_or_default()
    }

    /// The body of the request as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body of the request as a JSON document. Panics if it is none.
    #[track_caller]
    pub fn document(&self) -> Value {
        let document = serde_json::from_slice(&self.body);
        document.unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// Ends the callout.
    pub fn answer(&self, answer: impl Into<Answer>) {
        (self.end)(answer.into());
    }

    /// Ends the callout with a JSON response.
    pub fn json(&self, status: u16, body: impl AsRef<[u8]>) {
        self.answer(Response::json(status, body));
    }
}

/// The end of a callout.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A complete response, with a length or chunked.
    Response(Response),
    /// A complete response without a length, which ends with the connection.
    CloseDelimited(Response),
    /// The connection is refused.
    Refused,
    /// The host name cannot be resolved.
    UnknownHost,
    /// The timeout passes without a response.
    Timeout,
    /// The connection ends before the status line.
    EndBeforeStatus,
    /// The connection ends within the headers, after these.
    EndInHeaders(Response),
    /// The connection ends within the body. The number is the announced `Content-Length` in bytes.
    EndInBody(Response, usize),
    /// The bytes received are not HTTP.
    Garbage,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

/// A closure that answers callouts when they are made. On `None` the test has to answer.
pub(crate) type Responder = Box<dyn FnMut(&Callout) -> Option<Answer>>;

/// A callout that has not ended.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) token: u32,
    pub(crate) vm: usize,
    pub(crate) root: u32,
    /// The request that made the callout, and the place of its filter in the chain.
    pub(crate) stream: Option<(u64, usize)>,
    pub(crate) upstream: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout_ms: u32,
    pub(crate) deadline_ns: Option<u64>,
    /// Envoy: the response that Envoy itself gives because it cannot send the request.
    pub(crate) made: Option<Response>,
    /// `true` if the responder returned `None`, so that the test has to answer.
    pub(crate) left: bool,
}

/// The response of a callout, as the host shows it to the filter.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// The number of headers that the callback is given.
    pub(crate) header_count: usize,
    pub(crate) headers: Headers,
    pub(crate) body: Shown,
    /// The size of the body that the callback is given, in bytes.
    pub(crate) body_size: usize,
}

/// The result of reading the body of a callout response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    Bytes(Vec<u8>),
    /// The response has no body.
    Absent,
    /// The body was announced and never came, so that reading it is an error.
    Broken,
}

/// The host's treatment of an ended callout.
pub(crate) enum Ending {
    /// The host runs `proxy_on_http_call_response`.
    Callback(Received),
    /// The host runs no callback, and the request goes on (Kong 3.8).
    GoesOn,
    /// The host runs no callback, and the client gets a 500 (Kong 3.4 to 3.7).
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
            // Envoy answers such callouts itself. This and the following cases were measured on
            // Envoy 1.40.
            Self::Refused | Self::UnknownHost => {
                envoy_made(503, &reset("remote connection failure"))
            }
            Self::EndBeforeStatus => envoy_made(503, &reset("connection termination")),
            Self::EndInHeaders(_) | Self::Garbage => envoy_made(502, &reset("protocol error")),
            Self::Timeout => envoy_made(504, "upstream request timeout"),
            // Only a response that had begun leaves no headers.
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
            // Kong takes the end of the connection for a success, wherever it comes.
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

/// A response that Envoy gives to a callout in place of the peer.
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
