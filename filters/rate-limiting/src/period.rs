//! The periods of the calendar, in UTC.

use std::num::Saturating;

/// The period of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Period {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Year,
}

/// The first second of a period, and the first one after it, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Period {
    /// All periods, the shortest first.
    pub(crate) const ALL: [Self; 6] =
        [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Month, Self::Year];

    /// Returns the name of the setting.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// Returns the length for Kong in seconds: a month always has 30 days, and a year 365.
    pub(crate) const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => DAY,
            Self::Month => 30 * DAY,
            Self::Year => 365 * DAY,
        }
    }

    /// Returns the period that contains the second `now`.
    pub(crate) fn at(self, now: u64) -> Span {
        let (start, end) = match self {
            Self::Second | Self::Minute | Self::Hour | Self::Day => {
                let length = self.seconds();
                let rest = now.checked_rem(length).unwrap_or(0);
                let start = Saturating(now.saturating_sub(rest));
                (start, start + Saturating(length))
            }
            Self::Month => {
                let (year, month) = year_and_month(Saturating(now / DAY));
                let next =
                    if month == 12 { (year + ONE, 1) } else { (year, month.wrapping_add(1)) };
                (
                    first_day(year, month) * Saturating(DAY),
                    first_day(next.0, next.1) * Saturating(DAY),
                )
            }
            Self::Year => {
                let (year, _) = year_and_month(Saturating(now / DAY));
                (first_day(year, 1) * Saturating(DAY), first_day(year + ONE, 1) * Saturating(DAY))
            }
        };
        Span { start: start.0, end: end.0 }
    }

    /// Returns the period before a span of [`Period::at`].
    pub(crate) fn before(self, span: Span) -> Span {
        self.at(span.start.saturating_sub(1))
    }
}

impl Span {
    /// Returns the length in seconds.
    pub(crate) const fn length(self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

const DAY: u64 = 86_400;
const ONE: Saturating<u64> = Saturating(1);

/// The days from the first of March of the year 0, when a long cycle of the calendar begins, to
/// 1970.
const TO_1970: u64 = 719_468;
/// The days in 400 years, after which the calendar repeats itself.
const CYCLE: u64 = 146_097;

/// Returns year and month (1 to 12) of a day since 1970. The computation begins years in March, so
/// that the leap day comes last.
fn year_and_month(day: Saturating<u64>) -> (Saturating<u64>, u64) {
    let day = (day + Saturating(TO_1970)).0;
    let (cycle, rest) = (Saturating(day / CYCLE), day % CYCLE);
    let leaps = Saturating(rest) - Saturating(rest / 1460) + Saturating(rest / 36_524)
        - Saturating(rest / 146_096);
    let year_of_cycle = leaps.0 / 365;
    let year = Saturating(year_of_cycle) + cycle * Saturating(400);
    let day_of_year = Saturating(rest) - days_before_year(year_of_cycle);
    let month = (Saturating(5) * day_of_year + Saturating(2)).0 / 153;
    // March is 0, so the last two months belong to the next year of the calendar.
    if month < 10 { (year, month.wrapping_add(3)) } else { (year + ONE, month.wrapping_sub(9)) }
}

/// Returns the first day of a month, in days since 1970.
fn first_day(year: Saturating<u64>, month: u64) -> Saturating<u64> {
    let (year, month) =
        if month > 2 { (year, month.wrapping_sub(3)) } else { (year - ONE, month.wrapping_add(9)) };
    let (cycle, year_of_cycle) = (Saturating(year.0 / 400), year.0 % 400);
    let day_of_year = Saturating((Saturating(153) * Saturating(month) + Saturating(2)).0 / 5);
    let whole_cycles = cycle * Saturating(CYCLE);
    whole_cycles + days_before_year(year_of_cycle) + day_of_year - Saturating(TO_1970)
}

/// Returns the days of a cycle before one of its years.
fn days_before_year(year: u64) -> Saturating<u64> {
    Saturating(365) * Saturating(year) + Saturating(year / 4) - Saturating(year / 100)
}

#[cfg(test)]
#[path = "period_tests.rs"]
mod tests;
