//! The settings that every filter has.

use crate::fields::Fields;
use crate::matching::Match;
use crate::rule::Rule;
use crate::target::{Admin, admin};
use std::time::Duration;

/// The common settings (see each filter's README).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Common {
    /// Which requests the filter looks at.
    pub matching: Match,
    /// The admin service, where the filter uses one.
    pub admin: Option<Admin>,
    /// A zone of shared data that the operator declared on Kong.
    pub shm_zone: Option<String>,
    /// How answers of the admin service are kept.
    pub cache: Cache,
    /// Kong: take `X-Consumer-*` request headers for the identity.
    pub trust_consumer_headers: bool,
    /// Kong: with these, take `X-Consumer-Groups` and `X-Authenticated-Groups` for the groups.
    pub trust_group_headers: bool,
    /// Whether to count; unset means what is safe on the host.
    pub metrics: Option<bool>,
    /// Envoy: the operator asserts that `allow_on_headers_stop_iteration` is set.
    pub holds_headers: bool,
}

/// How answers of the admin service are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Whether entities are fetched one by one or all in advance.
    pub mode: Mode,
    /// How long an answer is fresh.
    pub ttl: Duration,
    /// How long "there is none" is fresh.
    pub negative_ttl: Duration,
    /// How long past `ttl` an answer still serves, while it is asked for again.
    pub stale_ttl: Duration,
    /// At most so many entries.
    pub max_entries: usize,
    /// At most so many lookups under way in one VM.
    pub max_lookups: usize,
}

/// Whether entities are fetched one by one or all in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// At a consumer's first request.
    Lazy,
    /// On the tick, before any request needs them.
    Full,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            mode: Mode::Lazy,
            ttl: Duration::from_secs(60),
            negative_ttl: Duration::from_secs(10),
            stale_ttl: Duration::from_secs(300),
            max_entries: 10_000,
            max_lookups: 64,
        }
    }
}

impl Common {
    /// For a filter that establishes the identity: it has no consumer lists.
    pub fn authenticating(f: &mut Fields<'_>) -> Self {
        Self { matching: Match::of_requests(f), ..Self::rest(f) }
    }

    /// For a filter that uses the identity.
    pub fn identified(f: &mut Fields<'_>) -> Self {
        Self { matching: Match::of_requests_and_consumers(f), ..Self::rest(f) }
    }

    fn rest(f: &mut Fields<'_>) -> Self {
        let trust_consumer_headers = f.flag("trust_consumer_headers", false);
        let trust_group_headers = f.flag("trust_group_headers", false);
        f.check(
            trust_consumer_headers || !trust_group_headers,
            "trust_group_headers",
            "found true without `trust_consumer_headers`, expected both: groups belong to a consumer",
        );
        Self {
            matching: Match::default(),
            admin: None,
            shm_zone: None,
            cache: Cache::default(),
            trust_consumer_headers,
            trust_group_headers,
            metrics: f.optional_flag("metrics"),
            holds_headers: f.flag("allow_on_headers_stop_iteration", false),
        }
    }

    /// For a filter that asks and keeps nothing: it takes `admin`, `shm_zone` and `cache` as every filter does,
    /// so that an operator can write them once for all, and does nothing with them.
    #[must_use]
    pub fn alone(self, f: &mut Fields<'_>) -> Self {
        let _ = self.clone().with_lookups(f);
        self
    }

    /// Adds what a filter has that shares something with other workers and other nodes: `admin`, `shm_zone`.
    /// It keeps no answers: `cache` has no effect.
    #[must_use]
    pub fn with_shared(self, f: &mut Fields<'_>) -> Self {
        let Self { admin, shm_zone, .. } = self.clone().with_lookups(f);
        Self { admin, shm_zone, ..self }
    }

    /// Adds what a filter with lookups has: `admin`, `shm_zone`, `cache`.
    #[must_use]
    pub fn with_lookups(self, f: &mut Fields<'_>) -> Self {
        let common = Self { admin: admin(f), shm_zone: f.text("shm_zone", ZONE), ..self };
        let cache = f.object("cache", Cache::read).unwrap_or_default();
        f.check(
            cache.mode == Mode::Lazy || common.admin.is_some(),
            "cache.mode",
            "found \"full\" without `admin`, expected an admin service to fetch from",
        );
        Self { cache, ..common }
    }
}

/// Zone names are lower case: Kong lowers the key that declares them.
const ZONE: Rule = Rule {
    what: "the name of a shared-data zone (lower-case letters, digits, `_`)",
    pattern: Some("^[a-z0-9_]+$"),
    max: 64,
    check: |text| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
};

impl Cache {
    fn read(f: &mut Fields<'_>) -> Self {
        let default = Self::default();
        let mut seconds = |name, range, default: Duration| {
            Duration::from_secs(f.integer(name, range, default.as_secs()))
        };
        let ttl = seconds("ttl", 1..=86_400, default.ttl);
        let negative_ttl = seconds("negative_ttl", 0..=86_400, default.negative_ttl);
        let stale_ttl = seconds("stale_ttl", 0..=604_800, default.stale_ttl);
        let mode = f.choice("mode", &[("lazy", Mode::Lazy), ("full", Mode::Full)]);
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            mode: mode.unwrap_or(default.mode),
            ttl,
            negative_ttl,
            stale_ttl,
            max_entries: size(f.integer("max_entries", 16..=1_000_000, 10_000)),
            max_lookups: size(f.integer("max_lookups", 1..=10_000, 64)),
        }
    }
}
