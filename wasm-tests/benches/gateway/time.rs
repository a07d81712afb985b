//! Processor time of a gateway per request, and requests a second and response times under load.

use crate::case::{Case, Kind};
use crate::fixture::Fixture;
use crate::load;
use crate::run::{self, listeners};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};
use wasm_tests::real::{Connection, Proxy, RawRequest, Setup};

/// The most requests of a case in one half of a round.
const REQUESTS: usize = 2000;
/// The longest time of a case in one half of a round, so that a slow case does not delay the
/// others.
const ROUND: Duration = Duration::from_millis(200);
/// The number of rounds, unless `GATEHOUSE_BENCH_ROUNDS` sets another one.
pub(crate) const ROUNDS: usize = 5;

/// Returns, for each case, its figures in an Envoy with one worker.
pub(crate) fn measure(fixture: &Fixture, cases: &mut [Case], rounds: usize) -> Vec<Value> {
    let setup = listeners(Setup::new(fixture.upstream(), Vec::new()), fixture, &*cases);
    in_turn(&Proxy::start(&setup), cases, rounds)
}

/// Returns the figures of each case, each with one sample for each round. All cases are measured in
/// one gateway, in turn. A round has two halves:
///
/// - `processor_us`: the processor time of a request in microseconds, with one connection;
/// - `rate`, `p50_us`, `p99_us` and `busy`: see [`load::Load`]. [`Kind::Detail`] has no such half.
pub(crate) fn in_turn(gateway: &Proxy, cases: &mut [Case], rounds: usize) -> Vec<Value> {
    let processor = || gateway.processor_time();
    let mut alone = run::connections(cases.len(), |name| gateway.address(name));
    let mut together: Vec<_> =
        (0..cases.len()).map(|number| load::open(gateway.address(run::name(number)))).collect();
    let mut rows = vec![Map::new(); cases.len()];
    // The first round warms up.
    for round in 0..=rounds {
        let connections = alone.iter_mut().zip(&mut together);
        for ((case, (one, several)), row) in cases.iter_mut().zip(connections).zip(&mut rows) {
            let each = one_after_the_other(&requests(case), case, one, &processor);
            let mut figures = vec![("processor_us", each)];
            if case.kind != Kind::Detail {
                let requests = requests(case);
                let load = load::one_round(case, several, &requests, ROUND, &processor);
                figures.extend([("rate", load.rate), ("busy", load.busy)]);
                figures.extend([("p50_us", load.p50_us), ("p99_us", load.p99_us)]);
            }
            for (name, figure) in figures.into_iter().filter(|_| round > 0) {
                let samples = row.entry(name).or_insert_with(|| json!([]));
                samples.as_array_mut().expect("an array").push(json!(figure));
            }
        }
    }
    rows.into_iter().map(Value::Object).collect()
}

/// The requests of a half round. They are made before it: while this process signs tokens, the
/// gateway's caches go cold.
fn requests(case: &mut Case) -> Vec<RawRequest> {
    let (mut requests, started) = (Vec::new(), Instant::now());
    while requests.is_empty() || (requests.len() < REQUESTS && started.elapsed() < ROUND) {
        requests.push(case.request());
    }
    requests
}

/// The processor time of one request in microseconds, as the mean over a half round.
fn one_after_the_other(
    requests: &[RawRequest],
    case: &Case,
    connection: &mut Connection,
    processor: &dyn Fn() -> f64,
) -> f64 {
    let (before, started) = (processor(), Instant::now());
    let mut sent = 0;
    for request in requests {
        let answer = connection.exchange(request).expect("an answer");
        assert_eq!(answer.status(), case.status, "{}: {}", case.name, answer.text());
        sent += 1;
        if started.elapsed() > ROUND {
            break;
        }
    }
    (processor() - before) / f64::from(sent)
}
