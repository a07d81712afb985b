//! A second carrier, in the way of Envoy's native modules, proves what the traits of the runtime
//! promise: filters run unchanged on several threads, over memory of the process, with callouts
//! that belong to a request or to a configuration, and with metrics that are declared up front. The
//! file is long because the carrier is whole.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may panic"
)]

use cache::{Put, Rooms, SharedData, Source};
use consumer::{Admitted, Owned};
use exchange::{
    Answer, Call, Edit, Finding, Head, Key, Reply, Request, Started, Step, Unasked, Unavailable,
};
use runtime::{
    Action, Asked, CallId, CallOwner, Capabilities, Definition, Filter, Instance, Level,
    LocalReply, Message, MetricKind, NotTaken, Outgoing, Platform, Proxy, Purpose, Stream,
    Unreadable, Wanted,
};
use settings::{Common, Fields, Rule};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

// === A filter, which knows nothing of carriers ===

/// Lets requests on whose name the admin service knows, and numbers them over all threads.
struct Names;

struct Config {
    common: Common,
    header: String,
}

struct Entities;

impl Source for Entities {
    fn call(&self, key: &Key) -> Call {
        Call::get([b"names".as_slice(), &key.name])
    }

    fn read(&self, _: &Key, answer: &Answer) -> Option<(Finding, Option<u64>)> {
        match answer.status {
            200 => Some((Finding::Value(answer.body.clone()), None)),
            404 => Some((Finding::Nothing, None)),
            _ => None,
        }
    }
}

struct Lookup;

impl exchange::Flow for Lookup {
    fn on(&mut self, event: exchange::Event) -> Step {
        match event {
            exchange::Event::Found(Ok(Finding::Value(title))) => {
                Step::forward(vec![Edit::set("x-title", title)])
            }
            exchange::Event::Found(Ok(Finding::Nothing)) => {
                Step::reply(Reply::message(403, "unknown", "Unknown"))
            }
            _ => Step::reply(Reply::unavailable()),
        }
    }

    fn on_unasked(&mut self, why: Unasked) -> Step {
        assert_eq!(why, Unasked::TooMany);
        Step::reply(Reply::message(429, "busy", "Busy"))
    }
}

impl Filter for Names {
    const NAME: &'static str = "names";
    const ID: u8 = 251;
    type Config = Config;

    fn settings(fields: &mut Fields<'_>) -> Config {
        let common = Common::identified(fields).with_lookups(fields);
        let header = fields.text("header", Rule::HEADER_NAME);
        Config { common, header: header.unwrap_or_else(|| "x-name".to_owned()) }
    }

    fn common(config: &Config) -> &Common {
        &config.common
    }

    fn owned(_: &Config) -> Owned {
        Owned::headers(["x-title"])
    }

    fn leaves(_: &Config) -> Vec<&'static str> {
        Vec::new()
    }

    fn source(_: &Rc<Config>) -> Option<Box<dyn Source>> {
        Some(Box::new(Entities))
    }

    fn start(config: &Rc<Config>, Admitted { request, .. }: Admitted) -> Started {
        match request.head.first(&config.header) {
            Some(name) => Started::new(Step::find(Key::new(1, name)), Lookup),
            None => Step::reply(Reply::message(400, "no_name", "No name")).into(),
        }
    }
}

// === The carrier ===

/// Memory of the process, which all threads share.
#[derive(Default)]
struct Process {
    slots: Mutex<HashMap<u32, (Vec<u8>, u32)>>,
    families: Mutex<Vec<String>>,
    counts: Mutex<HashMap<String, u64>>,
    names: Mutex<Vec<String>>,
}

/// The tests count in one process, one after the other.
static TURN: Mutex<()> = Mutex::new(());
static PROCESS: std::sync::LazyLock<Process> = std::sync::LazyLock::new(Process::default);

struct Slots;

impl SharedData for Slots {
    fn get(&self, slot: u32) -> Option<(Vec<u8>, u32)> {
        PROCESS.slots.lock().unwrap().get(&slot).cloned()
    }

    fn put(&self, slot: u32, value: &[u8], seen: Option<u32>) -> Put {
        let mut slots = PROCESS.slots.lock().unwrap();
        let now = slots.get(&slot).map(|(_, number)| *number);
        if now != seen {
            return Put::Conflict;
        }
        slots.insert(slot, (value.to_vec(), now.unwrap_or(0) + 1));
        Put::Done
    }

    fn is_shared(&self) -> bool {
        true
    }
}

struct Native;

