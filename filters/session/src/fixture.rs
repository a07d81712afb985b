//! The fixture of the tests of both flows: a browser, a filter, and a small admin service.

#![allow(clippy::arithmetic_side_effects, reason = "seconds that the tests themselves chose")]

use crate::config::Config;
use crate::filter::Session;
use crate::sessions::{Sessions, Tools};
use crate::source::Service;
use admin_api::{NewSession, Ttl};
use consumer::testing::Driver;
use consumer::{Guard, Known};
use exchange::{
    Answer, BodyAhead, Call, Edit, Event, Finding, Flow, Head, Key, Reply, Request, Response,
    ResponseEvent, ResponseStep, Step, Then, Unavailable,
};
use runtime::{Filter, Source};
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

pub(crate) const START: u64 = 1_700_000_000;
pub(crate) const ANA: &str = r#"{"id":"1","username":"ana","custom_id":null,"groups":[],"credential":{"id":"c","type":"key-auth","identifier":"c"},"anonymous":false}"#;
pub(crate) const BOB: &str = r#"{"id":"2","username":"bob","groups":["staff"],"credential":{"id":"d","type":"jwt","identifier":"k"}}"#;
pub(crate) const NOBODY: &str = r#"{"id":"9","username":"nobody","anonymous":true}"#;

