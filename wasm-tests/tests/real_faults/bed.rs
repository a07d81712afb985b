//! A gateway with gatehouse-admin behind a network that can be cut, and what is asked of it.

use crate::load::Case;
use crate::table::Late;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wasm_tests::real::{
    Admin, Answer, FaultyServer, Filter, Link, Message, Proxy, RawRequest, Server, Setup,
    eventually, on_kong,
};

/// The polls of `/changes` after which nobody may be served with a revoked key: one under way when
/// the key was deleted, one that brings the change, and one while the last worker reads it.
const POLLS: usize = 3;

/// The seconds of `admin.poll_interval` in all rows.
const POLL_INTERVAL: f64 = 1.0;

/// The seconds within which a change arrives when the service can be reached again: a call under way
/// ends by `admin.timeout` (2 seconds), and the pause after it is twice the interval.
pub const AFTER_A_FAILURE: f64 = 4.0;

/// The seconds by which a busy machine may be late.
const SLACK: f64 = 60.0;

/// The pause of a writer after each acknowledged write. Four writers make at most 100 changes a
/// second, however fast the machine is: a gateway that finds 256 at one poll forgets everything, and
/// would never settle.
const BETWEEN_WRITES: Duration = Duration::from_millis(40);

/// An upstream that says whose request it received, and counts requests by their case.
pub struct Upstream {
    server: Server,
    seen: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Upstream {
    pub fn start() -> Self {
        let seen: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let memory = seen.clone();
        let server = Server::start(move |request| {
            let case = request.header("x-case").unwrap_or_default();
            *memory.lock().unwrap_or_else(PoisonError::into_inner).entry(case).or_default() += 1;
            let body = json!({"consumer": request.header("x-consumer-username")}).to_string();
            let headers = vec![("x-upstream".to_owned(), "1".to_owned())];
            Answer::Reply { status: 200, headers, body: body.into_bytes() }
        });
        Self { server, seen }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The requests of a case that were let through.
    pub fn seen(&self, case: &str) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(case).copied().unwrap_or(0)
    }
}

/// The gateway, the service, and everything between them.
pub struct Bed {
    pub gateway: Proxy,
    pub link: Link,
    pub faulty: FaultyServer,
    pub admin: Admin,
    pub upstream: Upstream,
    pub setup: Setup,
}

/// Settings under which an answer is kept for a day, and "there is none" for a second.
pub fn remembering(admin: &Value) -> Value {
    json!({"admin": admin, "cache": {"ttl": 86_400, "negative_ttl": 1, "stale_ttl": 86_400}})
}

impl Bed {
    /// Starts a gateway with key_auth and app_id before this service. `settings` is given the value
    /// of their setting `admin`.
    #[track_caller]
    pub fn start(admin: Admin, settings: impl FnOnce(&Value) -> Value) -> Self {
        let bed = Self::with(admin, |setup| setup, |target| chain(&settings(target)));
        bed.settle();
        bed
    }

    /// Waits until known consumers need no lookup: every worker drops its answers once, when it
    /// first reads the list of changes, and after a new epoch.
    #[track_caller]
    pub fn settle(&self) {
        let known = [
            request("key-of-ana", "portal"),
            request("key-of-bob", "bobs"),
            request("key-of-cara", "portal"),
        ];
        // Clients may be asking for the unknown key all the time.
        let unknown = sha256("key-of-nobody");
        let is_lookup = |request: &Message| {
            let path = request.path();
            !path.starts_with("/changes") && !path.ends_with(&unknown)
        };
        let lookups = || self.faulty.requests().iter().filter(|r| is_lookup(r)).count();
        eventually("known consumers that need no lookup", || {
            let (before, polls) = (lookups(), self.faulty.count("/changes"));
            eventually("polls", || {
                known.iter().for_each(|request| drop(request.send(self.address())));
                (self.faulty.count("/changes") >= polls + 6).then_some(())
            });
            (lookups() == before).then_some(())
        });
    }

    /// Like [`Bed::start`], with other filters, which are given the value of their setting `admin`.
    #[track_caller]
    pub fn with(
        admin: Admin,
        change: impl FnOnce(Setup) -> Setup,
        filters: impl FnOnce(&Value) -> Vec<Filter>,
    ) -> Self {
        let faulty = FaultyServer::before(admin.address());
        Self::behind(admin, faulty, change, filters)
    }

    /// Like [`Bed::with`], with this server between the gateway and the service.
    #[track_caller]
    pub fn behind(
        admin: Admin,
        faulty: FaultyServer,
        change: impl FnOnce(Setup) -> Setup,
        filters: impl FnOnce(&Value) -> Vec<Filter>,
    ) -> Self {
        fill(&admin);
        let (upstream, link) = (Upstream::start(), Link::to(faulty.address()));
        let target = json!({
            "upstream": "admin",
            // Without tokens the service answers only to its own name.
            "authority": admin.address().to_string(),
            "timeout": 2000,
            "poll_interval": POLL_INTERVAL as u64,
        });
        let setup = Setup::new(upstream.address(), filters(&target))
            .cluster("admin", link.address())
            .concurrency(2);
        let setup = change(setup);
        let gateway = Proxy::start(&setup);
        Self { gateway, link, faulty, admin, upstream, setup }
    }

    /// The address that clients use.
    pub fn address(&self) -> SocketAddr {
        self.gateway.address("main")
    }

