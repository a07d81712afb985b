//! Decides when a document of the collector is fetched again.

use exchange::Pause;
use std::collections::VecDeque;

/// The longest time between two fetches, in milliseconds.
const PERIOD: u64 = 60_000;
/// The first pause after a failure, in milliseconds.
const FIRST: u64 = 1000;

/// The state of one document.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The last two etags. Collectors that take turns may differ for a while, so one is not enough.
    known: VecDeque<Vec<u8>>,
    wanted: bool,
    under_way: bool,
    /// The wait after a failure.
    pause: Pause,
    asked: u64,
    failures: u32,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            known: VecDeque::new(),
            wanted: true,
            under_way: false,
            pause: Pause::default(),
            asked: 0,
            failures: 0,
        }
    }
}

impl Watch {
    /// Returns `true` if the document is to be fetched now, and records the fetch. `active` is
    /// `true` if there were requests lately.
    pub(crate) fn is_due(&mut self, now: u64, active: bool) -> bool {
        let waits = now < self.pause.end(now);
        // A time in the future was noted before the clock was set back.
        self.asked = self.asked.min(now);
        let old = active && now.saturating_sub(self.asked) >= PERIOD;
        let due = !self.under_way && !waits && (self.wanted || old);
        if due {
            self.under_way = true;
            self.wanted = false;
            self.asked = now;
        }
        due
    }

    /// Records the current etag, which a response of the collector names.
    pub(crate) fn heard(&mut self, tag: Option<&[u8]>) {
        if let Some(tag) = tag.filter(|tag| !tag.is_empty() && tag.len() <= 256)
            && !self.known.iter().any(|known| known == tag)
        {
            self.wanted = true;
            self.remember(tag);
        }
    }

    /// Records the response to a fetch. `good` is `true` if it contained a document.
    pub(crate) fn answered(&mut self, good: bool, tag: Option<&[u8]>, now: u64, jitter: u32) {
        self.under_way = false;
        if good {
            self.failures = 0;
            if let Some(tag) = tag.filter(|tag| !self.known.iter().any(|known| known == tag)) {
                self.remember(tag);
            }
            return;
        }
        self.wanted = true;
        let pause =
            FIRST.saturating_mul(1_u64.checked_shl(self.failures.min(10)).unwrap_or(u64::MAX));
        let half = pause.min(PERIOD) / 2;
        let pause = half.saturating_add(u64::from(jitter).checked_rem(half.max(1)).unwrap_or(0));
        self.pause = Pause::begun(now, pause);
        self.failures = self.failures.saturating_add(1);
    }

    fn remember(&mut self, tag: &[u8]) {
        self.known.truncate(1);
        self.known.push_front(tag.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(watch: &mut Watch, now: u64, tag: &[u8]) {
        assert!(watch.is_due(now, true));
        watch.answered(true, Some(tag), now, 0);
    }

    #[test]
    fn a_document_is_read_at_the_start_once_a_minute_and_when_it_has_changed() {
        let mut watch = Watch::default();
        read(&mut watch, 5, b"a");
        assert!(!watch.is_due(60_000, true));
        assert!(!watch.is_due(60_005, false), "nobody needs it");
        read(&mut watch, 60_005, b"a");
        watch.heard(Some(b"a"));
        watch.heard(None);
        watch.heard(Some(b""));
        assert!(!watch.is_due(60_006, true));
        watch.heard(Some(b"b"));
        assert!(watch.is_due(60_007, false));
        assert!(!watch.is_due(60_008, true), "one question at a time");
        watch.answered(true, Some(b"b"), 60_009, 0);
        watch.heard(Some(b"a"));
        assert!(!watch.is_due(60_010, true), "collectors take turns");
        watch.heard(Some(b"c"));
        assert!(watch.is_due(60_011, true));
    }

    #[test]
    fn a_change_during_a_question_is_not_lost() {
        let mut watch = Watch::default();
        assert!(watch.is_due(0, true));
        watch.heard(Some(b"new"));
        watch.answered(true, Some(b"old"), 1, 0);
        assert!(watch.is_due(2, true));
    }

    #[test]
    fn failures_make_the_pauses_longer() {
        let mut watch = Watch::default();
        let mut now = 0;
        for longest in [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000] {
            assert!(watch.is_due(now, false));
            watch.answered(false, None, now, u32::MAX);
            assert!(!watch.is_due(now + longest / 2 - 1, true));
            now += longest;
        }
        read(&mut watch, now, b"a");
        assert!(!watch.is_due(now + 1, true));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_prolong_the_pause() {
        let mut watch = Watch::default();
        read(&mut watch, 7_200_000, b"a");
        assert!(!watch.is_due(3_600_000, true));
        assert!(watch.is_due(3_660_000, true), "a minute later, as always");
        watch.answered(false, None, 7_200_000, 0);
        assert!(!watch.is_due(3_600_000, true));
        assert!(watch.is_due(3_601_000, true));
    }
}
