//! The request that nginx sends to the upstream, and the response on its way back through the
//! chain.

use crate::headers::{HeaderMap, Headers, Rules};
use crate::message::{Forwarded, Response};
use crate::profile::KongVersion;
use crate::stream::{Fate, Stream};
use crate::worker::Inner;

/// The default of `wasm_response_body_buffers`: how many bytes `on_response_body` may keep.
const RESPONSE_BUFFERS: usize = 4 * 4096;

/// Headers that Kong writes itself, whatever the client or a filter says.
const OVERRIDDEN: [&str; 9] = [
    "host",
    "connection",
    "te",
    "upgrade",
    "content-length",
    "transfer-encoding",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-real-ip",
];

impl Inner {
    pub(crate) fn kong_forward(&self, stream: u64) {
        let settings = self.node.borrow().profile.kong_settings().map(|kong| kong.version);
        let version = settings.unwrap_or(KongVersion::V3_9);
        self.with_stream(stream, |s| {
            s.forwarded = Some(forwarded(s, version));
            s.fate = Fate::Forwarded;
        });
    }

    /// Receives a complete response.
    pub(crate) fn kong_respond(&self, stream: u64, response: Response) {
        let known = !has_header(&response.headers, "transfer-encoding");
        let mut head = response.clone();
        if known && !has_header(&head.headers, "content-length") {
            let length = response.body.len().to_string();
            head.headers.push(("Content-Length".to_owned(), length.into_bytes()));
        }
        if !self.kong_respond_head(stream, &head) {
            return;
        }
        if known {
            self.kong_respond_body(stream, response.body, true, true);
        } else {
            self.kong_respond_body(stream, response.body, false, false);
            self.kong_respond_body(stream, Vec::new(), true, false);
        }
        self.kong_respond_end(stream);
    }

    /// Receives the head of a response.
    pub(crate) fn kong_respond_head(&self, stream: u64, response: &Response) -> bool {
        self.with_stream(stream, |s| {
            s.response_status = response.status;
            s.upstream_status = response.status;
            let mut map = HeaderMap::new(Rules::KongResponse, &response.headers);
            s.early.sent().iter().for_each(|(name, value)| map.add(name, value));
            s.response = Some(map);
        });
        if !self.kong_response_headers(stream) {
            return false;
        }
        self.with_stream(stream, |s| {
            let headers = s.response.as_ref().map(HeaderMap::sent).unwrap_or_default();
            let mut reply = Response { status: s.response_status, headers, body: Vec::new() };
            if let Some(overriding) = s.stashed.take() {
                // A reply from `on_response_headers` keeps the `Content-Length` of the upstream's
                // body.
                reply.status = overriding.status;
                reply.body = overriding.body;
                reply.body.push(b'\n');
                s.local = true;
            }
            s.reply = Some(reply);
            s.reply_started = true;
        });
        true
    }

    /// Receives a chunk of the body. With a known length, filters see the end only if one chunk is
    /// the complete body. Without a length, they see the end in a last empty chunk.
    pub(crate) fn kong_respond_body(&self, stream: u64, chunk: Vec<u8>, last: bool, whole: bool) {
        let known = self.with_stream(stream, |s| {
            s.response.as_ref().is_some_and(|r| r.get("content-length").is_some())
        });
        let eof = if known == Some(true) { whole } else { last };
        if chunk.is_empty() && !eof {
            return;
        }
        let buffering = self.with_stream(stream, |s| s.paused.then_some(s.turn)).flatten();
        let (from, chunk, again) = match buffering {
            None => (0, chunk, false),
            Some(place) => {
                let kept = self.with_stream(stream, |s| {
                    s.body.extend(&chunk);
                    s.body.len()
                });
                if kept.unwrap_or(0) < RESPONSE_BUFFERS && !last {
                    return;
                }
                let kept = self.with_stream(stream, |s| {
                    s.paused = false;
                    std::mem::take(&mut s.body)
                });
                (place, kept.unwrap_or_default(), true)
            }
        };
        if let Some(out) = self.kong_response_body(stream, from, chunk, eof, again) {
            self.with_stream(stream, |s| {
                if let Some(reply) = s.reply.as_mut().filter(|_| !s.local || s.response_status != 0)
                {
                    reply.body.extend(out);
                }
            });
        } else if last {
            // The filter asked for more and there is no more: Kong calls it again with all of the
            // body.
            self.with_stream(stream, |s| s.paused = false);
            let kept = self.with_stream(stream, |s| (s.turn, std::mem::take(&mut s.body)));
            let (place, kept) = kept.unwrap_or_default();
            let out = self.kong_response_body(stream, place, kept, true, true);
            self.with_stream(stream, |s| {
                if let Some(reply) = s.reply.as_mut() {
                    reply.body.extend(out.unwrap_or_default());
                }
            });
        }
    }

    /// Ends the response.
    pub(crate) fn kong_respond_end(&self, stream: u64) {
        self.kong_finish(stream, Fate::Answered);
    }
}

fn has_header(headers: &Headers, name: &str) -> bool {
    headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
}

/// The client's address behind the addresses that the client names. Kong takes these from nginx's
/// variable `$http_x_forwarded_for`, in which `_` and `-` are one character.
fn forwarded_for(s: &Stream) -> Vec<u8> {
    let ours = |name: &str| name.replace('_', "-").eq_ignore_ascii_case("x-forwarded-for");
    let sent = s.request.sent();
    let named = sent.iter().filter(|(name, _)| ours(name)).map(|(_, value)| value.as_slice());
    named.chain([s.given.client.0.as_bytes()]).collect::<Vec<_>>().join(&b", "[..])
}

fn forwarded(s: &Stream, version: KongVersion) -> Forwarded {
    let shown = s.request.pairs();
    let mut headers: Headers = Vec::new();
    let mut host = s.properties.get(&b"ngx.upstream_host"[..]).cloned();
    headers.push(("Host".to_owned(), host.take().unwrap_or_else(|| b"upstream.test".to_vec())));
    headers.push(("X-Forwarded-For".to_owned(), forwarded_for(s)));
    headers.push(("X-Forwarded-Proto".to_owned(), s.line.scheme.clone().into_bytes()));
    headers.push(("X-Real-IP".to_owned(), s.given.client.0.clone().into_bytes()));
    if !s.body.is_empty() || s.body_changed {
        let length = s.body.len().to_string();
        headers.push(("Content-Length".to_owned(), length.into_bytes()));
    }
    for (name, value) in s.request.sent() {
        let own = OVERRIDDEN.iter().any(|o| o.eq_ignore_ascii_case(&name));
        // nginx leaves out its own headers by a mark. A removal takes the mark away, and then nginx
        // sends both.
        let unmarked = shown.iter().any(|(n, _)| n.eq_ignore_ascii_case(&name));
        if !own || !unmarked {
            headers.push((name, value));
        }
    }
    let target = match version.adds_the_query_later() {
        true => s.line.with_args(),
        false => s.line.upstream.clone(),
    };
    Forwarded {
        trailers: Vec::new(),
        method: s.line.method.clone(),
        path: String::from_utf8_lossy(&target).into_owned(),
        target,
        headers,
        body: s.body.clone(),
        complete: true,
    }
}
