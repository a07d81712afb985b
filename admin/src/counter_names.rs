//! The names under which gateways count requests at the service.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// The names under which gateways count, which depend on their token.
#[derive(Clone)]
pub(crate) struct CounterNames {
    /// A hash that has taken a token, for each token that gateways may have. The tokens themselves
    /// are not kept.
    begun: Vec<SipHasher24>,
}

impl CounterNames {
    /// Makes the names for gateways that have one of `tokens`.
    pub(crate) fn new<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Self {
        let begun = tokens
            .into_iter()
            .map(|token| with_part(SipHasher24::new_with_keys(0, 0), token.as_bytes()));
        Self { begun: begun.collect() }
    }

    /// Returns the names of an identifier, one for each token. They are those of rate_limiting
    /// (`shared_name` in its `ask.rs`).
    pub(crate) fn of(&self, namespace: &[u8], identifier: &[u8]) -> Vec<u128> {
        let finished = self.begun.iter().map(|begun| {
            let hasher = with_part(with_part(*begun, namespace), identifier);
            u128::from_be_bytes(hasher.finish128().as_bytes())
        });
        finished.collect()
    }
}

/// Returns the hash with one more part.
fn with_part(mut hasher: SipHasher24, part: &[u8]) -> SipHasher24 {
    hasher.write(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
    hasher.write(part);
    hasher
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_under_which_rate_limiting_counts() {
        // The test `shared_names_are_what_gatehouse_admin_looks_for` of rate_limiting has the same two.
        let ana = b"c89a41fef-3b40-4bb0-b5af-33da57a7ffcf";
        let names = CounterNames::new(["t", ""]).of(b"orders", ana);
        let names: Vec<String> = names.iter().map(|name| format!("{name:032x}")).collect();
        assert_eq!(names, ["69cd93a39d6b56706d09beaec55b866e", "de4a806ab102e2e74af6503517a29252"]);
    }
}
