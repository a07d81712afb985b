//! The output: a line for each case.

use crate::case::{Case, EMPTY};

pub(crate) fn print(cases: &[Case], figures: Vec<Vec<f64>>) {
    let summaries: Vec<(f64, f64, f64)> = figures.into_iter().map(summary).collect();
    let empty = cases.iter().position(|case| case.name == EMPTY).map_or(0.0, |at| summaries[at].0);
    println!(
        "\nProcessor time of Envoy per request, in microseconds (median, least and most of the rounds):\n"
    );
    println!("{:40} {:>8} {:>8} {:>8} {:>18}", "", "median", "least", "most", "over empty filter");
    for (case, (median, least, most)) in cases.iter().zip(summaries) {
        println!("{:40} {median:8.1} {least:8.1} {most:8.1} {:18.1}", case.name, median - empty);
    }
}

fn summary(mut figures: Vec<f64>) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
}
