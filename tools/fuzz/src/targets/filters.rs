//! Whole filters: requests, bodies, responses, answers to callouts and ticks, as an input tells.
//!
//! An input is a list of sections. The first one has the number of the settings and the gateway
//! (`0e`, `1k`), and each other one begins with the letter of an event:
//!
//! | letter | event |
//! |---|---|
//! | `q` | a request: `qGET /path`, headers, an empty line, and a body |
//! | `b` | this many bytes of its body have come (`b5`), or all of them (`b`) |
//! | `z` | its trailers |
//! | `a` | an answer to the oldest callout: `a200`, headers, an empty line, and a body |
//! | `x` | the oldest callout has failed |
//! | `r` | the response: as an answer |
//! | `t` | so many seconds pass (`t5`), and then comes a tick |
//! | `s` | somebody overwrites shared data: a byte for the slot, and its new content |

use crate::gateway::{self, ENVOY, Host, KONG, Written};
use all_filters::DEFINITIONS;
use cache::Rooms;
use exchange::{Answer, CallError, CallResult, Head};
use runtime::{Action, Asked, CallId, Instance, Purpose, Stream, Woken};
use std::collections::VecDeque;
use std::rc::Rc;

/// Documents of settings of one filter, and whether requests may pass under each.
pub struct Settings {
    pub filter: &'static str,
    pub documents: &'static [(&'static str, Passing)],
}

/// Which requests may pass.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    /// Some of them.
    Some,
    /// None, whatever they hold: no input has the credential.
    None,
    /// Only with an identity that the filter has published.
    Identified,
}

/// Whose callout is under way.
enum Owner {
    /// The headers of the answer that are to be read.
    Request(&'static [&'static str]),
    Response(&'static [&'static str]),
    Instance(Purpose),
}

/// One filter in a gateway.
struct World {
    instance: Rc<Instance>,
    passing: Passing,
    /// The gateway is an Envoy, on which a request that goes on has been decided.
    is_envoy: bool,
    /// The request goes on.
    goes_on: bool,
    host: Host,
    stream: Option<Stream>,
    calls: VecDeque<Owner>,
    requests: u32,
}

/// Runs a filter with the sections of an input.
pub fn run(settings: &Settings, data: &[u8]) {
    let mut sections = crate::input::sections(data);
    let Some([which, gateway, ..]) = sections.next() else { return };
    let (document, passing) = settings.documents[usize::from(*which) % settings.documents.len()];
    let is_envoy = *gateway != b'k';
    let Some(instance) = configured(settings.filter, document, is_envoy) else {
        let other = configured(settings.filter, document, !is_envoy);
        assert!(
            other.is_some(),
            "no gateway takes the settings of {}: {document}",
            settings.filter
        );
        return;
    };
    let mut world = World {
        instance,
        passing,
        is_envoy,
        goes_on: false,
        host: Host::default(),
        stream: None,
        calls: VecDeque::new(),
        requests: 1,
    };
    for section in sections.take(64) {
        if let Some((event, rest)) = section.split_first() {
            world.event(*event, rest);
        }
    }
    world.end();
}

/// Configures a filter in a new gateway. Some settings are for one gateway only.
fn configured(filter: &str, document: &str, is_envoy: bool) -> Option<Rc<Instance>> {
    let definition = DEFINITIONS.iter().find(|it| it.name() == filter).expect("a filter");
    gateway::begin(if is_envoy { ENVOY } else { KONG });
    let instance = Rc::new(Instance::new(1, *definition, Rooms::default()));
    instance.configure(&Host::default(), document.as_bytes()).then_some(instance)
}

