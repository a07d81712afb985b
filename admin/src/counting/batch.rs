//! A checked batch of increments, and its outcome.
//!
//! [`Batch::decide`] has the rules for the database, and `count.lua` has them again for Redis. The
//! tests of the service run with both.

use std::collections::BTreeMap;

use admin_api::{SHARE_WHOLE, Total};

use super::CountError;

/// Increments that are carried out in order, in one atomic step.
pub(crate) struct Batch {
    pub(crate) entries: Vec<Entry>,
    /// `true` if no increment is added when one of them is not admitted.
    pub(crate) all_or_nothing: bool,
    /// Identifies the batch, so that it is counted once even if it is sent again within
    /// [`admin_api::BATCH_MEMORY`] seconds.
    pub(crate) id: Option<String>,
}

/// One checked increment.
pub(crate) struct Entry {
    /// The name of the counter.
    pub(crate) counter: String,
    pub(crate) by: u64,
    /// The maximum total with which the increment is added.
    pub(crate) limit: Option<u64>,
    /// The counter of the previous window, and the share of it that counts, in millionths.
    pub(crate) previous: Option<(String, u64)>,
    /// The time after which the counter may be deleted, in milliseconds since 1970.
    pub(crate) expires_at: i64,
}

/// The values of counters, by their names.
pub(crate) type Counts = BTreeMap<String, u64>;

/// The outcome of a batch.
pub(crate) struct Outcome {
    pub(crate) totals: Vec<Total>,
    /// The new values of those counters that have changed.
    pub(crate) changed: Counts,
}

impl Batch {
    /// Adds the increments to the counters of `before`. A counter that is not there is at zero.
    pub(crate) fn decide(&self, before: &Counts) -> Outcome {
        let at = |counts: &Counts, name: &str| {
            counts.get(name).or_else(|| before.get(name)).copied().unwrap_or(0)
        };
        let (mut changed, mut totals) = (Counts::new(), Vec::with_capacity(self.entries.len()));
        for Entry { counter, by, limit, previous, .. } in &self.entries {
            let (previous, held) = match previous {
                None => (None, 0),
                Some((counter, share)) => {
                    let previous = at(&changed, counter);
                    (Some(previous), share_of(previous, *share))
                }
            };
            let sum = at(&changed, counter).saturating_add(*by);
            let admitted = limit.map(|limit| sum.saturating_add(held) <= limit);
            if admitted != Some(false) && *by > 0 {
                changed.insert(counter.clone(), sum);
            }
            totals.push(Total { total: at(&changed, counter), admitted, previous });
        }
        let refused = totals.iter().any(|total| total.admitted == Some(false));
        if self.all_or_nothing && refused {
            changed.clear();
            for (total, entry) in totals.iter_mut().zip(&self.entries) {
                total.total = at(&changed, &entry.counter);
                total.previous = entry.previous.as_ref().map(|(name, _)| at(&changed, name));
            }
        }
        Outcome { totals, changed }
    }

    /// Reads the answer that is remembered of the first batch with the id of this one.
    pub(crate) fn remembered(&self, text: &str) -> Result<Vec<Total>, CountError> {
        let totals = totals_from_text(text).ok_or(CountError::Unreadable)?;
        if totals.len() == self.entries.len() { Ok(totals) } else { Err(CountError::OtherBatch) }
    }
}

/// Returns `share` millionths of `count`, rounded down.
fn share_of(count: u64, share: u64) -> u64 {
    let product = u128::from(count).saturating_mul(u128::from(share));
    u64::try_from(product.checked_div(u128::from(SHARE_WHOLE)).unwrap_or(0)).unwrap_or(u64::MAX)
}

/// Writes totals as text, to be remembered: three numbers for each, with -1 for an absent one.
pub(crate) fn totals_to_text(totals: &[Total]) -> String {
    let total = |Total { total, admitted, previous }: &Total| {
        let admitted = admitted.map_or(-1, i64::from);
        let previous = previous.map_or(-1, |previous| i64::try_from(previous).unwrap_or(i64::MAX));
        format!("{total} {admitted} {previous}")
    };
    totals.iter().map(total).collect::<Vec<_>>().join(" ")
}

/// Reads totals. Returns `None` if the text holds anything else.
pub(crate) fn totals_from_text(text: &str) -> Option<Vec<Total>> {
    let numbers: Vec<i64> =
        text.split(' ').map(|word| word.parse().ok()).collect::<Option<Vec<_>>>()?;
    numbers
        .chunks(3)
        .map(|three| match three {
            &[total, admitted, previous] => Some(Total {
                total: u64::try_from(total).ok()?,
                admitted: match admitted {
                    -1 => None,
                    0 => Some(false),
                    _ => Some(true),
                },
                previous: u64::try_from(previous).ok(),
            }),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_reads_back_and_nothing_else_does() {
        let totals = [
            Total { total: 0, admitted: None, previous: None },
            Total { total: 5, admitted: Some(false), previous: Some(0) },
            Total { total: 1 << 52, admitted: Some(true), previous: Some(7) },
        ];
        assert_eq!(totals_to_text(&totals), "0 -1 -1 5 0 0 4503599627370496 1 7");
        assert_eq!(totals_from_text(&totals_to_text(&totals)).unwrap(), totals);
        for text in ["", "1 1", "1 1 1 1", "a 1 1", "-1 1 1"] {
            assert_eq!(totals_from_text(text), None, "{text}");
        }
    }

    #[test]
    fn a_share_is_rounded_down_and_cannot_overflow() {
        assert_eq!([share_of(3, 500_000), share_of(0, 1), share_of(7, 1_000_000)], [1, 0, 7]);
        assert_eq!(share_of(u64::MAX, SHARE_WHOLE), u64::MAX);
    }
}
