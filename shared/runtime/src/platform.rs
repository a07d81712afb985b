//! The functions of a gateway that belong to no request: the clock, randomness, the log, metrics,
//! shared data, and what the gateway is able to do.
//!
//! A carrier installs one [`Platform`] before the first filter configuration. It serves every
//! thread of the process, so that a carrier may run requests on several threads. Without a
//! platform (in native tests of a filter) the clock stands at 0 and everything else is absent.

use cache::SharedData;
use settings::Invalid;
use std::sync::OnceLock;

/// The severity of a line in the gateway's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something that an operator asked to be told.
    Info,
    /// Something that an operator should look at; requests are still decided correctly.
    Warn,
    /// Something that an operator has to mend.
    Error,
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A sum that only grows.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// A distribution of values.
    Histogram,
}

/// A gateway, as far as it concerns no single request.
pub trait Platform: Sync {
    /// The abilities of the gateway, as far as the gateway is known by now.
    fn capabilities(&self) -> Capabilities;

    /// Nanoseconds since 1970; 0 where the gateway has no clock to give.
    fn now_ns(&self) -> u64;

    /// Fills `out` from the gateway's generator, which may be predictable. On a failure `out`
    /// stays as it is.
    fn random(&self, out: &mut [u8]);

    /// Writes one line to the gateway's log.
    fn log(&self, level: Level, message: &str);

    /// Tells of a filter that is being configured, for example `key_auth`. A gateway that takes
    /// declarations of metrics at this time only declares a family for each kind here, in which a
    /// label holds the name. Others have nothing to do.
    fn declare_family(&self, _filter: &str) {}

    /// The number of the metric `name` of `filter`, for example `passed` of `key_auth`; `None`
    /// where it cannot be counted. Asking twice gives the number of one metric.
    fn declare_metric(&self, kind: MetricKind, filter: &str, name: &str) -> Option<u32>;

    /// Adds `by` to a counter.
    fn increment(&self, metric: u32, by: u64);

    /// Sets a gauge, or shows a histogram one value.
    fn record(&self, metric: u32, value: u64);

    /// Memory for the cache and for counters: `zone` where an operator names one, else what all
    /// workers of the gateway share, else this worker's own. `None` as long as the gateway is not
    /// known.
    fn shared_data(&self, zone: Option<&str>) -> Option<Box<dyn SharedData>>;

    /// Calls a function that the gateway has under this name. `None` where it has none, and where
    /// the function fails.
    fn foreign(&self, name: &str, arguments: &[u8]) -> Option<Vec<u8>>;
}

/// The abilities of a gateway. Each default is the cautious one, for a gateway that is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The gateway is known, at least by its name.
    pub known: bool,
    /// Nothing more of the gateway becomes known at the first request (Kong: its version does).
    pub settled: bool,
    /// A wrong configuration may be rejected: the gateway then does not serve without the filter.
    pub rejects_safely: bool,
    /// Several workers need a declared zone to share data.
    pub needs_zone: bool,
    /// Callouts go to addresses (`host:port`), not to names of clusters.
    pub calls_addresses: bool,
    /// Plugins of the gateway's own may run before a filter and set the identity headers.
    pub has_plugins: bool,
    /// A request may wait for a callout, and be refused from its answer.
    pub can_park: bool,
    /// A waiting request can be woken by the answer to somebody else's callout.
    pub can_wake: bool,
    /// A response may wait for a callout.
    pub can_hold_responses: bool,
    /// A background call may be sent while the answer to another one is handled.
    pub can_send_from_answers: bool,
    /// Several callouts may be under way at once.
    pub calls_in_parallel: bool,
    /// The headers of a request wait until its body has been judged. That needs the option
    /// `allow_on_headers_stop_iteration` in the filter's own configuration, too.
    pub pauses_for_body: bool,
    /// Removing a request header takes out every copy of it.
    pub can_remove: bool,
    /// Later filters do not run any more once a request was refused from the answer to a callout.
    pub refusal_is_final: bool,
    /// The headers of the response can be read when the request is over.
    pub reads_headers_at_end: bool,
    /// The gateway sends a local reply with an interim status (100 to 199) to the client.
    pub sends_interim_replies: bool,
    /// The gateway has functions for signatures.
    pub has_signatures: bool,
    /// The gateway's own random bytes are strong.
    pub has_strong_randomness: bool,
    /// The gateway counts metrics.
    pub has_metrics: bool,
    /// Metrics are counted unless an operator says otherwise.
    pub counts_by_default: bool,
}

impl Capabilities {
    /// Checks that a reply with this status, from the setting of this name, reaches the client.
    ///
    /// # Errors
    /// The problem of an interim status on a gateway that does not send one to the client.
    pub fn check_status(self, setting: &str, status: u16) -> Result<(), Invalid> {
        if status >= 200 || self.sends_interim_replies {
            return Ok(());
        }
        Err(Invalid::one(
            setting,
            "found an interim status, expected one from 200 on: with Envoy, the client would wait for another \
             answer",
        ))
    }
}

static PLATFORM: OnceLock<&'static dyn Platform> = OnceLock::new();

/// Installs the platform. The first one stays.
pub fn install(platform: &'static dyn Platform) {
    let _ = PLATFORM.set(platform);
}

fn platform() -> Option<&'static dyn Platform> {
    PLATFORM.get().copied()
}

/// The abilities of the gateway, as far as it is known by now.
#[must_use]
pub fn capabilities() -> Capabilities {
    platform().map(Platform::capabilities).unwrap_or_default()
}

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> u64 {
    now_ns() / 1_000_000
}

/// Nanoseconds since 1970.
pub(crate) fn now_ns() -> u64 {
    platform().map_or(0, Platform::now_ns)
}

/// Fills `out` from the gateway's generator, which may be predictable.
pub(crate) fn host_random(out: &mut [u8]) {
    if let Some(platform) = platform() {
        platform.random(out);
    }
}

/// Calls a function that the gateway has under this name. `None` where it has none, and where the
/// function fails.
#[must_use]
pub fn foreign(name: &str, arguments: &[u8]) -> Option<Vec<u8>> {
    platform()?.foreign(name, arguments)
}

/// Memory for the cache and for counters: see [`Platform::shared_data`].
pub(crate) fn shared_data(zone: Option<&str>) -> Option<Box<dyn SharedData>> {
    platform()?.shared_data(zone)
}

/// Logs an error that an operator has to mend. `message` never holds a secret, a token or anything
/// that a client sent.
pub fn report(message: &str) {
    log(Level::Error, message);
}

/// Logs something that an operator asked to be told. `message` never holds a secret, a token or
/// anything that a client sent.
pub fn note(message: &str) {
    log(Level::Info, message);
}

pub(crate) fn log(level: Level, message: &str) {
    if let Some(platform) = platform() {
        platform.log(level, message);
    }
}

pub(crate) fn declare_family(filter: &str) {
    if let Some(platform) = platform() {
        platform.declare_family(filter);
    }
}

pub(crate) fn declare_metric(kind: MetricKind, filter: &str, name: &str) -> Option<u32> {
    platform()?.declare_metric(kind, filter, name)
}

pub(crate) fn increment(metric: u32, by: u64) {
    if let Some(platform) = platform() {
        platform.increment(metric, by);
    }
}

pub(crate) fn record(metric: u32, value: u64) {
    if let Some(platform) = platform() {
        platform.record(metric, value);
    }
}
