//! What each filter costs: processor time of a real Envoy per request, beside no filter, an empty filter and
//! Envoy's own equivalents, all in one process and in turn.
//!
//! | room         | what is in it                                       |
//! |--------------|-----------------------------------------------------|
//! | `cases.rs`   | the table of what is measured: a line is one entry  |
//! | `case.rs`    | one line: filters, requests and the expected answer |
//! | `tokens.rs`  | tokens for the lines that need some                 |
//! | `traffic.rs` | the lines of the filters for traffic                |
//! | `bed.rs`     | the services around Envoy                           |
//! | `report.rs`  | the figures on the screen                           |
//!
//! `make bench` runs it. A figure is the median over rounds; what it says of a machine is a ratio, not a promise.
//! `scripts/bench jwt` measures only the lines with `jwt` in their name.

mod bed;
mod case;
mod cases;
mod report;
mod tokens;
mod traffic;

use bed::Bed;
use case::Case;
use std::time::{Duration, Instant};
use wasm_tests::real::{Connection, Envoy, Setup};

/// The most requests and the longest time of a line in one round: a slow line must not hold up the others.
const REQUESTS: usize = 2000;
const ROUND: Duration = Duration::from_millis(250);
/// How many rounds; `GATEHOUSE_BENCH_ROUNDS` changes it.
const ROUNDS: usize = 7;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only wants to know that it starts.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let bed = Bed::start();
    let mut cases = cases::cases(&bed);
    cases.retain(|case| case.is_measure() || wanted.is_empty() || named(case, &wanted));

    let mut setup = Setup::new(bed.upstream(), Vec::new());
    for (name, address) in bed.clusters() {
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
    // Made before the measurement: while this process signs tokens, Envoy's caches go cold.
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

/// Envoy's listener names are plain; they live as long as the program.
fn listener(number: usize) -> &'static str {
    Box::leak(format!("line{number}").into_boxed_str())
}
