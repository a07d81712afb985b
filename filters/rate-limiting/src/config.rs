//! The settings of the filter.

use crate::limiter::Limiter;
use crate::period::Period;
use crate::usage::{Algorithm, Limit};
use consumer::Identity;
use exchange::Target;
use settings::{Common, Fields, Rule};
use std::rc::Rc;
use std::time::Duration;

/// Settings that passed every check, with the counters under them.
#[derive(Debug)]
pub struct Config {
    pub(crate) common: Common,
    /// The service that counts for several nodes.
    pub(crate) admin: Option<Rc<Target>>,
    pub(crate) limit_by: LimitBy,
    pub(crate) limits: Vec<Limit>,
    /// The limits of some consumers and groups.
    pub(crate) exceptions: Vec<Exception>,
    pub(crate) policy: Policy,
    pub(crate) fault_tolerant: bool,
    pub(crate) hide_client_headers: bool,
    pub(crate) error_code: u16,
    pub(crate) error_message: String,
    pub(crate) dry_run: bool,
    pub(crate) max_identifiers: u64,
    /// Configurations with one namespace count together.
    pub(crate) namespace: String,
    pub(crate) limiter: Limiter,
}

/// The property of a request that it is counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LimitBy {
    Consumer,
    Credential,
    Ip,
    Service,
    Header(String),
    Path(String),
}

/// The place of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// On this node.
    Local,
    /// At the admin service, before each request.
    Asking,
    /// On this node, compared with the other nodes at this interval.
    Syncing(Duration),
}

/// Limits that replace the general ones for some callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    consumers: Vec<String>,
    groups: Vec<String>,
    limits: Vec<Limit>,
}

#[derive(Debug, Clone, Copy)]
enum By {
    Consumer,
    Credential,
    Ip,
    Service,
    Header,
    Path,
}

/// The greatest limit: more than any gateway serves in a year, and far from the largest numbers.
const MOST: u64 = 1_000_000_000_000;

/// Settings of Kong's plugin that have no effect, because gatehouse-admin is the store.
const UNUSED: [&str; 10] = [
    "redis",
    "redis_host",
    "redis_port",
    "redis_timeout",
    "redis_username",
    "redis_password",
    "redis_database",
    "redis_ssl",
    "redis_ssl_verify",
    "redis_server_name",
];

impl Config {
    pub(crate) fn read(f: &mut Fields<'_>) -> Self {
        let common = Common::identified(f).with_shared(f);
        UNUSED.into_iter().for_each(|name| f.unused(name));
        let algorithm = f.choice(
            "algorithm",
            &[
                ("fixed_window", Algorithm::FixedWindow),
                ("sliding_window", Algorithm::SlidingWindow),
                ("token_bucket", Algorithm::TokenBucket),
            ],
        );
        let algorithm = algorithm.unwrap_or_default();
        let limits = limits(f, algorithm);
        f.check(
            !limits.is_empty(),
            "",
            "found no limit, expected at least one of `second`, `minute`, `hour`, `day`, `month`, `year`",
        );
        let exceptions = f.objects("limits", |f| exception(f, algorithm));
        let limit_by = limit_by(f);
        let policy = policy(f, &common, algorithm);
        let fault_tolerant = f.flag("fault_tolerant", true);
        let hide_client_headers = f.flag("hide_client_headers", false);
        let error_code = f.integer("error_code", 100..=599, 429);
        let error_message = f.text("error_message", Rule::TEXT);
        let dry_run = f.flag("dry_run", false);
        let max_identifiers = f.integer("max_identifiers", 16..=1_000_000, 100_000);
        let namespace = f.text("namespace", Rule::WORD).unwrap_or_else(|| {
            format!("{:?} {limit_by:?} {limits:?} {exceptions:?}", common.matching)
        });
        Self {
            admin: common.admin.as_ref().map(|admin| Rc::new(admin.target.clone())),
            common,
            limit_by,
            limits,
            exceptions,
            policy,
            fault_tolerant,
            hide_client_headers,
            error_code: u16::try_from(error_code).unwrap_or(429),
            error_message: error_message.unwrap_or_else(|| "API rate limit exceeded".to_owned()),
            dry_run,
            max_identifiers,
            namespace,
            limiter: Limiter::default(),
        }
    }

    /// Returns `true` if the identity decides about the counter or about the limits.
    pub(crate) fn looks_at_identity(&self) -> bool {
        matches!(self.limit_by, LimitBy::Consumer | LimitBy::Credential)
            || !self.exceptions.is_empty()
    }

