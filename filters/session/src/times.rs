//! The lifetime of sessions, and its extension.

use crate::header::{Header, MAX_IDLING};
use crate::secret::Kind;

/// The tolerated difference between the clocks of gateways, in seconds. A session from further in
/// the future is refused.
const AHEAD: u64 = 60;
/// The time after which a used session is touched, in seconds.
const TOUCH_AFTER: u64 = 60;
/// The longest life of a cookie, in seconds: 400 days.
pub(crate) const MAX_TTL: u64 = 34_560_000;

/// The timeouts in seconds; 0 for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// The time from one request to the next.
    pub(crate) idling: u64,
    /// The time from one save to the next.
    pub(crate) rolling: u64,
    /// The time from the login.
    pub(crate) absolute: u64,
}

/// The change to the cookie of a valid session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// The cookie stays.
    Keep,
    /// The cookie records that the session was used.
    Touch,
    /// A new cookie replaces it.
    Renew,
}

impl Timeouts {
    /// Returns `true` if a header is valid at `now`, which includes the exact limit.
    pub(crate) fn hold(&self, header: &Header, now: u64, kind: Kind) -> bool {
        let ahead = now.saturating_add(AHEAD);
        let passed = |since: u64, limit: u64| limit != 0 && now.saturating_sub(since) > limit;
        // A remembered session is never touched.
        let odd = kind == Kind::Remember && header.idling != 0;
        let idling = if kind == Kind::Remember { 0 } else { self.idling };
        !odd && header.seen() <= ahead
            && now.saturating_sub(header.created) <= u64::from(u32::MAX)
            && !passed(header.created, self.absolute)
            && !passed(header.saved(), self.rolling)
            && !passed(header.seen(), idling)
    }

    /// Returns the change that is due for a session at `now`.
    pub(crate) fn refresh(&self, header: &Header, now: u64) -> Refresh {
        let renew_after = self.rolling.saturating_mul(3).div_ceil(4);
        if self.rolling > 0 && now.saturating_sub(header.saved()) > renew_after {
            Refresh::Renew
        } else if self.idling > 0 && now.saturating_sub(header.seen()) > TOUCH_AFTER {
            Refresh::Touch
        } else {
            Refresh::Keep
        }
    }

    /// Returns the idling offset of a session that is touched at `now`.
    pub(crate) fn idling_offset(header: &Header, now: u64) -> u32 {
        let offset = now.saturating_sub(header.saved()).min(MAX_IDLING);
        u32::try_from(offset).unwrap_or(0)
    }

    /// Returns the time for which a session that is saved at `now` is stored, in seconds.
    pub(crate) fn stored(&self, created: u64, now: u64) -> u64 {
        let rolling = if self.rolling == 0 { MAX_TTL } else { self.rolling };
        rolling.min(self.left(created, now)).clamp(1, MAX_TTL)
    }

    /// Returns the time for which a login of `created` can still lead to new sessions, in seconds.
    pub(crate) fn left(&self, created: u64, now: u64) -> u64 {
        let absolute = if self.absolute == 0 { MAX_TTL } else { self.absolute };
        absolute.saturating_sub(now.saturating_sub(created)).clamp(1, MAX_TTL)
    }

    /// Returns the lifetime of a persistent cookie in seconds.
    pub(crate) fn lasting(&self) -> u64 {
        if self.rolling == 0 { MAX_TTL } else { self.rolling.min(MAX_TTL) }
    }

