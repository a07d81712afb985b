//! The state of one request on its way through the chain.

use crate::abi::Callback;
use crate::chain::Chain;
use crate::headers::{HeaderMap, Headers, Rules};
use crate::message::{Forwarded, LocalReply, Request, Response};
use crate::path::decoded;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The direction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

/// The part of a message that a filter holds back on Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Hold {
    #[default]
    Nothing,
    /// The headers. Data still reaches the filter (`allow_on_headers_stop_iteration`).
    Headers,
    /// The headers and the data.
    Everything,
}

/// The state of one filter in one direction of one request.
#[derive(Debug, Default)]
pub(crate) struct Half {
    /// `true` if the headers callback has run.
    pub(crate) seen: bool,
    /// Envoy: `true` if the filter may read the header map.
    pub(crate) map: bool,
    pub(crate) hold: Hold,
    /// Envoy: the data that the filter may read and change now.
    pub(crate) view: Option<Vec<u8>>,
    /// Envoy: `true` if the filter paused in the body callback. `view` is then the data that Envoy
    /// keeps.
    pub(crate) buffering: bool,
    /// Envoy: the data that waits behind `Hold::Everything`.
    pub(crate) queued: Vec<u8>,
    /// `true` if the end of the message has reached this filter.
    pub(crate) ended: bool,
    /// Envoy: `true` if trailers have reached this filter and wait to be shown to it.
    pub(crate) trailers_queued: bool,
    /// Envoy: `true` if the filter was shown the trailers and holds them. It may read them.
    pub(crate) trailers: bool,
}

/// The context of one filter for one request.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) context: u32,
    pub(crate) created: bool,
    pub(crate) request: Half,
    pub(crate) response: Half,
    /// Kong: `true` if this filter failed. The steps of the chain stop at it.
    pub(crate) failed: bool,
}

impl Slot {
    pub(crate) fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }
}

/// The request line as nginx keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) method: String,
    pub(crate) scheme: String,
    /// `request_uri`.
    pub(crate) raw: Vec<u8>,
    /// `uri`, decoded and normalised.
    pub(crate) uri: Vec<u8>,
    pub(crate) args: Vec<u8>,
    /// `upstream_uri`, the path that nginx sends upstream.
    pub(crate) upstream: Vec<u8>,
}

impl Line {
    fn new(request: &Request) -> Self {
        let (path, query) = split(&request.path);
        Self {
            method: request.method.clone(),
            scheme: request.scheme.clone(),
            raw: request.path.clone(),
            uri: decoded(path),
            args: query.to_vec(),
            upstream: request.path.clone(),
        }
    }

    /// The path that nginx sends upstream if Kong appends `args` to `upstream_uri` after the
    /// filters.
    pub(crate) fn with_args(&self) -> Vec<u8> {
        joined(split(&self.upstream).0, &self.args)
    }

    /// `:path` as a filter reads it.
    pub(crate) fn path(&self) -> Vec<u8> {
        joined(&self.uri, &self.args)
    }
}

/// Splits a target at its first question mark.
pub(crate) fn split(target: &[u8]) -> (&[u8], &[u8]) {
    match target.iter().position(|b| *b == b'?') {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (target, b""),
    }
}

fn joined(path: &[u8], query: &[u8]) -> Vec<u8> {
    if query.is_empty() { path.to_vec() } else { [path, b"?", query].concat() }
}

/// The state of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The filters or the client are not done.
    Open,
    /// Kong: the request was paused, and nothing will wake it.
    Hung,
    /// The upstream has received at least the headers.
    Forwarded,
    /// The client has received the response.
    Answered,
    /// The connection was closed without a response.
    Closed,
}