    /// Returns the limits for a caller: those of the first exception that fits, or the general
    /// ones.
    pub(crate) fn limits_of(&self, identity: Option<&Identity>) -> &[Limit] {
        let fits = |identity: &Identity| {
            let names = identity.names();
            self.exceptions.iter().find(|exception| {
                names.iter().any(|name| exception.consumers.contains(name))
                    || identity.groups.iter().any(|group| exception.groups.contains(group))
            })
        };
        let exception = identity.filter(|_| !self.exceptions.is_empty()).and_then(fits);
        exception.map_or(&self.limits, |exception| &exception.limits)
    }
}

/// Reads the limits of one object. The shortest period comes first.
fn limits(f: &mut Fields<'_>, algorithm: Algorithm) -> Vec<Limit> {
    let mut limits = Vec::new();
    for period in Period::ALL {
        if let Some(most) = f.optional_integer(period.name(), 1..=MOST) {
            limits.push(Limit { period, most, algorithm, burst: most });
        }
    }
    let mut shorter: Option<&Limit> = None;
    for limit in &limits {
        if let Some(other) = shorter {
            let (name, most) = (limit.period.name(), limit.most);
            f.check(
                most >= other.most,
                name,
                format!(
                    "found {most}, expected at least the limit for {} ({})",
                    other.period.name(),
                    other.most
                ),
            );
        }
        shorter = Some(limit);
    }
    let burst = f.optional_integer("burst", 1..=MOST);
    f.check(
        burst.is_none() || algorithm == Algorithm::TokenBucket,
        "burst",
        "found without `algorithm` `token_bucket`, expected the two together",
    );
    // The buckets of longer periods hold what their periods allow.
    if let (Some(burst), Some(shortest)) = (burst, limits.first_mut()) {
        shortest.burst = burst;
    }
    limits
}

fn exception(f: &mut Fields<'_>, algorithm: Algorithm) -> Exception {
    let consumers = f.texts("consumers", Rule::TEXT).unwrap_or_default();
    let groups = f.texts("groups", Rule::TEXT).unwrap_or_default();
    f.check(
        !consumers.is_empty() || !groups.is_empty(),
        "",
        "found neither `consumers` nor `groups`, expected one of them to say whom it is for",
    );
    let limits = limits(f, algorithm);
    f.check(
        !limits.is_empty(),
        "",
        "found no limit, expected at least one of `second`, `minute`, `hour`, `day`, `month`, `year`",
    );
    Exception { consumers, groups, limits }
}

fn limit_by(f: &mut Fields<'_>) -> LimitBy {
    let by = f.choice(
        "limit_by",
        &[
            ("consumer", By::Consumer),
            ("credential", By::Credential),
            ("ip", By::Ip),
            ("service", By::Service),
            ("header", By::Header),
            ("path", By::Path),
        ],
    );
    let header_name = f.text("header_name", Rule::HEADER_NAME);
    let path = f.text("path", Rule::PATH);
    match by.unwrap_or(By::Consumer) {
        By::Consumer => LimitBy::Consumer,
        By::Credential => LimitBy::Credential,
        By::Ip => LimitBy::Ip,
        By::Service => LimitBy::Service,
        By::Header => {
            f.check(
                header_name.is_some(),
                "header_name",
                "found nothing, expected the header to count by",
            );
            LimitBy::Header(header_name.unwrap_or_default())
        }
        By::Path => {
            f.check(path.is_some(), "path", "found nothing, expected the path to count");
            LimitBy::Path(path.unwrap_or_default())
        }
    }
}

fn policy(f: &mut Fields<'_>, common: &Common, algorithm: Algorithm) -> Policy {
    let cluster = f.choice("policy", &[("local", false), ("cluster", true), ("redis", true)]);
    let rate = f.optional_number("sync_rate", -1.0..=3600.0).unwrap_or(-1.0);
    f.check(
        rate == -1.0 || rate >= 0.02,
        "sync_rate",
        "found something between, expected -1 (ask before each request) or at least 0.02 seconds",
    );
    if cluster != Some(true) {
        f.check(
            rate == -1.0,
            "sync_rate",
            "found with `policy` `local`, expected `cluster` or `redis` to compare with",
        );
        return Policy::Local;
    }
    f.check(
        common.admin.is_some(),
        "policy",
        "found without `admin`, expected the gatehouse-admin that keeps the counts",
    );
    f.check(
        algorithm != Algorithm::TokenBucket,
        "algorithm",
        "found `token_bucket` with a `policy` other than `local`, expected a window: nodes count together what is in one",
    );
    if rate < 0.0 { Policy::Asking } else { Policy::Syncing(Duration::from_secs_f64(rate)) }
}

#[cfg(test)]
#[path = "config_tests.rs"]
pub(crate) mod tests;
