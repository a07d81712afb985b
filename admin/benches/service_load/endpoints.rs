//! Latency and throughput of each endpoint.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatehouse_admin::ROUTES;
use serde_json::{Value, json};

use crate::client::Client;
use crate::data::{Data, scattered};
use crate::operations::{Choice, Operation, Pick, all};

/// The number of connections that read at once. Writes come one after the other.
pub(crate) const READERS: usize = 8;

/// The share of the consumers that no operation changes.
const STABLE: u64 = 2;

/// A number that no other request has.
static UNIQUE: AtomicU64 = AtomicU64::new(1);

/// The latencies of one operation.
#[derive(Default)]
struct Sample {
    microseconds: Vec<u64>,
    /// A description of each answer that differed from the documented one.
    wrong: Vec<String>,
}

/// Measures each operation for `time`, and returns a figure for each. It fails if the routes of the
/// service are others than those that are measured.
pub(crate) async fn measure(address: SocketAddr, data: Data, time: Duration) -> Vec<Value> {
    let operations = all();
    assert_complete(&operations);
    let alone = operations.iter().filter(|it| it.pick != Pick::Any).count() as u64;
    let stable = data.consumers / STABLE;
    let share = (data.consumers - stable) / alone;
    let mut begin = stable;
    let mut figures = Vec::new();
    // Reads come first, so that they meet the database as it was filled.
    let (reads, writes): (Vec<_>, Vec<_>) =
        operations.into_iter().partition(|it| it.method == "GET");
    for operation in reads.into_iter().chain(writes) {
        let range = match operation.pick {
            Pick::Any => 0..stable,
            Pick::Again | Pick::Once => begin..begin + share,
        };
        if operation.pick != Pick::Any {
            begin += share;
        }
        figures.push(measure_one(address, operation, range, time).await);
    }
    figures
}

/// Fails unless each method of each route of the service is measured, and nothing else.
fn assert_complete(operations: &[Operation]) {
    let measured: BTreeSet<(&str, &str)> =
        operations.iter().map(|it| (it.route, it.method)).collect();
    let routes: BTreeSet<(&str, &str)> = ROUTES
        .into_iter()
        .flat_map(|(route, methods)| methods.split(' ').map(move |method| (route, method)))
        .collect();
    let differing: Vec<_> = routes.symmetric_difference(&measured).collect();
    assert!(differing.is_empty(), "not measured, or not a route: {differing:?}");
}

async fn measure_one(
    address: SocketAddr,
    operation: Operation,
    range: std::ops::Range<u64>,
    time: Duration,
) -> Value {
    let seq = Client::connect(address).await.get("/status").await["seq"].as_u64().expect("a seq");
    let connections = if operation.method == "GET" { READERS } else { 1 };
    let operation = Arc::new(operation);
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let tasks = (0..connections).map(|_| {
        let (operation, next) = (Arc::clone(&operation), Arc::clone(&next));
        tokio::spawn(ask(address, operation, range.clone(), next, seq, begun + time))
    });
    let tasks: Vec<_> = tasks.collect();
    let mut sample = Sample::default();
    for task in tasks {
        let part = task.await.expect("a whole sample");
        sample.microseconds.extend(part.microseconds);
        sample.wrong.extend(part.wrong);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let Operation { method, route, note, .. } = &*operation;
    let wrong = &sample.wrong;
    assert!(
        wrong.is_empty(),
        "{method} {route} {note}: {} answers are wrong: {:?}",
        wrong.len(),
        wrong.first()
    );
    let mut times = sample.microseconds;
    times.sort_unstable();
    let number = times.len();
    assert!(number > 0, "{method} {route} {note}: nothing was asked");
    json!({
        "method": method,
        "route": route,
        "note": note,
        "connections": connections,
        "requests": number,
        "per_second": (number as f64 / seconds).round(),
        "p50_us": quantile(&times, 0.5),
        "p99_us": quantile(&times, 0.99),
        "max_us": times.last(),
    })
}

/// Sends one request after the other until `end`, on one connection.
async fn ask(
    address: SocketAddr,
    operation: Arc<Operation>,
    range: std::ops::Range<u64>,
    next: Arc<AtomicU64>,
    seq: u64,
    end: Instant,
) -> Sample {
    let mut client = Client::connect(address).await;
    let mut sample = Sample::default();
    let size = range.end - range.start;
    loop {
        let turn = next.fetch_add(1, Ordering::Relaxed);
        let n = match operation.pick {
            Pick::Any => scattered(turn) % size,
            Pick::Again => turn % size,
            Pick::Once if turn < size => turn,
            Pick::Once => return sample,
        };
        let unique = UNIQUE.fetch_add(1, Ordering::Relaxed);
        let (target, body) = (operation.request)(&Choice { n: range.start + n, unique, seq });
        let begun = Instant::now();
        let (status, answer) = client.send(operation.method, &target, body).await;
        let took = begun.elapsed();
        sample.microseconds.push(took.as_micros().try_into().unwrap_or(u64::MAX));
        let empty = !operation.may_be_empty && answer.starts_with(br#"{"data":[]"#);
        if status != operation.status || empty {
            let answer = String::from_utf8_lossy(&answer).chars().take(200).collect::<String>();
            sample.wrong.push(format!("{target}: {status} {answer}"));
        }
        if Instant::now() >= end {
            return sample;
        }
    }
}

/// Returns the smallest number that a share of the sorted `numbers` does not exceed.
pub(crate) fn quantile(numbers: &[u64], share: f64) -> u64 {
    let rank = (numbers.len() as f64 * share).ceil() as usize;
    numbers.get(rank.max(1) - 1).copied().unwrap_or_default()
}
