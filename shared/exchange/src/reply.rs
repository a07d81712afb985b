//! Responses that a filter makes.

use std::borrow::Cow;

/// A response that a filter makes in place of the upstream, which never sees the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code, 100 to 599.
    pub status: u16,
    /// The cause for operators, in snake case: an access log shows it, and a client never sees it.
    pub cause: &'static str,
    /// The headers besides `content-type` and `content-length`, which follow from the body.
    pub headers: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// The body.
    pub body: Body,
}

/// The body of a [`Reply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Kong's error document, with `message` and `request_id`, in the format that the client's
    /// `Accept` prefers.
    Error(Cow<'static, str>),
    /// The compact JSON document `{"message":"..."}`.
    Message(Cow<'static, str>),
    /// These bytes, with this content type. The header is left out if the type is `None`.
    Raw(Option<Cow<'static, str>>, Vec<u8>),
    /// No body.
    Empty,
}

impl Reply {
    /// Makes a reply without headers of its own.
    #[must_use]
    pub fn new(status: u16, cause: &'static str, body: Body) -> Self {
        Self { status, cause, headers: Vec::new(), body }
    }

    /// Makes a reply with Kong's error document.
    pub fn error(status: u16, cause: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status, cause, Body::Error(message.into()))
    }

    /// Makes a reply with the compact document `{"message":"..."}`.
    pub fn message(
        status: u16,
        cause: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(status, cause, Body::Message(message.into()))
    }

    /// Makes the reply with status 500 to a request that cannot be judged because of a fault in the
    /// gateway or in the filter's configuration.
    #[must_use]
    pub fn unexpected() -> Self {
        Self::error(500, "unexpected", "An unexpected error occurred")
    }

    /// Makes the reply with status 503 to a request that cannot be judged now: a service that it
    /// needs cannot be reached, or too many requests are waiting already.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::error(503, "unavailable", "Service unavailable")
    }

    /// Adds one more header.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}
