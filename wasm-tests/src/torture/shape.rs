//! A request, described once for every protocol and gateway.

use crate::tokens;
use serde_json::json;

/// The API key, the App ID and the username of the consumer who may pass.
pub const KEY: &str = "key-of-ana";
/// The App ID of that consumer.
pub const APP: &str = "portal";
/// The value that a client plants where only the gateway may speak.
pub const PLANTED: &str = "planted";
/// The header, and the query parameter, that tell the upstream whether a request may reach it.
pub const MARK: &str = "x-case";

/// A name and a value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Body {
    /// The request has no body.
    #[default]
    None,
    /// The body has a length.
    Whole(Vec<u8>),
    /// The body comes in these pieces, without a length.
    Pieces(Vec<Vec<u8>>),
}

/// What the rules say of the answer beyond those that hold for every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// The gateway may refuse the request or let it through.
    Any,
    /// The request must reach the upstream.
    Passes,
    /// The filters must answer with this status.
    Status(u16),
}

/// What a client does after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It sends the next request over the same connection.
    Keep,
    /// It sends garbage that ends the connection, so that no gateway waits for more.
    Last,
    /// It leaves without reading the answer.
    Leave,
}

/// Credentials that only a running gateway can give.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The session cookie of the consumer who may pass.
    pub cookie: String,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The family, which is a line of the table.
    pub family: &'static str,
    /// The method.
    pub method: Vec<u8>,
    /// The target as it stands in the first line, or the pseudo-header `:path`.
    pub target: Vec<u8>,
    /// The value of `Host`, or of the pseudo-header `:authority`.
    pub authority: Vec<u8>,
    /// The pseudo-header `:protocol` of an extended CONNECT (RFC 8441).
    pub protocol: Option<&'static str>,
    /// The headers in their order.
    pub headers: Vec<Pair>,
    /// The body.
    pub body: Body,
    /// The trailers.
    pub trailers: Vec<Pair>,
    /// `true` if the request has the credentials of a consumer.
    pub may_pass: bool,
    /// `true` if the request makes a filter look up what it does not know, which is bounded.
    pub unknown: bool,
    /// What the rules say of the answer.
    pub want: Want,
}

impl Shape {
    /// A `GET` of nobody, which must not reach the upstream.
    pub fn nobody(family: &'static str) -> Self {
        Self {
            family,
            method: b"GET".to_vec(),
            target: b"/orders?case=never".to_vec(),
            authority: b"gateway.test".to_vec(),
            protocol: None,
            headers: vec![(MARK.into(), b"never".to_vec())],
            body: Body::None,
            trailers: Vec::new(),
            may_pass: false,
            unknown: false,
            want: Want::Any,
        }
    }

    /// A `GET` of somebody whose credentials are added by the caller.
    pub fn somebody(family: &'static str) -> Self {
        let headers = vec![(MARK.into(), b"may".to_vec())];
        Self {
            target: b"/orders?case=may".to_vec(),
            headers,
            may_pass: true,
            ..Self::nobody(family)
        }
    }

    /// A `GET` with the key and the App ID of the consumer who may pass.
    pub fn known(family: &'static str) -> Self {
        Self::somebody(family).header("apikey", KEY).header("x-app-id", APP)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Adds a header before all others.
    #[must_use]
    pub fn first(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.insert(0, (name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Sets the method.
    #[must_use]
    pub fn method(mut self, method: impl AsRef<[u8]>) -> Self {
        self.method = method.as_ref().to_vec();
        self
    }

    /// Sets the target.
    #[must_use]
    pub fn target(mut self, target: impl AsRef<[u8]>) -> Self {
        self.target = target.as_ref().to_vec();
        self
    }

    /// Makes it a `POST` with this body.
    #[must_use]
    pub fn post(mut self, content_type: &str, body: Body) -> Self {
        self.method = b"POST".to_vec();
        self.body = body;
        self.header("content-type", content_type)
    }

    /// Sets what the rules say of the answer.
    #[must_use]
    pub fn want(mut self, want: Want) -> Self {
        self.want = want;
        self
    }

    /// Says that a lookup may be refused.
    #[must_use]
    pub fn unknown(mut self) -> Self {
        self.unknown = true;
        self
    }

    /// Returns `true` if the client speaks gRPC.
    pub fn is_grpc(&self) -> bool {
        self.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case(b"content-type")
                && (value == b"application/grpc" || value.starts_with(b"application/grpc+"))
        })
    }

    /// A text that names the request in a finding.
    pub fn text(&self) -> String {
        let show = |bytes: &[u8]| {
            let text = bytes.escape_ascii().to_string();
            if text.len() > 120 {
                format!("{}...({} bytes)", &text[..100], bytes.len())
            } else {
                text
            }
        };
        let pairs = |pairs: &[Pair]| {
            let shown = pairs.iter().take(12).map(|(n, v)| format!("{}: {}", show(n), show(v)));
            format!("{} headers [{}]", pairs.len(), shown.collect::<Vec<_>>().join(" | "))
        };
        let body = match &self.body {
            Body::None => "no body".to_owned(),
            Body::Whole(body) => format!("body {}", show(body)),
            Body::Pieces(pieces) => format!("pieces {}", show(&pieces.concat())),
        };
        format!(
            "{}: {} {} at {} {} {body}, trailers {}",
            self.family,
            show(&self.method),
            show(&self.target),
            show(&self.authority),
            pairs(&self.headers),
            pairs(&self.trailers)
        )
    }
}

/// A token of another consumer who may pass, with the App ID `partners`.
pub fn token() -> String {
    tokens::ado(json!({"exp": 99_999_999_999_u64}))
}

/// One thing that a client does.
#[derive(Debug, Clone)]
pub enum Case {
    /// A request that both protocols can carry.
    Shape(Shape),
    /// Bytes of HTTP/1.1 in pieces, and the number of answers that may come.
    Http1 {
        /// The family.
        family: &'static str,
        /// The pieces, each written by itself.
        pieces: Vec<Vec<u8>>,
        /// The most answers that the client waits for.
        answers: usize,
        /// What the client does afterwards.
        end: End,
    },
    /// Frames of HTTP/2 on the streams 1, 3 and so on; the answer to the first is awaited.
    Http2 {
        /// The family.
        family: &'static str,
        /// The bytes of the frames.
        frames: Vec<u8>,
        /// What the client does afterwards.
        end: End,
    },
}

impl Case {
    /// The family, which is a line of the table.
    pub fn family(&self) -> &'static str {
        match self {
            Self::Shape(shape) => shape.family,
            Self::Http1 { family, .. } | Self::Http2 { family, .. } => family,
        }
    }
}
