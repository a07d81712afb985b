#![allow(clippy::arithmetic_side_effects)]

use super::*;
use proptest::prelude::*;
use time::{Date, Month, OffsetDateTime, Time};

/// Returns the span that a calendar library computes.
fn expected(period: Period, now: u64) -> Span {
    let at = |seconds: u64| OffsetDateTime::from_unix_timestamp(seconds as i64).unwrap();
    let midnight = |date: Date| {
        let start = OffsetDateTime::new_utc(date, Time::MIDNIGHT);
        u64::try_from(start.unix_timestamp()).unwrap()
    };
    let now_there = at(now);
    let truncated =
        |time: Time| u64::try_from(now_there.replace_time(time).unix_timestamp()).unwrap();
    let (hour, minute, second) = now_there.to_hms();
    match period {
        Period::Second => {
            let start = truncated(Time::from_hms(hour, minute, second).unwrap());
            Span { start, end: start + 1 }
        }
        Period::Minute => {
            let start = truncated(Time::from_hms(hour, minute, 0).unwrap());
            Span { start, end: start + 60 }
        }
        Period::Hour => {
            let start = truncated(Time::from_hms(hour, 0, 0).unwrap());
            Span { start, end: start + 3600 }
        }
        Period::Day => Span {
            start: midnight(now_there.date()),
            end: midnight(now_there.date().next_day().unwrap()),
        },
        Period::Month => {
            let first = now_there.date().replace_day(1).unwrap();
            let (year, month) = (first.year(), first.month());
            let next = if month == Month::December {
                Date::from_calendar_date(year + 1, Month::January, 1)
            } else {
                Date::from_calendar_date(year, month.next(), 1)
            };
            Span { start: midnight(first), end: midnight(next.unwrap()) }
        }
        Period::Year => {
            let first = |year| Date::from_calendar_date(year, Month::January, 1).unwrap();
            let year = now_there.year();
            Span { start: midnight(first(year)), end: midnight(first(year + 1)) }
        }
    }
}

/// The last second of the year 9998.
const LAST: u64 = 253_370_764_800;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn every_moment_is_where_a_calendar_puts_it(now in 0..LAST) {
        for period in Period::ALL {
            prop_assert_eq!(period.at(now), expected(period, now), "{:?}", period);
        }
    }

    #[test]
    fn the_first_and_the_last_second_of_a_period_belong_to_it(now in 100_000_000..LAST) {
        for period in Period::ALL {
            let span = period.at(now);
            prop_assert_eq!(period.at(span.start), span);
            prop_assert_eq!(period.at(span.end - 1), span);
            prop_assert_eq!(period.at(span.end).start, span.end);
            prop_assert_eq!(period.before(span).end, span.start);
        }
    }

    #[test]
    fn no_moment_is_too_far_away(now: u64) {
        for period in Period::ALL {
            let span = period.at(now);
            prop_assert!(span.start <= now && span.length() <= 366 * DAY);
        }
    }
}

#[test]
fn months_and_years_have_the_days_that_they_have() {
    let day = |date: &str| -> u64 {
        let parts: Vec<u64> = date.split('-').map(|part| part.parse().unwrap()).collect();
        exchange::Date { year: parts[0], month: parts[1], day: parts[2] }.to_day() * DAY
    };
    for (date, start, end) in [
        ("1970-01-31", "1970-01-01", "1970-02-01"),
        ("2000-02-29", "2000-02-01", "2000-03-01"),
        ("2024-02-29", "2024-02-01", "2024-03-01"),
        ("2025-02-28", "2025-02-01", "2025-03-01"),
        ("2026-12-31", "2026-12-01", "2027-01-01"),
        ("2100-02-28", "2100-02-01", "2100-03-01"),
    ] {
        assert_eq!(Period::Month.at(day(date) + 5), Span { start: day(start), end: day(end) });
    }
    assert_eq!(Period::Year.at(day("2024-12-31")).length(), 366 * DAY);
    assert_eq!(Period::Year.at(day("2100-01-01")).length(), 365 * DAY);
    assert_eq!(day("2026-11-22"), 1_795_305_600);
}
