//! The randomness that each host gives its filters.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A stream of bytes. It is predictable on Kong, where a worker seeds it with its process id and
/// the time, and unpredictable on Envoy.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Seeds the stream as nginx does: `srandom((pid << 16) ^ seconds ^ milliseconds)`.
    pub(crate) fn of_kong(pid: u32, ms: u64) -> Self {
        Self((u64::from(pid) << 16) ^ (ms / 1000) ^ (ms % 1000))
    }

    pub(crate) fn of_envoy() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }

    /// The next bytes, made by SplitMix64.
    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let word = || {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            Some((z ^ (z >> 31)).to_le_bytes())
        };
        std::iter::from_fn({
            let mut word = word;
            move || word()
        })
        .flatten()
        .take(len)
        .collect()
    }
}
