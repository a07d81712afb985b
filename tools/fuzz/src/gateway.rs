//! A pretend gateway: the carrier under which whole filters are fuzzed. It refuses nothing, and
//! holds the filter to what a real gateway relies on.

use cache::{Put, SharedData};
use exchange::{Edit, Head, Origin, Request, Unavailable};
use runtime::{
    CallId, CallOwner, Capabilities, Level, LocalReply, Message, MetricKind, NotTaken, Outgoing,
    Platform, Proxy, Unreadable, Wanted,
};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

/// What a Kong of version 3.9 and an Envoy are able to do.
pub const ENVOY: Capabilities = Capabilities {
    known: true,
    settled: true,
    rejects_safely: true,
    needs_zone: false,
    calls_addresses: false,
    has_plugins: false,
    can_park: true,
    can_wake: true,
    can_hold_responses: true,
    can_send_from_answers: true,
    calls_in_parallel: true,
    pauses_for_body: true,
    can_remove: true,
    refusal_is_final: true,
    reads_headers_at_end: true,
    sends_interim_replies: false,
    has_signatures: false,
    has_strong_randomness: true,
    has_metrics: true,
    counts_by_default: true,
};

/// See [`ENVOY`].
pub const KONG: Capabilities = Capabilities {
    needs_zone: true,
    calls_addresses: true,
    has_plugins: true,
    can_wake: false,
    can_hold_responses: false,
    can_send_from_answers: false,
    pauses_for_body: false,
    can_remove: false,
    refusal_is_final: false,
    ..ENVOY
};

thread_local! {
    static ABLE: Cell<Capabilities> = const { Cell::new(ENVOY) };
    /// Seconds since 1970.
    static NOW: Cell<u64> = const { Cell::new(0) };
    static SLOTS: RefCell<HashMap<u32, (Vec<u8>, u32)>> = RefCell::default();
}

/// Begins a new gateway, with these abilities and empty memory.
pub fn begin(able: Capabilities) {
    static PLATFORM: Fuzzed = Fuzzed;
    runtime::install(&PLATFORM);
    ABLE.set(able);
    NOW.set(1_800_000_000);
    SLOTS.with_borrow_mut(HashMap::clear);
}

/// Lets time pass.
pub fn pass(seconds: u64) {
    NOW.set(NOW.get() + seconds);
}

/// Overwrites a slot of shared data, as another program could that shares the zone.
pub fn overwrite(nth: usize, change: impl FnOnce(&mut Vec<u8>)) {
    SLOTS.with_borrow_mut(|slots| {
        let mut names: Vec<u32> = slots.keys().copied().collect();
        names.sort_unstable();
        if let Some((value, version)) =
            names.get(nth % names.len().max(1)).and_then(|name| slots.get_mut(name))
        {
            change(value);
            *version += 1;
        }
    });
}

struct Fuzzed;

impl Platform for Fuzzed {
    fn capabilities(&self) -> Capabilities {
        ABLE.get()
    }

    fn now_ns(&self) -> u64 {
        NOW.get() * 1_000_000_000
    }

    fn random(&self, out: &mut [u8]) {
        out.fill(7);
    }

    fn log(&self, _: Level, message: &str) {
        assert!(!message.bytes().any(|byte| byte.is_ascii_control()), "a line of log: {message:?}");
    }

