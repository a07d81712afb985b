//! Metrics of the service, in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use admin_api::Total;
use axum::http::Method;

/// The upper bounds of the latency histogram, in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0];

/// The metrics that the service counts while it runs.
#[derive(Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<Label, u64>>,
    latencies: Mutex<BTreeMap<(&'static str, String), Latency>>,
    /// Connections that were refused because there were too many.
    pub(crate) turned_away: AtomicU64,
    /// Open connections.
    pub(crate) open: AtomicU64,
    /// Increments of counters that were within their limit or had none.
    admitted: AtomicU64,
    /// Increments of counters that were beyond their limit.
    refused: AtomicU64,
}

/// The metrics that come from the database.
pub(crate) struct Gauges {
    /// The name of each table with its number of rows.
    pub(crate) entities: Vec<(&'static str, i64)>,
    /// The number of the newest change.
    pub(crate) seq: i64,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Label {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Default)]
struct Latency {
    /// The number of requests within each of [`BOUNDS`].
    within: [u64; BOUNDS.len()],
    count: u64,
    /// The sum of all latencies.
    seconds: f64,
}

impl Metrics {
    /// Counts one request. `route` is empty for a path that does not exist.
    pub(crate) fn count(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let method = known(method);
        let label = Label { method, route: route.to_owned(), status };
        if let Ok(mut requests) = self.requests.lock() {
            let count = requests.entry(label).or_default();
            *count = count.saturating_add(1);
        }
        if let Ok(mut latencies) = self.latencies.lock() {
            let latency = latencies.entry((method, route.to_owned())).or_default();
            let seconds = took.as_secs_f64();
            for (within, bound) in latency.within.iter_mut().zip(BOUNDS) {
                *within = within.saturating_add(u64::from(seconds <= bound));
            }
            latency.count = latency.count.saturating_add(1);
            latency.seconds += seconds;
        }
    }

    /// Counts the increments of a batch.
    pub(crate) fn counted(&self, totals: &[Total]) {
        let refused = totals.iter().filter(|total| total.admitted == Some(false)).count();
        let add = |counter: &AtomicU64, count: usize| {
            counter.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed)
        };
        add(&self.refused, refused);
        add(&self.admitted, totals.len().saturating_sub(refused));
    }

    /// Returns all metrics in the text format of Prometheus. `gauges` is `None` if the database
    /// cannot be reached; `counters` is `true` if counters can be.
    pub(crate) fn text(&self, gauges: Option<&Gauges>, counters: bool) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text, gauges, counters);
        text
    }

    fn write(
        &self,
        text: &mut String,
        gauges: Option<&Gauges>,
        counters: bool,
    ) -> std::fmt::Result {
        begin(text, "gatehouse_admin_build_info", "gauge", "The version of the service.")?;
        let version = env!("CARGO_PKG_VERSION");
        writeln!(text, "gatehouse_admin_build_info{{version=\"{version}\"}} 1")?;
        begin(text, "gatehouse_admin_requests_total", "counter", "Requests.")?;
        if let Ok(requests) = self.requests.lock() {
            for (Label { method, route, status }, count) in requests.iter() {
                writeln!(
                    text,
                    "gatehouse_admin_requests_total{{method=\"{method}\",route=\"{route}\",\
                     status=\"{status}\"}} {count}"
                )?;
            }
        }
        let help = "Seconds from the head of a request to the answer.";
        begin(text, "gatehouse_admin_request_seconds", "histogram", help)?;
        if let Ok(latencies) = self.latencies.lock() {
            for ((method, route), latency) in latencies.iter() {
                latency.write(text, &format!("method=\"{method}\",route=\"{route}\""))?;
            }
        }
        begin(text, "gatehouse_admin_connections", "gauge", "Open connections.")?;
        writeln!(text, "gatehouse_admin_connections {}", self.open.load(Ordering::Relaxed))?;
        let name = "gatehouse_admin_connections_turned_away_total";
        let help = "Connections refused because there were too many.";
        begin(text, name, "counter", help)?;
        writeln!(text, "{name} {}", self.turned_away.load(Ordering::Relaxed))?;
        let help = "Increments of shared counters, within and beyond their limit.";
        begin(text, "gatehouse_admin_counter_increments_total", "counter", help)?;
        for (admitted, value) in [("true", &self.admitted), ("false", &self.refused)] {
            let value = value.load(Ordering::Relaxed);
            writeln!(
                text,
                "gatehouse_admin_counter_increments_total{{admitted=\"{admitted}\"}} {value}"
            )?;
        }
        let help = "1 if the counters can be reached, else 0.";
        begin(text, "gatehouse_admin_counters_up", "gauge", help)?;
        writeln!(text, "gatehouse_admin_counters_up {}", u8::from(counters))?;
        let help = "1 if the database can be reached, else 0.";
        begin(text, "gatehouse_admin_database_up", "gauge", help)?;
        writeln!(text, "gatehouse_admin_database_up {}", u8::from(gauges.is_some()))?;
        let Some(Gauges { entities, seq }) = gauges else { return Ok(()) };
        begin(text, "gatehouse_admin_entities", "gauge", "Rows of each table.")?;
        for (entity, count) in entities {
            writeln!(text, "gatehouse_admin_entities{{entity=\"{entity}\"}} {count}")?;
        }
        let help = "The number of the newest change.";
        begin(text, "gatehouse_admin_changes_seq", "gauge", help)?;
        writeln!(text, "gatehouse_admin_changes_seq {seq}")
    }
}

/// Writes the lines before the values of a metric.
fn begin(text: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

impl Latency {
    fn write(&self, text: &mut String, labels: &str) -> std::fmt::Result {
        let name = "gatehouse_admin_request_seconds";
        for (within, bound) in self.within.iter().zip(BOUNDS) {
            writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {within}")?;
        }
        writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", self.count)?;
        writeln!(text, "{name}_sum{{{labels}}} {}", self.seconds)?;
        writeln!(text, "{name}_count{{{labels}}} {}", self.count)
    }
}

/// Returns the label of a method: `other` for one that a client has invented.
pub(crate) fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_under_its_route_and_in_every_bucket_that_it_fits() {
        let metrics = Metrics::default();
        metrics.count(&Method::GET, "/appids", 200, Duration::from_millis(4));
        metrics.count(&Method::from_bytes(b"BREW").unwrap(), "", 404, Duration::from_secs(60));
        let text = metrics.text(None, true);
        for line in [
            r#"gatehouse_admin_requests_total{method="GET",route="/appids",status="200"} 1"#,
            r#"gatehouse_admin_requests_total{method="other",route="",status="404"} 1"#,
            r#"gatehouse_admin_request_seconds_bucket{method="GET",route="/appids",le="0.0025"} 0"#,
            r#"gatehouse_admin_request_seconds_bucket{method="GET",route="/appids",le="0.005"} 1"#,
            r#"gatehouse_admin_request_seconds_bucket{method="other",route="",le="10"} 0"#,
            r#"gatehouse_admin_request_seconds_bucket{method="other",route="",le="+Inf"} 1"#,
            "gatehouse_admin_database_up 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }
}
