//! A check that work grows linearly with the length of its input.

use crate::load::own_time;
use std::time::Duration;

/// The ratio between the longer input and the shorter one.
const LONGER: u32 = 8;
/// The number of tries. Another program may spoil the caches for some tries, but not for all.
const TRIES: usize = 8;
/// The shortest measurement. The system counts in ticks of some milliseconds, so that one needs
/// many.
const LEAST: Duration = Duration::from_millis(40);

/// Panics unless `work` on eight times the `length` takes about eight times the processor time.
/// Work that grows with the square takes 64 times as much, on every machine, however busy it is.
#[track_caller]
pub fn assert_linear(what: &str, length: usize, mut work: impl FnMut(usize)) {
    let mut least = [Duration::MAX; 2];
    for _ in 0..TRIES {
        for (least, length) in least.iter_mut().zip([length, length * LONGER as usize]) {
            *least = (*least).min(cost(|| work(length)));
        }
        if least[1] < least[0] * LONGER * 3 {
            return;
        }
    }
    panic!("{what}: {:?} for {length}, {:?} for {LONGER} times that", least[0], least[1]);
}

/// The mean processor time of one call of `work`, over as many calls as one measurement needs.
fn cost(mut work: impl FnMut()) -> Duration {
    let (begun, mut times) = (own_time(), 0);
    loop {
        work();
        times += 1;
        let spent = own_time().saturating_sub(begun);
        if spent >= LEAST {
            return spent / times;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn a_pass_is_linear() {
        assert_linear("a pass", 200_000, |n| (0..n).for_each(|n| _ = black_box(n)));
    }

    #[test]
    #[should_panic(expected = "a pass for each")]
    fn a_pass_for_each_is_not() {
        assert_linear("a pass for each", 150, |n| {
            (0..n * n).for_each(|n| _ = black_box(n));
        });
    }
}
