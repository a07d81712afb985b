#![allow(clippy::arithmetic_side_effects)]

use super::*;
use proptest::prelude::*;

pub(crate) fn limit(algorithm: Algorithm, period: Period, most: u64) -> Limit {
    Limit { period, most, algorithm, burst: most }
}

/// 2026-11-22T00:00:00Z.
const DAY: u64 = 1_795_305_600_000;

#[test]
fn a_fixed_window_starts_anew_with_the_period() {
    let minute = limit(Algorithm::FixedWindow, Period::Minute, 3);
    let mut usage = Usage::new(minute, None, DAY + 59_000);
    assert_eq!((usage.room(), usage.reset()), (3, 1));
    usage.spend(3);
    assert_eq!(usage.room(), 0);
    assert_eq!(Usage::new(minute, Some(usage.record), DAY + 59_999).room(), 0);
    let next = Usage::new(minute, Some(usage.record), DAY + 60_000);
    assert_eq!((next.room(), next.reset(), next.record.previous), (3, 60, 3));
}

#[test]
fn reset_counts_a_month_as_thirty_days_and_is_never_zero() {
    let month = limit(Algorithm::FixedWindow, Period::Month, 3);
    // On the 22nd at midnight, 21 days have passed.
    assert_eq!(Usage::new(month, None, DAY).reset(), 9 * 86_400);
    // This is the 31st of a month.
    assert_eq!(Usage::new(month, None, DAY + 39 * 86_400_000).reset(), 1);
}

#[test]
fn a_worker_that_is_a_moment_behind_counts_where_the_others_do() {
    let second = limit(Algorithm::FixedWindow, Period::Second, 3);
    let record = Record { start: DAY / 1000 + 1, count: 3, previous: 0 };
    assert_eq!(Usage::new(second, Some(record), DAY + 999).room(), 0);
    // A record that is far ahead means that a clock was set back.
    let record = Record { start: DAY / 1000 + 10, ..record };
    assert_eq!(Usage::new(second, Some(record), DAY + 999).room(), 3);
}

#[test]
fn a_window_that_slides_forgets_the_one_before_bit_by_bit() {
    let minute = limit(Algorithm::SlidingWindow, Period::Minute, 10);
    let record = Record { start: DAY / 1000, count: 10, previous: 0 };
    let room = |ms: u64| Usage::new(minute, Some(record), DAY + ms).room();
    // At 60 s the whole previous count has an effect, at 90 s half of it, and at 119.9 s none.
    assert_eq!([room(59_999), room(60_000), room(60_001), room(66_000)], [0, 0, 1, 1]);
    assert_eq!([room(66_001), room(90_000), room(119_900), room(120_000)], [2, 5, 10, 10]);
}

#[test]
fn a_bucket_gives_a_burst_and_then_one_token_after_the_other() {
    let bucket = Limit { burst: 5, ..limit(Algorithm::TokenBucket, Period::Minute, 60) };
    let mut record = None;
    let mut take = |ms: u64| {
        let mut usage = Usage::new(bucket, record, DAY + ms);
        let room = usage.room();
        if room > 0 {
            usage.spend(1);
            record = Some(usage.record);
        }
        (room, usage.reset())
    };
    let rooms: Vec<u64> = (0..5).map(|_| take(0).0).collect();
    assert_eq!(rooms, [5, 4, 3, 2, 1]);
    assert_eq!(take(0), (0, 1));
    assert_eq!(take(999), (0, 1));
    assert_eq!(take(1000).0, 1);
    assert_eq!(take(1001), (0, 1));
    // There is never room for more than a burst, even after a long time without requests.
    assert_eq!(take(3_600_000).0, 5);
}

#[test]
fn a_bucket_survives_a_clock_that_is_put_back() {
    let bucket = limit(Algorithm::TokenBucket, Period::Second, 2);
    let mut usage = Usage::new(bucket, None, DAY + 86_400_000);
    usage.spend(2);
    assert_eq!(Usage::new(bucket, Some(usage.record), DAY).room(), 2);
}

#[test]
fn a_limit_with_a_small_burst_does_not_empty_the_bucket_of_another() {
    let large = Limit { burst: 5, ..limit(Algorithm::TokenBucket, Period::Minute, 5) };
    let small = Limit { burst: 10, ..limit(Algorithm::TokenBucket, Period::Minute, 6000) };
    let mut usage = Usage::new(large, None, DAY);
    usage.spend(5);
    // A minute of tokens is owed, and the small bucket holds a tenth of a second.
    let other = Usage::new(small, Some(usage.record), DAY);
    assert_eq!((other.room(), other.reset()), (0, 60));
    assert_eq!(Usage::new(large, Some(other.record), DAY).room(), 0);
    assert_eq!(Usage::new(small, Some(usage.record), DAY + 60_000).room(), 10);
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![
        Just(Algorithm::FixedWindow),
        Just(Algorithm::SlidingWindow),
        Just(Algorithm::TokenBucket)
    ]
}

