//! What a gateway costs before its first request: time, memory, and the size of its modules.

use crate::case::{Case, Kind};
use crate::fixture::Fixture;
use crate::link::Link;
use crate::run::clusters;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::time::Instant;
use wasm_tests::memory::memory;
use wasm_tests::real::{Envoy, Setup};
use wasmparser::{Parser, Payload};

/// The number of starts of each case, unless `GATEHOUSE_BENCH_ROUNDS` sets another one.
pub(crate) const ROUNDS: usize = 3;

/// The figures of one start.
const FIGURES: [&str; 4] = ["start_ms", "start_cpu_ms", "rss_kb", "peak_kb"];

/// Returns, for each case, the figures of an Envoy with this case alone: the time and processor
/// time from the start of the program to the end of its first response, in milliseconds, and the
/// memory after it and at its peak, in KiB. Chains are measured with two workers as well. The cases
/// take turns.
pub(crate) fn measure(fixture: &Fixture, cases: &mut [Case], rounds: usize) -> Vec<Value> {
    let mut rows: Vec<Map<String, Value>> = cases.iter().map(sizes).collect();
    for _ in 0..rounds {
        for (case, row) in cases.iter_mut().zip(&mut rows) {
            let workers: &[u32] = match case.kind {
                Kind::Chain => &[1, 2],
                _ => &[1],
            };
            for count in workers {
                let figures = one_start(fixture, case, *count);
                for (name, figure) in FIGURES.into_iter().zip(figures) {
                    let name = match count {
                        1 => name.to_owned(),
                        _ => format!("{name}_{count}_workers"),
                    };
                    let samples = row.entry(name).or_insert_with(|| json!([]));
                    samples.as_array_mut().expect("an array").push(json!(figure));
                }
            }
        }
    }
    rows.into_iter().map(Value::Object).collect()
}

fn one_start(fixture: &Fixture, case: &mut Case, workers: u32) -> [f64; 4] {
    let filters = case.links.iter().filter_map(Link::real).collect();
    let setup = clusters(Setup::new(fixture.upstream(), filters), fixture).concurrency(workers);
    let begun = Instant::now();
    let envoy = Envoy::start(&setup);
    let answer = envoy.send(&case.request());
    let wall = begun.elapsed().as_secs_f64() * 1e3;
    assert_eq!(answer.status(), case.status, "{}: {}", case.name, answer.text());
    let processor = envoy.processor_time() / 1e3;
    let memory = memory(envoy.id());
    [wall, processor, memory.resident_kb, memory.peak_kb]
}

/// The bytes of a case's modules and of their code sections.
fn sizes(case: &Case) -> Map<String, Value> {
    let files: BTreeSet<_> = case.links.iter().filter_map(|link| link.file()).collect();
    let (mut all, mut code) = (0, 0_u32);
    for file in &files {
        let bytes = std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        all += bytes.len();
        code += code_section(&bytes);
    }
    let sizes = json!({"file_bytes": all, "code_bytes": code});
    if files.is_empty() { Map::new() } else { sizes.as_object().cloned().unwrap_or_default() }
}

fn code_section(module: &[u8]) -> u32 {
    let mut payloads = Parser::new(0).parse_all(module).map(|payload| payload.expect("a module"));
    let section = payloads.find_map(|payload| match payload {
        Payload::CodeSectionStart { size, .. } => Some(size),
        _ => None,
    });
    section.unwrap_or(0)
}
