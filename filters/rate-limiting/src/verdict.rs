//! The decision on a request under all of its limits, and the state of each limit after it.

use crate::period::Period;
use crate::usage::Usage;

/// The decision on one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) admitted: bool,
    /// The state of each limit, the shortest period first.
    pub(crate) statuses: Vec<LimitStatus>,
}

/// The state of one limit after the decision, as the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitStatus {
    pub(crate) period: Period,
    /// The greatest number of requests.
    pub(crate) limit: u64,
    /// The number of requests that are left.
    pub(crate) remaining: u64,
    /// The time until the limit resets, in seconds.
    pub(crate) reset: u64,
}

impl Verdict {
    /// Judges a request, and adds `count` requests (this one and those taken in advance) to each
    /// usage if all usages have room. The number beside each usage is additional room: requests
    /// that its record counts already, because a lease took them in advance.
    pub(crate) fn of(usages: &mut [(Usage, u64)], count: u64) -> Self {
        let room = |(usage, aside): &(Usage, u64)| usage.room().saturating_add(*aside);
        // If several limits are exhausted, the longest wait counts.
        let blocking =
            usages.iter().rev().find(|pair| room(pair) == 0).map(|(usage, _)| usage.limit.period);
        let mut statuses = Vec::with_capacity(usages.len());
        for pair in usages.iter_mut() {
            let before = room(pair);
            let (usage, _) = pair;
            if blocking.is_none() {
                usage.spend(count);
            }
            statuses.push(LimitStatus {
                period: usage.limit.period,
                limit: usage.most(),
                // As in Kong, a refused request changes only the limit that refuses it.
                remaining: before.saturating_sub(u64::from(blocking.is_none())),
                reset: usage.reset(),
            });
        }
        Self { admitted: blocking.is_none(), statuses }
    }

    /// Returns the limit that the client meets first: the one with the least remaining, and of
    /// several the longest period.
    pub(crate) fn tightest(&self) -> Option<&LimitStatus> {
        self.statuses.iter().rev().min_by_key(|status| status.remaining)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::{Algorithm, Limit, Record};

    fn usage(period: Period, most: u64, count: u64) -> (Usage, u64) {
        let limit = Limit { period, most, algorithm: Algorithm::FixedWindow, burst: most };
        let now = 1_795_305_600_000;
        let record = Record { start: period.at(now / 1000).start, count, previous: 0 };
        (Usage::new(limit, Some(record), now), 0)
    }

    fn remaining(verdict: &Verdict) -> Vec<u64> {
        verdict.statuses.iter().map(|status| status.remaining).collect()
    }

    #[test]
    fn a_request_passes_when_every_limit_has_room() {
        let mut usages = [usage(Period::Second, 2, 1), usage(Period::Minute, 9, 2)];
        let verdict = Verdict::of(&mut usages, 1);
        assert_eq!((verdict.admitted, remaining(&verdict)), (true, vec![0, 6]));
        assert_eq!((usages[0].0.record.count, usages[1].0.record.count), (2, 3));
    }

    #[test]
    fn a_request_that_is_refused_costs_nothing() {
        let mut usages = [usage(Period::Second, 2, 2), usage(Period::Minute, 9, 2)];
        let verdict = Verdict::of(&mut usages, 1);
        assert_eq!((verdict.admitted, remaining(&verdict)), (false, vec![0, 7]));
        assert_eq!((usages[0].0.record.count, usages[1].0.record.count), (2, 2));
        assert_eq!(verdict.tightest().unwrap().period, Period::Second);
    }

    #[test]
    fn among_equals_the_longest_period_is_the_tightest() {
        let mut usages =
            [usage(Period::Second, 3, 0), usage(Period::Minute, 3, 0), usage(Period::Hour, 9, 0)];
        assert_eq!(Verdict::of(&mut usages, 1).tightest().unwrap().period, Period::Minute);
        let mut usages =
            [usage(Period::Second, 3, 3), usage(Period::Minute, 3, 3), usage(Period::Hour, 9, 0)];
        assert_eq!(Verdict::of(&mut usages, 1).tightest().unwrap().period, Period::Minute);
    }

    #[test]
    fn requests_taken_in_advance_are_room() {
        let (full, _) = usage(Period::Second, 5, 5);
        let verdict = Verdict::of(&mut [(full, 3)], 0);
        assert_eq!((verdict.admitted, remaining(&verdict)), (true, vec![2]));
    }
}
