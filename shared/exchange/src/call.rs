//! Requests that a filter sends to another service, and their responses.

use std::borrow::Cow;
use std::time::Duration;

/// A service that a filter calls, and the settings of the calls to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The cluster's name on Envoy, `host:port` on Kong.
    pub upstream: String,
    /// The value of the `Host` header. On Kong it is also the server name in TLS.
    pub authority: String,
    /// `true` if Kong speaks TLS to the service. Envoy takes this from its cluster.
    pub tls: bool,
    /// Path segments that precede every path, percent-decoded.
    pub prefix: Vec<String>,
    /// The longest time to wait for a response, to the millisecond.
    pub timeout: Duration,
    /// The bearer token that every call carries in `authorization`.
    pub token: Option<String>,
}

/// A request to a [`Target`].
///
/// The path is a list of segments, never text. A segment therefore cannot become another path, a
/// query or a second request, whatever bytes it holds.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// The method, in upper case.
    pub method: &'static str,
    /// Path segments that follow the target's prefix, percent-decoded.
    pub segments: Vec<Vec<u8>>,
    /// Query parameters in order, percent-decoded.
    pub query: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// Headers that are added to the usual ones or replace them. A body without a `content-type` is
    /// sent as JSON.
    pub headers: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// The body. An empty body is not sent.
    pub body: Vec<u8>,
    /// The response headers to read, in lower case. Reading one costs a host call.
    pub wanted: &'static [&'static str],
}

impl Call {
    /// Makes a GET request for the path of these segments.
    pub fn get<S: AsRef<[u8]>>(segments: impl IntoIterator<Item = S>) -> Self {
        let segments = segments.into_iter().map(|segment| segment.as_ref().to_vec()).collect();
        Self { method: "GET", segments, ..Self::default() }
    }

    /// Returns the call with another method (in upper case) and with a body.
    #[must_use]
    pub fn sending(self, method: &'static str, body: Vec<u8>) -> Self {
        Self { method, body, ..self }
    }

    /// Returns the call with one more query parameter.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl AsRef<[u8]>) -> Self {
        self.query.push((name.into(), value.as_ref().to_vec()));
        self
    }
}

/// Returns the time, in milliseconds, after which no answer can come to a call with this timeout.
///
/// Kong times connecting, sending and reading apart, each with the whole timeout. The fourth part
/// and the second are a margin for a busy worker: a call is given up too late rather than too
/// early.
#[must_use]
pub fn longest_wait(timeout: Duration) -> u64 {
    let timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    timeout.saturating_mul(4).saturating_add(1000)
}

/// A complete response to a [`Call`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code, 100 to 599.
    pub status: u16,
    /// The headers of [`Call::wanted`] that the response has, each with its first value.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Makes a response without headers.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    /// Returns the value of a header, if [`Call::wanted`] named it and the response has it. The
    /// name is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_slice())
    }
}

/// The reason why a call has no complete response. To a decision all reasons are equal: it cannot
/// be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError {
    /// The proxy refused to send the call, because it knows no such cluster or address.
    NotSent,
    /// No status arrived: timeout, reset, refused connection, or an end before the status line.
    NoAnswer,
    /// A status arrived, but the body is incomplete.
    Truncated,
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotSent => "the proxy did not send the call (no such cluster or bad address)",
            Self::NoAnswer => "no answer (timeout, reset or refused connection)",
            Self::Truncated => "the answer was cut short",
        })
    }
}

/// The outcome of a call.
pub type CallResult = Result<Answer, CallError>;

impl std::fmt::Debug for Target {
    /// Leaves the token out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("upstream", &self.upstream)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Call {
    /// Leaves out segments, query and body, which may contain a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("method", &self.method).finish_non_exhaustive()
    }
}
