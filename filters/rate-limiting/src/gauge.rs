//! How much room a limit has: the arithmetic of each algorithm.
//!
//! | algorithm        | a record holds                                                                  |
//! |------------------|---------------------------------------------------------------------------------|
//! | `fixed_window`   | what the current period of the calendar has counted                             |
//! | `sliding_window` | the same, and what the one before has counted, of which a share still counts    |
//! | `token_bucket`   | in `start`, when the bucket will be full again (in nanoseconds): the cell rate algorithm |

use crate::period::{Period, Span};
use admin_api::SHARE_WHOLE;

/// How requests are held against a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Algorithm {
    #[default]
    FixedWindow,
    SlidingWindow,
    TokenBucket,
}

/// So many requests in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) period: Period,
    pub(crate) most: u64,
    pub(crate) algorithm: Algorithm,
    /// How many may come at once; only a token bucket tells it from `most`.
    pub(crate) burst: u64,
}

/// What is kept for one limit of one identifier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) start: u64,
    pub(crate) count: u64,
    pub(crate) previous: u64,
}

/// A record, held against its limit at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gauge {
    pub(crate) limit: Limit,
    pub(crate) record: Record,
    /// Milliseconds since 1970.
    now: u64,
    /// The period of the calendar that the record counts.
    span: Span,
}

const NANOS_PER_MILLI: u64 = 1_000_000;
const NANOS: u64 = 1_000_000_000;

impl Gauge {
    /// What `record` means at `now`: what is over does not count any more.
    pub(crate) fn new(limit: Limit, record: Option<Record>, now: u64) -> Self {
        let record = record.unwrap_or_default();
        if limit.algorithm == Algorithm::TokenBucket {
            let span = Span { start: 0, end: 0 };
            let gauge = Self { limit, record, now, span };
            // Later than a full bucket's worth of waiting cannot be true: the clock was put back.
            let latest = gauge.nanos().saturating_add(gauge.depth());
            let start = if record.start > latest { gauge.nanos() } else { record.start };
            return Self { record: Record { start, ..record }, ..gauge };
        }
        let mut span = limit.period.at(now / 1000);
        // Another worker may be a moment ahead of us; what it has begun is not to be begun again.
        let ahead = limit.period.at(record.start);
        let record = if record.start == span.start {
            record
        } else if record.start == span.end {
            span = ahead;
            record
        } else if record.start == limit.period.before(span).start {
            Record { start: span.start, count: 0, previous: record.count }
        } else {
            Record { start: span.start, count: 0, previous: 0 }
        };
        Self { limit, record, now, span }
    }

    /// How many requests there is room for.
    pub(crate) fn room(&self) -> u64 {
        match self.limit.algorithm {
            Algorithm::FixedWindow => self.limit.most.saturating_sub(self.record.count),
            Algorithm::SlidingWindow => {
                let held = share_of(self.record.previous, self.share());
                self.limit.most.saturating_sub(self.record.count.saturating_add(held))
            }
            Algorithm::TokenBucket => {
                let latest = self.nanos().saturating_add(self.depth());
                let free = latest.saturating_sub(self.record.start.max(self.nanos()));
                free.checked_div(self.interval()).unwrap_or(0)
            }
        }
    }

    /// Counts so many requests.
    pub(crate) fn spend(&mut self, count: u64) {
        match self.limit.algorithm {
            Algorithm::FixedWindow | Algorithm::SlidingWindow => {
                self.record.count = self.record.count.saturating_add(count);
            }
            Algorithm::TokenBucket => {
                let from = self.record.start.max(self.nanos());
                self.record.start = from.saturating_add(self.interval().saturating_mul(count));
            }
        }
    }

    /// What a client is told as the limit.
    pub(crate) fn most(&self) -> u64 {
        match self.limit.algorithm {
            Algorithm::FixedWindow | Algorithm::SlidingWindow => self.limit.most,
            Algorithm::TokenBucket => self.limit.burst,
        }
    }

    /// Seconds, at least one: until there is room again if there is none now; otherwise until all
    /// of the room is there again, which for windows of the calendar is counted as Kong does.
    pub(crate) fn reset(&self) -> u64 {
        let seconds = match self.limit.algorithm {
            Algorithm::FixedWindow => self.kongs_reset(),
            Algorithm::SlidingWindow if self.room() > 0 => self.kongs_reset(),
            Algorithm::SlidingWindow => self.sliding_wait(),
            Algorithm::TokenBucket => {
                let until = if self.room() > 0 {
                    self.record.start
                } else {
                    let full = self.record.start.saturating_add(self.interval());
                    full.saturating_sub(self.depth())
                };
                until.saturating_sub(self.nanos()).div_ceil(NANOS)
            }
        };
        seconds.max(1)
    }

