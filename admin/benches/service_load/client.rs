//! A client with one connection that stays open.

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The media type of a body, and the body.
pub(crate) type Body = Option<(&'static str, String)>;

pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    /// The headers of each request.
    headers: Vec<(&'static str, String)>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the service listens");
        stream.set_nodelay(true).expect("a socket of TCP");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        Self { sender, host: address.to_string(), headers: Vec::new() }
    }

    /// Sends these headers with each request.
    pub(crate) fn with(mut self, headers: Vec<(&'static str, String)>) -> Self {
        self.headers = headers;
        self
    }

    /// Returns the status and the body of the answer.
    pub(crate) async fn send(&mut self, method: &str, target: &str, body: Body) -> (u16, Bytes) {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = Request::builder().method(method).uri(target).header("host", &self.host);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let mut bytes = Bytes::new();
        if let Some((kind, text)) = body {
            request = request.header("content-type", kind);
            bytes = text.into();
        }
        let request = request.body(Full::new(bytes)).expect("a request");
        self.sender.ready().await.expect("an open connection");
        let answer = self.sender.send_request(request).await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.into_body().collect().await.expect("a whole body").to_bytes())
    }

    /// Returns the JSON of an answer that must be 200.
    pub(crate) async fn get(&mut self, target: &str) -> serde_json::Value {
        let (status, body) = self.send("GET", target, None).await;
        assert_eq!(status, 200, "{target}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("JSON")
    }
}
