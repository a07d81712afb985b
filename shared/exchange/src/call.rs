//! A question to another service, and what became of it.

use std::borrow::Cow;
use std::time::Duration;

/// Where callouts of one kind go.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// A cluster name on Envoy, `host:port` on Kong.
    pub upstream: String,
    /// The `Host` of the call; on Kong the TLS name too.
    pub authority: String,
    /// Whether Kong speaks TLS to it. (On Envoy the cluster says so.)
    pub tls: bool,
    /// Segments before every path, decoded.
    pub prefix: Vec<String>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Sent as a bearer token.
    pub token: Option<String>,
}

/// A request to a [`Target`]. The path is made of segments, never of text: what a segment holds cannot
/// become another path, a query or a second request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// The method, upper case.
    pub method: &'static str,
    /// Path segments after the target's prefix, decoded.
    pub segments: Vec<Vec<u8>>,
    /// Query parameters, decoded.
    pub query: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// Fields besides those that every call has, or in their place. A body without a `content-type` is JSON.
    pub headers: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// The answer's fields that are to be read, lower case. Each costs a host call.
    pub wanted: &'static [&'static str],
}

impl Call {
    /// A GET of these segments.
    pub fn get<S: AsRef<[u8]>>(segments: impl IntoIterator<Item = S>) -> Self {
        let segments = segments.into_iter().map(|segment| segment.as_ref().to_vec()).collect();
        Self { method: "GET", segments, ..Self::default() }
    }

    /// The same with another method and a body.
    #[must_use]
    pub fn sending(self, method: &'static str, body: Vec<u8>) -> Self {
        Self { method, body, ..self }
    }

    /// The same with a query parameter.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl AsRef<[u8]>) -> Self {
        self.query.push((name.into(), value.as_ref().to_vec()));
        self
    }
}

/// A complete answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Those of [`Call::wanted`] that are there, each with its first value.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer without the fields that were asked for.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    /// The value of one of the fields that were asked for.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_slice())
    }
}

/// Why there is no answer. Every variant means the same to a decision: it could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError {
    /// The proxy would not send it: no such cluster, a bad address.
    NotSent,
    /// No status came: timeout, reset, refused connection, or an end before the status line.
    NoAnswer,
    /// A status came, but the body did not come whole.
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

/// What became of a call.
pub type CallResult = Result<Answer, CallError>;

impl std::fmt::Debug for Target {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("upstream", &self.upstream)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Call {
    /// Without segments, query and body, which may name a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("method", &self.method).finish_non_exhaustive()
    }
}
