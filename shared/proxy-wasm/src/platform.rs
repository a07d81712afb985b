//! The host as far as it concerns no single request, for the runtime.

use crate::abi;
use crate::host::Host;
use crate::shared_data::store_on;
use crate::vm;
use cache::SharedData;
use runtime::{Capabilities, Level, MetricKind, Platform};

/// The functions of the host.
pub(crate) struct Wasm;

impl Platform for Wasm {
    fn capabilities(&self) -> Capabilities {
        vm::host().capabilities()
    }

    fn now_ns(&self) -> u64 {
        abi::now_ns()
    }

    fn random(&self, out: &mut [u8]) {
        abi::random(out);
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Info => abi::Level::Info,
            Level::Warn => abi::Level::Warn,
            Level::Error => abi::Level::Error,
        };
        abi::log(level, message);
    }

    fn declare_metric(&self, kind: MetricKind, filter: &str, name: &str) -> Option<u32> {
        let kind = match kind {
            MetricKind::Counter => abi::Kind::Counter,
            MetricKind::Gauge => abi::Kind::Gauge,
            MetricKind::Histogram => abi::Kind::Histogram,
        };
        abi::define_metric(kind, &format!("gatehouse_{filter}_{name}")).ok()
    }

    fn increment(&self, metric: u32, by: u64) {
        let _ = abi::increment_metric(metric, i64::try_from(by).unwrap_or(i64::MAX));
    }

    fn record(&self, metric: u32, value: u64) {
        let _ = abi::record_metric(metric, value);
    }

    fn shared_data(&self, zone: Option<&str>) -> Option<Box<dyn SharedData>> {
        store_on(vm::host(), zone)
    }

    /// A call of a foreign function traps on Kong, so that only Envoy is asked.
    fn foreign(&self, name: &str, arguments: &[u8]) -> Option<Vec<u8>> {
        if vm::host() == Host::Envoy { abi::foreign(name, arguments).ok() } else { None }
    }
}
