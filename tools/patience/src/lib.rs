//! Waiting in tests: for progress, not for a number of seconds.
//!
//! A slow or busy machine takes longer, which is no fault of the tested code. So [`Patience`] does
//! not count time in which this process or one of its children works or waits for a processor. It
//! counts time in which none of them has anything to do. A wait of [`IDLE`] without work fails. A
//! program that works without end fails, too, after [`WORK`].
//!
//! | module       | contents                                                         |
//! |--------------|------------------------------------------------------------------|
//! | `load.rs`    | processor time of this process and its children                  |
//! | `stream.rs`  | a connection whose reads and writes wait as [`Patience`] does    |
//! | `growth.rs`  | a check that work grows linearly with its input                  |
//! | `growth.rs`  | whether some work grows with the length of its input            |

mod growth;
mod load;
mod stream;

pub use growth::assert_linear;
pub use load::processor_time;
pub use stream::Patient;

use load::Load;
use std::time::{Duration, Instant};

/// The idle time after which a wait is given up.
pub const IDLE: Duration = Duration::from_secs(120);
/// The processor time after which a wait is given up.
pub const WORK: Duration = Duration::from_secs(1800);
/// The interval between two looks at the progress.
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
    /// Begins a wait.
    pub fn new() -> Self {
        let now = Instant::now();
        let (idle, work) = (Duration::ZERO, Duration::ZERO);
        Self { begun: now, looked: now, before: Load::now(), idle, work }
    }

    /// Returns `true` if nothing makes progress any more, so that the awaited result will not come.
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

    /// Counts an interval of length `passed`, in which processors worked for `worked` and threads
    /// waited for a processor for `waited`.
    fn count(&mut self, passed: Duration, worked: Duration, waited: Duration) {
        self.work += worked;
        // Looking again and again costs a little, far less than real work does.
        if (worked + waited) * 2 < passed {
            self.idle += passed;
        }
    }

    /// Sleeps before the next look. The pause grows with the length of the wait, so that the looks
    /// never keep a machine busy.
    pub fn pause(&self) {
        let pause = self.begun.elapsed() / 20;
        std::thread::sleep(pause.clamp(Duration::from_millis(5), Duration::from_millis(250)));
    }
}

/// Calls `look` until it returns something. Panics with `what` when nothing makes progress any
/// more.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut patience = Patience::new();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(!patience.is_over(), "no progress any more while waiting for: {what}");
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
