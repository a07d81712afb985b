//! Waits that a clock which is set back does not prolong.

/// A wait that ends at a certain time. The default is one that has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pause {
    /// The time at which it ends, in milliseconds since 1970.
    end: u64,
    /// Its whole length in milliseconds.
    whole: u64,
}

impl Pause {
    /// Begins a wait of `whole` milliseconds at `now` (milliseconds since 1970).
    #[must_use]
    pub fn begun(now: u64, whole: u64) -> Self {
        Self { end: now.saturating_add(whole), whole }
    }

    /// Returns the time at which the wait ends. If the clock was set back since it began, the whole
    /// wait begins anew at `now`.
    pub fn end(&mut self, now: u64) -> u64 {
        self.end = self.end.min(now.saturating_add(self.whole));
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_makes_a_wait_no_longer_than_it_is() {
        let mut pause = Pause::begun(7_200_000, 1000);
        assert_eq!(pause.end(7_200_500), 7_201_000);
        assert_eq!(pause.end(3_600_000), 3_601_000);
        assert_eq!(pause.end(3_600_900), 3_601_000, "it goes on from there");
        assert_eq!(Pause::default().end(5), 0, "it has ended");
    }
}
