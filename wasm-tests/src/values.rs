//! Values that tests build and compare: settings, refusals, escaped text.

use serde_json::{Value, json};

/// The message of app_id for a consumer without App IDs.
pub const NO_APP_ID: &str = "Consumer and X-APP-ID mapping doesn't exist";
/// The message of app_id for a request without an App ID.
pub const BLANK_APP_ID: &str = "X-APP-ID can't be blank";
/// The message of app_id for an App ID that is not the consumer's.
pub const INVALID_APP_ID: &str = "Invalid X-APP-ID";

/// The ages of the setting `cache` under which nothing expires during a test, so that only
/// `/changes` has an effect.
pub fn kept_for_a_day() -> Value {
    json!({"ttl": 86_400, "negative_ttl": 86_400})
}

/// Adds the members of `more` to `settings`, and replaces members of equal names.
pub fn merged(mut settings: Value, more: Value) -> Value {
    if let (Some(all), Value::Object(more)) = (settings.as_object_mut(), more) {
        all.extend(more);
    }
    settings
}

/// The status and message that a refusal is compared with.
pub fn refused_with(status: u16, message: &str) -> (u16, String) {
    (status, message.to_owned())
}

/// Escapes every byte of a text, also those that need no escape (RFC 3986, section 2.1).
pub fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}
