//! A Kong and the services around it, none of which records requests: it is for many requests.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wasm_tests::real::{Admin, Answer, Filter, Kong, Message, RawRequest, Server, Setup};

/// The PEM of the key that signs tokens for the upstream.
pub const UPSTREAM_KEY: &str = include_str!("../../../filters/upstream-jwt/test-keys/rsa.pem");
/// The environment variables that the documents name.
pub const ENVIRONMENT: [(&str, &str); 4] = [
    ("GATEHOUSE_TOKEN", "a-token-that-nobody-asks-for"),
    ("GATEHOUSE_UPSTREAM_KEY", UPSTREAM_KEY),
    ("GATEHOUSE_MOESIF_APPLICATION_ID", "an-application-id"),
    ("GATEHOUSE_SESSION_SECRET", "the secret of all nodes"),
];

/// A filter with the environment that the documents describe.
pub fn filter(feature: &str, config: &Value) -> Filter {
    let filter = Filter::new(feature, config);
    ENVIRONMENT.iter().fold(filter, |filter, (name, value)| filter.environment(name, value))
}

/// An upstream that answers with the request that it received, and obeys the header `X-Do`.
pub struct Upstream {
    pub server: Server,
    count: Arc<AtomicUsize>,
}

impl Upstream {
    pub fn start() -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let server = Server::start(move |request| {
            counter.fetch_add(1, Ordering::Relaxed);
            answer(request)
        });
        Self { server, count }
    }

    /// The number of requests so far.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

fn answer(request: &Message) -> Answer {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match request.header("x-do").as_deref() {
        Some("hang up") => return Answer::Bytes(Vec::new()),
        Some("large") => return Answer::json(200, json!({"large": "l".repeat(200_000)})),
        _ => {}
    }
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &request.headers {
        headers.insert(text(name).to_ascii_lowercase(), text(value));
    }
    let body = json!({"path": request.path(), "headers": headers, "body": request.text()});
    Answer::json(200, body)
}

/// A collector that accepts every batch and counts them.
pub struct Collector {
    pub server: Server,
    posts: Arc<AtomicUsize>,
}

impl Collector {
    pub fn start() -> Self {
        let posts = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&posts);
        let server = Server::start(move |request| match request.path() {
            "/v1/events/batch" => {
                counter.fetch_add(1, Ordering::Relaxed);
                Answer::json(201, "{}")
            }
            "/v1/config" => Answer::json(200, json!({"sample_rate": 100})),
            _ => Answer::json(200, "[]"),
        });
        Self { server, posts }
    }

    /// The number of batches so far.
    pub fn posts(&self) -> usize {
        self.posts.load(Ordering::Relaxed)
    }
}

/// A Kong with its services.
pub struct Fixture {
    pub kong: Kong,
    pub admin: Admin,
    pub upstream: Upstream,
    pub collector: Collector,
}

impl Fixture {
    /// Starts a Kong with this chain. `filters` is given the value of the setting `admin`. The
    /// names that the documents use lead to the servers of this test.
    #[track_caller]
    pub fn start(filters: impl FnOnce(&Value) -> Vec<Filter>) -> Self {
        Self::with(|setup| setup, filters)
    }

    #[track_caller]
    pub fn with(
        change: impl FnOnce(Setup) -> Setup,
        filters: impl FnOnce(&Value) -> Vec<Filter>,
    ) -> Self {
        let (upstream, admin, collector) = (Upstream::start(), Admin::start(), Collector::start());
        // Without tokens the service answers only to its own name, which is its address.
        let target = json!({
            "upstream": "admin", "authority": admin.address().to_string(),
            "timeout": 5000, "poll_interval": 1,
        });
        let setup = Setup::new(upstream.server.address(), filters(&target))
            .cluster("admin", admin.address())
            .cluster("gatehouse-admin.internal:8001", admin.address())
            .cluster("collector", collector.server.address());
        let kong = Kong::start(&change(setup));
        Self { kong, admin, upstream, collector }
    }

    #[track_caller]
    pub fn send(&self, request: &RawRequest) -> Message {
        self.kong.send(request)
    }

    /// The status and message of a request that must not reach the upstream.
    #[track_caller]
    pub fn refused(&self, request: &RawRequest) -> (u16, String) {
        let before = self.upstream.count();
        let answer = self.send(request);
        assert_eq!(self.upstream.count(), before, "it reached the upstream: {}", answer.text());
        (answer.status(), answer.json()["message"].as_str().unwrap_or_default().to_owned())
    }

    /// The request as the upstream received it, as its JSON description.
    #[track_caller]
    pub fn passed(&self, request: &RawRequest) -> Value {
        let before = self.upstream.count();
        let answer = self.send(request);
        assert_eq!(answer.status(), 200, "{}\n{}", answer.text(), self.kong.log());
        assert_eq!(self.upstream.count(), before + 1, "answered without the upstream");
        answer.json()
    }
}

/// A header as it reached the upstream, or `None` for an empty one: Kong empties what a filter
/// removes.
pub fn header(received: &Value, name: &str) -> Option<String> {
    let value = received["headers"][name].as_str()?;
    (!value.is_empty()).then(|| value.to_owned())
}
