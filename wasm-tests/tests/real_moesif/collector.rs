//! A collector that follows Moesif's documentation, with every fault that a server on a network can
//! have.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wasm_tests::real::{Answer, Message, Server, eventually};

pub const APPLICATION: &str = "eyJhcHAiOiJ0ZXN0In0-a-secret-of-the-operators";

/// The treatment of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Accepts batches.
    Well,
    /// Refuses batches with this status.
    Refuses(u16),
    /// Accepts batches after this time.
    Slow(Duration),
    /// Accepts batches, but breaks the response off.
    TakesAndBreaksOff,
    /// Closes the connection without a response.
    Closes,
    /// Sends no response, and keeps the connection open until the mood changes.
    Silent,
    /// Answers 413 to batches of more events than this.
    TakesAtMost(usize),
}

struct Memory {
    mood: Mood,
    batches: Vec<Vec<Value>>,
    /// The bodies of batches, for tests that compare bytes.
    raw: Vec<Vec<u8>>,
    posts: usize,
    config: (String, Value),
    rules: (String, Value),
    questions: BTreeMap<String, usize>,
    faults: Vec<String>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Releases the requests that wait for a response.
        self.is(Mood::Closes);
    }
}

/// The collector.
pub struct Collector {
    server: Server,
    memory: Arc<Mutex<Memory>>,
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collector {
    pub fn start() -> Self {
        let memory = Arc::new(Mutex::new(Memory {
            mood: Mood::Well,
            batches: Vec::new(),
            raw: Vec::new(),
            posts: 0,
            config: ("c1".into(), json!({"sample_rate": 100})),
            rules: ("r1".into(), json!([])),
            questions: BTreeMap::new(),
            faults: Vec::new(),
        }));
        let shared = memory.clone();
        Self { server: Server::start(move |request| answer(request, &shared)), memory }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub fn stop(&mut self) {
        self.server.stop();
    }

    pub fn resume(&mut self) {
        self.server.resume();
    }

    pub fn is(&self, mood: Mood) {
        lock(&self.memory).mood = mood;
    }

    pub fn configures(&self, tag: &str, document: Value) {
        lock(&self.memory).config = (tag.to_owned(), document);
    }

    pub fn rules(&self, tag: &str, document: Value) {
        lock(&self.memory).rules = (tag.to_owned(), document);
    }

    /// The number of requests for this path.
    pub fn asked(&self, path: &str) -> usize {
        lock(&self.memory).questions.get(path).copied().unwrap_or(0)
    }

    /// The number of batches that came, accepted or not.
    pub fn posts(&self) -> usize {
        lock(&self.memory).posts
    }

    pub fn batches(&self) -> Vec<Vec<Value>> {
        lock(&self.memory).batches.clone()
    }

    pub fn raw(&self) -> Vec<Vec<u8>> {
        lock(&self.memory).raw.clone()
    }

    /// All events, each one once, however often it came.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let memory = lock(&self.memory);
        assert!(memory.faults.is_empty(), "{:?}", memory.faults);
        let mut seen = BTreeSet::new();
        let all = memory.batches.iter().flatten();
        all.filter(|event| seen.insert(event["transaction_id"].to_string())).cloned().collect()
    }

    /// Waits until there are this many different events.
    #[track_caller]
    pub fn gets(&self, count: usize) -> Vec<Value> {
        let found = eventually(&format!("{count} events"), || {
            let events = self.events();
            (events.len() >= count).then_some(events)
        });
        assert_eq!(found.len(), count);
        found
    }
}

fn answer(request: &Message, memory: &Mutex<Memory>) -> Answer {
    if request.header("x-moesif-application-id").as_deref() != Some(APPLICATION) {
        return Answer::json(401, "{}");
    }
    match (request.method(), request.path()) {
        ("GET", path @ ("/v1/config" | "/v1/rules")) => {
            let mut memory = lock(memory);
            *memory.questions.entry(path.to_owned()).or_default() += 1;
            let (name, (tag, document)) = match path {
                "/v1/config" => ("X-Moesif-Config-Etag", &memory.config),
                _ => ("X-Moesif-Rules-Tag", &memory.rules),
            };
            with_tags(200, document.to_string(), &[(name, tag)])
        }
        ("POST", "/v1/events/batch") => batch(request, memory),
        _ => Answer::json(404, "{}"),
    }
}

fn with_tags(status: u16, body: String, tags: &[(&str, &str)]) -> Answer {
    let headers = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Answer::Reply { status, headers: headers.collect(), body: body.into_bytes() }
}

fn batch(request: &Message, memory: &Mutex<Memory>) -> Answer {
    let mood = {
        let mut memory = lock(memory);
        memory.posts += 1;
        memory.mood
    };
    match mood {
        Mood::Refuses(429) => return with_tags(429, String::new(), &[("Retry-After", "1")]),
        Mood::Refuses(status) => return Answer::json(status, "{}"),
        Mood::Closes => return Answer::Bytes(Vec::new()),
        Mood::Silent => {
            while lock(memory).mood == Mood::Silent {
                std::thread::sleep(Duration::from_millis(20));
            }
            return Answer::Bytes(Vec::new());
        }
        Mood::Slow(time) => std::thread::sleep(time),
        Mood::Well | Mood::TakesAndBreaksOff | Mood::TakesAtMost(_) => {}
    }
    let Some(events) = events(request) else { return Answer::json(400, "{}") };
    if events.iter().any(|event| event["request"]["headers"].get("x-poison").is_some()) {
        return Answer::json(400, "{}");
    }
    if matches!(mood, Mood::TakesAtMost(most) if events.len() > most) {
        return Answer::json(413, "{}");
    }
    let mut memory = lock(memory);
    for event in &events {
        if event.to_string().len() > 1_000_000 {
            memory.faults.push("an event of more than a megabyte".to_owned());
        }
        memory.faults.extend(fault(event));
    }
    memory.batches.push(events);
    memory.raw.push(request.body.clone());
    if mood == Mood::TakesAndBreaksOff {
        return Answer::Bytes(b"HTTP/1.1 201 Created\r\ncontent-le".to_vec());
    }
    let tags = [
        ("X-Moesif-Config-Etag", memory.config.0.as_str()),
        ("X-Moesif-Rules-Tag", &memory.rules.0),
    ];
    with_tags(201, "{}".to_owned(), &tags)
}

/// The events of a batch. Returns `None` for a body that Moesif would not read.
fn events(request: &Message) -> Option<Vec<Value>> {
    let unpacked;
    let body = match request.header("content-encoding").as_deref() {
        Some("gzip") => {
            let packed = request.body.get(10..)?;
            unpacked = miniz_oxide::inflate::decompress_to_vec(packed).ok()?;
            &unpacked
        }
        Some(_) => return None,
        None => &request.body,
    };
    match serde_json::from_slice(body).ok()? {
        Value::Array(events) if !events.is_empty() => Some(events),
        _ => None,
    }
}

/// The first rule of the documented model that an event breaks.
fn fault(event: &Value) -> Option<String> {
    let request = &event["request"];
    let time = |time: &Value| {
        let text = time.as_str().unwrap_or_default();
        text.len() == 24 && text.ends_with('Z') && text.as_bytes().get(19) == Some(&b'.')
    };
    let coding = |part: &Value| {
        part.get("body").is_none()
            || matches!(part["transfer_encoding"].as_str(), Some("json" | "base64"))
    };
    let response = event.get("response");
    let right = request["uri"].as_str().is_some_and(|uri| uri.starts_with("http://"))
        && request["verb"].is_string()
        && time(&request["time"])
        && coding(request)
        && request["headers"].as_object().is_some_and(|all| all.values().all(Value::is_string))
        && response.is_none_or(|response| {
            response["status"].is_u64() && time(&response["time"]) && coding(response)
        })
        && event["transaction_id"].as_str().is_some_and(|id| id.len() == 36)
        && event["weight"].is_u64()
        && event["direction"] == "Incoming";
    (!right).then(|| event.to_string())
}
