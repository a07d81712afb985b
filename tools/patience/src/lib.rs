//! How tests wait: for progress, not for a number of seconds.
//!
//! A slow or busy machine takes longer, and that is no fault of what is tested. So [`Patience`] does
//! not count time in which this process or one of its children works or waits for a processor: it
//! counts time in which none of them has anything to do. Whoever has done nothing for [`IDLE`] is
//! stuck. A program that works forever without coming to an end is stuck too, at [`WORK`].
//!
//! | room         | what is in it                                                   |
//! |--------------|-----------------------------------------------------------------|
//! | `load.rs`    | what this process and its children did, as the system counts it |
//! | `stream.rs`  | a connection whose reads and writes wait in the same way        |
//! | `growth.rs`  | whether some work grows with the length of its input            |

mod growth;
mod load;
mod stream;

pub use growth::assert_linear;
pub use load::processor_time;
pub use stream::Patient;

use load::Load;
use std::time::{Duration, Instant};

/// How long nothing may move before a wait is given up.
pub const IDLE: Duration = Duration::from_secs(120);
/// How much processor time may be spent during one wait.
pub const WORK: Duration = Duration::from_secs(1800);
/// How often it is looked whether something moves.
const INTERVAL: Duration = Duration::from_millis(500);

/// One wait.
#[derive(Debug)]
pub struct Patience {
    begun: Instant,
    looked: Instant,
    before: Load,
    idle: Duration,
    work: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self::new()
    }
}

impl Patience {
    /// Begins to wait.
    pub fn new() -> Self {
        let now = Instant::now();
        let (idle, work) = (Duration::ZERO, Duration::ZERO);
        Self { begun: now, looked: now, before: Load::now(), idle, work }
    }

    /// Whether nothing moves any more, so that what is waited for will not come.
    pub fn is_over(&mut self) -> bool {
        let passed = self.looked.elapsed();
        if passed >= INTERVAL {
            let now = Load::now();
            let (worked, waited) = now.since(&self.before);
            self.count(passed, worked, waited);
            self.looked = Instant::now();
            self.before = now;
        }
        self.idle >= IDLE || self.work >= WORK
    }

    /// Takes note of an interval: how long it was, how long processors worked in it, and how long
    /// threads waited for one.
    fn count(&mut self, passed: Duration, worked: Duration, waited: Duration) {
        self.work += worked;
        // To look again and again costs a little; whoever has work to do wants far more than that.
        if (worked + waited) * 2 < passed {
            self.idle += passed;
        }
    }

    /// Pauses before the next look: short at first, longer the longer it takes, so that the looks
    /// themselves are never what keeps a machine busy.
    pub fn pause(&self) {
        let pause = self.begun.elapsed() / 20;
        std::thread::sleep(pause.clamp(Duration::from_millis(5), Duration::from_millis(250)));
    }
}

/// Looks until `look` gives something, and says what was missing when nothing moves any more.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut patience = Patience::new();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(!patience.is_over(), "nothing moves any more, and there was no: {what}");
        patience.pause();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTES: u32 = 60;

    #[test]
    fn time_in_which_a_process_works_or_waits_for_a_processor_is_not_counted() {
        for (worked, waited) in [(SECOND, Duration::ZERO), (SECOND / 50, SECOND)] {
            let mut patience = Patience::new();
            (0..20 * MINUTES).for_each(|_| patience.count(SECOND, worked, waited));
            assert!(!patience.is_over(), "{worked:?} {waited:?}");
        }
    }

    #[test]
    fn a_process_that_does_nothing_for_two_minutes_is_given_up() {
        let mut patience = Patience::new();
        (0..119).for_each(|_| patience.count(SECOND, SECOND / 10, SECOND / 10));
        assert!(!patience.is_over());
        patience.count(SECOND, Duration::ZERO, Duration::ZERO);
        assert!(patience.is_over());
    }

    #[test]
    fn a_process_that_works_without_end_is_given_up() {
        let mut patience = Patience::new();
        (0..30 * MINUTES).for_each(|_| patience.count(SECOND, SECOND, SECOND));
        assert!(patience.is_over());
    }

    #[test]
    fn what_is_there_is_found_at_once_and_what_comes_later_is_found_then() {
        assert_eq!(eventually("one", || Some(1)), 1);
        let mut looks = 0;
        let found = eventually("the fifth look", || {
            looks += 1;
            (looks == 5).then_some(looks)
        });
        assert_eq!(found, 5);
    }
}
