//! All filters in one chain for a long time: no worker ends, and every response is an expected one.

use crate::fixture::{Fixture, filter};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use wasm_tests::real::{Connection, Filter, RawRequest, Setup};
use wasm_tests::tokens;

/// The smallest number of requests for each requested second, however slow the machine is.
const PER_SECOND: usize = 40;
const CLIENTS: usize = 8;
const CONSUMERS: usize = 300;

/// `GATEHOUSE_KONG_LOAD` in seconds, by default 60.
fn seconds() -> u64 {
    let asked = std::env::var("GATEHOUSE_KONG_LOAD").ok();
    asked.map_or(60, |text| text.parse().expect("GATEHOUSE_KONG_LOAD is a number of seconds"))
}

/// The filters as in `kong-config/kong.yml`, and a rate limit over all nodes.
fn all_filters(admin: &Value) -> Vec<Filter> {
    let with = |feature: &str, mut settings: Value| {
        settings["admin"] = admin.clone();
        filter(feature, &settings)
    };
    let session = |phase: &str| {
        with(
            "session",
            json!({"match": {"paths": ["/portal"]}, "phase": phase, "storage": "admin",
            "secret_env": "GATEHOUSE_SESSION_SECRET", "hide_cookie": true}),
        )
    };
    vec![
        filter(
            "moesif",
            &json!({"application_id_env": "GATEHOUSE_MOESIF_APPLICATION_ID",
            "collector": {"upstream": "collector", "scheme": "http"}, "batch_max_wait": 200}),
        ),
        filter(
            "cors",
            &json!({"origins": ["https://a.test", r"https://([^.]+\.)+b\.test"], "credentials": true}),
        ),
        filter("bot_detection", &json!({"rules": "all"})),
        filter("ip_restriction", &json!({"deny": ["198.51.100.0/24"]})),
        filter(
            "request_termination",
            &json!({"match": {"paths": ["/retired"]}, "status_code": 410,
            "message": "retired"}),
        ),
        session("open"),
        with(
            "key_auth",
            json!({"match": {"paths": ["/portal"]}, "hide_credentials": true,
            "anonymous": "visitor", "consumers": [{"username": "visitor"}]}),
        ),
        session("save"),
        filter(
            "request_termination",
            &json!({"match": {"paths": ["/portal"], "consumers": ["visitor"]},
            "status_code": 403, "message": "So long"}),
        ),
        with("key_auth", json!({"match": {"paths": ["/orders"]}, "hide_credentials": true})),
        with("jwt_auth", json!({"match": {"paths": ["/partners"]}, "claims_to_verify": ["exp"]})),
        with("app_id", json!({"match": {"paths": ["/orders", "/partners"]}})),
        with(
            "rate_limiting",
            json!({"match": {"paths": ["/orders/reports"]}, "limit_by": "consumer",
            "minute": 3, "policy": "cluster"}),
        ),
        filter(
            "request_transformer",
            &json!({"remove": {"headers": ["X-Debug"]},
            "add": {"headers": ["X-Caller:$(consumer.username or 'nobody')"]}}),
        ),
        filter(
            "upstream_jwt",
            &json!({"private_key_location": "env://GATEHOUSE_UPSTREAM_KEY",
            "consumer": ["id", "username"], "route": ["id", "name"], "body_hash": true, "jti": true}),
        ),
    ]
}

/// A kind of request: its name, its builder, and its expected statuses.
type Case = (&'static str, fn(usize, &str) -> RawRequest, &'static [u16]);

fn orders(path: &str) -> RawRequest {
    RawRequest::get(path).header("apikey", "key-of-ana").header("x-app-id", "portal")
}

/// The second argument of a builder is a session cookie.
const CASES: [Case; 16] = [
    ("a known consumer", |n, _| orders(&format!("/orders/{n}")), &[200, 503]),
    ("nobody", |_, _| RawRequest::get("/orders"), &[401]),
    // The bound on lookups answers 503.
    (
        "a guess",
        |n, _| RawRequest::get("/orders").header("apikey", format!("guess-{n}")),
        &[401, 503],
    ),
    (
        "another's app",
        |_, _| RawRequest::get("/orders").header("apikey", "key-of-ana").header("x-app-id", "no"),
        &[403, 503],
    ),
    ("retired", |_, _| RawRequest::get("/retired"), &[410]),
    ("a token", |_, _| bearing(99_999_999_999), &[200, 503]),
    ("a late token", |_, _| bearing(1), &[401, 503]),
    ("a login", |_, _| RawRequest::get("/portal").header("apikey", "key-of-ana"), &[200, 503]),
    (
        "a session",
        |_, cookie| RawRequest::get("/portal").header("cookie", cookie),
        &[200, 403, 503],
    ),
    ("a visitor", |_, _| RawRequest::get("/portal"), &[403]),
    ("a bot", |_, _| orders("/orders").header("user-agent", "Googlebot/2.1"), &[403]),
    ("a preflight", |_, _| preflight(), &[200]),
    ("a body", |n, _| with_body(n), &[200, 503]),
    ("a limit", |_, _| orders("/orders/reports"), &[200, 429, 503]),
    ("a large answer", |_, _| orders("/orders").header("x-do", "large"), &[200, 503]),
    ("a broken upstream", |_, _| orders("/orders").header("x-do", "hang up"), &[502, 503]),
];

