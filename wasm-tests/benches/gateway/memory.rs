//! The memory of the VMs at rest, after many requests, and with requests that wait.

use crate::case::{Case, EMPTY, Kind, NONE, ONE_HEADER, plain};
use crate::fixture::{API_KEY, Fixture};
use crate::link::Link;
use crate::run::clusters;
use serde_json::{Value, json};
use std::net::SocketAddr;
use wasm_tests::memory::{memory, vm_memory};
use wasm_tests::real::{Connection, Envoy, FaultyServer, Mode, Setup, eventually};

/// The number of requests of a case between the two looks at its memory, unless
/// `GATEHOUSE_BENCH_REQUESTS` sets another one. A case with all filters gets five times as many.
const REQUESTS: usize = 20_000;
/// The number of requests that wait at the same time.
const PARKED: usize = 200;
/// The length of the header with which some requests wait, in bytes.
const LONG: usize = 4096;

/// Returns `true` for a case whose memory is measured.
pub(crate) fn is_measured(case: &Case) -> bool {
    case.kind == Kind::Filter
        || [EMPTY, ONE_HEADER].contains(&case.name.as_str())
        || case.name == "rate_limiting, 10,000 callers"
        || (case.kind == Kind::Chain && case.name.ends_with("one module"))
}

/// Returns, for each case, the memory of an Envoy with this case alone: after its first request,
/// and after many.
pub(crate) fn measure(fixture: &Fixture, cases: &mut [Case]) -> Vec<Value> {
    let wanted = std::env::var("GATEHOUSE_BENCH_REQUESTS").ok().and_then(|n| n.parse().ok());
    cases.iter_mut().map(|case| one_case(fixture, case, wanted.unwrap_or(REQUESTS))).collect()
}

fn one_case(fixture: &Fixture, case: &mut Case, requests: usize) -> Value {
    let filters = case.links.iter().filter_map(Link::real).collect();
    let setup = clusters(Setup::new(fixture.upstream(), filters), fixture);
    let envoy = Envoy::start(&setup);
    let requests = if case.links.len() > 5 { requests * 5 } else { requests };
    let mut connection = Connection::open(envoy.address("main")).expect("a connection");
    let mut send = |times: usize| {
        for _ in 0..times {
            let answer = connection.exchange(&case.request()).expect("an answer");
            assert_eq!(answer.status(), case.status, "{}: {}", case.name, answer.text());
        }
    };
    send(1);
    let look = || {
        let (vms, all) = (vm_memory(envoy.id()), memory(envoy.id()));
        json!({
            "vms": vms.count, "vm_kb": vms.largest_kb, "vm_touched_kb": vms.resident_kb,
            "rss_kb": all.resident_kb,
        })
    };
    let before = look();
    send(requests);
    json!({"requests": requests, "memory_before": before, "memory_after": look()})
}

/// Returns what one waiting request costs, for each kind of wait: memory of Envoy in all, and
/// memory that the VM has asked for.
pub(crate) fn parked(fixture: &Fixture) -> Value {
    let lookup = |admin: SocketAddr| {
        let admin = json!({
            "upstream": "held", "authority": admin.to_string(), "timeout": 60_000, "poll_interval": 60,
        });
        vec![Link::ours("key_auth", json!({"admin": admin}))]
    };
    let header = |_| vec![Link::Sdk("sdk_header")];
    let rows = [
        (NONE, "the upstream", one_wait(fixture, true, |_| Vec::new(), 0)),
        (ONE_HEADER, "the upstream", one_wait(fixture, true, header, 0)),
        ("key_auth", "the upstream", one_wait(fixture, true, in_the_settings, 0)),
        ("key_auth", "its lookup", one_wait(fixture, false, lookup, 0)),
        ("key_auth, 4 KB of headers", "its lookup", one_wait(fixture, false, lookup, LONG)),
    ];
    let rows = rows
        .map(|(name, holder, figures)| json!({"name": name, "holder": holder, "figures": figures}));
    Value::from(rows.to_vec())
}

fn in_the_settings(_: SocketAddr) -> Vec<Link> {
    vec![crate::standard::key_auth()]
}

/// Parks requests and measures what one of them costs. Either the upstream does not answer, or what
/// a filter asks does not: all requests have one key, so that they wait for one lookup.
fn one_wait(
    fixture: &Fixture,
    by_upstream: bool,
    links: impl FnOnce(SocketAddr) -> Vec<Link>,
    header: usize,
) -> Value {
    let held = FaultyServer::scripted(|_| wasm_tests::real::Answer::json(200, "{}"));
    let filters = links(held.address()).iter().filter_map(Link::real).collect();
    let upstream = if by_upstream { held.address() } else { fixture.upstream() };
    let envoy = Envoy::start(&Setup::new(upstream, filters).cluster("held", held.address()));
    held.set(Mode::Hold);
    let mut waiting = Vec::new();
    let mut park = |count: usize| {
        for _ in 0..count {
            let key = if by_upstream { API_KEY } else { "nobody knows" };
            let request = plain().header("apikey", key).header("x-long", "x".repeat(header));
            let mut connection = Connection::open(envoy.address("main")).expect("a connection");
            connection.write(&request.head()).expect("a request that is sent");
            waiting.push(connection);
        }
        let expected = waiting.len() as u64;
        let active = || envoy.stat("http.main.downstream_rq_active");
        eventually("requests that wait", || (active() >= expected).then_some(()));
    };
    // The first ones make Envoy create what it creates once.
    park(PARKED / 10);
    let (before, vm_before) = (memory(envoy.id()), vm_memory(envoy.id()));
    park(PARKED);
    let (after, vm_after) = (memory(envoy.id()), vm_memory(envoy.id()));
    let each = |before: f64, after: f64| (after - before) * 1024.0 / PARKED as f64;
    json!({
        "requests": PARKED,
        "envoy_bytes": each(before.resident_kb, after.resident_kb),
        "vm_bytes": each(vm_before.resident_kb as f64, vm_after.resident_kb as f64),
    })
}
