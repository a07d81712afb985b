//! Time, processor time and memory of an Envoy's start, for the series whose settings grow.

use super::Point;
use super::series::{CONSUMERS, FILTERS, KEYS, NETWORKS};
use crate::fixture::Fixture;
use crate::link::Link;
use crate::run::clusters;
use serde_json::{Value, json};
use std::time::Instant;
use wasm_tests::memory::{memory, vm_memory};
use wasm_tests::real::{Envoy, Setup};

/// Returns, for each point, the medians of some starts: until the end of the first response.
pub(super) fn measure(fixture: &Fixture, points: Vec<Point>, rounds: usize) -> Vec<Value> {
    let grows = |point: &Point| [CONSUMERS, FILTERS, KEYS, NETWORKS].contains(&point.series);
    points.into_iter().filter(grows).map(|point| one_point(fixture, point, rounds)).collect()
}

fn one_point(fixture: &Fixture, mut point: Point, rounds: usize) -> Value {
    let mut starts: Vec<[f64; 4]> = (0..rounds).map(|_| one_start(fixture, &mut point)).collect();
    starts.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let [ready, processor, resident, vm] = starts[rounds / 2];
    let (series, size) = (point.series, point.size);
    println!(
        "{series:60} {size:9} {ready:8.0} ms {processor:8.0} ms {resident:9.0} KiB {vm:8.0} KiB"
    );
    json!({"series": series, "size": size, "figures": {
        "start_ms": ready, "start_cpu_ms": processor, "rss_kb": resident, "vm_kb": vm,
    }})
}

fn one_start(fixture: &Fixture, point: &mut Point) -> [f64; 4] {
    let filters = point.case.links.iter().filter_map(Link::real).collect();
    let setup = clusters(Setup::new(fixture.upstream(), filters), fixture);
    let begun = Instant::now();
    let envoy = Envoy::start(&setup);
    let answer = envoy.send(&point.case.request());
    let ready = begun.elapsed().as_secs_f64() * 1e3;
    assert_eq!(answer.status(), 200, "{} {}: {}", point.series, point.size, answer.text());
    let vm = vm_memory(envoy.id()).largest_kb;
    [ready, envoy.processor_time() / 1e3, memory(envoy.id()).resident_kb, vm as f64]
}
