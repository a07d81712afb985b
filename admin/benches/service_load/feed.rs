//! Writes at a steady rate while many gateways ask for changes, as the filters do.
//!
//! A gateway is what `Feed` in `shared/cache` is: on a tick of a second it asks for the changes
//! since the last one that it knows, unless less than half of the `poll_interval` has gone by. It
//! keeps up to 255 changes of an answer. With more of them, it forgets all that it has cached, and
//! goes on behind the newest change.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::data::{Data, Kind, id, scattered};
use crate::endpoints::quantile;
use crate::service::{Service, database_processor};

/// The default `poll_interval`, of which a gateway lets a half go by.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// The filters' own clock.
const TICK: Duration = Duration::from_secs(1);
/// The number of changes from which on a gateway forgets everything.
const RING: usize = 256;
/// The number of connections that write.
const WRITERS: u64 = 16;

/// The load of a measurement.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) gateways: u64,
    /// Writes a second.
    pub(crate) rate: u64,
    pub(crate) time: Duration,
}

/// The findings of one gateway.
#[derive(Default)]
struct Report {
    /// The times at which the gateway knew all changes up to a number, or had forgotten everything
    /// that is older.
    known: Vec<(Instant, u64)>,
    polls: u64,
    changes: u64,
    bytes: u64,
    /// The number of answers after which the gateway forgot everything.
    dropped: u64,
    microseconds: Vec<u64>,
    /// Changes that no answer had and that no reset told of.
    lost: u64,
}

/// Measures the service with the gateways and without them.
pub(crate) async fn measure(service: &Service, url: &str, data: Data, wanted: Wanted) -> Value {
    let address = service.address;
    let before = newest(address).await;
    let stop = Arc::new(AtomicBool::new(false));
    let gateways: Vec<_> = (0..wanted.gateways)
        .map(|number| tokio::spawn(gateway(address, number, wanted.gateways, Arc::clone(&stop))))
        .collect();
    // Every gateway has its first answer before the first write.
    let mut client = Client::connect(address).await;
    while client.get("/gateways").await["data"].as_array().expect("a list").len()
        < usize::try_from(wanted.gateways).unwrap()
    {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    service.forget_largest_memory();
    let (used, used_by_database) = (service.processor(), database_processor(url));
    let begun = Instant::now();
    let writes = write(address, data, wanted, "with").await;
    let lasted = begun.elapsed();
    let seconds = lasted.as_secs_f64();
    let load = |now: Duration, before: Duration| (now - before).as_secs_f64() / seconds;
    let service_load = load(service.processor(), used);
    let database_load = load(database_processor(url), used_by_database);
    let (memory, largest) = service.memory();

    // The gateways go on until each of them knows the last change.
    let last = newest(address).await;
    // The service has closed the other connection, which was idle for all of the measurement.
    let mut client = Client::connect(address).await;
    loop {
        let listed = client.get("/gateways").await;
        let all = listed["data"].as_array().expect("a list");
        if all.iter().all(|it| it["since"].as_u64() >= Some(last)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut reports = Vec::new();
    for gateway in gateways {
        reports.push(gateway.await.expect("a gateway"));
    }
    let log = log(address, before, last).await;
    let (lags, unlogged) = lags(&writes, &log, &reports);
    let lost: u64 = reports.iter().map(|report| report.lost).sum();
    assert_eq!((lost, unlogged), (0, 0), "changes that a gateway missed, writes without a change");

    let alone = Wanted { time: wanted.time / 6, ..wanted };
    let begun = Instant::now();
    let without = write(address, data, alone, "without").await.len();
    let without = without as f64 / begun.elapsed().as_secs_f64();

    let sum = |count: fn(&Report) -> u64| reports.iter().map(count).sum::<u64>();
    let mut polls: Vec<u64> = reports.iter().flat_map(|it| it.microseconds.clone()).collect();
    polls.sort_unstable();
    let mut times: Vec<u64> = writes.iter().map(|it| it.took).collect();
    times.sort_unstable();
    json!({
        "gateways": wanted.gateways,
        "wanted_per_second": wanted.rate,
        "seconds": seconds.round(),
        "writes": writes.len(),
        "writes_per_second": (writes.len() as f64 / seconds).round(),
        "writes_per_second_without_gateways": without.round(),
        "write_p50_us": quantile(&times, 0.5),
        "write_p99_us": quantile(&times, 0.99),
        "lag_p50_ms": quantile(&lags, 0.5),
        "lag_p99_ms": quantile(&lags, 0.99),
        "lag_max_ms": lags.last(),
        "polls": sum(|it| it.polls),
        "polls_dropped": sum(|it| it.dropped),
        "poll_p99_us": quantile(&polls, 0.99),
        "poll_max_us": polls.last(),
        "changes_sent": sum(|it| it.changes),
        "bytes_sent": sum(|it| it.bytes),
        "lost": lost,
        "service_cores": service_load,
        "database_cores": database_load,
        "memory_kb": memory,
        "memory_max_kb": largest,
    })
}

/// A write that was answered.
struct Write {
    app_id: String,
    answered: Instant,
    /// Microseconds.
    took: u64,
}

/// Writes at the wanted rate, or as fast as the service takes it.
async fn write(address: SocketAddr, data: Data, wanted: Wanted, name: &'static str) -> Vec<Write> {
    let begun = tokio::time::Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..WRITERS)
        .map(|_| {
            let next = Arc::clone(&next);
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                let mut writes = Vec::new();
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    let due = Duration::from_nanos(turn * 1_000_000_000 / wanted.rate);
                    if due >= wanted.time || begun.elapsed() >= wanted.time {
                        return writes;
                    }
                    tokio::time::sleep_until(begun + due).await;
                    let consumer = id(Kind::Consumer, scattered(turn) % (data.consumers / 2));
                    let app_id = format!("feed.{name}.app{turn}");
                    let target = format!("/consumers/{consumer}/appids");
                    let body = ("application/x-www-form-urlencoded", format!("appid={app_id}"));
                    let sent = Instant::now();
                    let (status, answer) = client.send("POST", &target, Some(body)).await;
                    assert_eq!(status, 201, "{}", String::from_utf8_lossy(&answer));
                    let answered = Instant::now();
                    let took = (answered - sent).as_micros().try_into().unwrap_or(u64::MAX);
                    writes.push(Write { app_id, answered, took });
                }
            })
        })
        .collect();
    let mut writes = Vec::new();
    for task in tasks {
        writes.extend(task.await.expect("a writer"));
    }
    writes
}

