//! What each filter costs: processor time of a real Envoy per request, beside no filter, an empty filter and
//! Envoy's own equivalent, all in one process and in turn.
//!
//! `make bench` runs it. A figure is the median over rounds; what it says of a machine is a ratio, not a promise.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use wasm_tests::real::{Admin, Connection, Echo, Envoy, Filter, Request, Scratch, Setup};

/// Requests per scenario and round, and rounds; `GATEHOUSE_BENCH_ROUNDS` changes the latter.
const REQUESTS: u32 = 2000;
const ROUNDS: usize = 7;

/// A filter that does nothing: what any Wasm filter costs.
const EMPTY: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "_initialize"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_delete") (param i32)))"#;

struct Scenario {
    name: &'static str,
    /// Kept apart from the name on the screen: Envoy's listener names are plain.
    listener: &'static str,
    filters: Vec<Filter>,
    request: Request,
}

fn main() {
    // `cargo test --benches` only wants to know that it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let scratch = Scratch::new("bench");
    let empty = scratch.path().join("empty.wasm");
    std::fs::write(&empty, wat::parse_str(EMPTY).expect("valid text")).expect("a file");
    let (echo, admin) = (Echo::start(), Admin::start());
    admin.consumer("ana", "open-sesame", &["org.app"]);
    let scenarios = scenarios(&empty, admin.address());
    let mut setup = Setup::new(echo.address(), Vec::new()).cluster("admin", admin.address());
    for scenario in &scenarios {
        setup = setup.listener(scenario.listener, scenario.filters.clone());
    }
    let envoy = Envoy::start(&setup);
    let mut connections: Vec<Connection> = scenarios
        .iter()
        .map(|scenario| Connection::open(envoy.address(scenario.listener)).expect("a connection"))
        .collect();
    let mut figures: Vec<Vec<f64>> = vec![Vec::new(); scenarios.len()];
    let rounds = std::env::var("GATEHOUSE_BENCH_ROUNDS").ok().and_then(|n| n.parse().ok());
    // The first round warms up.
    for round in 0..=rounds.unwrap_or(ROUNDS) {
        for ((scenario, connection), figures) in
            scenarios.iter().zip(&mut connections).zip(&mut figures)
        {
            let before = envoy.processor_time();
            for _ in 0..REQUESTS {
                let answer = connection.exchange(&scenario.request).expect("an answer");
                assert_eq!(answer.status(), 200, "{}: {}", scenario.name, answer.text());
            }
            if round > 0 {
                figures.push((envoy.processor_time() - before) / f64::from(REQUESTS));
            }
        }
    }
    report(&scenarios, figures);
}

fn scenarios(empty: &Path, admin: SocketAddr) -> Vec<Scenario> {
    let plain = || Request::get("/orders/1").header("accept", "*/*").header("user-agent", "bench");
    let keyed = || plain().header("apikey", "open-sesame");
    let target = json!({"upstream": "admin", "authority": admin.to_string(), "poll_interval": 60});
    let inline = json!({"consumers": [{"username": "ana", "keyauth_credentials": [{"key": "open-sesame"}]}]});
    let key_auth = |config: &Value| Filter::new("key_auth", config);
    let native = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
        "credentials": [{"key": "open-sesame", "client": "ana"}],
        "key_sources": [{"header": "apikey"}],
    });
    let scenario = |name, listener, filters, request| Scenario { name, listener, filters, request };
    vec![
        scenario("no filter", "none", vec![], plain()),
        scenario("empty filter", "empty", vec![Filter::module("empty", empty)], plain()),
        scenario("Envoy's api_key_auth", "native_key", vec![Filter::native(native)], keyed()),
        scenario("key_auth, key in the settings", "key_inline", vec![key_auth(&inline)], keyed()),
        scenario(
            "key_auth, key cached",
            "key_cached",
            vec![key_auth(&json!({"admin": target}))],
            keyed(),
        ),
        scenario(
            "key_auth + app_id, both cached",
            "app_id",
            vec![
                key_auth(&json!({"admin": target})),
                Filter::new("app_id", &json!({"admin": target})),
            ],
            keyed().header("x-app-id", "org.app"),
        ),
    ]
}

fn report(scenarios: &[Scenario], figures: Vec<Vec<f64>>) {
    let medians: Vec<(f64, f64, f64)> = figures.into_iter().map(summary).collect();
    let empty =
        scenarios.iter().position(|s| s.listener == "empty").map_or(0.0, |at| medians[at].0);
    println!(
        "\nProcessor time of Envoy per request, in microseconds (median, least and most of the rounds):\n"
    );
    println!("{:36} {:>8} {:>8} {:>8} {:>18}", "", "median", "least", "most", "over empty filter");
    for (scenario, (median, least, most)) in scenarios.iter().zip(medians) {
        println!(
            "{:36} {median:8.1} {least:8.1} {most:8.1} {:18.1}",
            scenario.name,
            median - empty
        );
    }
}

fn summary(mut figures: Vec<f64>) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
}
