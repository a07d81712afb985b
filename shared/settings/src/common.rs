//! The settings that all filters have in common.

use crate::fields::Fields;
use crate::matching::Match;
use crate::rule::Rule;
use crate::target::{Admin, admin};
use std::time::Duration;

/// The common settings. `docs/common-settings.md` describes them for operators.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Common {
    /// The requests that the filter handles.
    pub matching: Match,
    /// The admin service, if the filter uses one and the operator set it.
    pub admin: Option<Admin>,
    /// The zone of shared data that the operator declared on Kong.
    pub shm_zone: Option<String>,
    /// The cache of answers of the admin service.
    pub cache: Cache,
    /// Kong only: the filter reads the identity from the `X-Consumer-*` request headers.
    pub trust_consumer_headers: bool,
    /// Kong only: with those, the filter reads the groups from `X-Consumer-Groups` and
    /// `X-Authenticated-Groups`.
    pub trust_group_headers: bool,
    /// `true` to count metrics, `false` not to. `None` means: if that is safe on the host.
    pub metrics: Option<bool>,
    /// The token with which an operator asks what the filter decided on a request.
    pub debug_token: Option<String>,
    /// Envoy only: the operator asserts that `allow_on_headers_stop_iteration` is set.
    pub holds_headers: bool,
}

/// The cache of answers of the admin service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// The time at which entities are fetched.
    pub mode: Mode,
    /// The time for which an answer is fresh, in seconds (1 to 86,400).
    pub ttl: Duration,
    /// The time for which the answer "there is none" is fresh, in seconds (0 to 86,400).
    pub negative_ttl: Duration,
    /// The time after `ttl` for which an answer still serves while it is fetched again, in seconds
    /// (0 to 604,800).
    pub stale_ttl: Duration,
    /// The largest number of entries (16 to 1,000,000).
    pub max_entries: usize,
    /// The largest number of lookups under way in one VM (1 to 10,000).
    pub max_lookups: usize,
}

/// The time at which entities are fetched.
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
    /// Reads the settings of a filter that establishes the identity. Its `match` has no lists of
    /// consumers.
    pub fn authenticating(f: &mut Fields<'_>) -> Self {
        Self { matching: Match::of_requests(f), ..Self::rest(f) }
    }

    /// Reads the settings of a filter that uses the identity.
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
            debug_token: f.secret("debug_token", "debug_token_env", DEBUG_TOKEN),
            holds_headers: f.flag("allow_on_headers_stop_iteration", false),
        }
    }

    /// Reads and ignores `admin`, `shm_zone` and `cache`, for a filter that has no lookups. An
    /// operator can so write these settings once for all filters.
    #[must_use]
    pub fn alone(self, f: &mut Fields<'_>) -> Self {
        let _ = self.clone().with_lookups(f);
        self
    }

    /// Reads `admin` and `shm_zone`, for a filter that shares data with other workers or other
    /// nodes but caches no answers. It reads `cache` and ignores it.
    #[must_use]
    pub fn with_shared(self, f: &mut Fields<'_>) -> Self {
        let Self { admin, shm_zone, .. } = self.clone().with_lookups(f);
        Self { admin, shm_zone, ..self }
    }

    /// Reads `admin`, `shm_zone` and `cache`, for a filter with lookups.
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

/// A token that nobody guesses.
const DEBUG_TOKEN: Rule = Rule {
    what: "16 to 256 visible ASCII characters",
    pattern: Some("^[!-~]{16,256}$"),
    max: 256,
    check: |text| text.len() >= 16 && text.bytes().all(|b| matches!(b, b'!'..=b'~')),
};

/// The name of a zone is in lower case, because Kong lowers the key that declares it.
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
