//! What is known about one request on its way through the chain.

use crate::abi::Callback;
use crate::chain::Chain;
use crate::headers::{HeaderMap, Headers, Rules};
use crate::message::{Forwarded, LocalReply, Request, Response};
use crate::path::decoded;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The request's way, or the response's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

/// What a filter holds back on Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Hold {
    #[default]
    Nothing,
    /// The headers; data still comes to the filter (`allow_on_headers_stop_iteration`).
    Headers,
    /// Headers and data.
    Everything,
}

/// One filter's part in one direction of one request.
#[derive(Debug, Default)]
pub(crate) struct Half {
    /// The headers callback ran.
    pub(crate) seen: bool,
    /// Envoy: the header map is within this filter's reach.
    pub(crate) map: bool,
    pub(crate) hold: Hold,
    /// Envoy: the data that the filter may read and change now.
    pub(crate) view: Option<Vec<u8>>,
    /// Envoy: the filter paused in the body callback, and `view` is what was kept.
    pub(crate) buffering: bool,
    /// Envoy: data that waits behind `Hold::Everything`.
    pub(crate) queued: Vec<u8>,
    /// The end of the message has come as far as this filter.
    pub(crate) ended: bool,
    /// Envoy: trailers have come as far as this filter, and wait to be shown to it.
    pub(crate) trailers_queued: bool,
    /// Envoy: trailers were shown to the filter, which holds them, and are within its reach.
    pub(crate) trailers: bool,
}

/// One filter's context for one request.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) context: u32,
    pub(crate) created: bool,
    pub(crate) request: Half,
    pub(crate) response: Half,
    /// Kong: this filter failed; the steps of the chain stop here.
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

/// nginx's idea of the request line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) method: String,
    pub(crate) scheme: String,
    /// `request_uri`
    pub(crate) raw: String,
    /// `uri`: decoded and normalised.
    pub(crate) uri: String,
    pub(crate) args: String,
    /// `upstream_uri`: what goes upstream.
    pub(crate) upstream: String,
}

impl Line {
    fn new(request: &Request) -> Self {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        Self {
            method: request.method.clone(),
            scheme: request.scheme.clone(),
            raw: request.path.clone(),
            uri: decoded(path),
            args: query.to_owned(),
            upstream: request.path.clone(),
        }
    }

    /// What goes upstream where Kong puts `args` behind `upstream_uri` only after the filters.
    pub(crate) fn with_args(&self) -> String {
        let path = self.upstream.split('?').next().unwrap_or_default();
        if self.args.is_empty() { path.to_owned() } else { format!("{path}?{}", self.args) }
    }

    /// `:path` as a filter reads it.
    pub(crate) fn path(&self) -> String {
        if self.args.is_empty() { self.uri.clone() } else { format!("{}?{}", self.uri, self.args) }
    }
}

/// Where the request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Filters or the client are still at it.
    Open,
    /// Kong: paused, and nothing will ever wake it.
    Hung,
    /// On its way to the upstream, headers at least.
    Forwarded,
    /// The client has its answer.
    Answered,
    /// The connection was closed without an answer.
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
    /// Envoy: of the request.
    pub(crate) trailers: HeaderMap,
    pub(crate) response: Option<HeaderMap>,
    /// Kong: response fields that were set before there was a response.
    pub(crate) early: HeaderMap,
    pub(crate) response_status: u16,
    /// Kong: what came from the upstream, or from a filter in its place.
    pub(crate) upstream_status: u16,
    pub(crate) response_has_body: bool,
    /// Kong: the whole request body, and whether it fits in memory.
    pub(crate) body: Vec<u8>,
    pub(crate) body_changed: bool,
    /// Kong: the chunk of the response body in the running step.
    pub(crate) chunk: Option<Vec<u8>>,
    pub(crate) client_done: bool,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) stashed: Option<LocalReply>,
    pub(crate) forwarded: Option<Forwarded>,
    pub(crate) reply: Option<Response>,
    /// The reply's head is out: no header can change any more.
    pub(crate) reply_started: bool,
    pub(crate) local: bool,
    pub(crate) details: String,
    pub(crate) fate: Fate,
    pub(crate) finished: bool,
    /// Kong: a filter has waited for a callout, and what comes runs inside of its answer.
    pub(crate) continued: bool,
    /// Kong: the step that runs, and the filter whose turn it is.
    pub(crate) step: Callback,
    pub(crate) turn: usize,
    pub(crate) paused: bool,
    /// Kong: neither response hooks nor log will run.
    pub(crate) hooks_lost: bool,
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
            hooks_lost: false,
            counts: BTreeMap::new(),
            callouts: 0,
            callbacks: Vec::new(),
            given,
        }
    }
}

fn envoy_map(id: u64, request: &Request) -> HeaderMap {
    let pseudo = [
        (":authority", &request.host),
        (":path", &request.path),
        (":method", &request.method),
        (":scheme", &request.scheme),
    ];
    let mut headers: Headers =
        pseudo.into_iter().map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec())).collect();
    // What belongs to the connection never comes to a filter, but for an upgrade, which says so with its headers.
    let fields = request.fields();
    let has = |name: &str| fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let upgrades = has("upgrade") && has("connection");
    let hop: &[&str] = match upgrades {
        true => &["transfer-encoding", "host"],
        false => &["connection", "upgrade", "transfer-encoding", "host"],
    };
    headers.extend(fields.into_iter().filter(|(n, _)| !hop.contains(&&*n.to_lowercase())));
    let own = [
        ("x-forwarded-proto", request.scheme.clone()),
        ("x-request-id", format!("00000000-0000-4000-8000-{id:012}")),
    ];
    headers.extend(own.map(|(n, v)| (n.to_owned(), v.into_bytes())));
    HeaderMap::new(Rules::Envoy, &headers)
}

fn kong_map(request: &Request) -> HeaderMap {
    let mut headers = vec![("Host".to_owned(), request.host.as_bytes().to_vec())];
    headers.extend(request.fields());
    HeaderMap::new(Rules::KongRequest, &headers)
}
