//! Dates of the Gregorian calendar, in UTC.

use std::num::Saturating;

/// The days from the first of March of the year 0, when a long cycle of the calendar begins, to
/// 1970.
const TO_1970: Saturating<u64> = Saturating(719_468);
/// The days in 400 years, after which the calendar repeats itself.
const CYCLE: u64 = 146_097;

/// A date of the Gregorian calendar, from 1970 on.
///
/// ```
/// use exchange::Date;
///
/// let date = Date::of_day(11_016);
/// assert_eq!(date, Date { year: 2000, month: 2, day: 29 });
/// assert_eq!(date.to_day(), 11_016);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// The year.
    pub year: u64,
    /// The month, 1 to 12.
    pub month: u64,
    /// The day of the month, 1 to 31.
    pub day: u64,
}

impl Date {
    /// Returns the date of a day. Days are counted from 1970-01-01, which is day 0.
    #[must_use]
    pub fn of_day(day: u64) -> Self {
        // The computation begins years in March, so that the leap day comes last.
        let day = (Saturating(day) + TO_1970).0;
        let (cycle, rest) = (Saturating(day / CYCLE), day % CYCLE);
        let leaps = Saturating(rest) - Saturating(rest / 1460) + Saturating(rest / 36_524)
            - Saturating(rest / 146_096);
        let year_of_cycle = leaps.0 / 365;
        let year = Saturating(year_of_cycle) + cycle * Saturating(400);
        let day_of_year = Saturating(rest) - days_before_year(year_of_cycle);
        let month = (Saturating(5) * day_of_year + Saturating(2)).0 / 153;
        let day = (day_of_year - days_before_month(month) + Saturating(1)).0;
        // March is 0, so the last two months belong to the next year of the calendar.
        match month {
            0..10 => Self { year: year.0, month: month.wrapping_add(3), day },
            _ => Self { year: (year + Saturating(1)).0, month: month.wrapping_sub(9), day },
        }
    }

    /// Returns the day of this date. Days are counted from 1970-01-01, which is day 0.
    #[must_use]
    pub fn to_day(self) -> u64 {
        let (year, month) = match self.month {
            3.. => (self.year, self.month.wrapping_sub(3)),
            _ => (self.year.saturating_sub(1), self.month.saturating_add(9)),
        };
        let whole_cycles = Saturating(year / 400) * Saturating(CYCLE);
        let of_cycle = days_before_year(year % 400) + days_before_month(month);
        (whole_cycles + of_cycle + Saturating(self.day) - Saturating(1) - TO_1970).0
    }
}

/// Returns the days of a cycle before one of its years.
fn days_before_year(year: u64) -> Saturating<u64> {
    Saturating(365) * Saturating(year) + Saturating(year / 4) - Saturating(year / 100)
}

/// Returns the days of a year before one of its months. The year begins with March, which is 0.
fn days_before_month(month: u64) -> Saturating<u64> {
    Saturating((Saturating(153) * Saturating(month) + Saturating(2)).0 / 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_days_and_ends_of_years_have_their_dates() {
        for (day, year, month, date) in [
            (0, 1970, 1, 1),
            (11_015, 2000, 2, 28),
            (11_016, 2000, 2, 29),
            (11_017, 2000, 3, 1),
            (20_088, 2024, 12, 31),
            (20_089, 2025, 1, 1),
            (47_540, 2100, 2, 28),
            (47_541, 2100, 3, 1),
        ] {
            assert_eq!(Date::of_day(day), Date { year, month, day: date }, "{day}");
        }
    }

    #[test]
    fn each_day_of_a_cycle_follows_the_one_before_and_is_found_again() {
        let mut last = Date { year: 1969, month: 12, day: 31 };
        for day in 0..CYCLE {
            let date = Date::of_day(day);
            let next = match date {
                Date { month: 1, day: 1, year } => year == last.year + 1 && last.month == 12,
                Date { day: 1, month, .. } => month == last.month + 1 && last.day >= 28,
                Date { day, .. } => day == last.day + 1 && date.month == last.month,
            };
            assert!(next && date.day <= 31, "{last:?} {date:?}");
            assert_eq!(date.to_day(), day);
            last = date;
        }
        assert_eq!(last, Date { year: 2369, month: 12, day: 31 });
    }

    #[test]
    fn no_day_is_too_far_away() {
        assert!(Date::of_day(u64::MAX).year > 0);
    }
}
