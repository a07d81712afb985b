//! The wording of messages about settings.

use serde_json::Value;

pub(super) fn mismatch(found: &Value, expected: &str) -> String {
    format!("found {}, expected {expected}", found_text(found))
}

/// Returns the message about a value where a list or an object belongs. It names the kind of the
/// value alone, since a text there may be a secret that an operator has put a level too high.
pub(super) fn misplaced(found: &Value, expected: &str) -> String {
    format!("found {}, expected {expected}", kind(found))
}

fn found_text(value: &Value) -> String {
    match value {
        Value::String(text) if has_user(text) => "an address with a user (not shown)".to_owned(),
        Value::String(text) => format!("\"{}\"", shown(text)),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        other => kind(other).to_owned(),
    }
}

/// Returns `true` for an address such as `https://user:password@host/path`.
fn has_user(text: &str) -> bool {
    let authority = after_scheme(text).unwrap_or_default().iter();
    authority.take_while(|byte| !matches!(byte, b'/' | b'?' | b'#')).any(|byte| *byte == b'@')
}

/// Returns what follows the first `://`, if there is one. Bytes are compared, since a search for a
/// text is a large piece of code in every module.
pub(super) fn after_scheme(text: &str) -> Option<&[u8]> {
    let mut rest = text.as_bytes();
    loop {
        if let Some(found) = rest.strip_prefix(b"://") {
            return Some(found);
        }
        rest = rest.split_first()?.1;
    }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Shortens `text` to 64 characters on one line, for an error message.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out: String =
        text.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(64).is_some() {
        out.push_str("...");
    }
    out
}

pub(super) fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