/// Asks for changes as a gateway does, until `stop`.
async fn gateway(address: SocketAddr, number: u64, gateways: u64, stop: Arc<AtomicBool>) -> Report {
    // The clocks of gateways differ.
    tokio::time::sleep(TICK.mul_f64(number as f64 / gateways as f64)).await;
    let node = format!("{:016x} {}", scattered(number), env!("CARGO_PKG_VERSION"));
    let mut client = Client::connect(address).await.with(vec![
        ("user-agent", "gatehouse".to_owned()),
        ("gatehouse-node", format!("{node} key_auth=950/2/17/0 app_id=940/1/9/0")),
    ]);
    let first = client.get("/changes").await;
    let mut since = first["next"].as_u64().expect("a number");
    let epoch = first["epoch"].as_str().expect("a text").to_owned();
    let mut report = Report::default();
    let mut polled = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(TICK).await;
        if polled.elapsed() < POLL_INTERVAL / 2 {
            continue;
        }
        let target = format!("/changes?since={since}&epoch={epoch}&limit={RING}");
        let asked = Instant::now();
        let (status, body) = client.send("GET", &target, None).await;
        polled = Instant::now();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        report.microseconds.push((polled - asked).as_micros().try_into().unwrap_or(u64::MAX));
        let page: admin_api::ChangesPage = serde_json::from_slice(&body).expect("a page");
        assert!(!page.reset && page.epoch == epoch, "the history is another one");
        // Numbers without a gap, from the first one that the gateway does not know.
        let expected = since + 1..;
        let gaps = page.data.iter().zip(expected).filter(|(it, seq)| it.seq != *seq).count();
        report.lost += gaps as u64;
        report.polls += 1;
        report.bytes += body.len() as u64;
        report.changes += page.data.len() as u64;
        report.lost += u64::from(page.next != since + page.data.len() as u64);
        since = page.next;
        if page.data.len() >= RING {
            report.dropped += 1;
            since = page.seq.expect("a number");
        }
        report.known.push((polled, since));
    }
    report
}

async fn newest(address: SocketAddr) -> u64 {
    Client::connect(address).await.get("/status").await["seq"].as_u64().expect("a number")
}

/// Returns the numbers of the changes after `since` by the App IDs that they name.
async fn log(address: SocketAddr, mut since: u64, last: u64) -> HashMap<String, u64> {
    let mut client = Client::connect(address).await;
    let mut all = HashMap::new();
    while since < last {
        let page = client.get(&format!("/changes?since={since}&limit=10000")).await;
        assert_eq!(page["reset"], false, "the log reaches back to the first write");
        for change in page["data"].as_array().expect("a list") {
            let key = change["key"].as_str().expect("a text").to_owned();
            all.insert(key, change["seq"].as_u64().expect("a number"));
        }
        since = page["next"].as_u64().expect("a number");
    }
    all
}

/// Returns the sorted times from the answer to each write until the last gateway knew of it, in
/// milliseconds, and the number of writes that the log does not have.
fn lags(writes: &[Write], log: &HashMap<String, u64>, reports: &[Report]) -> (Vec<u64>, usize) {
    let mut lags = Vec::new();
    for write in writes {
        let Some(seq) = log.get(&write.app_id) else { continue };
        let knew = reports.iter().map(|report| {
            let first = report.known.partition_point(|(_, known)| known < seq);
            report.known.get(first).expect("every gateway knows the last change").0
        });
        let last = knew.max().unwrap_or(write.answered);
        let lag = last.saturating_duration_since(write.answered);
        lags.push(lag.as_millis().try_into().unwrap_or(u64::MAX));
    }
    lags.sort_unstable();
    let unlogged = writes.len() - lags.len();
    (lags, unlogged)
}