    /// When nothing of the record counts any more, in seconds since 1970.
    pub(crate) fn expires(&self) -> u64 {
        match self.limit.algorithm {
            Algorithm::FixedWindow => self.span.end,
            Algorithm::SlidingWindow => self.limit.period.at(self.span.end).end,
            Algorithm::TokenBucket => self.record.start.div_ceil(NANOS),
        }
    }

    /// The period of the calendar that the record counts.
    pub(crate) const fn span(&self) -> Span {
        self.span
    }

    /// How much of the period before still counts, in millionths.
    pub(crate) fn share(&self) -> u64 {
        let end = self.span.end.saturating_mul(1000);
        let left = u128::from(end.saturating_sub(self.now));
        let length = u128::from(self.span.length().saturating_mul(1000));
        let share = left.saturating_mul(SHARE_WHOLE.into()).checked_div(length).unwrap_or(0);
        u64::try_from(share).unwrap_or(u64::MAX).min(SHARE_WHOLE)
    }

    fn kongs_reset(&self) -> u64 {
        let elapsed = (self.now / 1000).saturating_sub(self.span.start);
        self.limit.period.seconds().saturating_sub(elapsed)
    }

    /// Until the share of the period before is small enough; if the current one is full by itself,
    /// until that has become the one before and its share is small enough.
    fn sliding_wait(&self) -> u64 {
        let most = self.limit.most;
        let left = self.span.end.saturating_mul(1000).saturating_sub(self.now);
        // The share of `count` falls below `free + 1` this long before its period ends.
        let enough = |count: u64, free: u64, length: u64| {
            let tail = u128::from(free.saturating_add(1)).saturating_mul(length.into());
            let tail = tail.checked_div(u128::from(count.max(1))).unwrap_or(0);
            u64::try_from(tail).unwrap_or(u64::MAX).min(length)
        };
        let length = |span: Span| span.length().saturating_mul(1000);
        let wait = match most.checked_sub(self.record.count).and_then(|free| free.checked_sub(1)) {
            Some(free) => {
                left.saturating_sub(enough(self.record.previous, free, length(self.span)))
            }
            None => {
                let next = length(self.limit.period.at(self.span.end));
                let tail = enough(self.record.count, most.saturating_sub(1), next);
                left.saturating_add(next.saturating_sub(tail))
            }
        };
        // At that moment exactly the share is still one too large.
        wait.saturating_add(1).div_ceil(1000)
    }

    fn nanos(&self) -> u64 {
        self.now.saturating_mul(NANOS_PER_MILLI)
    }

    /// Nanoseconds from one token to the next, rounded up so that none is given too early.
    fn interval(&self) -> u64 {
        self.limit.period.seconds().saturating_mul(NANOS).div_ceil(self.limit.most.max(1))
    }

    /// Nanoseconds in which an empty bucket fills.
    fn depth(&self) -> u64 {
        self.interval().saturating_mul(self.limit.burst)
    }
}

/// Gauges for all `limits`, each from the record of its period, with nothing set aside.
pub(crate) fn gauges(limits: &[Limit], kept: &[(Period, Record)], now: u64) -> Vec<(Gauge, u64)> {
    let gauge = |limit: &Limit| {
        let record = kept.iter().find(|(period, _)| *period == limit.period);
        (Gauge::new(*limit, record.map(|(_, record)| *record), now), 0)
    };
    limits.iter().map(gauge).collect()
}

/// What is to be kept of gauges: when nothing of it counts any more (in seconds since 1970), and
/// the records.
pub(crate) fn kept(gauges: &[(Gauge, u64)]) -> (u64, Vec<(Period, Record)>) {
    let expires = gauges.iter().map(|(gauge, _)| gauge.expires()).max().unwrap_or(0);
    (expires, gauges.iter().map(|(gauge, _)| (gauge.limit.period, gauge.record)).collect())
}

/// That many millionths of a count, rounded down.
pub(crate) fn share_of(count: u64, share: u64) -> u64 {
    let product = u128::from(count).saturating_mul(share.into());
    u64::try_from(product.checked_div(SHARE_WHOLE.into()).unwrap_or(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "gauge_tests.rs"]
mod tests;