pub(crate) struct Stream {
    pub(crate) id: u64,
    pub(crate) started_ns: u64,
    pub(crate) chain: Rc<Chain>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) given: Request,
    pub(crate) line: Line,
    pub(crate) request: HeaderMap,
    /// Envoy: the trailers of the request.
    pub(crate) trailers: HeaderMap,
    pub(crate) response: Option<HeaderMap>,
    /// Kong: response headers that were set before there was a response.
    pub(crate) early: HeaderMap,
    pub(crate) response_status: u16,
    /// Kong: the status from the upstream, or from a filter in its place.
    pub(crate) upstream_status: u16,
    pub(crate) response_has_body: bool,
    /// Kong: the complete request body.
    pub(crate) body: Vec<u8>,
    pub(crate) body_changed: bool,
    /// Kong: the chunk of the response body in the running step.
    pub(crate) chunk: Option<Vec<u8>>,
    pub(crate) client_done: bool,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) stashed: Option<LocalReply>,
    pub(crate) forwarded: Option<Forwarded>,
    pub(crate) reply: Option<Response>,
    /// `true` if the head of the reply has been sent, so that no header can change any more.
    pub(crate) reply_started: bool,
    pub(crate) local: bool,
    pub(crate) details: String,
    pub(crate) fate: Fate,
    pub(crate) finished: bool,
    /// Kong: `true` after a filter has waited for a callout. Later callbacks run within the
    /// callout's response.
    pub(crate) continued: bool,
    /// Kong: the running step, and the place of the filter whose turn it is.
    pub(crate) step: Callback,
    pub(crate) turn: usize,
    pub(crate) paused: bool,
    /// Kong: `true` if neither response callbacks nor log will run.
    pub(crate) callbacks_lost: bool,
    pub(crate) counts: BTreeMap<(Callback, &'static str), u32>,
    pub(crate) callouts: usize,
    pub(crate) callbacks: Vec<(String, Callback)>,
}

impl Stream {
    pub(crate) fn new(
        id: u64,
        chain: Rc<Chain>,
        given: Request,
        kong: bool,
        started_ns: u64,
    ) -> Self {
        let request = if kong { kong_map(&given) } else { envoy_map(id, &given) };
        let slots = chain.links.iter().map(|_| Slot::default()).collect();
        let properties = given
            .properties
            .iter()
            .map(|(path, value)| {
                // Kong joins the segments of a path with dots, Envoy keeps them apart.
                let path = if kong { path.clone() } else { path.replace('.', "\0") };
                (path.into_bytes(), value.clone())
            })
            .collect();
        Self {
            id,
            started_ns,
            chain,
            slots,
            line: Line::new(&given),
            request,
            trailers: HeaderMap::new(Rules::Envoy, &given.trailers),
            response: None,
            early: HeaderMap::new(Rules::KongResponse, &[]),
            response_status: 0,
            upstream_status: 0,
            response_has_body: false,
            body: Vec::new(),
            body_changed: false,
            chunk: None,
            client_done: false,
            properties,
            stashed: None,
            forwarded: None,
            reply: None,
            reply_started: false,
            local: false,
            details: String::new(),
            fate: Fate::Open,
            finished: false,
            continued: false,
            step: Callback::RequestHeaders,
            turn: 0,
            paused: false,
            callbacks_lost: false,
            counts: BTreeMap::new(),
            callouts: 0,
            callbacks: Vec::new(),
            given,
        }
    }
}

fn envoy_map(id: u64, request: &Request) -> HeaderMap {
    let pseudo: [(&str, &[u8]); 4] = [
        (":authority", request.host.as_bytes()),
        (":path", &request.path),
        (":method", request.method.as_bytes()),
        (":scheme", request.scheme.as_bytes()),
    ];
    // A CONNECT has no path.
    let has_path = |name: &str| name != ":path" || !request.path.is_empty();
    let mut headers: Headers = pseudo
        .into_iter()
        .filter(|(name, _)| has_path(name))
        .map(|(name, value)| (name.to_owned(), value.to_vec()))
        .collect();
    // Headers of the connection never reach a filter, except for those of an upgrade.
    let block = request.header_block();
    let has = |name: &str| block.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let upgrades = has("upgrade") && has("connection");
    let hop: &[&str] = match upgrades {
        true => &["transfer-encoding", "host"],
        false => &["connection", "upgrade", "transfer-encoding", "host"],
    };
    headers.extend(block.into_iter().filter(|(n, _)| !hop.contains(&&*n.to_lowercase())));
    let own = [
        ("x-forwarded-proto", request.scheme.clone()),
        ("x-request-id", format!("00000000-0000-4000-8000-{id:012}")),
    ];
    headers.extend(own.map(|(n, v)| (n.to_owned(), v.into_bytes())));
    HeaderMap::new(Rules::Envoy, &headers)
}

fn kong_map(request: &Request) -> HeaderMap {
    if request.without_version {
        return HeaderMap::new(Rules::KongRequest, &Vec::new());
    }
    let mut headers = vec![("Host".to_owned(), request.host.as_bytes().to_vec())];
    headers.extend(request.header_block());
    HeaderMap::new(Rules::KongRequest, &headers)
}
