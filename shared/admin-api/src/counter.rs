//! Counting what is counted on several nodes.

use serde::{Deserialize, Serialize};

/// The body of `POST /counters`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Increments {
    /// At most [`crate::BATCH_MAX`]. They are carried out in order and all at once: nobody sees half of a batch.
    pub increments: Vec<Increment>,
    /// If one of them is not admitted, none is added.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_or_nothing: bool,
    /// Chosen by the sender, unique. A batch whose id was seen in the last [`crate::BATCH_MEMORY`] seconds is answered
    /// as it was then, and not counted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Something to add to a counter, which is named by `key`, `window_start` and `window` together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Increment {
    /// 1 to [`crate::COUNTER_KEY_MAX`] octets of text without control characters.
    pub key: String,
    /// When the window begins, in seconds since 1970.
    pub window_start: u64,
    /// Seconds from its beginning to its end; 1 to [`crate::WINDOW_MAX`]. The counter is forgotten some time later.
    pub window: u64,
    /// How much to add, at most [`crate::INCREMENT_MAX`]; 0 only reads.
    pub by: u64,
    /// Add only if the total then is at most this, the share of the window before included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The counter of the window before, for a window that slides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
}

/// The window before: another counter of the same key, of which a share is held against the limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    /// When it began, in seconds since 1970.
    pub window_start: u64,
    /// Seconds from its beginning to its end.
    pub window: u64,
    /// How much of it counts, in millionths ([`crate::SHARE_WHOLE`] is all of it), rounded down.
    pub share: u64,
}

/// The answer to `POST /counters`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// In the order of the increments.
    pub totals: Vec<Total>,
}

/// A counter after the batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// What it has counted in its window.
    pub total: u64,
    /// Whether the increment was within its limit; absent where there was no limit. In a batch with `all_or_nothing`
    /// nothing was added unless all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted: Option<bool>,
    /// What the window before had counted, where it was asked for.
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