fn any_limit() -> impl Strategy<Value = Limit> {
    (algorithm(), 0..6_usize, 1..200_u64, 1..200_u64).prop_map(
        |(algorithm, period, most, burst)| {
            let burst = if algorithm == Algorithm::TokenBucket { burst } else { most };
            Limit { period: Period::ALL[period], most, algorithm, burst }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nothing_overflows_whatever_a_record_holds(
        limit in any_limit(), start: u64, count: u64, previous: u64, now: u64,
    ) {
        let mut usage = Usage::new(limit, Some(Record { start, count, previous }), now);
        prop_assert!(usage.room() <= limit.most.max(limit.burst));
        prop_assert!(usage.reset() >= 1);
        usage.spend(1);
        let _ = (usage.room(), usage.expires(), usage.share());
    }

    /// Requests come at any times, and those admitted stay within the promise of the algorithm.
    #[test]
    fn no_period_admits_more_than_its_limit(
        limit in any_limit(), mut gaps in proptest::collection::vec(0..700_u64, 1..400),
    ) {
        // The unit is chosen so that some hundred requests span a few periods.
        let unit = limit.period.seconds() * 1000 / 20_000;
        gaps[0] = 0;
        let (mut now, mut record, mut times) = (DAY, None, vec![]);
        for gap in gaps {
            now += gap * unit.max(1);
            let mut usage = Usage::new(limit, record, now);
            if usage.room() > 0 {
                usage.spend(1);
                record = Some(usage.record);
                times.push(now);
            }
        }
        match limit.algorithm {
            Algorithm::FixedWindow | Algorithm::SlidingWindow => {
                let mut counts = std::collections::HashMap::<u64, u64>::new();
                for time in &times {
                    *counts.entry(limit.period.at(time / 1000).start).or_default() += 1;
                }
                prop_assert!(counts.values().all(|count| *count <= limit.most), "{counts:?}");
            }
            Algorithm::TokenBucket => {
                // Over any stretch of time, at most a burst is admitted, and the tokens since its
                // beginning.
                let period = limit.period.seconds() * 1000;
                for (n, first) in times.iter().enumerate() {
                    for (m, last) in times.iter().enumerate().skip(n) {
                        let dripped = u128::from(last - first) * u128::from(limit.most) / u128::from(period);
                        prop_assert!((m - n + 1) as u128 <= u128::from(limit.burst) + dripped);
                    }
                }
            }
        }
    }

    /// A client that waits as long as it is told gets in, and waits not a second too long.
    #[test]
    fn a_client_that_waits_as_told_is_admitted(limit in any_limit(), at in 0..86_400_000_u64, previous in 0..200_u64) {
        let now = DAY + at;
        let start = limit.period.at(now / 1000).start;
        let mut usage = Usage::new(limit, Some(Record { start: if limit.algorithm == Algorithm::TokenBucket { 0 } else { start }, count: 0, previous: previous.min(limit.most) }), now);
        usage.spend(usage.room());
        prop_assert_eq!(usage.room(), 0);
        let later = |wait: u64| Usage::new(limit, Some(usage.record), now + wait * 1000).room();
        // A month has thirty days for Kong, and so has this one, November.
        let exact = limit.algorithm != Algorithm::FixedWindow || limit.period != Period::Year;
        if exact {
            prop_assert!(later(usage.reset()) > 0, "{:?}", usage);
            // A millionth of a month is longer than a second.
            if usage.reset() > 2 && limit.period <= Period::Day {
                prop_assert_eq!(later(usage.reset() - 2), 0, "{:?}", usage);
            }
        }
    }

    /// A record that has expired has no effect.
    #[test]
    fn a_record_that_has_expired_makes_no_difference(limit in any_limit(), at in 0..86_400_000_u64, later in 0..10_000_u64) {
        let mut usage = Usage::new(limit, None, DAY + at);
        usage.spend(usage.room());
        let now = usage.expires() * 1000 + later;
        let (with, without) = (Usage::new(limit, Some(usage.record), now), Usage::new(limit, None, now));
        prop_assert_eq!(with.room(), without.room());
    }
}
