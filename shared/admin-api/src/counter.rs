//! Counters that several nodes share.

use serde::{Deserialize, Serialize};

/// The body of `POST /counters`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Increments {
    /// From 1 to [`crate::BATCH_MAX`] increments. The service carries them out in order, in one
    /// atomic step.
    pub increments: Vec<Increment>,
    /// `true` if the service must add nothing when one increment is not admitted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_or_nothing: bool,
    /// A unique id that the sender chooses, of 1 to [`crate::BATCH_ID_MAX`] bytes. A batch whose id
    /// was used within the last [`crate::BATCH_MEMORY`] seconds gets the answer of that time, and
    /// is not counted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// An increment of one counter. `key`, `window_start` and `window` together name the counter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Increment {
    /// From 1 to [`crate::COUNTER_KEY_MAX`] bytes of text without control characters.
    pub key: String,
    /// The beginning of the window, in seconds since 1970.
    pub window_start: u64,
    /// The length of the window in seconds, from 1 to [`crate::WINDOW_MAX`]. The service forgets
    /// the counter some time after the window.
    pub window: u64,
    /// The number to add, up to [`crate::INCREMENT_MAX`]; 0 only reads.
    pub by: u64,
    /// The maximum total, including the share of the previous window. An increment beyond it is not
    /// admitted, and not added. Absent for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The counter of the previous window, for a sliding window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
}

/// The previous window: another counter of the key, a share of which counts towards the limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    /// The beginning of the previous window, in seconds since 1970.
    pub window_start: u64,
    /// The length of the previous window in seconds, from 1 to [`crate::WINDOW_MAX`].
    pub window: u64,
    /// The share of its total that counts, in millionths, up to [`crate::SHARE_WHOLE`]. The result
    /// is rounded down.
    pub share: u64,
}

/// The answer to `POST /counters`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// One total for each increment, in the order of the increments.
    pub totals: Vec<Total>,
}

/// A counter after an increment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// The total of the counter in its window.
    pub total: u64,
    /// `true` if the increment was within its limit; absent for an increment without a limit. In a
    /// batch with `all_or_nothing`, increments are added only if none of them is `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted: Option<bool>,
    /// The total of the previous window, if the increment names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_wire_are_those_of_the_contract() {
        let one = Increment {
            key: "k".into(),
            window_start: 60,
            window: 60,
            by: 1,
            ..Default::default()
        };
        let batch = Increments { increments: vec![one], ..Default::default() };
        let json = r#"{"increments":[{"key":"k","window_start":60,"window":60,"by":1}]}"#;
        assert_eq!(serde_json::to_string(&batch).unwrap(), json);
        let json = r#"{"increments":[{"key":"k","window_start":60,"window":60,"by":1,"limit":5,
            "previous":{"window_start":0,"window":60,"share":500000}}],"all_or_nothing":true,"id":"b"}"#;
        let batch: Increments = serde_json::from_str(json).unwrap();
        assert_eq!(batch.increments[0].limit, Some(5));
        assert_eq!(batch.increments[0].previous.as_ref().unwrap().share, 500_000);
        let totals: Totals =
            serde_json::from_str(r#"{"totals":[{"total":5,"admitted":false},{"total":1}]}"#)
                .unwrap();
        assert_eq!((totals.totals[0].admitted, totals.totals[1].admitted), (Some(false), None));
    }
}
