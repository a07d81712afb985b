//! Counters, gauges and histograms, and the reaction of each host to misuse.

use crate::abi::Status;
use crate::profile::Profile;

/// The longest name that Kong stores, its prefix included, in bytes.
const KONG_NAME: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug)]
struct Metric {
    filter: String,
    name: String,
    kind: Kind,
    value: u64,
    samples: Vec<u64>,
}

/// Every metric that the filters of the node have defined.
#[derive(Debug, Default)]
pub(crate) struct Metrics(Vec<Metric>);

/// A result or a status for the guest. The outer error is the reason of a trap on Kong.
pub(crate) type Outcome<T> = Result<Result<T, Status>, String>;

impl Metrics {
    pub(crate) fn define(
        &mut self,
        profile: &Profile,
        filter: &str,
        kind: i32,
        name: &str,
    ) -> Outcome<u32> {
        let kind = match kind {
            0 => Kind::Counter,
            1 => Kind::Gauge,
            2 => Kind::Histogram,
            _ => return Ok(Err(Status::BadArgument)),
        };
        if let Some(kong) = profile.kong_settings() {
            if !kong.version.has_metrics() {
                return Err("NYI - proxy_define_metric".to_owned());
            }
            if format!("pw:{filter}:{name}").len() > KONG_NAME {
                return Err("metric name too long".to_owned());
            }
        }
        let same = |m: &Metric| m.filter == filter && m.name == name;
        if let Some(at) = self.0.iter().position(same) {
            return Ok(Ok(at as u32 + 1));
        }
        let (filter, name) = (filter.to_owned(), name.to_owned());
        self.0.push(Metric { filter, name, kind, value: 0, samples: Vec::new() });
        Ok(Ok(self.0.len() as u32))
    }

    pub(crate) fn increment(&mut self, profile: &Profile, id: u32, by: i64) -> Outcome<()> {
        let kong = profile.is_kong();
        let Some(metric) = self.by_id(id) else { return unknown(kong) };
        match (metric.kind, kong) {
            (Kind::Counter, _) if by <= 0 => return Ok(Err(Status::BadArgument)),
            (Kind::Counter, _) | (Kind::Gauge, false) => {
                metric.value = metric.value.wrapping_add_signed(by);
            }
            (_, true) => return Err("cannot increment: not a counter".to_owned()),
            (Kind::Histogram, false) => return Ok(Err(Status::BadArgument)),
        }
        Ok(Ok(()))
    }

    pub(crate) fn record(&mut self, profile: &Profile, id: u32, value: u64) -> Outcome<()> {
        let kong = profile.is_kong();
        let Some(metric) = self.by_id(id) else { return unknown(kong) };
        match metric.kind {
            Kind::Counter if kong => return Err("cannot record on a counter".to_owned()),
            Kind::Counter => metric.value = metric.value.wrapping_add(value),
            Kind::Gauge => metric.value = value,
            Kind::Histogram => metric.samples.push(value),
        }
        Ok(Ok(()))
    }

    pub(crate) fn get(&mut self, profile: &Profile, id: u32) -> Outcome<u64> {
        let kong = profile.is_kong();
        let Some(metric) = self.by_id(id) else { return unknown(kong) };
        match metric.kind {
            Kind::Histogram if kong => Err("cannot get a histogram".to_owned()),
            Kind::Histogram => Ok(Err(Status::BadArgument)),
            Kind::Counter | Kind::Gauge => Ok(Ok(metric.value)),
        }
    }

    /// The sum of every filter's metric of this name.
    pub(crate) fn value(&self, name: &str) -> Option<u64> {
        let mut found = self.0.iter().filter(|m| m.name == name).peekable();
        found.peek()?;
        Some(found.map(|m| m.value).sum())
    }

    pub(crate) fn samples(&self, name: &str) -> Vec<u64> {
        let found = self.0.iter().filter(|m| m.name == name);
        found.flat_map(|m| m.samples.iter().copied()).collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|m| m.name.clone()).collect()
    }

    fn by_id(&mut self, id: u32) -> Option<&mut Metric> {
        self.0.get_mut((id as usize).checked_sub(1)?)
    }
}

fn unknown<T>(kong: bool) -> Outcome<T> {
    if kong { Err("no such metric".to_owned()) } else { Ok(Err(Status::NotFound)) }
}
