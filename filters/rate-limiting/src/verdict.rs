//! Decides if a request is within all of its limits, and what its sender is told.

use crate::gauge::Gauge;
use crate::period::Period;

/// The decision on one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) admitted: bool,
    /// Each limit, the shortest period first.
    pub(crate) usages: Vec<Usage>,
}

/// One limit after the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) period: Period,
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// The time until the limit resets, in seconds.
    pub(crate) reset: u64,
}

impl Verdict {
    /// Judges a request, and counts `count` requests (this one and those taken in advance) in each
    /// gauge if all gauges have room. Each gauge comes with room that is not in its record, because
    /// it was taken in advance before.
    pub(crate) fn of(gauges: &mut [(Gauge, u64)], count: u64) -> Self {
        let room = |(gauge, aside): &(Gauge, u64)| gauge.room().saturating_add(*aside);
        // If several limits are exhausted, the longest wait counts.
        let blocking =
            gauges.iter().rev().find(|pair| room(pair) == 0).map(|(g, _)| g.limit.period);
        let mut usages = Vec::with_capacity(gauges.len());
        for pair in gauges.iter_mut() {
            let before = room(pair);
            let (gauge, _) = pair;
            if blocking.is_none() {
                gauge.spend(count);
            }
            usages.push(Usage {
                period: gauge.limit.period,
                limit: gauge.most(),
                // As in Kong, a refused request changes only the limit that refuses it.
                remaining: before.saturating_sub(u64::from(blocking.is_none())),
                reset: gauge.reset(),
            });
        }
        Self { admitted: blocking.is_none(), usages }
    }

    /// Returns the limit that the client meets first: the one with the least remaining, and of
    /// several the longest period.
    pub(crate) fn tightest(&self) -> Option<&Usage> {
        self.usages.iter().rev().min_by_key(|usage| usage.remaining)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gauge::{Algorithm, Limit, Record};

    fn gauge(period: Period, most: u64, count: u64) -> (Gauge, u64) {
        let limit = Limit { period, most, algorithm: Algorithm::FixedWindow, burst: most };
        let now = 1_795_305_600_000;
        let record = Record { start: period.at(now / 1000).start, count, previous: 0 };
        (Gauge::new(limit, Some(record), now), 0)
    }

    fn remaining(verdict: &Verdict) -> Vec<u64> {
        verdict.usages.iter().map(|usage| usage.remaining).collect()
    }

    #[test]
    fn a_request_passes_when_every_limit_has_room() {
        let mut gauges = [gauge(Period::Second, 2, 1), gauge(Period::Minute, 9, 2)];
        let verdict = Verdict::of(&mut gauges, 1);
        assert_eq!((verdict.admitted, remaining(&verdict)), (true, vec![0, 6]));
        assert_eq!((gauges[0].0.record.count, gauges[1].0.record.count), (2, 3));
    }

    #[test]
    fn a_request_that_is_refused_costs_nothing() {
        let mut gauges = [gauge(Period::Second, 2, 2), gauge(Period::Minute, 9, 2)];
        let verdict = Verdict::of(&mut gauges, 1);
        assert_eq!((verdict.admitted, remaining(&verdict)), (false, vec![0, 7]));
        assert_eq!((gauges[0].0.record.count, gauges[1].0.record.count), (2, 2));
        assert_eq!(verdict.tightest().unwrap().period, Period::Second);
    }

    #[test]
    fn of_equals_the_longer_period_is_the_tightest() {
        let mut gauges =
            [gauge(Period::Second, 3, 0), gauge(Period::Minute, 3, 0), gauge(Period::Hour, 9, 0)];
        assert_eq!(Verdict::of(&mut gauges, 1).tightest().unwrap().period, Period::Minute);
        let mut gauges =
            [gauge(Period::Second, 3, 3), gauge(Period::Minute, 3, 3), gauge(Period::Hour, 9, 0)];
        assert_eq!(Verdict::of(&mut gauges, 1).tightest().unwrap().period, Period::Minute);
    }

    #[test]
    fn what_was_set_aside_is_room() {
        let (full, _) = gauge(Period::Second, 5, 5);
        let verdict = Verdict::of(&mut [(full, 3)], 0);
        assert_eq!((verdict.admitted, remaining(&verdict)), (true, vec![2]));
    }
}
