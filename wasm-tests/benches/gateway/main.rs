//! The cost of each filter: processor time of a real Envoy per request.
//!
//! The filters are compared with no filter, with an empty filter and with Envoy's own equivalents,
//! all of them in one process and in turn.
//!
//! | module       | contents                                             |
//! |--------------|------------------------------------------------------|
//! | `cases.rs`   | the table of measurements: a line is one entry       |
//! | `case.rs`    | one line: filters, requests and the expected status  |
//! | `tokens.rs`  | tokens for the lines that need some                  |
//! | `traffic.rs` | the lines of the traffic filters                     |
//! | `fixture.rs` | the services around Envoy                            |
//! | `report.rs`  | the output                                           |
//!
//! `make bench` runs it. A figure is the median over rounds. Compare figures with each other: they
//! depend on the machine. `scripts/bench jwt` measures only the lines with `jwt` in their name.

mod case;
mod cases;
mod fixture;
mod report;
mod tokens;
mod traffic;

use case::Case;
use fixture::Fixture;
use std::time::{Duration, Instant};
use wasm_tests::real::{Connection, Envoy, Setup};

/// The most requests of a line in one round.
const REQUESTS: usize = 2000;
/// The longest time of a line in one round, so that a slow line does not delay the others.
const ROUND: Duration = Duration::from_millis(250);
/// The number of rounds, unless `GATEHOUSE_BENCH_ROUNDS` sets another one.
const ROUNDS: usize = 7;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only checks that the program starts.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let fixture = Fixture::start();
    let mut cases = cases::cases(&fixture);
    cases.retain(|case| case.is_measure() || wanted.is_empty() || named(case, &wanted));

    let mut setup = Setup::new(fixture.upstream(), Vec::new());
    for (name, address) in fixture.clusters() {
        setup = setup.cluster(name, address);
    }
    for (number, case) in cases.iter().enumerate() {
        setup = setup.listener(listener(number), case.filters.clone());
    }
    let envoy = Envoy::start(&setup);
    let mut connections: Vec<Connection> = (0..cases.len())
        .map(|number| Connection::open(envoy.address(listener(number))).expect("a connection"))
        .collect();
    let mut figures: Vec<Vec<f64>> = vec![Vec::new(); cases.len()];
    let rounds = std::env::var("GATEHOUSE_BENCH_ROUNDS").ok().and_then(|n| n.parse().ok());
    // The first round warms up.
    for round in 0..=rounds.unwrap_or(ROUNDS) {
        for ((case, connection), figures) in
            cases.iter_mut().zip(&mut connections).zip(&mut figures)
        {
            let figure = measure(&envoy, case, connection);
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    report::print(&cases, figures);
}

/// The processor time of one request in microseconds, as the mean over a round.
fn measure(envoy: &Envoy, case: &mut Case, connection: &mut Connection) -> f64 {
    // Requests are made before the measurement: while this process signs tokens, Envoy's caches
    // go cold.
    let (mut requests, started) = (Vec::new(), Instant::now());
    while requests.is_empty() || (requests.len() < REQUESTS && started.elapsed() < ROUND) {
        requests.push(case.request());
    }
    let (before, started) = (envoy.processor_time(), Instant::now());
    let mut sent = 0;
    for request in &requests {
        let answer = connection.exchange(request).expect("an answer");
        assert_eq!(answer.status(), case.status, "{}: {}", case.name, answer.text());
        sent += 1;
        if started.elapsed() > ROUND {
            break;
        }
    }
    (envoy.processor_time() - before) / f64::from(sent)
}

fn named(case: &Case, wanted: &[&String]) -> bool {
    wanted.iter().any(|part| case.name.contains(part.as_str()))
}

/// The name of a listener, which lives as long as the program.
fn listener(number: usize) -> &'static str {
    Box::leak(format!("line{number}").into_boxed_str())
}
