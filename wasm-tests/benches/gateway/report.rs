//! The output: a table to read, and a file for `scripts/bench_results.py`.

use crate::case::Case;
use serde_json::{Value, json};

/// Prints the median, the least and the most of each case.
pub(crate) fn print(title: &str, cases: &[Case], figures: &[Vec<f64>]) {
    println!("\n{title} (median, least and most of the rounds):\n");
    for (case, figures) in cases.iter().zip(figures) {
        let (median, least, most) = summary(figures);
        println!("{:44} {median:12.1} {least:12.1} {most:12.1}", case.name);
    }
}

/// Prints what `time.rs` has measured of each case, as medians.
pub(crate) fn print_times(title: &str, cases: &[Case], rows: &[Value]) {
    println!("\n{title}: processor time in µs, requests a second, median and 99th percentile of");
    println!("the response time in µs, and the part of a processor that was used:\n");
    for (case, row) in cases.iter().zip(rows) {
        let median = |name: &str| {
            let samples = row[name].as_array().into_iter().flatten();
            summary(&samples.filter_map(Value::as_f64).collect::<Vec<_>>()).0
        };
        let [processor, rate, p50, p99, busy] =
            ["processor_us", "rate", "p50_us", "p99_us", "busy"].map(median);
        let name = &case.name;
        println!("{name:50} {processor:9.1} {rate:9.0} {p50:9.0} {p99:9.0} {busy:6.2}");
    }
}

/// Prints the numbers of host calls and of entries into the VM of each case.
pub(crate) fn print_calls(cases: &[Case], calls: &[Option<Value>]) {
    println!("\nHost calls and entries into the VM of one request, on the pretend Envoy:\n");
    for (case, calls) in cases.iter().zip(calls) {
        let Some(calls) = calls else { continue };
        let names = calls["by_name"].as_object().into_iter().flatten();
        let names: Vec<String> = names.map(|(name, times)| format!("{times} {name}")).collect();
        let (total, entries) = (&calls["host_calls"], &calls["entries"]);
        println!("{:44} {total:>5} {entries:>5}   {}", case.name, names.join(", "));
    }
}

/// Prints the figures of each case as they are.
pub(crate) fn print_rows(title: &str, cases: &[Case], rows: &[Value]) {
    println!("\n{title}:\n");
    for (case, row) in cases.iter().zip(rows) {
        println!("{:44} {row}", case.name);
    }
}

fn summary(figures: &[f64]) -> (f64, f64, f64) {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    match (figures.first(), figures.get(figures.len() / 2), figures.last()) {
        (Some(least), Some(median), Some(most)) => (*median, *least, *most),
        _ => (0.0, 0.0, 0.0),
    }
}

/// Writes what was measured to the file that `GATEHOUSE_BENCH_OUT` names, if it names one. `rows`
/// has an object with figures for each case; `parked` has what waiting requests cost.
pub(crate) fn write(cases: &[Case], rows: Vec<Value>, parked: Value) {
    let Some(path) = std::env::var_os("GATEHOUSE_BENCH_OUT") else { return };
    let rows = cases.iter().zip(rows).map(|(case, figures)| {
        json!({
            "name": case.name, "kind": case.kind.word(), "over": case.over, "parts": case.parts,
            "instead_of": case.instead_of, "figures": figures,
        })
    });
    let document = json!({"cases": rows.collect::<Vec<_>>(), "parked": parked});
    std::fs::write(path, format!("{document:#}\n")).expect("the results");
}
