//! A circuit breaker for the collector: after a failure nothing is sent for a while, and then one
//! batch first.

/// The first pause, and the longest one, in milliseconds.
const FIRST: u64 = 500;
const LONGEST: u64 = 60_000;
/// The pause after a failure that time alone does not mend, in milliseconds: the application id was
/// refused, or the subscription has ended.
const REFUSED: u64 = 300_000;
/// The longest pause that the collector can ask for, in milliseconds.
const LONGEST_WISH: u64 = 300_000;

/// The state of the collector, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    /// The time of the next attempt, while the collector fails.
    until: Option<u64>,
    /// The pause that ends then, in milliseconds.
    pause: u64,
    /// `true` while one batch is under way to test the collector.
    trying: bool,
}

impl Breaker {
    /// Returns the number of batches that may be under way, if `usual` may be when the collector
    /// works and `out` are now.
    pub(crate) fn may_send(&self, usual: usize, out: usize, now: u64) -> usize {
        match self.until {
            None => usual.saturating_sub(out),
            Some(until) => {
                // A longer wait is impossible, unless the clock was set back.
                let over = now >= until || until > now.saturating_add(self.pause);
                usize::from(over && !self.trying && out == 0)
            }
        }
    }

    /// Returns `true` if the collector is known to fail.
    pub(crate) fn is_open(&self) -> bool {
        self.until.is_some()
    }

    /// Records that a batch was sent.
    pub(crate) fn sent(&mut self) {
        self.trying = self.until.is_some();
    }

    /// Records a successful response. Returns `true` if the collector failed before.
    pub(crate) fn works(&mut self) -> bool {
        let failed = self.until.is_some();
        *self = Self::default();
        failed
    }

    /// Records a failure. `wish` is the pause that the collector asks for, in milliseconds;
    /// `jitter` is any number. Returns the pause after the first failure in a row and after each
    /// failed test, but not for batches that were under way already.
    pub(crate) fn fails(&mut self, now: u64, wish: Option<u64>, jitter: u32) -> Option<u64> {
        if self.until.is_some() && !self.trying {
            return None;
        }
        let doubled =
            FIRST.saturating_mul(1_u64.checked_shl(self.failures.min(20)).unwrap_or(u64::MAX));
        let half = doubled.min(LONGEST) / 2;
        // The pause is between half and all of its nominal length, so that gateways do not return
        // all at once.
        let pause = half.saturating_add(u64::from(jitter).checked_rem(half.max(1)).unwrap_or(0));
        self.pause(now, pause.max(wish.unwrap_or(0).min(LONGEST_WISH)))
    }

    /// Records that the collector refuses every request of this application.
    pub(crate) fn refuses(&mut self, now: u64) -> Option<u64> {
        self.pause(now, REFUSED)
    }

    fn pause(&mut self, now: u64, pause: u64) -> Option<u64> {
        self.failures = self.failures.saturating_add(1);
        self.trying = false;
        self.until = Some(now.saturating_add(pause));
        self.pause = pause;
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_good_times_several_batches_are_under_way() {
        let breaker = Breaker::default();
        assert_eq!(
            (breaker.may_send(4, 0, 0), breaker.may_send(4, 3, 0), breaker.may_send(4, 5, 0)),
            (4, 1, 0)
        );
    }

    #[test]
    fn after_a_failure_one_batch_at_a_time_tries_at_growing_distances() {
        let mut breaker = Breaker::default();
        let mut now = 0;
        for longest in [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000] {
            let pause = breaker.fails(now, None, u32::MAX).unwrap();
            assert!((longest / 2..=longest).contains(&pause), "{pause} of {longest}");
            assert_eq!(breaker.may_send(4, 0, now + pause - 1), 0);
            now += pause;
            assert_eq!(breaker.may_send(4, 1, now), 0, "others are still out");
            assert_eq!(breaker.may_send(4, 0, now), 1);
            breaker.sent();
            assert_eq!(breaker.may_send(4, 0, now), 0);
        }
        assert!(breaker.works());
        assert_eq!(breaker.may_send(4, 0, now), 4);
        assert!(!breaker.works());
    }

    #[test]
    fn batches_that_were_out_together_are_one_failure() {
        let mut breaker = Breaker::default();
        assert!(breaker.fails(0, None, 0).is_some());
        assert_eq!(breaker.fails(1, None, 0), None);
        assert_eq!(breaker.may_send(4, 0, 250), 1);
    }

    #[test]
    fn a_wish_is_granted_within_reason() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.fails(0, Some(30_000), 0), Some(30_000));
        let mut breaker = Breaker::default();
        assert_eq!(breaker.fails(0, Some(u64::MAX), 0), Some(300_000));
    }

    #[test]
    fn a_refusal_pauses_long() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.refuses(0), Some(300_000));
        assert_eq!(breaker.may_send(4, 0, 299_999), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_prolong_the_pause() {
        let mut breaker = Breaker::default();
        let pause = breaker.fails(7_200_000, None, 0).unwrap();
        assert_eq!(breaker.may_send(4, 0, 7_200_000 + pause - 1), 0);
        assert_eq!(breaker.may_send(4, 0, 3_600_000), 1, "it tries at once");
    }
}
