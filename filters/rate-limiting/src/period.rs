//! The periods of the calendar, in UTC.

use exchange::Date;

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
        let date = || Date::of_day(now / DAY);
        match self {
            Self::Second | Self::Minute | Self::Hour | Self::Day => {
                let length = self.seconds();
                let start = now.saturating_sub(now.checked_rem(length).unwrap_or(0));
                Span { start, end: start.saturating_add(length) }
            }
            Self::Month => {
                let first = Date { day: 1, ..date() };
                let next = match first.month {
                    12 => Date { year: first.year.saturating_add(1), month: 1, day: 1 },
                    month => Date { month: month.saturating_add(1), ..first },
                };
                Span { start: midnight(first.to_day()), end: midnight(next.to_day()) }
            }
            Self::Year => {
                let first = Date { month: 1, day: 1, ..date() };
                let next = Date { year: first.year.saturating_add(1), ..first };
                Span { start: midnight(first.to_day()), end: midnight(next.to_day()) }
            }
        }
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

/// Returns the first second of a day, which is counted from 1970-01-01.
const fn midnight(day: u64) -> u64 {
    day.saturating_mul(DAY)
}

#[cfg(test)]
#[path = "period_tests.rs"]
mod tests;
