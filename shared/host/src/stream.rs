//! One request: its flow's steps, carried out.
//!
//! ```text
//!           ┌── Passed ── refused by an earlier filter
//! Fresh ────┼── Forwarded | Refused
//!           ├── Parked ───────────────────answer──▶ any but Fresh and Passed
//!           └── AwaitingBody | Streaming ──body───▶ any but Fresh and Passed
//! ```
//!
//! Only `Forwarded` and `Passed` let anything through. Whatever comes out of order is refused.

use crate::abi::{self, Buffer, Map};
use crate::callout;
use crate::entropy;
use crate::lookup::{Lookup, Moment};
use crate::profile::Host;
use crate::reply;
use crate::root::{Ready, Root};
use consumer::{CLAIMS, Known, PROPERTY, refused};
use exchange::{
    BodyAhead, Call, CallResult, Edit, Entities, Entity, Event, Finding, Flow, Head, Key, Named,
    Reply, Request, Response, Step, Target, Unavailable,
};
use std::borrow::Cow;
use std::rc::Rc;

/// What the host does with the message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Continue = 0,
    Pause = 1,
}

/// Kong corrupts guest memory when it hands over more than about 96 headers.
const MAX_KONG_HEADERS: usize = 90;

pub(crate) struct Stream {
    root: Rc<Root>,
    id: u32,
    state: State,
    /// The request's own state machine, once its headers are here.
    flow: Option<Box<dyn Flow>>,
    head: Head,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Fresh,
    Passed,
    Forwarded,
    Refused,
    /// Waits for what is kept under a key, or for the answer to a call of its own.
    Parked(Wait),
    /// Waits for the whole body.
    AwaitingBody,
    /// Takes the body piece by piece; so much of it has been seen.
    Streaming(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wait {
    /// Somebody's call for this key; `true` if it is this request's own.
    Key(Key, bool),
    Answer,
}

/// Where a step is carried out: what the host allows there differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Headers,
    Body,
    Answer,
}

/// What the VM has to remember of a request that was just carried on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Nothing,
    /// This token's answer belongs to the request.
    ByRequest(u32),
    /// This token's answer belongs to everybody who waits for the key.
    ByRoot(u32, Key),
}

impl Stream {
    pub(crate) fn new(root: Rc<Root>, id: u32) -> Self {
        Self { root, id, state: State::Fresh, flow: None, head: Head::default() }
    }

    pub(crate) fn root_id(&self) -> u32 {
        self.root.id()
    }

    // === Events ===

    pub(crate) fn request_headers(&mut self, count: usize, end: bool) -> (Action, Asked) {
        if self.state != State::Fresh {
            return self.refuse(out_of_order(), Phase::Headers);
        }
        let host = self.root.at_request();
        // First of all: after a refusal from a callout's answer Kong still runs the next filter, and a second
        // answer would trap.
        let consumer = host.has_properties().then(|| property(host, PROPERTY)).flatten();
        if Known::from_property(consumer.as_deref()) == Known::Refused {
            self.state = State::Passed;
            return (Action::Continue, Asked::Nothing);
        }
        let Some(ready) = self.root.ready(host) else {
            let message = format!("{} is misconfigured", self.root.name());
            return self.refuse(Reply::message(500, message), Phase::Headers);
        };
        if host.may_be_kong() && count > MAX_KONG_HEADERS {
            return self
                .refuse(Reply::error(431, "Request header fields too large"), Phase::Headers);
        }
        let Some(head) = callout::head(Map::Request) else {
            return self.refuse(Reply::error(400, "Bad request"), Phase::Headers);
        };
        let request = request(&ready, host, head, consumer, end);
        self.head = request.head.clone();
        self.root.seen(request.now, &request);
        self.flow = Some(ready.flow());
        self.tell(Event::Request(Box::new(request)), Phase::Headers)
    }

    pub(crate) fn request_body(&mut self, size: usize, end: bool) -> (Action, Asked) {
        match self.state {
            State::Forwarded | State::Passed => (Action::Continue, Asked::Nothing),
            State::Refused | State::Parked(_) => (Action::Pause, Asked::Nothing),
            State::AwaitingBody if !end => (Action::Pause, Asked::Nothing),
            State::AwaitingBody => self.tell(Event::Body(body(size)), Phase::Body),
            State::Streaming(seen) => self.piece(seen, size, end),
            // The headers were never seen: the host runs Lua's buffered response, or lost this VM's state.
            State::Fresh => self.refuse(out_of_order(), Phase::Body),
        }
    }

