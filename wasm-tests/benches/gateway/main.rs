//! What each filter costs: its start, its memory, instructions and processor time of a request.
//!
//! The filters are compared with no filter, with an empty filter, with a filter that reads one
//! header and sets one, and with Envoy's own equivalents.
//!
//! | module                 | contents                                              |
//! |------------------------|-------------------------------------------------------|
//! | `standard.rs`          | the cases of the first table: a case is one entry     |
//! | `cases.rs`             | all cases                                             |
//! | `traffic.rs`           | further cases of the traffic filters                  |
//! | `worst.rs`             | the costliest case of each filter                     |
//! | `native.rs`            | Envoy's own filters                                   |
//! | `native_worst.rs`      | Envoy's own filters, beside the costliest cases       |
//! | `case.rs`              | one case: filters, requests and the expected status   |
//! | `link.rs`              | one filter of a case                                  |
//! | `tokens.rs`            | tokens for the cases that need some                   |
//! | `fixture.rs`           | the services around Envoy                             |
//! | `run.rs`               | one Envoy with a listener for each case               |
//! | `instructions.rs`      | instructions of a request, counted by callgrind       |
//! | `calls.rs`             | host calls of a request, counted on the pretend Envoy |
//! | `time.rs`              | processor time of a request, and each case under load |
//! | `load.rs`              | requests a second and response times                  |
//! | `kong.rs`              | filters and Lua plugins in a Kong                     |
//! | `kong_instructions.rs` | their instructions                                    |
//! | `start.rs`             | start-up and size                                     |
//! | `memory.rs`            | memory of the VMs, and of requests that wait          |
//! | `growth/`              | cost against size                                     |
//! | `report.rs`            | the output                                            |
//!
//! `scripts/bench` runs it. Its arguments are one measurement (`--start`, `--instructions`,
//! `--memory`, `--time`, `--kong`, `--kong-instructions`, `--growth-instructions` or
//! `--growth-starts`) and parts of the names of the wanted cases.

mod calls;
mod case;
mod cases;
mod fixture;
mod growth;
mod instructions;
mod kong;
mod kong_instructions;
mod link;
mod load;
mod memory;
mod native;
mod native_worst;
mod report;
mod run;
mod standard;
mod start;
mod time;
mod tokens;
mod traffic;
mod worst;

use case::{Case, Kind};
use fixture::Fixture;
use serde_json::{Value, json};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    // `cargo test --benches` only checks that the program starts.
    if has("--test") {
        return;
    }
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let fixture = Fixture::start();
    let mut cases = cases::cases(&fixture);
    let is_wanted = |case: &Case| wanted.is_empty() || named(case, &wanted);
    cases.retain(|case| case.is_measure() || is_wanted(case));
    let rounds = std::env::var("GATEHOUSE_BENCH_ROUNDS").ok().and_then(|n| n.parse().ok());
    if has("--start") {
        cases.retain(|case| !matches!(case.kind, Kind::Detail | Kind::Worst));
        let rows = start::measure(&fixture, &mut cases, rounds.unwrap_or(start::ROUNDS));
        report::print_rows("Start of an Envoy: milliseconds, KiB, bytes", &cases, &rows);
        report::write(&cases, rows, Value::Null);
    } else if has("--memory") {
        cases.retain(memory::is_measured);
        let rows = memory::measure(&fixture, &mut cases);
        report::print_rows("Memory after one request, and after many, in KiB", &cases, &rows);
        let parks = wanted.is_empty() || wanted.iter().any(|word| *word == "parked");
        let parked = if parks { memory::parked(&fixture) } else { Value::Null };
        println!("\nOne waiting request: {parked:#}");
        report::write(&cases, rows, parked);
    } else if has("--growth-instructions") {
        growth::write(&growth::count(&fixture, rounds.unwrap_or(growth::ROUNDS)));
    } else if has("--growth-starts") {
        growth::write(&growth::start(&fixture, rounds.unwrap_or(start::ROUNDS)));
    } else if has("--kong") {
        let rounds = rounds.unwrap_or(time::ROUNDS);
        let (cases, rows) = kong::measure(&fixture, rounds, is_wanted);
        report::print_times("Per request in Kong", &cases, &rows);
        report::write(&cases, rows, Value::Null);
    } else if has("--kong-instructions") {
        let rounds = rounds.unwrap_or(instructions::ROUNDS);
        let (cases, figures) = kong_instructions::measure(&fixture, rounds, is_wanted);
        report::print("Instructions that a request adds in Kong", &cases, &figures);
        let rows = figures.into_iter().map(|figures| json!({"instructions": figures}));
        report::write(&cases, rows.collect(), Value::Null);
    } else if has("--instructions") {
        cases.retain(|case| case.kind != Kind::Detail || !wanted.is_empty());
        let calls: Vec<_> = cases.iter_mut().map(|case| calls::count(&fixture, case)).collect();
        let rounds = rounds.unwrap_or(instructions::ROUNDS);
        let figures = instructions::measure(&fixture, &mut cases, rounds);
        report::print("Instructions that a request adds in Envoy's worker", &cases, &figures);
        report::print_calls(&cases, &calls);
        let rows = figures.into_iter().zip(calls);
        let row = |(figures, calls)| json!({"instructions": figures, "calls": calls});
        report::write(&cases, rows.map(row).collect(), Value::Null);
    } else {
        let rows = time::measure(&fixture, &mut cases, rounds.unwrap_or(time::ROUNDS));
        report::print_times("Per request in Envoy", &cases, &rows);
        report::write(&cases, rows, Value::Null);
    }
}

fn named(case: &Case, wanted: &[&String]) -> bool {
    wanted.iter().any(|part| case.name.contains(part.as_str()))
}
