//! App IDs and their pages.

use serde::{Deserialize, Serialize};

/// One App ID of one consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppId {
    /// A UUID in lower case, which identifies the pair of App ID and consumer.
    pub id: String,
    /// The value of the header `X-APP-ID` that an application sends.
    pub appid: String,
    /// The id of the consumer that the App ID belongs to.
    pub consumer_id: String,
    /// The time of creation, in milliseconds since 1970.
    #[serde(default)]
    pub created_at: u64,
}

/// A page of a list of App IDs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppIdPage {
    /// The App IDs of this page. The member is never absent; the list may be empty.
    pub data: Vec<AppId>,
    /// The number of App IDs on all pages together.
    #[serde(default)]
    pub total: u64,
    /// The path and query of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The cursor of the next page, to be sent as `offset`; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<String>,
    /// The number of the newest change at the moment of reading; absent from a Kong Admin API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_sequence_number_or_cursor_is_a_page() {
        let json = r#"{"data":[{"created_at":1541419735000,"consumer_id":"c","appid":"Portal",
            "id":"i"}],"total":1}"#;
        let page: AppIdPage = serde_json::from_str(json).unwrap();
        assert_eq!((page.data[0].appid.as_str(), page.seq, page.next), ("Portal", None, None));
    }

    #[test]
    fn a_last_page_prints_nothing_but_data_total_and_seq() {
        let page = AppIdPage { data: vec![], total: 0, next: None, offset: None, seq: Some(4) };
        assert_eq!(serde_json::to_string(&page).unwrap(), r#"{"data":[],"total":0,"seq":4}"#);
    }
}
