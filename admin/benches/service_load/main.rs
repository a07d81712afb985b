//! Measures gatehouse-admin with many consumers on one database: `scripts/service-load` runs it.
//!
//! | module          | contents                                                  |
//! |-----------------|-----------------------------------------------------------|
//! | `data.rs`       | the content of the database                               |
//! | `fill.rs`       | filling a database with it                                |
//! | `service.rs`    | the service as a process, and what it uses                |
//! | `client.rs`     | a client with one connection                              |
//! | `operations.rs` | the requests that are measured, of every endpoint         |
//! | `endpoints.rs`  | latency and throughput of each of them                    |
//! | `feed.rs`       | many writes while many gateways ask for changes           |
//! | `snapshot.rs`   | reading all App IDs page by page                          |
//!
//! It fails if an answer differs from the documented one, if a route is not measured, or if a
//! change is lost. No time makes it fail.

mod client;
mod data;
mod endpoints;
mod feed;
mod fill;
mod operations;
mod service;
mod snapshot;

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use data::Data;
use feed::Wanted;
use service::Service;

/// The number of starts with the full database.
const STARTS: usize = 3;

/// Measures gatehouse-admin on one database, and writes the figures as JSON.
#[derive(Parser)]
struct Flags {
    /// An empty database: `sqlite:<file>` or `postgres://…?host=<directory of its server>`.
    #[arg(long)]
    database_url: String,
    /// A Redis for the counters.
    #[arg(long)]
    redis_url: Option<String>,
    #[arg(long, default_value_t = 1_000_000)]
    consumers: u64,
    /// Milliseconds for each endpoint.
    #[arg(long, default_value_t = 1500)]
    endpoint_time: u64,
    /// Seconds for the list of changes.
    #[arg(long, default_value_t = 60)]
    feed_time: u64,
    /// Writes a second meanwhile.
    #[arg(long, default_value_t = 1000)]
    rate: u64,
    #[arg(long, default_value_t = 100)]
    gateways: u64,
    /// The database has been filled before with as many consumers.
    #[arg(long)]
    filled: bool,
    /// The file for the figures.
    #[arg(long)]
    out: PathBuf,
    /// The flag that `cargo bench` adds. It has no effect.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let flags = Flags::parse();
    let (url, redis) = (flags.database_url.as_str(), flags.redis_url.as_deref());
    let tell = |what: &str| eprintln!("    {what}");

    // The service makes the tables.
    Service::start(url, redis).stop();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    let expires_at = i64::try_from(now.as_millis()).expect("a time") + 30 * 86_400_000;
    let data = Data { consumers: flags.consumers, expires_at };
    tell(&format!("{} consumers are stored", data.consumers));
    let begun = Instant::now();
    if !flags.filled {
        fill::fill(url, &data).await;
    }
    let filled_in = begun.elapsed().as_secs_f64();
    let bytes = size(url).await;

    let mut starts: Vec<u64> = Vec::new();
    for _ in 0..STARTS {
        let service = Service::start(url, redis);
        starts.push(service.started_in.as_millis().try_into().expect("a time"));
        service.stop();
    }
    starts.sort_unstable();

    let service = Service::start(url, redis);
    let (memory_at_start, _) = service.memory();
    tell("all App IDs are read");
    let snapshot = snapshot::measure(&service, url).await;
    tell("every endpoint is asked");
    service.forget_largest_memory();
    let time = Duration::from_millis(flags.endpoint_time);
    let endpoints = endpoints::measure(service.address, data, time).await;
    let (memory, memory_max) = service.memory();
    tell("gateways ask for changes");
    let wanted = Wanted {
        gateways: flags.gateways,
        rate: flags.rate,
        time: Duration::from_secs(flags.feed_time),
    };
    let feed = feed::measure(&service, url, data, wanted).await;
    service.stop();

    let figures = json!({
        "engine": if url.starts_with("sqlite:") { "SQLite" } else { "PostgreSQL" },
        "counters": if redis.is_some() { "Redis" } else { "the database" },
        "consumers": data.consumers,
        "filled_in_seconds": filled_in,
        "database_bytes": bytes,
        "start_ms": starts.get(STARTS / 2),
        "start_max_ms": starts.last(),
        "memory_at_start_kb": memory_at_start,
        "memory_kb": memory,
        "memory_max_kb": memory_max,
        "endpoint_time_ms": flags.endpoint_time,
        "endpoints": endpoints,
        "snapshot": snapshot,
        "feed": feed,
    });
    std::fs::write(&flags.out, figures.to_string()).expect("a file that can be written");
}

/// Returns the size of the database on disk in bytes.
async fn size(url: &str) -> u64 {
    if let Some(file) = url.strip_prefix("sqlite:") {
        return std::fs::metadata(file).expect("the file of the database").len();
    }
    let mut connection = PgConnection::connect(url).await.expect("a server");
    let size: i64 = sqlx::query_scalar("SELECT pg_database_size(current_database())")
        .fetch_one(&mut connection)
        .await
        .expect("a size");
    size.unsigned_abs()
}
