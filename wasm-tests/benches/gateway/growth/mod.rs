//! How cost grows with size: consumers, masks, bodies, filters, networks, keys, App IDs.
//!
//! | module        | contents                                                     |
//! |---------------|--------------------------------------------------------------|
//! | `series.rs`   | the cases of each series, one for each size                  |
//! | `crowd.rs`    | a gatehouse-admin with many consumers                        |
//! | `starts.rs`   | time, memory and processor time of a start of each size      |
//! | `snapshot.rs` | `cache.mode: full`: time until all is there, and memory      |
//!
//! A point has instructions, counted as `instructions.rs` says, or figures of a start. The file of
//! results has one entry for each series. `GATEHOUSE_GROWTH_MOST` leaves out greater sizes.

mod crowd;
mod series;
mod snapshot;
mod starts;

use crate::case::Case;
use crate::fixture::Fixture;
use crate::instructions;
use serde_json::{Value, json};

/// The number of counts of instructions, unless `GATEHOUSE_BENCH_ROUNDS` sets another one.
pub(crate) const ROUNDS: usize = 4;

/// One size of one series.
struct Point {
    series: &'static str,
    size: usize,
    case: Case,
}

/// Returns `true` if this size is measured.
fn is_wanted(size: usize) -> bool {
    let most = std::env::var("GATEHOUSE_GROWTH_MOST").ok().and_then(|n| n.parse().ok());
    size <= most.unwrap_or(usize::MAX)
}

/// Counts the instructions that a request adds, for each size.
pub(crate) fn count(fixture: &Fixture, rounds: usize) -> Vec<Value> {
    let mut rows = count_points(fixture, series::points(fixture), rounds);
    for size in [1, 100, 10_000, 1_000_000].into_iter().filter(|size| is_wanted(*size)) {
        let fixture = Fixture::among(|admin| crowd::add(admin, size));
        // More counts, because these must be told from no growth at all.
        rows.extend(count_points(&fixture, crowd::points(&fixture, size), rounds * 3));
    }
    rows
}

fn count_points(fixture: &Fixture, points: Vec<Point>, rounds: usize) -> Vec<Value> {
    let (names, mut cases): (Vec<_>, Vec<_>) =
        points.into_iter().map(|point| ((point.series, point.size), point.case)).unzip();
    let figures = instructions::measure(fixture, &mut cases, rounds);
    let row = |((series, size), counts): ((&str, usize), Vec<f64>)| {
        let least = counts.iter().copied().fold(f64::INFINITY, f64::min);
        println!("{series:60} {size:9} {least:14.0}");
        json!({"series": series, "size": size, "figures": {"instructions": least.round()}})
    };
    names.into_iter().zip(figures).map(row).collect()
}

/// Measures starts and snapshots, for each size.
pub(crate) fn start(fixture: &Fixture, rounds: usize) -> Vec<Value> {
    let mut rows = starts::measure(fixture, series::points(fixture), rounds);
    rows.extend(snapshot::measure());
    rows
}

/// Writes the rows to the file that `GATEHOUSE_BENCH_OUT` names, if it names one.
pub(crate) fn write(rows: &[Value]) {
    if let Some(path) = std::env::var_os("GATEHOUSE_BENCH_OUT") {
        std::fs::write(path, format!("{:#}\n", json!({"points": rows}))).expect("the results");
    }
}
