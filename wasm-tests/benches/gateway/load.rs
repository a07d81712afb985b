//! Requests a second and response times of a gateway whose worker is busy.
//!
//! The loop is closed: a fixed number of connections, each of which sends its next request as soon
//! as it has the response. So the gateway is never asked for more than it can do, and a response
//! time holds the time behind the other connections' requests.

use crate::case::Case;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;
use std::time::{Duration, Instant};
use wasm_tests::real::{Connection, RawRequest};

/// The number of connections. With four, one worker always has a request to work on.
pub(crate) const CONNECTIONS: usize = 4;

/// What a round under load has shown.
pub(crate) struct Load {
    /// Requests a second.
    pub(crate) rate: f64,
    /// The median of the response times, in microseconds.
    pub(crate) p50_us: f64,
    /// The response time that one request in a hundred exceeds, in microseconds.
    pub(crate) p99_us: f64,
    /// The processor time of the gateway as a part of the round's length. One busy worker is 1.
    pub(crate) busy: f64,
}

/// Opens the connections of a round.
pub(crate) fn open(address: SocketAddr) -> Vec<Connection> {
    let open = |_| Connection::open(address).expect("a connection");
    (0..CONNECTIONS).map(open).collect()
}

/// Sends these requests, at the most for the time `longest`. `processor` gives the processor time
/// that the gateway has used so far, in microseconds.
pub(crate) fn one_round(
    case: &Case,
    connections: &mut [Connection],
    requests: &[RawRequest],
    longest: Duration,
    processor: &dyn Fn() -> f64,
) -> Load {
    let (name, status) = (case.name.as_str(), case.status);
    let next = AtomicUsize::new(0);
    let (before, started) = (processor(), Instant::now());
    let work = |connection: &mut Connection| {
        let mut times = Vec::new();
        while started.elapsed() < longest
            && let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let sent = Instant::now();
            let answer = connection.exchange(request).expect("an answer");
            times.push(sent.elapsed());
            assert_eq!(answer.status(), status, "{name}: {}", answer.text());
        }
        times
    };
    let mut times: Vec<Duration> = scope(|scope| {
        let work = &work;
        let all: Vec<_> =
            connections.iter_mut().map(|each| scope.spawn(move || work(each))).collect();
        all.into_iter().flat_map(|thread| thread.join().expect("a client")).collect()
    });
    let wall = started.elapsed().as_secs_f64();
    let used = processor() - before;
    times.sort();
    let share = |hundredths: usize| {
        let time = times.get(times.len() * hundredths / 100).copied();
        time.map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    Load {
        rate: times.len() as f64 / wall,
        p50_us: share(50),
        p99_us: share(99),
        busy: used / 1e6 / wall,
    }
}