    /// Trailers end the body.
    pub(crate) fn request_trailers(&mut self) -> (Action, Asked) {
        let size = match self.state {
            State::AwaitingBody | State::Streaming(_) => {
                abi::buffer(Buffer::RequestBody).map_or(0, |body| body.len())
            }
            _ => 0,
        };
        self.request_body(size, true)
    }

    /// The answer to the call that this request made itself.
    pub(crate) fn answered(&mut self, answer: CallResult) -> (Action, Asked) {
        match &self.state {
            State::Parked(Wait::Key(key, true)) => {
                let result = self.root.landed_for(&key.clone(), &answer);
                self.tell(Event::Found(result), Phase::Answer)
            }
            State::Parked(Wait::Answer) => {
                self.tell(Event::Answered(answer.map_err(|_| Unavailable)), Phase::Answer)
            }
            _ => self.refuse(out_of_order(), Phase::Answer),
        }
    }

    /// What the request waited for is known.
    pub(crate) fn woken(&mut self, result: Result<Finding, Unavailable>) -> (Action, Asked) {
        self.tell(Event::Found(result), Phase::Answer)
    }

    /// Whether the request waits to be woken.
    pub(crate) fn is_parked(&self) -> bool {
        matches!(self.state, State::Parked(Wait::Key(..)))
    }

    pub(crate) fn response_headers(&mut self, count: usize, _end: bool) {
        // Kong runs this also where it never showed the request: nothing is known then, so nothing is changed.
        let seen = matches!(self.state, State::Forwarded | State::Refused);
        let Some(flow) = self.flow.as_mut().filter(|flow| seen && flow.wants_response()) else {
            return;
        };
        let host = self.root.host();
        let readable = !host.may_be_kong() || count <= MAX_KONG_HEADERS;
        let head = if readable { callout::head(Map::Response) } else { None };
        let status = abi::map_value(Map::Response, ":status").ok();
        let status = status.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
        let edits = flow.on_response(&Response {
            head: head.unwrap_or_default(),
            status: status.unwrap_or(0),
            now: now(),
            ours: self.state == State::Refused,
        });
        for edit in &edits {
            let done = match edit {
                // Setting a field that is there twice takes both away on Kong; removing and adding does not.
                Edit::Set(name, value) => {
                    let _ = abi::map_remove(Map::Response, name);
                    abi::map_add(Map::Response, name, value)
                }
                Edit::Add(name, value) => abi::map_add(Map::Response, name, value),
                Edit::Remove(name) => abi::map_remove(Map::Response, name),
                Edit::Query(_) | Edit::Body(_) | Edit::Publish(..) => Ok(()),
            };
            if let Err(status) = done {
                abi::log(abi::Level::Error, &format!("the proxy refused {edit:?}: {status:?}"));
            }
        }
    }

    /// The request is gone.
    pub(crate) fn gone(&mut self) {
        if let State::Parked(Wait::Key(key, own_call)) = &self.state {
            self.root.left(key, self.id, *own_call);
        }
    }

    // === Steps ===

    /// Tells the flow, and does what it says.
    fn tell(&mut self, event: Event, phase: Phase) -> (Action, Asked) {
        // Whatever goes wrong from here on, the request does not go on.
        self.state = State::Refused;
        let Some(mut flow) = self.flow.take() else {
            return self.refuse(out_of_order(), phase);
        };
        let step = flow.on(event);
        let (action, asked) = self.carry_out(flow.as_mut(), step, phase);
        self.flow = Some(flow);
        (action, asked)
    }

    /// A piece of the body. While the request is held, Envoy shows all of it each time.
    fn piece(&mut self, seen: usize, size: usize, end: bool) -> (Action, Asked) {
        let Ok(whole) = body(size) else {
            return self.tell(Event::Body(Err(Unavailable)), Phase::Body);
        };
        if let Some(piece) = whole.get(seen..).filter(|piece| !piece.is_empty()) {
            let (action, asked) = self.tell(Event::Chunk(piece.to_vec()), Phase::Body);
            if !matches!(self.state, State::Streaming(_)) {
                return (action, asked);
            }
        }
        if end {
            return self.tell(Event::Body(Ok(Vec::new())), Phase::Body);
        }
        self.state = State::Streaming(size);
        (Action::Pause, Asked::Nothing)
    }

