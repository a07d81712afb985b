//! The ends of the chain on Envoy: a request leaves for the upstream, a response for the client.

use crate::headers::{HeaderMap, Headers, Rules};
use crate::message::{Forwarded, Response};
use crate::stream::{Fate, Side};
use crate::worker::Inner;

impl Inner {
    /// Sends the headers on after the last filter.
    pub(crate) fn headers_left(&self, stream: u64, side: Side, end: bool) {
        let mut done = false;
        self.with_stream(stream, |s| match side {
            Side::Request if s.forwarded.is_none() && s.fate == Fate::Open => {
                s.forwarded = Some(forwarded(&s.request, end));
                s.fate = Fate::Forwarded;
            }
            Side::Response if s.reply.is_none() => {
                let sent = s.response.as_ref().map(HeaderMap::sent).unwrap_or_default();
                s.reply = Some(received(sent));
                s.reply_started = true;
                done = end;
            }
            _ => {}
        });
        if done {
            self.envoy_finish(stream, Fate::Answered);
        }
    }

    /// Sends a piece of a body on after the last filter.
    pub(crate) fn data_left(&self, stream: u64, side: Side, chunk: &[u8], end: bool) {
        self.with_stream(stream, |s| match side {
            Side::Request => {
                if let Some(forwarded) = &mut s.forwarded {
                    forwarded.body.extend(chunk);
                    forwarded.complete = end;
                }
            }
            Side::Response => {
                if let Some(reply) = &mut s.reply {
                    reply.body.extend(chunk);
                }
            }
        });
        if side == Side::Response && end {
            self.envoy_finish(stream, Fate::Answered);
        }
    }

    /// Takes the head of a response in, before the filters see it.
    pub(crate) fn start_response(&self, stream: u64, status: u16, headers: &Headers, end: bool) {
        let mut block = vec![(":status".to_owned(), status.to_string().into_bytes())];
        block.extend(headers.iter().cloned());
        self.with_stream(stream, |s| {
            (s.response_status, s.response_has_body) = (status, !end);
            s.response = Some(HeaderMap::new(Rules::Envoy, &block));
        });
    }
}

/// The request as the upstream receives it.
fn forwarded(request: &HeaderMap, complete: bool) -> Forwarded {
    let text = |name| String::from_utf8_lossy(request.get(name).unwrap_or_default()).into_owned();
    Forwarded {
        trailers: Vec::new(),
        method: text(":method"),
        path: text(":path"),
        target: request.get(":path").unwrap_or_default().to_vec(),
        headers: request.sent(),
        body: Vec::new(),
        complete,
    }
}

/// The response as the client receives it.
fn received(headers: Headers) -> Response {
    let status = headers.iter().find(|(n, _)| n == ":status");
    let status = status.and_then(|(_, v)| std::str::from_utf8(v).ok()?.parse().ok());
    let headers = headers.into_iter().filter(|(n, _)| !n.starts_with(':')).collect();
    Response { status: status.unwrap_or(0), headers, body: Vec::new() }
}
