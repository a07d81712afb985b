//! Where randomness comes from.

/// A source of random bytes, cryptographically strong. The host crate's DRBG is one; so is any closure
/// `FnMut(&mut [u8])`.
pub trait Random {
    /// Fills all of `out`.
    fn fill(&mut self, out: &mut [u8]);
}

impl<F: FnMut(&mut [u8])> Random for F {
    fn fill(&mut self, out: &mut [u8]) {
        self(out);
    }
}