    fn carry_out(&mut self, flow: &mut dyn Flow, mut step: Step, phase: Phase) -> (Action, Asked) {
        let host = self.root.host();
        loop {
            step = match step {
                Step::Forward(edits) => match self.edit(host, &edits) {
                    Ok(()) => {
                        self.root.count("passed");
                        self.state = State::Forwarded;
                        return (Action::Continue, Asked::Nothing);
                    }
                    Err(()) => Step::Reply(failed()),
                },
                Step::Reply(reply) => return self.refuse(reply, phase),
                Step::AwaitBody(edits) => match self.edit(host, &edits) {
                    Ok(()) => return self.hold(host, State::AwaitingBody),
                    Err(()) => Step::Reply(failed()),
                },
                Step::StreamBody => return self.hold(host, State::Streaming(0)),
                Step::StreamBodyAfter(edits) => match self.edit(host, &edits) {
                    Ok(()) => return self.hold(host, State::Streaming(0)),
                    Err(()) => Step::Reply(failed()),
                },
                Step::Find(_, edits) if self.edit(host, &edits).is_err() => Step::Reply(failed()),
                Step::Find(key, _) => match self.find(host, key, 0) {
                    Found::Now(result) => flow.on(Event::Found(result)),
                    Found::Later(asked) => return (Action::Pause, asked),
                },
                Step::FindNewer(key, than) => match self.find(host, key, than) {
                    Found::Now(result) => flow.on(Event::Found(result)),
                    Found::Later(asked) => return (Action::Pause, asked),
                },
                Step::Ask(target, call) => match self.ask(host, &target, &call) {
                    Some(token) => {
                        self.state = State::Parked(Wait::Answer);
                        return (Action::Pause, Asked::ByRequest(token));
                    }
                    None => flow.on(Event::Answered(Err(Unavailable))),
                },
            };
        }
    }

    fn hold(&mut self, host: Host, state: State) -> (Action, Asked) {
        self.state = state;
        // Kong hands the body over only to a request that goes on; it reaches nobody before.
        let action = if host == Host::Envoy { Action::Pause } else { Action::Continue };
        (action, Asked::Nothing)
    }

    fn ask(&self, host: Host, target: &Target, call: &Call) -> Option<u32> {
        if !host.can_park() {
            return None;
        }
        callout::send(target, call).ok()
    }

    fn find(&mut self, host: Host, key: Key, newer: u64) -> Found {
        let moment =
            Moment { now: now(), newer, can_park: host.can_park(), can_wake: host.can_wake() };
        let call = match self.root.find(&key, self.id, moment) {
            Lookup::Ready(result) => return Found::Now(result),
            Lookup::Join => {
                self.state = State::Parked(Wait::Key(key, false));
                return Found::Later(Asked::Nothing);
            }
            Lookup::Ask(call) => call,
        };
        let root = host.can_wake().then(|| self.root.id());
        // On Envoy the root makes the call, so that it outlives this request: others may wait for it too.
        if let Some(root) = root {
            let _ = abi::set_effective_context(root);
        }
        let sent = self.root.send(&key, &call);
        if root.is_some() {
            let _ = abi::set_effective_context(self.id);
        }
        match (sent, root) {
            (Ok(token), root) => {
                self.state = State::Parked(Wait::Key(key.clone(), root.is_none()));
                Found::Later(if root.is_some() {
                    Asked::ByRoot(token, key)
                } else {
                    Asked::ByRequest(token)
                })
            }
            (Err(error), Some(_)) => {
                // Nobody else can be waiting yet: the flight began a moment ago.
                let mine =
                    self.root.landed(&key, &Err(error)).into_iter().find(|(id, _)| *id == self.id);
                Found::Now(mine.map_or(Err(Unavailable), |(_, result)| result))
            }
            (Err(error), None) => Found::Now(self.root.landed_for(&key, &Err(error))),
        }
    }

    /// Answers the client. On Kong the answer to a refusal from a callout's answer is known to later filters
    /// by the property only.
    fn refuse(&mut self, reply: Reply, phase: Phase) -> (Action, Asked) {
        let host = self.root.host();
        self.state = State::Refused;
        if phase == Phase::Answer && host.may_be_kong() && host.has_properties() {
            let _ = publish(host, PROPERTY, refused());
        }
        self.root.count(&format!("refused_{}", reply.status));
        let request_id = || self.request_id(host);
        if reply::send(&reply, &self.head, request_id).is_err() {
            // The request stays where it is: paused, and never let through.
            abi::log(abi::Level::Error, "the proxy did not take a local response");
        }
        (Action::Pause, Asked::Nothing)
    }