thread_local! {
    static COUNTER: Cell<u8> = const { Cell::new(0) };
    static NOW: Cell<u64> = const { Cell::new(START) };
    pub(crate) static REPORTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn random(out: &mut [u8]) -> bool {
    COUNTER.with(|counter| {
        counter.set(counter.get().wrapping_add(1));
        out.fill(counter.get());
    });
    true
}

/// A filter, a browser and the clock.
pub(crate) struct Fixture {
    pub(crate) sessions: Rc<Sessions>,
    /// The browser's cookies.
    pub(crate) cookies: BTreeMap<String, String>,
    /// The stored sessions by name: their data, and their end in seconds since 1970.
    pub(crate) rows: RefCell<BTreeMap<String, (String, u64)>>,
    /// The revoked logins by name, with their time to live in seconds.
    pub(crate) revoked: RefCell<BTreeMap<String, u64>>,
    /// The metadata of each session that was stored, in order: `audience:subject`, ...
    pub(crate) noted: RefCell<Vec<String>>,
    /// Consumers by id, as the admin service prints them.
    pub(crate) consumers: BTreeMap<String, String>,
    /// `false` if the admin service does not answer.
    pub(crate) reachable: Cell<bool>,
    /// The calls to the admin service, in order: `GET sessions`.
    pub(crate) asked: RefCell<Vec<String>>,
}

/// The outcome of a request.
#[derive(Debug, Default)]
pub(crate) struct Passage {
    /// The edits with which the request went on. `None` if the filter replied.
    pub(crate) forwarded: Option<Vec<Edit>>,
    pub(crate) reply: Option<Reply>,
    /// The edits to the response.
    pub(crate) response: Vec<Edit>,
}

impl Fixture {
    pub(crate) fn new(config: &str) -> Self {
        NOW.set(START);
        REPORTS.take();
        let (config, secrets) = settings::read(config.as_bytes(), &|_| None, Config::read).unwrap();
        let report = |text: &str| REPORTS.with_borrow_mut(|all| all.push(text.to_owned()));
        Self {
            sessions: Rc::new(Sessions::new(config, secrets, Tools { random, report })),
            cookies: BTreeMap::new(),
            rows: RefCell::default(),
            revoked: RefCell::default(),
            noted: RefCell::default(),
            consumers: BTreeMap::new(),
            reachable: Cell::new(true),
            asked: RefCell::default(),
        }
    }

    /// The fixture with another filter; browser, service and clock stay.
    pub(crate) fn with(self, config: &str) -> Self {
        let now = NOW.get();
        let other = Self::new(config);
        NOW.set(now);
        Self { sessions: other.sessions, ..self }
    }

    pub(crate) fn after(&self, seconds: u64) -> &Self {
        NOW.set(NOW.get() + seconds);
        self
    }

    pub(crate) fn now(&self) -> u64 {
        NOW.get()
    }

    pub(crate) fn get(&self, target: &str) -> Request {
        let cookie: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut headers = vec![("host", "example.com".to_owned())];
        if !cookie.is_empty() {
            headers.push(("cookie", cookie.join("; ")));
        }
        Request {
            head: headers.into_iter().collect(),
            method: b"GET".to_vec(),
            target: target.into(),
            now: NOW.get() * 1000,
            can_remove: true,
            ..Request::default()
        }
    }

    pub(crate) fn post(&self, target: &str, content_type: &str) -> Request {
        let get = self.get(target);
        let headers = get.head.fields().map(|(name, value)| (name.to_vec(), value.to_vec()));
        let head: Head = headers.chain([(b"content-type".to_vec(), content_type.into())]).collect();
        Request { head, method: b"POST".to_vec(), body: BodyAhead::Comes, ..get }
    }

    /// Sends a request through the filter. `later` is the identity that later filters publish.
    pub(crate) fn send(&mut self, request: Request, later: Option<&str>) -> Passage {
        self.send_with(request, None, later, Head::default())
    }

    pub(crate) fn send_with(
        &mut self,
        request: Request,
        body: Option<&[u8]>,
        later: Option<&str>,
        response: Head,
    ) -> Passage {
        self.carry(Self::filter(&self.sessions), request, body, later, response)
    }

    /// Sends a request through an instance that only saves.
    pub(crate) fn save(&mut self, request: Request) -> Passage {
        self.carry(Self::filter(&self.sessions), request, None, None, Head::default())
    }

    /// The filter, which opens or saves as its settings say.
    pub(crate) fn filter(sessions: &Rc<Sessions>) -> Driver {
        let (common, sessions) = (sessions.config.common.clone(), Rc::clone(sessions));
        Driver::new(&common, move |request| Session::start(&sessions, request))
    }

    fn carry(
        &mut self,
        mut flow: Driver,
        request: Request,
        body: Option<&[u8]>,
        later: Option<&str>,
        head: Head,
    ) -> Passage {
        let arrived = request.consumer.clone();
        let mut passage = Passage::default();
        let headers = request.head.clone();
        let owned = Rc::new(Session::owned(&self.sessions));
        let known = Known::from_property(arrived.as_deref());
        let refused = known == Known::Refused;
        let common = Session::common(&self.sessions);
        let mut guard = Guard::new(owned, common, &headers, known, request.can_remove).unwrap();
        let mut settle = |edits| match refused {
            true => edits,
            false => guard.settle(&headers, edits).unwrap(),
        };
        let mut step = flow.send(request);
        let mut published = arrived;
        let mut made = Vec::new();
        loop {
            step = match step {
                Step { edits, then: Then::Forward } => {
                    made.extend(settle(edits));
                    for edit in &made {
                        if let Edit::Publish("gatehouse_consumer", value) = edit {
                            published = Some(value.to_vec());
                        }
                    }
                    passage.forwarded = Some(made);
                    break;
                }
                Step { then: Then::Reply(reply), .. } => {
                    passage.reply = Some(reply);
                    break;
                }
                Step { then: Then::Find { key, not_before: 0 }, .. } => {
                    flow.on(Event::Found(self.find(&key)))
                }
                Step { then: Then::Ask(_, call), .. } => flow.on(Event::Answered(self.ask(&call))),
                Step { edits, then: Then::AwaitBody } => {
                    made = settle(edits);
                    flow.on(Event::Body(body.map(<[u8]>::to_vec).ok_or(Unavailable)))
                }
                other => panic!("{other:?}"),
            };
        }
        if !flow.wants_response() {
            return passage;
        }
        let response = Response {
            head,
            status: 200,
            now: NOW.get() * 1000,
            ours: passage.reply.is_some(),
            consumer: later.map(|text| text.as_bytes().to_vec()).or(published),
            ..Response::default()
        };
        let mut step = flow.on_response(ResponseEvent::Head(Box::new(response)));
        loop {
            step = match step {
                ResponseStep::Forward(edits) => {
                    passage.response = edits;
                    break;
                }
                ResponseStep::Ask(_, call) => {
                    flow.on_response(ResponseEvent::Answered(self.ask(&call)))
                }
            };
        }
        self.keep_cookies(&passage);
        passage
    }

    /// Lets the browser set and delete its cookies as the response says.
    fn keep_cookies(&mut self, passage: &Passage) {
        for cookie in passage.cookies() {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((&cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn find(&self, key: &Key) -> Result<Finding, Unavailable> {
        let service = Service { now: || NOW.get() * 1000 };
        let answer = self.ask(&service.call(key))?;
        service.read(key, &answer).map(|(finding, _)| finding).ok_or(Unavailable)
    }

    fn ask(&self, call: &Call) -> Result<Answer, Unavailable> {
        let segments: Vec<String> = call
            .segments
            .iter()
            .map(|segment| String::from_utf8(segment.clone()).unwrap())
            .collect();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        self.asked.borrow_mut().push(format!("{} {}", call.method, path[0]));
        if !self.reachable.get() {
            return Err(Unavailable);
        }
        let missing = Answer::new(404, r#"{"message":"Not found","seq":1}"#);
        let now = NOW.get();
        let mut rows = self.rows.borrow_mut();
        rows.retain(|_, (_, end)| *end > now);
        Ok(match (call.method, path.as_slice()) {
            ("GET", ["sessions", id]) => match rows.get(*id) {
                Some((data, end)) => {
                    Answer::new(200, json!({"data": data, "ttl": end - now, "seq": 1}).to_string())
                }
                None => missing,
            },
            ("PUT", ["sessions", id]) => {
                let new: NewSession = serde_json::from_slice(&call.body).unwrap();
                let metadata = new.metadata.iter();
                let noted = metadata.map(|entry| format!("{}:{}", entry.audience, entry.subject));
                self.noted.borrow_mut().push(noted.collect::<Vec<_>>().join(","));
                rows.insert((*id).to_owned(), (new.data, now + new.ttl));
                Answer::new(200, "{}")
            }
            ("PATCH", ["sessions", id]) => {
                let Ttl { ttl } = serde_json::from_slice(&call.body).unwrap();
                match rows.get_mut(*id) {
                    Some((_, end)) => {
                        *end = (*end).min(now + ttl);
                        Answer::new(200, "{}")
                    }
                    None => missing,
                }
            }
            ("DELETE", ["sessions", id]) => {
                rows.remove(*id);
                Answer::new(204, "")
            }
            ("PUT", ["revocations", id]) => {
                let Ttl { ttl } = serde_json::from_slice(&call.body).unwrap();
                self.revoked.borrow_mut().insert((*id).to_owned(), ttl);
                Answer::new(200, "{}")
            }
            ("GET", ["revocations", id]) => match self.revoked.borrow().get(*id) {
                Some(ttl) => Answer::new(200, json!({"ttl": ttl, "seq": 1}).to_string()),
                None => missing,
            },
            ("GET", ["identities", "consumers", id]) => match self.consumers.get(*id) {
                Some(body) => Answer::new(200, body.clone()),
                None => missing,
            },
            other => panic!("{other:?}"),
        })
    }

    /// Returns the calls to the admin service since the last use of this function.
    pub(crate) fn questions(&self) -> Vec<String> {
        self.asked.take()
    }
}

impl Passage {
    /// The `Set-Cookie` headers that are added.
    pub(crate) fn cookies(&self) -> Vec<String> {
        let added = self.response.iter().filter_map(|edit| match edit {
            Edit::Add(name, value) if name == "set-cookie" => Some(value.clone()),
            _ => None,
        });
        added.map(|value| String::from_utf8(value).unwrap()).collect()
    }

    /// The value that the upstream gets, or the client if `response`.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.edits().iter().rev().find_map(|edit| match edit {
            Edit::Set(set, value) if set == name => {
                Some(String::from_utf8(value.to_vec()).unwrap())
            }
            _ => None,
        })
    }

    pub(crate) fn removes(&self, name: &str) -> bool {
        self.edits().contains(&Edit::remove(name.to_owned()))
    }

    pub(crate) fn published(&self, property: &str) -> Option<String> {
        self.edits().iter().find_map(|edit| match edit {
            Edit::Publish(name, value) if *name == property => {
                Some(String::from_utf8(value.to_vec()).unwrap())
            }
            _ => None,
        })
    }

    /// The id of the consumer that the upstream is told.
    pub(crate) fn consumer(&self) -> Option<String> {
        self.header("x-consumer-id")
    }

    pub(crate) fn told(&self, name: &str) -> Option<String> {
        self.response.iter().find_map(|edit| match edit {
            Edit::Set(set, value) if set == name => {
                Some(String::from_utf8(value.to_vec()).unwrap())
            }
            _ => None,
        })
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.reply.as_ref().map(|reply| reply.status)
    }

    fn edits(&self) -> &[Edit] {
        self.forwarded.as_deref().expect("the request was answered")
    }
}