    /// Returns what is left at `now` of the idling, the rolling and the absolute timeout, in
    /// seconds. A timeout without a limit is `None`.
    pub(crate) fn remaining(&self, header: &Header, now: u64) -> [Option<u64>; 3] {
        let left = |since: u64, limit: u64| {
            (limit > 0).then(|| limit.saturating_sub(now.saturating_sub(since)))
        };
        [
            left(header.seen(), self.idling),
            left(header.saved(), self.rolling),
            left(header.created, self.absolute),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KONG: Timeouts = Timeouts { idling: 900, rolling: 3600, absolute: 86_400 };
    const START: u64 = 1_700_000_000;

    fn header(rolling: u32, idling: u32) -> Header {
        let text = format!("AQ{}", "A".repeat(108));
        Header { created: START, rolling, idling, ..Header::read(text.as_bytes()).unwrap() }
    }

    #[test]
    fn a_session_is_valid_at_exactly_its_limits() {
        for (why, header, at, valid) in [
            ("idle", header(0, 0), 900, true),
            ("idle", header(0, 0), 901, false),
            ("idle since a touch", header(0, 100), 1000, true),
            ("idle since a touch", header(0, 100), 1001, false),
            ("rolling", header(0, 3000), 3600, true),
            ("rolling", header(0, 3000), 3601, false),
            ("absolute", header(86_000, 0), 86_400, true),
            ("absolute", header(86_000, 0), 86_401, false),
        ] {
            assert_eq!(KONG.hold(&header, START + at, Kind::Session), valid, "{why} {at}");
        }
    }

    #[test]
    fn a_clock_may_be_a_minute_behind() {
        assert!(KONG.hold(&header(0, 0), START - 60, Kind::Session));
        assert!(!KONG.hold(&header(0, 0), START - 61, Kind::Session));
        assert!(!KONG.hold(&header(62, 0), START + 1, Kind::Session), "saved in the future");
        assert!(!KONG.hold(&header(0, 62), START + 1, Kind::Session), "touched in the future");
    }

    #[test]
    fn without_limits_a_session_lasts() {
        let none = Timeouts { idling: 0, rolling: 0, absolute: 0 };
        assert!(none.hold(&header(0, 0), START + u64::from(u32::MAX), Kind::Session));
        assert!(!none.hold(&header(0, 0), START + u64::from(u32::MAX) + 1, Kind::Session));
        assert_eq!(none.refresh(&header(0, 0), START + 1_000_000), Refresh::Keep);
        assert_eq!(none.remaining(&header(0, 0), START), [None; 3]);
        assert_eq!((none.stored(START, START), none.lasting()), (MAX_TTL, MAX_TTL));
    }

    #[test]
    fn three_quarters_of_the_rolling_time_renew_and_a_minute_touches() {
        for (rolling, idling, at, due) in [
            (0, 0, 60, Refresh::Keep),
            (0, 0, 61, Refresh::Touch),
            (0, 100, 160, Refresh::Keep),
            (0, 100, 161, Refresh::Touch),
            (0, 2640, 2700, Refresh::Keep),
            (0, 2640, 2701, Refresh::Renew),
            (1000, 0, 3700, Refresh::Touch),
            (1000, 0, 3701, Refresh::Renew),
        ] {
            assert_eq!(KONG.refresh(&header(rolling, idling), START + at), due, "{at}");
        }
        let odd = Timeouts { rolling: 5, idling: 0, ..KONG };
        assert_eq!(odd.refresh(&header(0, 0), START + 4), Refresh::Keep, "3.75 is rounded up");
        assert_eq!(odd.refresh(&header(0, 0), START + 5), Refresh::Renew);
    }

    #[test]
    fn a_remembered_session_is_never_touched() {
        let remember = Timeouts { idling: 1, ..KONG };
        assert!(remember.hold(&header(0, 0), START + 3600, Kind::Remember));
        assert!(!remember.hold(&header(0, 1), START + 3600, Kind::Remember));
    }

    #[test]
    fn the_storage_keeps_a_row_until_the_earlier_end() {
        assert_eq!(KONG.stored(START, START), 3600);
        assert_eq!(KONG.stored(START, START + 84_400), 2000);
        assert_eq!(KONG.stored(START, START + 90_000), 1);
        assert_eq!(KONG.left(START, START + 400), 86_000);
    }

    #[test]
    fn each_timeout_has_its_remaining_time() {
        let left = KONG.remaining(&header(100, 50), START + 200);
        assert_eq!(left, [Some(850), Some(3500), Some(86_200)]);
    }
}