impl Platform for Native {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            known: true,
            settled: true,
            rejects_safely: true,
            can_park: true,
            can_remove: true,
            refusal_is_final: true,
            has_metrics: true,
            counts_by_default: true,
            ..Capabilities::default()
        }
    }

    fn now_ns(&self) -> u64 {
        1_000_000_000_000_000_000
    }

    fn random(&self, out: &mut [u8]) {
        out.fill(7);
    }

    fn log(&self, _: Level, _: &str) {}

    fn declare_family(&self, filter: &str) {
        PROCESS.families.lock().unwrap().push(filter.to_owned());
    }

    fn declare_metric(&self, _: MetricKind, filter: &str, name: &str) -> Option<u32> {
        // A gateway that takes declarations up front knows the family; the name is a label.
        assert!(PROCESS.families.lock().unwrap().iter().any(|known| known == filter));
        let mut names = PROCESS.names.lock().unwrap();
        let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        u32::try_from(at).ok()
    }

    fn increment(&self, metric: u32, by: u64) {
        let name = PROCESS.names.lock().unwrap()[metric as usize].clone();
        *PROCESS.counts.lock().unwrap().entry(name).or_default() += by;
    }

    fn record(&self, _: u32, _: u64) {}

    fn shared_data(&self, _: Option<&str>) -> Option<Box<dyn SharedData>> {
        Some(Box::new(Slots))
    }

    fn foreign(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

/// One request of a client, and what became of it.
#[derive(Default)]
struct Exchange {
    head: Head,
    edits: RefCell<Vec<Edit>>,
    reply: RefCell<Option<u16>>,
    calls: RefCell<Vec<(CallOwner, String)>>,
}

impl Exchange {
    fn named(name: &str) -> Self {
        let head = [(":method", "GET"), (":path", "/"), ("x-name", name), ("x-title", "forged")];
        Self { head: head.into_iter().collect(), ..Self::default() }
    }

    fn title(&self) -> Option<Vec<u8>> {
        let edits = self.edits.borrow();
        edits.iter().find_map(|edit| match edit {
            Edit::Set(name, value) if name == "x-title" => Some(value.clone()),
            _ => None,
        })
    }
}

impl Proxy for Exchange {
    fn request(&self, _: &Wanted) -> Result<Request, Unreadable> {
        let (method, target) = (b"GET".to_vec(), b"/".to_vec());
        Ok(Request {
            head: self.head.clone(),
            method,
            target,
            can_remove: true,
            ..Request::default()
        })
    }

    fn request_id(&self, _: &Head) -> Option<Vec<u8>> {
        None
    }

    fn edit_request(&self, _: &Head, edit: &Edit) -> Result<(), NotTaken> {
        self.edits.borrow_mut().push(edit.clone());
        Ok(())
    }

    fn body(&self, _: Message, _: usize) -> Result<Vec<u8>, Unavailable> {
        Err(Unavailable)
    }

    fn body_from(&self, _: usize, _: Option<usize>) -> Result<Vec<u8>, Unavailable> {
        Err(Unavailable)
    }

    fn trailers(&self) -> Option<Head> {
        None
    }

    fn remove_trailer(&self, _: &str) -> Result<(), NotTaken> {
        Err(NotTaken::Failed)
    }

    fn reply(&self, reply: &LocalReply<'_>) -> Result<(), NotTaken> {
        self.reply.replace(Some(reply.status));
        Ok(())
    }

    fn response_head(&self, _: usize) -> Option<Head> {
        None
    }

    fn response_status(&self) -> Option<u16> {
        None
    }

    fn edit_response(&self, _: &Edit) {}

    fn upstream_has_answered(&self) -> bool {
        false
    }

    fn blank_response(&self, _: usize) {}

    fn replace_response_body(&self, _: &[u8]) {}

    fn property(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn publish(&self, _: &str, _: &[u8]) -> Result<(), NotTaken> {
        Err(NotTaken::Missing)
    }

    fn check_properties(&self, _: &[&'static str]) -> Result<(), String> {
        Ok(())
    }

    fn prepare_wait(&self) -> Result<(), NotTaken> {
        Ok(())
    }

    fn call(&self, owner: CallOwner, call: &Outgoing<'_>) -> Result<CallId, NotTaken> {
        let path = call.headers.iter().find(|(name, _)| *name == ":path").unwrap().1;
        self.calls.borrow_mut().push((owner, String::from_utf8(path.to_vec()).unwrap()));
        Ok(1)
    }

    fn tick_every(&self, _: Duration) {}
}

const SETTINGS: &[u8] =
    br#"{"admin":{"upstream":"admin","token":"0123456789abcdef0123456789abcdef"}}"#;

/// An instance of a worker thread, configured.
fn worker() -> Rc<Instance> {
    worker_with(SETTINGS)
}

fn worker_with(settings: &[u8]) -> Rc<Instance> {
    let instance = Rc::new(Instance::new(1, Definition::of::<Names>(), Rooms::default()));
    assert!(instance.configure(&Exchange::default(), settings));
    // The admin service of this test has no list of changes.
    let main = Exchange::default();
    for (_, purpose) in instance.tick(&main).0 {
        if matches!(purpose, Purpose::Cache(_)) {
            instance.answered(&main, &purpose, &Ok(Answer::new(404, Vec::new())));
        }
    }
    instance
}

/// Sends a request by this name; `answers` are those of the admin service, in order.
fn send(instance: &Rc<Instance>, name: &str, answers: &[(u16, &str)]) -> (Exchange, usize) {
    let exchange = Exchange::named(name);
    let mut stream = Stream::new(Rc::clone(instance), 2);
    let (mut action, mut asked) = stream.request_headers(&exchange, 4, true);
    let mut answers = answers.iter();
    while let (Action::Pause, Asked::ByRequest(1, _)) = (action, &asked) {
        let (status, body) = answers.next().expect("the filter asked once more");
        let answer = Ok(Answer::new(*status, body.as_bytes().to_vec()));
        (action, asked) = stream.answered(&exchange, answer);
    }
    stream.gone();
    let asked = exchange.calls.borrow().len();
    (exchange, asked)
}

#[test]
fn a_filter_runs_unchanged_on_the_threads_of_a_second_carrier() {
    let _turn = TURN.lock().unwrap();
    runtime::install(&Native);
    let counted = |name: &str| PROCESS.counts.lock().unwrap().get(name).copied().unwrap_or(0);
    let all = || ["passed", "refused_403", "refused_503"].map(counted);
    let before = all();
    let (first, asked) = send(&worker(), "ana", &[(200, "Dr")]);
    assert_eq!((first.title().as_deref(), asked), (Some(b"Dr".as_slice()), 1));
    assert_eq!(
        first.calls.borrow().as_slice(),
        [(CallOwner::Request, "/names/ana".to_owned())],
        "where no request can be woken, the callout is the request's own"
    );

    // Other threads find in the process's memory what the first one has learnt.
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                let instance = worker();
                let (known, asked) = send(&instance, "ana", &[(200, "Dr")]);
                assert_eq!(known.title().as_deref(), Some(b"Dr".as_slice()));
                let (unknown, _) = send(&instance, "bob", &[(404, "")]);
                assert_eq!(*unknown.reply.borrow(), Some(403));
                assert_eq!(unknown.title(), None);
                let (failed, _) = send(&instance, "eve", &[(500, "")]);
                assert_eq!(*failed.reply.borrow(), Some(503), "unknown is refused");
                let (split, _) = send(&instance, "max", &[(200, "Dr\r\nx-admin: 1")]);
                assert_eq!(*split.reply.borrow(), Some(500), "no edit adds a line to a request");
                assert_eq!(split.title(), None);
                asked
            })
        })
        .collect();
    let asked: Vec<usize> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let [passed, refused, failed] = before;
    assert_eq!(all(), [passed + 5, refused + 4, failed + 4]);
    assert_eq!(asked, [0; 4], "the first answer serves all threads");
}

#[test]
fn a_flow_can_tell_a_lookup_that_was_not_made_from_one_that_failed() {
    let _turn = TURN.lock().unwrap();
    runtime::install(&Native);
    let instance = worker_with(br#"{"admin":{"upstream":"other"},"cache":{"max_lookups":1}}"#);
    let first = Exchange::named("zoe");
    let mut waits = Stream::new(Rc::clone(&instance), 3);
    assert_eq!(waits.request_headers(&first, 4, true).0, Action::Pause);
    let (second, asked) = send(&instance, "kim", &[]);
    assert_eq!((*second.reply.borrow(), asked), (Some(429), 0));
    // While the service is away, it would have failed.
    waits.answered(&first, Ok(Answer::new(502, Vec::new())));
    let mut waits = Stream::new(Rc::clone(&instance), 4);
    assert_eq!(waits.request_headers(&first, 4, true).0, Action::Pause);
    let (third, asked) = send(&instance, "kim", &[]);
    assert_eq!((*third.reply.borrow(), asked), (Some(503), 0));
    waits.gone();
}
