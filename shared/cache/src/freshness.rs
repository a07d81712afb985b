//! The freshness of an answer, as a pure function of its age and of the settings.
//!
//! ```text
//! age              0 ──────── ttl ──────────── ttl + stale_ttl ──────▶
//! a value             Fresh         Stale                      Miss
//!
//! age              0 ──────── negative_ttl ──────────────────────────▶
//! "there is none"     Fresh                                    Miss
//! ```

use crate::time::millis;
use exchange::Finding;
use std::time::Duration;

/// Clocks of one node may differ by so many milliseconds.
pub(crate) const CLOCK_SKEW: u64 = 5000;

/// The use that can be made of a cached answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// The answer serves.
    Fresh,
    /// The answer serves, and is fetched again in the background.
    Stale,
    /// The answer does not serve before it has been fetched again.
    Miss,
}

/// The times for which the answers for one key serve, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    ttl: u64,
    longest: u64,
    negative_ttl: u64,
    /// The snapshot holds every key that exists: there is nobody to ask for a single one.
    is_all: bool,
}

impl Lifetime {
    /// Returns the lifetime under `settings`; `ttl` stands in for their `ttl`.
    pub(crate) fn new(settings: &settings::Cache, ttl: Option<Duration>, is_all: bool) -> Self {
        let ttl = millis(ttl.unwrap_or(settings.ttl));
        Self {
            ttl,
            longest: ttl.saturating_add(millis(settings.stale_ttl)),
            negative_ttl: millis(settings.negative_ttl),
            is_all,
        }
    }

    /// Returns `true` if nothing newer than an answer of `stored_at` needs to be looked for.
    pub(crate) fn is_young(&self, stored_at: u64, now: u64) -> bool {
        now.saturating_sub(stored_at) <= self.ttl
    }

    /// Judges an answer that was stored at `stored_at`. Both times are in milliseconds since 1970.
    pub(crate) fn judge(&self, finding: &Finding, stored_at: u64, now: u64) -> Freshness {
        let Some(age) = age(stored_at, now) else { return Freshness::Miss };
        match finding {
            Finding::Nothing if !self.is_all && age < self.negative_ttl => Freshness::Fresh,
            Finding::Nothing if !self.is_all => Freshness::Miss,
            _ if age <= self.ttl => Freshness::Fresh,
            _ if age <= self.longest && self.is_all => Freshness::Fresh,
            _ if age <= self.longest => Freshness::Stale,
            _ => Freshness::Miss,
        }
    }

    /// Returns `true` if the answer may serve after a fetch has failed: a value, up to the end of
    /// `stale_ttl`.
    pub(crate) fn may_stand_in(&self, finding: &Finding, stored_at: u64, now: u64) -> bool {
        *finding != Finding::Nothing && age(stored_at, now).is_some_and(|age| age <= self.longest)
    }
}

/// Returns the age of an answer; `None` for one from the future.
fn age(stored_at: u64, now: u64) -> Option<u64> {
    (stored_at <= now.saturating_add(CLOCK_SKEW)).then(|| now.saturating_sub(stored_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime(is_all: bool) -> Lifetime {
        let settings = settings::Cache {
            ttl: Duration::from_secs(60),
            negative_ttl: Duration::from_secs(10),
            stale_ttl: Duration::from_secs(300),
            ..settings::Cache::default()
        };
        Lifetime::new(&settings, None, is_all)
    }

    #[test]
    fn a_value_is_fresh_then_stale_then_missed() {
        let value = Finding::Value(b"x".to_vec());
        for (age, expected) in [
            (0, Freshness::Fresh),
            (60_000, Freshness::Fresh),
            (60_001, Freshness::Stale),
            (360_000, Freshness::Stale),
            (360_001, Freshness::Miss),
        ] {
            let now = 1_000_000 + age;
            assert_eq!(lifetime(false).judge(&value, 1_000_000, now), expected, "{age}");
            let stands_in = lifetime(false).may_stand_in(&value, 1_000_000, now);
            assert_eq!(stands_in, expected != Freshness::Miss, "{age}");
        }
    }

    #[test]
    fn an_absence_is_never_stale_and_never_stands_in() {
        for (age, expected) in [(9_999, Freshness::Fresh), (10_000, Freshness::Miss)] {
            assert_eq!(lifetime(false).judge(&Finding::Nothing, 0, age), expected, "{age}");
            assert!(!lifetime(false).may_stand_in(&Finding::Nothing, 0, age));
        }
    }

    #[test]
    fn a_snapshot_that_is_all_serves_until_it_is_too_old() {
        for finding in [Finding::Nothing, Finding::Value(b"x".to_vec())] {
            assert_eq!(lifetime(true).judge(&finding, 0, 360_000), Freshness::Fresh);
            assert_eq!(lifetime(true).judge(&finding, 0, 360_001), Freshness::Miss);
        }
    }

    #[test]
    fn an_answer_from_the_future_is_missed_beyond_what_clocks_differ() {
        let value = Finding::Value(b"x".to_vec());
        assert_eq!(lifetime(false).judge(&value, 6000, 1000), Freshness::Fresh);
        assert_eq!(lifetime(false).judge(&value, 6001, 1000), Freshness::Miss);
        assert!(!lifetime(false).may_stand_in(&value, 6001, 1000));
    }
}