impl World {
    fn event(&mut self, event: u8, text: &[u8]) {
        match event {
            b'q' => self.request(text),
            b'b' | b'z' => {
                let all = self.host.body.len();
                let size = digits(text).map_or(all, |size| size.min(all));
                let end = text.is_empty() || size == all;
                self.step(|stream, host| match event {
                    b'b' => stream.request_body(host, size, end),
                    _ => stream.request_trailers(host),
                });
            }
            b'a' => self.answer(Some(text)),
            b'x' => self.answer(None),
            b'r' => self.respond(text),
            b't' => {
                gateway::pass(digits(text).unwrap_or(1).min(100_000) as u64);
                let (sent, woken) = self.instance.tick(&self.host);
                self.sent(sent);
                self.wake(woken);
            }
            b's' => {
                if let Some((slot, value)) = text.split_first() {
                    gateway::overwrite(usize::from(*slot), |content| match value {
                        // The content is changed in one place, or replaced.
                        [at, mask] => {
                            let at = usize::from(*at) % content.len().max(1);
                            content.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= mask);
                        }
                        _ => *content = value.to_vec(),
                    });
                }
            }
            _ => {}
        }
    }

    fn request(&mut self, text: &[u8]) {
        self.end();
        self.host = Host::new(&Written::read(text));
        self.goes_on = false;
        // An earlier filter's identity would be a reason to let the request pass.
        if self.passing == Passing::None {
            self.host.forget(consumer::PROPERTY);
        }
        self.requests += 1;
        let mut stream = Stream::new(Rc::clone(&self.instance), self.requests);
        let (count, ends) = (self.host.head.len(), self.host.body.is_empty());
        let (action, asked) = stream.request_headers(&self.host, count, ends);
        self.stream = Some(stream);
        self.settled(action, asked);
    }

    /// Gives the request an event.
    fn step(&mut self, event: impl FnOnce(&mut Stream, &Host) -> (Action, Asked)) {
        if let Some(stream) = &mut self.stream {
            let (action, asked) = event(stream, &self.host);
            self.settled(action, asked);
        }
    }

    fn settled(&mut self, action: Action, asked: Asked) {
        match asked {
            Asked::Nothing => {}
            Asked::ByRequest(_, wanted) => self.calls.push_back(Owner::Request(wanted)),
            Asked::ByResponse(_, wanted) => self.calls.push_back(Owner::Response(wanted)),
            Asked::ByInstance(_, key) => {
                let purpose = Purpose::Cache(cache::Purpose::Key(key));
                self.calls.push_back(Owner::Instance(purpose));
            }
        }
        let replied = self.host.replied.get().is_some();
        assert!(!replied || action == Action::Pause, "a refused request goes on");
        self.goes_on = action == Action::Continue;
    }

    fn sent(&mut self, sent: Vec<(CallId, Purpose)>) {
        self.calls.extend(sent.into_iter().map(|(_, purpose)| Owner::Instance(purpose)));
    }

    /// Gives the oldest callout its answer; `None` stands for a failure.
    fn answer(&mut self, text: Option<&[u8]>) {
        let result = |wanted: &[&'static str]| -> CallResult {
            text.map(|text| answer(text, wanted)).ok_or(CallError::NoAnswer)
        };
        match self.calls.pop_front() {
            Some(Owner::Request(wanted)) => {
                self.step(|stream, host| stream.answered(host, result(wanted)));
            }
            Some(Owner::Response(wanted)) => {
                if let Some(stream) = &mut self.stream {
                    let (_, asked) = stream.response_answered(&self.host, result(wanted));
                    self.settled(Action::Continue, asked);
                }
            }
            Some(Owner::Instance(purpose)) => {
                let wanted = match &purpose {
                    Purpose::BackgroundCall(_, wanted) => wanted,
                    Purpose::Cache(_) => &[][..],
                };
                let (sent, woken) = self.instance.answered(&self.host, &purpose, &result(wanted));
                self.sent(sent);
                self.wake(woken);
            }
            None => {}
        }
    }

    fn wake(&mut self, woken: Woken) {
        for (id, result) in woken {
            if id == self.requests && self.stream.as_ref().is_some_and(Stream::is_parked) {
                self.step(|stream, host| stream.woken(host, result));
            }
        }
    }

    fn respond(&mut self, text: &[u8]) {
        let written = Written::read(text);
        let status: [(&[u8], &[u8]); 1] = [(b":status", written.line)];
        let head: Head = status.into_iter().chain(written.head.iter().copied()).collect();
        let (count, size) = (head.len(), written.body.len());
        self.host.response.replace((head, written.body.to_vec()));
        self.passed();
        let Some(stream) = &mut self.stream else { return };
        let (_, asked) = stream.response_headers(&self.host, count, size == 0);
        if let Asked::ByResponse(_, wanted) = asked {
            self.calls.push_back(Owner::Response(wanted));
        }
        for end in [size / 2, size] {
            stream.response_body(&self.host, end, end == size);
        }
    }

    /// Checks a request that goes on.
    fn passed(&mut self) {
        if self.stream.is_none() || !self.goes_on || !self.is_envoy {
            return;
        }
        match self.passing {
            Passing::Some => {}
            Passing::None => panic!("a request without a credential has passed"),
            Passing::Identified => {
                let known = self.host.property_named(consumer::PROPERTY);
                let known = consumer::Known::from_property(known.as_deref());
                let is_ours = known.identity().is_some() || known == consumer::Known::Refused;
                assert!(is_ours, "a request without an identity has passed");
            }
        }
    }

    /// Ends the request.
    fn end(&mut self) {
        self.passed();
        if let Some(mut stream) = self.stream.take() {
            // The calls of a request end with it.
            self.calls.retain(|owner| matches!(owner, Owner::Instance(_)));
            if stream.awaits_end() {
                stream.logged(&self.host);
            }
            stream.gone();
        }
    }
}

/// Reads the status, the headers of `wanted` and the body of an answer.
fn answer(text: &[u8], wanted: &[&'static str]) -> Answer {
    let written = Written::read(text);
    let status = digits(written.line).unwrap_or(0).min(999);
    let mut answer = Answer::new(u16::try_from(status).unwrap_or(0), written.body);
    for name in wanted {
        let found = written.head.iter().find(|(it, _)| it.eq_ignore_ascii_case(name.as_bytes()));
        answer.headers.extend(found.map(|(_, value)| (*name, value.to_vec())));
    }
    answer
}

fn digits(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}
