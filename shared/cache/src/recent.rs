//! Answers that this VM has just read from shared data. Reading them there again costs a gateway
//! more than most filters do by themselves.

use exchange::{Finding, Key};
use std::collections::HashMap;

/// The bytes that all answers of one filter configuration may take here.
const MOST: usize = 128 << 10;
/// The bytes that an answer takes besides its name and its value, about.
const OVERHEAD: usize = 96;

/// The answers that were read since a time, each with the time at which it was stored
/// (milliseconds since 1970).
///
/// Nobody tells a VM that another one has changed an answer in shared data; it finds out on its
/// tick. So all answers are forgotten on the tick, and after the tick's period without one.
#[derive(Debug)]
pub(crate) struct Recent {
    period: u64,
    since: u64,
    bytes: usize,
    answers: HashMap<Key, (Finding, u64)>,
}

impl Recent {
    /// Makes an empty memory whose answers serve for at most `period` milliseconds.
    pub(crate) fn new(period: u64) -> Self {
        Self { period, since: 0, bytes: 0, answers: HashMap::new() }
    }

    /// Returns the answer for `key`.
    pub(crate) fn get(&self, key: &Key, now: u64) -> Option<&(Finding, u64)> {
        self.serves(now).then(|| self.answers.get(key)).flatten()
    }

    /// Keeps an answer that was read from shared data at the time `now`. An answer for which there
    /// is no space takes the place of all others.
    pub(crate) fn keep(&mut self, key: &Key, answer: &(Finding, u64), now: u64) {
        if !self.serves(now) {
            self.begin(now);
        }
        self.forget(key);
        let size = size(key, answer);
        if size > MOST {
            return;
        }
        if self.bytes.saturating_add(size) > MOST {
            self.forget_all();
        }
        self.bytes = self.bytes.saturating_add(size);
        self.answers.insert(key.clone(), answer.clone());
    }

    /// Forgets the answer for `key`.
    pub(crate) fn forget(&mut self, key: &Key) {
        if let Some(answer) = self.answers.remove(key) {
            self.bytes = self.bytes.saturating_sub(size(key, &answer));
        }
    }

    /// Forgets all answers.
    pub(crate) fn forget_all(&mut self) {
        self.answers.clear();
        self.bytes = 0;
    }

    /// Forgets all answers, and begins a new period.
    pub(crate) fn begin(&mut self, now: u64) {
        self.forget_all();
        self.since = now;
    }

    fn serves(&self, now: u64) -> bool {
        now.checked_sub(self.since).is_some_and(|age| age < self.period)
    }
}

/// Returns the bytes that an answer takes here.
fn size(key: &Key, (finding, _): &(Finding, u64)) -> usize {
    let value = match finding {
        Finding::Value(value) => value.len(),
        Finding::Nothing => 0,
    };
    OVERHEAD.saturating_add(key.name.len()).saturating_add(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(len: usize) -> (Finding, u64) {
        (Finding::Value(vec![b'x'; len]), 5)
    }

    #[test]
    fn an_answer_serves_until_the_period_is_over_or_the_clock_goes_back() {
        let (mut recent, ana) = (Recent::new(250), Key::new(1, "ana"));
        recent.keep(&ana, &answer(1), 1000);
        assert_eq!(recent.get(&ana, 1249), Some(&answer(1)));
        assert_eq!(recent.get(&ana, 1250), None);
        assert_eq!(recent.get(&ana, 999), None);
        recent.keep(&Key::new(1, "bob"), &answer(1), 1250);
        assert_eq!(recent.get(&ana, 1250), None, "it was read in the period before");
    }

    #[test]
    fn answers_take_a_bounded_number_of_bytes() {
        let mut recent = Recent::new(250);
        for n in 0..10_000_u32 {
            recent.keep(&Key::new(1, n.to_string()), &answer(1000), 1);
            assert!(recent.answers.len() < 128 && recent.bytes <= MOST);
        }
        recent.keep(&Key::new(1, "long"), &answer(MOST), 1);
        assert_eq!(recent.get(&Key::new(1, "long"), 1), None);
        recent.forget_all();
        assert_eq!(recent.bytes, 0);
    }

    #[test]
    fn a_newer_answer_takes_the_place_of_an_older_one() {
        let (mut recent, ana) = (Recent::new(250), Key::new(1, "ana"));
        recent.keep(&ana, &answer(9), 1);
        recent.keep(&ana, &answer(1), 1);
        assert_eq!((recent.get(&ana, 1), recent.bytes), (Some(&answer(1)), OVERHEAD + 4));
        recent.forget(&ana);
        assert_eq!((recent.get(&ana, 1), recent.bytes), (None, 0));
    }
}
