//! The source of randomness.

/// A cryptographically strong source of random bytes, such as the generator of the crate `runtime`,
/// or a closure `FnMut(&mut [u8])`.
pub trait Random {
    /// Fills all of `out`.
    fn fill(&mut self, out: &mut [u8]);
}

impl<F: FnMut(&mut [u8])> Random for F {
    fn fill(&mut self, out: &mut [u8]) {
        self(out);
    }
}
