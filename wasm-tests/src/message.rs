//! The messages that a test writes and reads: requests, responses, and requests at the upstream.

use crate::headers::Headers;
use serde_json::Value;

/// A request as a client sends it.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) method: String,
    pub(crate) path: Vec<u8>,
    pub(crate) scheme: String,
    pub(crate) host: String,
    pub(crate) headers: Headers,
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) chunked: bool,
    pub(crate) trailers: Headers,
    pub(crate) tunnel: bool,
    pub(crate) without_version: bool,
    pub(crate) client: (String, u16),
    pub(crate) properties: Vec<(String, Vec<u8>)>,
    pub(crate) lua_buffered: bool,
    pub(crate) body_unseen: bool,
}

impl Request {
    /// A request without a body. `path` is sent unchanged, byte by byte, and may hold a query.
    pub fn new(method: &str, path: impl AsRef<[u8]>) -> Self {
        Self {
            method: method.to_owned(),
            path: path.as_ref().to_vec(),
            scheme: "http".to_owned(),
            host: "api.test".to_owned(),
            headers: Vec::new(),
            chunks: Vec::new(),
            chunked: false,
            trailers: Vec::new(),
            tunnel: false,
            without_version: false,
            client: ("203.0.113.7".to_owned(), 40_000),
            properties: Vec::new(),
            lua_buffered: false,
            body_unseen: false,
        }
    }

    /// A `GET` request.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A `POST` request with a body of known length.
    pub fn post(path: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", path).body(body)
    }

    /// Adds a header. A second header of one name is sent as well.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Adds `Authorization: Bearer token`.
    pub fn bearer(self, token: impl AsRef<[u8]>) -> Self {
        self.header("authorization", [b"Bearer ", token.as_ref()].concat())
    }

    /// Sets the `Host` that the client asks for.
    pub fn host(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    /// Sets the scheme: `http` or `https`.
    pub fn scheme(mut self, scheme: &str) -> Self {
        self.scheme = scheme.to_owned();
        self
    }

    /// Sets a body of known length that arrives in one piece.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.chunks = vec![body.as_ref().to_vec()];
        self
    }

    /// Sets a body that arrives in these pieces, with `Transfer-Encoding: chunked`.
    pub fn chunks(mut self, chunks: &[&[u8]]) -> Self {
        self.chunks = chunks.iter().map(|c| c.to_vec()).collect();
        self.chunked = true;
        self
    }

    /// Adds a trailer, so that the body has no length. Kong's nginx drops trailers.
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push((name.to_owned(), value.as_ref().to_vec()));
        self.chunked = true;
        self
    }

    /// Turns the request into a tunnel: the handshake of a WebSocket, or a CONNECT. The frames
    /// after the head have no end that a filter could wait for. On Kong such a request has no body.
    pub fn tunnel(mut self) -> Self {
        self.tunnel = true;
        self
    }

    /// Takes the version out of the first line, as in HTTP/0.9, which has no headers. Kong serves
    /// such a request; Envoy refuses it.
    pub fn without_version(mut self) -> Self {
        self.without_version = true;
        self
    }

    /// Sets the address and port of the client.
    pub fn client(mut self, address: &str, port: u16) -> Self {
        self.client = (address.to_owned(), port);
        self
    }

    /// Sets a property of this request by its dotted path, such as `kong.router.route`,
    /// `kong.ctx.shared.x` or `xds.route_metadata`. It serves for properties that the pretend host
    /// does not compute.
    pub fn property(mut self, path: &str, value: impl AsRef<[u8]>) -> Self {
        self.properties.push((path.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Kong: a Lua plugin asks for this response to be buffered, so that filters miss every request
    /// callback.
    pub fn lua_buffered(mut self) -> Self {
        self.lua_buffered = true;
        self
    }

    /// Kong: the body callback does not run, as if Lua had read and dropped the body.
    pub fn body_unseen(mut self) -> Self {
        self.body_unseen = true;
        self
    }

    pub(crate) fn has_body(&self) -> bool {
        self.chunked || self.chunks.iter().any(|c| !c.is_empty())
    }

    /// The headers, with `Content-Length` or `Transfer-Encoding` where the client sends it.
    pub(crate) fn header_block(&self) -> Headers {
        let mut headers = self.headers.clone();
        let given = headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-length"));
        if self.chunked {
            headers.push(("Transfer-Encoding".to_owned(), b"chunked".to_vec()));
        } else if self.has_body() && !given {
            let length: usize = self.chunks.iter().map(Vec::len).sum();
            headers.push(("Content-Length".to_owned(), length.to_string().into_bytes()));
        }
        headers
    }
}

/// A response from the upstream, to the client, or to a callout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers, without pseudo-headers.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A response without a body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A response with a JSON body.
    pub fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::new(status).with("content-type", "application/json").with_body(body)
    }

    /// Adds a header. A second header of one name is sent as well.
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    pub fn with_body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// The first value of a header, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers_named(name).into_iter().next()
    }

    /// Every value of a header, as text.
    pub fn headers_named(&self, name: &str) -> Vec<String> {
        named(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as a JSON document. Panics if it is none.
    #[track_caller]
    pub fn document(&self) -> Value {
        let document = serde_json::from_slice(&self.body);
        document.unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }
}

/// A request as the upstream receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// The request method.
    pub method: String,
    /// The path and query, as text.
    pub path: String,
    /// The path and query.
    pub target: Vec<u8>,
    /// The headers, in the order sent.
    pub headers: Headers,
    /// The part of the body that has arrived.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Headers,
    /// `true` if the body is complete.
    pub complete: bool,
}

impl Forwarded {
    /// The first value of a header, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers_named(name).into_iter().next()
    }

    /// Every value of a header, as text.
    pub fn headers_named(&self, name: &str) -> Vec<String> {
        named(&self.headers, name)
    }

    /// Every value of a trailer, as text.
    pub fn trailers_named(&self, name: &str) -> Vec<String> {
        named(&self.trailers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn named(headers: &Headers, name: &str) -> Vec<String> {
    let found = headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, v)| String::from_utf8_lossy(v).into_owned()).collect()
}

/// A reply that a filter made, before the host has changed it.
#[derive(Debug, Clone)]
pub(crate) struct LocalReply {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) details: String,
}