    /// Deletes a credential that is served from the cache, and waits until every worker refuses it.
    #[track_caller]
    pub fn revoke(&self, path: &str, request: &RawRequest, refusal: u16) -> Late {
        self.admin.delete(path);
        self.until_refused(request, refusal)
    }

    /// Waits until every worker refuses a credential that has just been revoked.
    #[track_caller]
    pub fn until_refused(&self, request: &RawRequest, refusal: u16) -> Late {
        let (begun, before) = (Instant::now(), self.faulty.count("/changes"));
        let (mut measured, mut polls, mut in_a_row) = (0.0, 0, 0);
        eventually("the end of a credential", || {
            let (at, polled) = (begun.elapsed(), self.faulty.count("/changes") - before);
            let status = request.send(self.address()).status();
            // app_id may know of a deletion before key_auth does.
            assert!([200, 403, refusal].contains(&status), "a revoked credential: {status}");
            in_a_row = if status == refusal { in_a_row + 1 } else { 0 };
            if status == 200 {
                (measured, polls) = (at.as_secs_f64(), polled);
                // A gateway that polls no more would make no poll too many.
                assert!(measured < POLL_INTERVAL + SLACK, "served {measured} s after the deletion");
            }
            (in_a_row >= 16).then_some(())
        });
        assert!(polls <= POLLS, "served {polls} polls after the deletion");
        Late { promised: POLL_INTERVAL, measured, judged: "polls of the list of changes" }
    }
}

/// key_auth and app_id with these settings.
pub fn chain(settings: &Value) -> Vec<Filter> {
    vec![Filter::new("key_auth", settings), Filter::new("app_id", settings)]
}

/// Creates the consumers of all rows: `ana`, `bob`, and `cara`, whose key is revoked in some.
pub fn fill(admin: &Admin) {
    admin.consumer("ana", "key-of-ana", &["portal"]);
    admin.consumer("bob", "key-of-bob", &["bobs"]);
    admin.consumer("cara", "key-of-cara", &["portal"]);
    admin.create("/consumers", &json!({"username": "writer"}));
}

/// Returns the digest under which a key is looked up, in lower-case hex.
fn sha256(key: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A request with a key and an App ID.
pub fn request(key: &str, app_id: &str) -> RawRequest {
    RawRequest::get("/orders").header("apikey", key).header("x-app-id", app_id)
}

/// What clients ask in most rows. Whoever is in the cache is never refused; `unknown` is not in it
/// for longer than a second, and gets 503 while the service cannot be asked.
pub fn cases() -> Vec<Case> {
    vec![
        Case::passes("ana", "ana", request("key-of-ana", "portal")),
        Case::refused("other app", 403, request("key-of-bob", "portal")),
        Case::passes("bob", "bob", request("key-of-bob", "bobs")),
        Case::refused("no key", 401, RawRequest::get("/")),
        Case::refused("unknown", 401, request("key-of-nobody", "portal")).or_else(&[503]),
    ]
}

/// The name of the gateway for a row.
pub fn on(database: &str) -> String {
    format!("{}, {database}", if on_kong() { "Kong" } else { "Envoy" })
}

/// Writers that create App IDs while the service fails, and know which were acknowledged.
pub struct Writers {
    acknowledged: Mutex<Vec<String>>,
    over: AtomicBool,
    next: AtomicUsize,
}

impl Writers {
    /// Runs `during` while `count` writers write. `during` is told how many writes are
    /// acknowledged.
    pub fn run(admin: SocketAddr, count: usize, during: impl FnOnce(&Self)) -> Self {
        let writers = Self {
            acknowledged: Mutex::default(),
            over: AtomicBool::new(false),
            next: AtomicUsize::new(0),
        };
        std::thread::scope(|scope| {
            let over = Over(&writers.over);
            for _ in 0..count {
                scope.spawn(|| writers.write(admin));
            }
            during(&writers);
            drop(over);
        });
        writers
    }

    /// The number of acknowledged writes.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits until so many more writes are acknowledged.
    pub fn more(&self, count: usize) {
        let before = self.acknowledged();
        eventually("more writes", || (self.acknowledged() >= before + count).then_some(()));
    }

    fn write(&self, admin: SocketAddr) {
        while !self.over.load(Ordering::SeqCst) {
            let name = format!("app.{}", self.next.fetch_add(1, Ordering::SeqCst));
            let body = json!({"appid": name}).to_string();
            let write = RawRequest::post("/consumers/writer/appids", body)
                .header("host", admin.to_string())
                .header("content-type", "application/json");
            match write.try_send(admin) {
                Ok(answer) if answer.status() == 201 => {
                    self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(name);
                    std::thread::sleep(BETWEEN_WRITES);
                }
                refused => {
                    let status = refused.as_ref().map_or(503, Message::status);
                    assert!(status >= 500, "{status} to a write");
                    // A service that is away must not keep a processor busy.
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }

    /// The number of acknowledged writes, and of those that the service does not have.
    pub fn lost(&self, admin: &Admin) -> (usize, usize) {
        let mut stored = std::collections::BTreeSet::new();
        let mut path = "/consumers/writer/appids?size=1000".to_owned();
        loop {
            let page = admin.send(RawRequest::get(&path)).json();
            let rows = page["data"].as_array().expect("a page");
            stored.extend(rows.iter().filter_map(|row| row["appid"].as_str().map(str::to_owned)));
            match page["next"].as_str() {
                Some(next) => path = next.to_owned(),
                None => break,
            }
        }
        let acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        (acknowledged.len(), acknowledged.iter().filter(|name| !stored.contains(*name)).count())
    }
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
