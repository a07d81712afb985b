//! The checks of the feature `exact`: every product, sum and split of digits is computed once more
//! in integers.
//!
//! Without the feature nothing here does anything, and the compiler removes it.

#[cfg(feature = "exact")]
use core::sync::atomic::{AtomicBool, Ordering};

#[cfg(feature = "exact")]
static LEFT_OUT: AtomicBool = AtomicBool::new(false);

/// Leaves the checks out from now on, for a program in which only some parts need them.
#[cfg(feature = "exact")]
pub fn leave_checks_out() {
    LEFT_OUT.store(true, Ordering::Relaxed);
}

/// Returns `true` if the operations are checked.
#[inline(always)]
pub(crate) fn is_checked() -> bool {
    #[cfg(feature = "exact")]
    return !LEFT_OUT.load(Ordering::Relaxed);
    #[cfg(not(feature = "exact"))]
    false
}

/// Checks that `result` is what `compute` makes of the integers `a` and `b`, and below 2^53.
///
/// # Panics
/// With the feature `exact`, if it is not.
#[inline(always)]
pub(crate) fn computed(a: f64, b: f64, result: f64, compute: fn(i128, i128) -> i128) -> f64 {
    if is_checked() {
        let exact = compute(integer(a), integer(b));
        assert!(integer(result) == exact, "{a:e}, {b:e}: found {result:e}, expected {exact}");
    }
    result
}

/// Checks that `rest` and `up` are the two halves of the integer `x`, the lower of which has `bits`
/// bits with its sign.
///
/// # Panics
/// With the feature `exact`, if they are not.
#[inline(always)]
pub(crate) fn halves(x: f64, (rest, up): (f64, f64), bits: u32) -> (f64, f64) {
    if is_checked() {
        let (low, high) = (integer(rest), integer(up));
        assert!(integer(x) == low + (high << bits), "{x:e} is not {rest:e} and {up:e}");
        assert!(low.abs() <= 1 << (bits - 1), "{rest:e} is no digit of {bits} bits");
    }
    (rest, up)
}

/// Returns the integer that a column or a digit holds.
fn integer(x: f64) -> i128 {
    let whole = x as i128;
    assert!(whole as f64 == x && whole.abs() < 1 << 53, "{x:e} is no exact column");
    whole
}

#[cfg(all(test, feature = "exact"))]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn a_sum_that_is_rounded_is_noticed() {
        let most = 9_007_199_254_740_991.0;
        assert_eq!(computed(most, -1.0, most - 1.0, |a, b| a + b), most - 1.0);
        assert!(catch_unwind(|| computed(most, 1.0, most + 1.0, |a, b| a + b)).is_err());
        assert!(catch_unwind(|| computed(most, 3.0, most * 3.0, |a, b| a * b)).is_err());
        assert!(catch_unwind(|| computed(0.5, 2.0, 1.0, |a, b| a * b)).is_err());
        assert!(catch_unwind(|| halves(9.0, (1.0, 1.0), 3)).is_ok());
        assert!(catch_unwind(|| halves(9.0, (9.0, 0.0), 3)).is_err());
        assert!(catch_unwind(|| halves(9.0, (0.0, 1.0), 3)).is_err());
    }
}