    fn declare_metric(&self, _: MetricKind, _: &str, name: &str) -> Option<u32> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        assert!(name.bytes().all(plain), "the name of a metric: {name:?}");
        Some(1)
    }

    fn increment(&self, _: u32, _: u64) {}

    fn record(&self, _: u32, _: u64) {}

    fn shared_data(&self, _: Option<&str>) -> Option<Box<dyn SharedData>> {
        Some(Box::new(Slots))
    }

    fn foreign(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

struct Slots;

impl SharedData for Slots {
    fn get(&self, slot: u32) -> Option<(Vec<u8>, u32)> {
        SLOTS.with_borrow(|slots| slots.get(&slot).cloned())
    }

    fn put(&self, slot: u32, value: &[u8], seen: Option<u32>) -> Put {
        SLOTS.with_borrow_mut(|slots| {
            let now = slots.get(&slot).map(|(_, version)| *version);
            if now != seen {
                return Put::Conflict;
            }
            slots.insert(slot, (value.to_vec(), now.unwrap_or(0) + 1));
            Put::Done
        })
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// A message as an input writes it: a line, headers up to an empty line, and a body.
#[derive(Default, Clone)]
pub struct Written<'a> {
    pub line: &'a [u8],
    pub head: Vec<(&'a [u8], &'a [u8])>,
    pub body: &'a [u8],
}

impl<'a> Written<'a> {
    pub fn read(text: &'a [u8]) -> Self {
        let (line, mut rest) = crate::input::halves(text, b'\n');
        let mut head = Vec::new();
        while !rest.is_empty() && !rest.starts_with(b"\n") {
            let (field, after) = crate::input::halves(rest, b'\n');
            let (name, value) = crate::input::halves(field, b':');
            // Gateways let no such byte in.
            if !field.iter().any(|byte| matches!(byte, b'\r' | 0)) {
                head.push((name, value.strip_prefix(b" ").unwrap_or(value)));
            }
            rest = after;
        }
        Self { line, head, body: rest.strip_prefix(b"\n").unwrap_or_default() }
    }
}

/// One request in the gateway, and what the filter has done to it.
#[derive(Default)]
pub struct Host {
    pub head: Head,
    method: Vec<u8>,
    target: Vec<u8>,
    pub body: Vec<u8>,
    pub response: RefCell<(Head, Vec<u8>)>,
    properties: RefCell<HashMap<String, Vec<u8>>>,
    pub replied: Cell<Option<u16>>,
    /// The number of callouts.
    pub calls: Cell<u32>,
}

impl Host {
    /// Makes the request that an input writes as `method target`, headers and a body. A header
    /// whose name begins with `@` is a property.
    pub fn new(written: &Written<'_>) -> Self {
        let (method, target) = crate::input::halves(written.line, b' ');
        let is_property = |name: &[u8]| name.starts_with(b"@");
        let properties = written.head.iter().filter(|(name, _)| is_property(name));
        let properties = properties.map(|(name, value)| {
            (String::from_utf8_lossy(&name[1..]).into_owned(), value.to_vec())
        });
        let pseudo: [(&[u8], &[u8]); 4] = [
            (b":method", method),
            (b":path", target),
            (b":scheme", b"https"),
            (b":authority", b"api.example.com"),
        ];
        let headers = written.head.iter().filter(|(name, _)| !is_property(name)).copied();
        Self {
            head: pseudo.into_iter().chain(headers).collect(),
            method: method.to_vec(),
            target: target.to_vec(),
            body: written.body.to_vec(),
            properties: RefCell::new(properties.collect()),
            ..Self::default()
        }
    }

    /// Empties a property.
    pub fn forget(&self, name: &str) {
        self.properties.borrow_mut().remove(name);
    }

    /// Returns a property that is not empty.
    pub fn property_named(&self, name: &str) -> Option<Vec<u8>> {
        self.properties.borrow().get(name).cloned().filter(|value| !value.is_empty())
    }
}

/// Checks that a field cannot become two: a gateway writes name and value as they are.
fn check_field(name: &[u8], value: &[u8], what: &str) {
    let ends = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    let odd = |byte: &u8| byte.is_ascii_control() || b" :".contains(byte);
    let plain = name.strip_prefix(b":").unwrap_or(name);
    assert!(!plain.is_empty() && !plain.iter().any(odd), "{what}: {}", name.escape_ascii());
    assert!(!value.iter().any(ends), "{what} {}: {}", name.escape_ascii(), value.escape_ascii());
}

/// Checks that a target of ours stays one word of a request line.
fn check_target(target: &[u8], what: &str) {
    let odd = |byte: &u8| byte.is_ascii_control() || *byte == b' ';
    assert!(!target.iter().any(odd), "{what}: {}", target.escape_ascii());
}

impl Proxy for Host {
    fn request(&self, wanted: &Wanted) -> Result<Request, Unreadable> {
        let property = |name: &str| self.property_named(name);
        let text = |name: &str| property(name).and_then(|text| String::from_utf8(text).ok());
        let comes = !self.body.is_empty() && !wanted.ends;
        Ok(Request {
            head: self.head.clone(),
            method: self.method.clone(),
            target: self.target.clone(),
            now: NOW.get() * 1000,
            claims: property(consumer::CLAIMS),
            peer: text("peer").or_else(|| Some("192.0.2.1".to_owned())),
            own_hop: property("own_hop").is_some(),
            mark: wanted.needs.mark.and_then(property),
            origin: Origin {
                scheme: Some("https".to_owned()),
                host: text("host").or_else(|| Some("api.example.com".to_owned())),
                port: text("port").and_then(|port| port.parse().ok()),
            },
            entities: exchange::Entities {
                route: property("route").map(exchange::Entity::Json).unwrap_or_default(),
                service: property("service").map(exchange::Entity::Metadata).unwrap_or_default(),
            },
            route: exchange::Named { id: text("route_id"), name: text("route_name") },
            service: exchange::Named { id: text("service_id"), name: text("service_name") },
            body: if comes { exchange::BodyAhead::Comes } else { exchange::BodyAhead::None },
            can_remove: ABLE.get().can_remove,
            ..Request::default()
        })
    }

    fn request_id(&self, head: &Head) -> Option<Vec<u8>> {
        head.first("x-request-id").map(<[u8]>::to_vec)
    }

    fn edit_request(&self, _: &Head, edit: &Edit) -> Result<(), NotTaken> {
        match edit {
            Edit::Set(name, value) | Edit::Add(name, value) => {
                check_field(name.as_bytes(), value, "a request's header");
            }
            Edit::Remove(name) => check_field(name.as_bytes(), b"", "a removed header"),
            Edit::Method(method) => check_field(method, b"", "a method"),
            // What the client sent may stand in it; what a gateway lets in has no control bytes.
            Edit::Target(target)
                if !self.target.iter().any(|byte| byte.is_ascii_control() || *byte == b' ') =>
            {
                check_target(target, "a target");
            }
            Edit::Query(query)
                if !self.target.iter().any(|byte| byte.is_ascii_control() || *byte == b' ') =>
            {
                check_target(query, "a query");
            }
            Edit::Target(_)
            | Edit::Query(_)
            | Edit::DropParameters(_)
            | Edit::Requery { .. }
            | Edit::Body(_) => {}
            Edit::Publish(name, value) => {
                self.properties.borrow_mut().insert((*name).to_owned(), value.to_vec());
            }
        }
        assert_eq!(self.replied.get(), None, "an edit after the reply: {edit:?}");
        Ok(())
    }

    fn body(&self, of: Message, size: usize) -> Result<Vec<u8>, Unavailable> {
        let body = match of {
            Message::Request => self.body.clone(),
            Message::Response => self.response.borrow().1.clone(),
        };
        body.get(..size).map(<[u8]>::to_vec).ok_or(Unavailable)
    }

    fn body_from(&self, seen: usize, size: Option<usize>) -> Result<Vec<u8>, Unavailable> {
        let end = size.unwrap_or(self.body.len());
        self.body.get(seen..end).map(<[u8]>::to_vec).ok_or(Unavailable)
    }

    fn trailers(&self) -> Option<Head> {
        Some(self.head.clone())
    }

    fn remove_trailer(&self, _: &str) -> Result<(), NotTaken> {
        Ok(())
    }

    fn reply(&self, reply: &LocalReply<'_>) -> Result<(), NotTaken> {
        assert_eq!(self.replied.replace(Some(reply.status)), None, "one reply for a request");
        assert!((200..600).contains(&reply.status), "{}", reply.status);
        for (name, value) in &reply.headers {
            check_field(name.as_bytes(), value, "a reply's header");
        }
        check_field(reply.details.as_bytes(), b"", "the details of a reply");
        Ok(())
    }

    fn response_head(&self, _: usize) -> Option<Head> {
        Some(self.response.borrow().0.clone())
    }

    fn response_status(&self) -> Option<u16> {
        None
    }

    fn edit_response(&self, edit: &Edit) {
        if let Edit::Set(name, value) | Edit::Add(name, value) = edit {
            check_field(name.as_bytes(), value, "a response's header");
        }
    }

    fn upstream_has_answered(&self) -> bool {
        false
    }

    fn blank_response(&self, _: usize) {}

    fn replace_response_body(&self, _: &[u8]) {}

    fn property(&self, name: &str) -> Option<Vec<u8>> {
        self.property_named(name)
    }

    fn publish(&self, name: &str, value: &[u8]) -> Result<(), NotTaken> {
        self.properties.borrow_mut().insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    fn check_properties(&self, _: &[&'static str]) -> Result<(), String> {
        Ok(())
    }

    fn prepare_wait(&self) -> Result<(), NotTaken> {
        Ok(())
    }

    fn call(&self, _: CallOwner, call: &Outgoing<'_>) -> Result<CallId, NotTaken> {
        for (name, value) in call.headers {
            check_field(name.as_bytes(), value, "a callout's header");
            if *name == ":path" {
                assert!(value.starts_with(b"/"), "{}", value.escape_ascii());
                check_target(value, "a callout's path");
            }
        }
        self.calls.set(self.calls.get() + 1);
        Ok(self.calls.get())
    }

    fn tick_every(&self, _: Duration) {}
}
