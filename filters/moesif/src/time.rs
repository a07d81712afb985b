//! Times in the collector's format.

use exchange::Date;

const DAY: u64 = 86_400_000;

/// Returns the time in RFC 3339, in UTC with milliseconds: `2024-10-30T04:45:42.914Z`.
pub(crate) fn rfc3339(milliseconds: u64) -> String {
    let Date { year, month, day } = Date::of_day(milliseconds / DAY);
    let (of_second, seconds) = (milliseconds % 1000, milliseconds % DAY / 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{of_second:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_three_digits_always() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_730_263_542_005), "2024-10-30T04:45:42.005Z");
        assert_eq!(rfc3339(1_730_263_542_050), "2024-10-30T04:45:42.050Z");
        assert_eq!(rfc3339(1_730_263_542_914), "2024-10-30T04:45:42.914Z");
    }

    #[test]
    fn leap_days_and_ends_of_years_are_right() {
        for (seconds, expected) in [
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (1_735_689_600, "2025-01-01T00:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(seconds * 1000), expected);
        }
    }

    #[test]
    fn no_clock_is_too_wrong() {
        assert!(rfc3339(u64::MAX).ends_with('Z'));
    }
}