    fn request_id(&self, host: Host) -> String {
        let kong = || abi::property(&["ngx", "kong_request_id"]).ok().filter(|id| !id.is_empty());
        let known = match host {
            Host::Envoy => self.head.first("x-request-id").map(<[u8]>::to_vec),
            _ => kong().or_else(|| abi::property(&["ngx", "request_id"]).ok()),
        };
        known.and_then(|id| reply::plain_id(&id)).unwrap_or_else(entropy::random_hex)
    }

    /// Makes `edits`. An edit that fails could leave something that must not go on, so it is an error.
    fn edit(&self, host: Host, edits: &[Edit]) -> Result<(), ()> {
        for edit in edits {
            let done = match edit {
                Edit::Set(name, value) => abi::map_replace(Map::Request, name, value),
                Edit::Add(name, value) => abi::map_add(Map::Request, name, value),
                Edit::Remove(name) if host.can_remove() => abi::map_remove(Map::Request, name),
                // A removed header still reaches the upstream on Kong, and later filters still read it.
                Edit::Remove(name) => abi::map_replace(Map::Request, name, b""),
                Edit::Query(query) => self.set_query(host, query),
                Edit::Body(body) => self.set_body(host, body),
                Edit::Publish(name, value) if host.has_properties() => publish(host, name, value),
                Edit::Publish(..) => Ok(()),
            };
            done.map_err(|status| {
                abi::log(abi::Level::Error, &format!("the proxy refused {edit:?}: {status:?}"));
            })?;
        }
        Ok(())
    }

    fn set_query(&self, host: Host, query: &[u8]) -> Result<(), abi::Status> {
        let with_query = |target: &[u8]| {
            let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
            let mut out = path.to_vec();
            if !query.is_empty() {
                out.push(b'?');
                out.extend_from_slice(query);
            }
            out
        };
        match host {
            Host::Envoy => {
                let target = self.head.first(":path").unwrap_or_default();
                abi::map_replace(Map::Request, ":path", &with_query(target))
            }
            // From 3.8 on filters run after the upstream URI was put together; before, it is made from `args`.
            Host::Kong(version) if version >= Some((3, 8)) => {
                let target = abi::property(&["ngx", "upstream_uri"])?;
                abi::set_property(&["ngx", "upstream_uri"], &with_query(&target))
            }
            Host::Kong(_) | Host::Unknown => abi::set_property(&["ngx", "args"], query),
        }
    }

    fn set_body(&self, host: Host, body: &[u8]) -> Result<(), abi::Status> {
        abi::set_request_body(body)?;
        // Kong's nginx counts again itself.
        if host == Host::Envoy && self.head.first("content-length").is_some() {
            abi::map_replace(Map::Request, "content-length", body.len().to_string().as_bytes())?;
        }
        Ok(())
    }
}

enum Found {
    Now(Result<Finding, Unavailable>),
    Later(Asked),
}

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> u64 {
    abi::now_ns() / 1_000_000
}

fn request(ready: &Ready, host: Host, head: Head, consumer: Option<Vec<u8>>, end: bool) -> Request {
    let needs = ready.needs();
    let path = head.first(":path").unwrap_or_default();
    let raw =
        (needs.raw_target && host.may_be_kong()).then(|| abi::property(&["request", "path"]).ok());
    let target = raw.flatten().filter(|raw| !raw.is_empty()).unwrap_or_else(|| path.to_vec());
    let body = match host {
        Host::Envoy if end || !ready.common().holds_headers => BodyAhead::None,
        Host::Envoy => BodyAhead::Comes,
        // The body callback comes for a body that is not empty, and only a length can promise that.
        _ => match head.text("content-length").and_then(|len| len.parse::<u64>().ok()) {
            Some(len) if len > 0 => BodyAhead::Comes,
            _ => BodyAhead::None,
        },
    };
    // Nginx counts a body without a length itself, over HTTP/2 without a header that would say so.
    let body_may_follow = host.may_be_kong() && head.first("content-length").is_none();
    let upstream_query = if needs.upstream_query { upstream_query(host, &target) } else { None };
    Request {
        method: head.first(":method").unwrap_or_default().to_vec(),
        target,
        now: now(),
        consumer,
        claims: (needs.claims && host.has_properties()).then(|| property(host, CLAIMS)).flatten(),
        peer: if needs.peer { peer() } else { None },
        entities: if needs.entities { entities(host) } else { Entities::default() },
        route: if needs.route { named(host, "route") } else { Named::default() },
        service: if needs.service { named(host, "service") } else { Named::default() },
        body,
        body_may_follow,
        upstream_query,
        can_remove: host.can_remove(),
        head,
    }
}