fn bearing(expires: u64) -> RawRequest {
    let token = tokens::ado(json!({"exp": expires}));
    let request = RawRequest::get("/partners").header("x-app-id", "partners");
    request.bearer(token)
}

fn preflight() -> RawRequest {
    RawRequest::new("OPTIONS", "/orders")
        .header("origin", "https://a.test")
        .header("access-control-request-method", "PUT")
}

fn with_body(n: usize) -> RawRequest {
    let body = format!("{{\"n\":{n},\"text\":\"{}\"}}", "t".repeat(n * 97 % 30_000));
    let consumer = n % CONSUMERS;
    RawRequest::post("/orders", body)
        .header("content-type", "application/json")
        .header("origin", "https://x.b.test")
        .header("apikey", format!("key-{consumer}"))
        .header("x-app-id", format!("app-{consumer}"))
}

/// The number of times that each status answered each kind of request.
type Seen = Mutex<BTreeMap<(&'static str, u16), usize>>;

fn client(number: usize, fixture: &Fixture, until: impl Fn(usize) -> bool, seen: &Seen) {
    let address = fixture.kong.address("main");
    let mut connection = Connection::open(address).expect("a connection");
    let (mut cookie, mut n) = (String::new(), number);
    while !until(n / CLIENTS) {
        let (what, request, right) = CASES[(n / CLIENTS + number * 5) % CASES.len()];
        let request = request(n, &cookie);
        if n % 101 == 0 {
            // This client leaves at once.
            let mut gone = Connection::open(address).expect("a connection");
            gone.write(&request.head()).expect("a head");
        }
        let answer = connection
            .exchange(&request)
            .unwrap_or_else(|e| panic!("{what}: {e}\n{}", tail(&fixture.kong.log())));
        let status = answer.status();
        assert!(
            right.contains(&status),
            "{what}: {status} {}\n{}",
            answer.text(),
            tail(&fixture.kong.log())
        );
        if let Some(field) = answer.all("set-cookie").first() {
            field.split(';').next().unwrap_or_default().clone_into(&mut cookie);
        }
        if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            connection = Connection::open(address).expect("a connection");
        }
        *seen.lock().expect("no panic").entry((what, status)).or_default() += 1;
        n += CLIENTS;
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
}

#[test]
#[ignore = "needs a real Kong"]
fn all_filters_in_one_chain_serve_mixed_requests_and_no_worker_ends() {
    let fixture = Fixture::with(|setup: Setup| setup.concurrency(2), all_filters);
    fixture.admin.consumer("ana", "key-of-ana", &["portal"]);
    fixture.admin.consumer("ado", "key-of-ado", &["partners"]);
    fixture.admin.create("/consumers/ado/jwt", &json!({"key": "adokey", "secret": "supersecret"}));
    for n in 0..CONSUMERS {
        let (key, app) = (format!("key-{n}"), format!("app-{n}"));
        fixture.admin.consumer(&format!("consumer-{n}"), &key, &[app.as_str()]);
    }
    let workers = fixture.kong.workers();
    let (seen, started, seconds) = (Seen::default(), Instant::now(), seconds());
    let each = usize::try_from(seconds).unwrap_or(60) * PER_SECOND / CLIENTS;
    let end = Duration::from_secs(seconds);
    let over = |sent: usize| sent >= each && started.elapsed() >= end;
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (fixture, seen) = (&fixture, &seen);
            scope.spawn(move || client(number, fixture, over, seen));
        }
    });
    let seen = seen.into_inner().expect("no panic");
    let total: usize = seen.values().sum();
    println!(
        "{total} requests in {:?}, {} of them at the upstream, {} batches of events",
        started.elapsed(),
        fixture.upstream.count(),
        fixture.collector.posts()
    );
    for ((what, status), count) in &seen {
        println!("{what}: {status} {count} times");
    }
    fixture.kong.assert_sound();
    assert_eq!(fixture.kong.workers(), workers, "the same workers as in the beginning");
    for (what, _, right) in CASES {
        assert!(seen.contains_key(&(what, right[0])), "{what}: never {}", right[0]);
    }
    assert!(fixture.collector.posts() > 0);
}
