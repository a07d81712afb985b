//! Processor time of a real Envoy per request.

use crate::case::Case;
use crate::fixture::Fixture;
use crate::run::{connections, listeners};
use std::time::{Duration, Instant};
use wasm_tests::real::{Connection, Envoy, Setup};

/// The most requests of a case in one round.
const REQUESTS: usize = 2000;
/// The longest time of a case in one round, so that a slow case does not delay the others.
const ROUND: Duration = Duration::from_millis(250);
/// The number of rounds, unless `GATEHOUSE_BENCH_ROUNDS` sets another one.
pub(crate) const ROUNDS: usize = 7;

/// Returns, for each case, the processor time of one request in microseconds, once for each round.
/// All cases are measured in one Envoy, in turn.
pub(crate) fn measure(fixture: &Fixture, cases: &mut [Case], rounds: usize) -> Vec<Vec<f64>> {
    let setup = listeners(Setup::new(fixture.upstream(), Vec::new()), fixture, &*cases);
    let envoy = Envoy::start(&setup);
    let mut connections = connections(&envoy, cases.len());
    let mut figures: Vec<Vec<f64>> = vec![Vec::new(); cases.len()];
    // The first round warms up.
    for round in 0..=rounds {
        for ((case, connection), figures) in
            cases.iter_mut().zip(&mut connections).zip(&mut figures)
        {
            let figure = one_round(&envoy, case, connection);
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    figures
}

/// The processor time of one request in microseconds, as the mean over a round.
fn one_round(envoy: &Envoy, case: &mut Case, connection: &mut Connection) -> f64 {
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