/// The query as it goes upstream. `None` where the host does not say.
fn upstream_query(host: Host, target: &[u8]) -> Option<Vec<u8>> {
    let query = |target: &[u8]| {
        let start = target.iter().position(|byte| *byte == b'?')?.checked_add(1)?;
        target.get(start..).map(<[u8]>::to_vec)
    };
    match host {
        // `:path` is what goes upstream, with what earlier filters made of it.
        Host::Envoy => Some(query(target).unwrap_or_default()),
        // The counterpart of `set_query`.
        Host::Kong(version) if version >= Some((3, 8)) => {
            let uri = abi::property(&["ngx", "upstream_uri"]).ok().filter(|uri| !uri.is_empty())?;
            Some(query(&uri).unwrap_or_default())
        }
        // Nginx has no such variable set where there is no query.
        Host::Kong(_) | Host::Unknown => Some(abi::property(&["ngx", "args"]).unwrap_or_default()),
    }
}

/// The address of the client's connection: `ip:port` on Envoy, the address alone on Kong.
fn peer() -> Option<String> {
    let text = String::from_utf8(abi::property(&["source", "address"]).ok()?).ok()?;
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        return Some(address.ip().to_string());
    }
    text.parse::<std::net::IpAddr>().ok().map(|address| address.to_string())
}

fn entities(host: Host) -> Entities {
    let read = |path: &[&str]| abi::property(path).ok().filter(|value| !value.is_empty());
    match host {
        Host::Envoy => {
            let metadata = |path: &[&str]| read(path).map_or(Entity::Unknown, Entity::Metadata);
            Entities {
                route: metadata(&["xds", "route_metadata"]),
                service: metadata(&["xds", "cluster_metadata"]),
            }
        }
        Host::Kong(version) if version >= Some((3, 6)) => {
            let json = |what| read(&["kong", "router", what]).map_or(Entity::Unknown, Entity::Json);
            Entities { route: json("route"), service: json("service") }
        }
        Host::Kong(_) | Host::Unknown => Entities::default(),
    }
}

/// Id and name of the route or service (on Envoy: the cluster).
fn named(host: Host, what: &str) -> Named {
    let text = |path: &[&str]| {
        let value = abi::property(path).ok().filter(|value| !value.is_empty())?;
        String::from_utf8(value).ok()
    };
    match host {
        Host::Envoy => {
            let name = if what == "route" { "route_name" } else { "cluster_name" };
            Named { id: None, name: text(&["xds", name]) }
        }
        Host::Kong(version) => {
            let id = text(&["kong", &format!("{what}_id")]);
            let name = if version >= Some((3, 9)) {
                text(&["kong", &format!("{what}_name")])
            } else {
                None
            };
            // Before 3.9 the name is in the entity itself.
            let entity = || {
                let json = text(&["kong", "router", what])?;
                let entity: serde_json::Value = serde_json::from_str(&json).ok()?;
                entity.get("name")?.as_str().map(str::to_owned)
            };
            let name = if version >= Some((3, 6)) { name.or_else(entity) } else { None };
            Named { id, name }
        }
        Host::Unknown => Named::default(),
    }
}

fn property(host: Host, name: &str) -> Option<Vec<u8>> {
    abi::property(&segments(host, name)).ok()
}

fn publish(host: Host, name: &str, value: &[u8]) -> Result<(), abi::Status> {
    abi::set_property(&segments(host, name), value)
}

fn segments(host: Host, name: &str) -> Vec<&str> {
    match host {
        Host::Envoy => vec![name],
        _ => vec!["kong", "ctx", "shared", name],
    }
}

fn body(size: usize) -> Result<Vec<u8>, Unavailable> {
    if size == 0 {
        return Ok(Vec::new());
    }
    match abi::buffer(Buffer::RequestBody) {
        Ok(body) if body.len() == size => Ok(body),
        // It went to a file, or is larger than the host hands over.
        _ => Err(Unavailable),
    }
}

fn out_of_order() -> Reply {
    Reply::error(500, Cow::Borrowed("An unexpected error occurred"))
}

fn failed() -> Reply {
    Reply::error(500, Cow::Borrowed("An unexpected error occurred"))
}
