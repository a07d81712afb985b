//! Values that tests build and compare: settings, refusals, escaped text.

use serde_json::Value;

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
