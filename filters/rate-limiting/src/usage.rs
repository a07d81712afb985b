//! The use of a limit: the count of requests, and the room that is left, under each algorithm.
//!
//! | algorithm | contents of a record |
//! |---|---|
//! | `fixed_window` | the count of the current calendar period |
//! | `sliding_window` | the counts of the current and of the previous period |
//! | `token_bucket` | in `start`, the time at which the bucket is full again, in nanoseconds |
//!
//! The record of a token bucket also has, in `count`, the nanoseconds in which an empty one fills.
//! A sliding window adds a share of the previous count, which shrinks as the current period passes.
//! The token bucket is the generic cell rate algorithm.

use crate::period::{Period, Span};
use admin_api::SHARE_WHOLE;

/// The algorithm that compares requests with a limit. Of two kinds of windows, the greater one
/// looks further back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Algorithm {
    #[default]
    FixedWindow,
    SlidingWindow,
    TokenBucket,
}

/// A number of requests for each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) period: Period,
    pub(crate) most: u64,
    pub(crate) algorithm: Algorithm,
    /// The greatest number of requests at once. It differs from `most` only for a token bucket.
    pub(crate) burst: u64,
}

/// The stored state of one limit for one identifier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) start: u64,
    pub(crate) count: u64,
    pub(crate) previous: u64,
}

/// The use of one limit by one identifier at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) limit: Limit,
    pub(crate) record: Record,
    /// The time in milliseconds since 1970.
    now: u64,
    /// The calendar period that the record counts.
    span: Span,
}

const NANOS_PER_MILLI: u64 = 1_000_000;
const NANOS: u64 = 1_000_000_000;

impl Algorithm {
    /// All algorithms, in their order.
    pub(crate) const ALL: [Self; 3] = [Self::FixedWindow, Self::SlidingWindow, Self::TokenBucket];

    /// Returns `true` if the algorithm counts in periods of the calendar.
    pub(crate) const fn is_window(self) -> bool {
        matches!(self, Self::FixedWindow | Self::SlidingWindow)
    }
}

impl Record {
    /// Returns the time after which the record has no effect, in seconds since 1970.
    pub(crate) fn expires(&self, period: Period, algorithm: Algorithm) -> u64 {
        match algorithm {
            Algorithm::FixedWindow => period.at(self.start).end,
            Algorithm::SlidingWindow => period.at(period.at(self.start).end).end,
            Algorithm::TokenBucket => self.start.div_ceil(NANOS),
        }
    }
}

impl Usage {
    /// Evaluates `record` at `now`. Counts of periods that have ended are dropped.
    pub(crate) fn new(limit: Limit, record: Option<Record>, now: u64) -> Self {
        let record = record.unwrap_or_default();
        if limit.algorithm == Algorithm::TokenBucket {
            let span = Span { start: 0, end: 0 };
            let usage = Self { limit, record, now, span };
            // Neither this limit nor the one that counted last makes anybody wait longer for a full
            // bucket, so the clock was set back.
            let latest = usage.nanos().saturating_add(usage.depth().max(record.count));
            let start = if record.start > latest { usage.nanos() } else { record.start };
            return Self { record: Record { start, ..record }, ..usage };
        }
        let mut span = limit.period.at(now / 1000);
        // The clock of another worker may be slightly ahead. A period that it has begun must not
        // begin anew.
        let record = if record.start == span.start {
            record
        } else if record.start == span.end {
            span = limit.period.at(record.start);
            record
        } else if record.start == limit.period.before(span).start {
            Record { start: span.start, count: 0, previous: record.count }
        } else {
            Record { start: span.start, count: 0, previous: 0 }
        };
        Self { limit, record, now, span }
    }

    /// Returns the number of requests that the limit has room for.
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

    /// Counts this many requests.
    pub(crate) fn spend(&mut self, count: u64) {
        match self.limit.algorithm {
            Algorithm::FixedWindow | Algorithm::SlidingWindow => {
                self.record.count = self.record.count.saturating_add(count);
            }
            Algorithm::TokenBucket => {
                let from = self.record.start.max(self.nanos());
                self.record.start = from.saturating_add(self.interval().saturating_mul(count));
                self.record.count = self.depth();
            }
        }
    }

    /// Returns the limit for the headers of a response.
    pub(crate) fn most(&self) -> u64 {
        match self.limit.algorithm {
            Algorithm::FixedWindow | Algorithm::SlidingWindow => self.limit.most,
            Algorithm::TokenBucket => self.limit.burst,
        }
    }

    /// Returns the time until the limit resets, in seconds and at least one. If there is no room,
    /// it is the time until there is. Otherwise it is the time until all room is back, which for
    /// calendar periods is computed as Kong does.
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

    /// Returns the time after which the record has no effect, in seconds since 1970.
    pub(crate) fn expires(&self) -> u64 {
        self.record.expires(self.limit.period, self.limit.algorithm)
    }

    /// Returns the calendar period that the record counts.
    pub(crate) const fn span(&self) -> Span {
        self.span
    }

    /// Returns the share of the previous period that still counts, in millionths.
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

    /// Returns the time until the share of the previous period is small enough, in seconds. If the
    /// current period is full by itself, it must first become the previous one.
    fn sliding_wait(&self) -> u64 {
        let most = self.limit.most;
        let left = self.span.end.saturating_mul(1000).saturating_sub(self.now);
        // The share of `count` falls below `free + 1` this long before the end of its period.
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
        // At this very moment the share is still too large by one.
        wait.saturating_add(1).div_ceil(1000)
    }

    fn nanos(&self) -> u64 {
        self.now.saturating_mul(NANOS_PER_MILLI)
    }

    /// Returns the nanoseconds between two tokens, rounded up so that none comes too early.
    fn interval(&self) -> u64 {
        self.limit.period.seconds().saturating_mul(NANOS).div_ceil(self.limit.most.max(1))
    }

    /// Returns the nanoseconds in which an empty bucket fills.
    fn depth(&self) -> u64 {
        self.interval().saturating_mul(self.limit.burst)
    }
}

/// Returns `share` millionths of `count`, rounded down.
pub(crate) fn share_of(count: u64, share: u64) -> u64 {
    let product = u128::from(count).saturating_mul(share.into());
    u64::try_from(product.checked_div(SHARE_WHOLE.into()).unwrap_or(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "usage_tests.rs"]
mod tests;
