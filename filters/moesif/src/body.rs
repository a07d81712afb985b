//! The body of a message as an event contains it.

use crate::capture::LeftOut;
use crate::gzip;
use crate::json;
use crate::mask::Masks;
use crate::writer::Object;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::Head;
use std::borrow::Cow;

/// The treatment of bodies in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Treatment {
    pub(crate) masks: Masks,
    pub(crate) decompress: bool,
    /// The greatest length in bytes. A decompressed body may have ten times as many.
    pub(crate) limit: usize,
}

/// A body in a form that an event can contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    /// JSON text without its masked members, otherwise unchanged.
    Json(String),
    /// Any other body.
    Bytes(Vec<u8>),
    LeftOut(LeftOut),
}

/// The greatest length of a decompressed body in bytes. The collector keeps no more, and a
/// compression bomb must not cost more.
pub(crate) const MAX_UNPACKED: usize = 450_000;

impl Body {
    /// Prepares the body `bytes` of a message with this head.
    pub(crate) fn of(bytes: &[u8], head: &Head, treatment: &Treatment) -> Self {
        if bytes.is_empty() {
            return Self::None;
        }
        let content_type = lower(head, "content-type");
        match unpacked(bytes, head, treatment) {
            Packing::None => Self::plain(bytes, &content_type, &treatment.masks),
            Packing::Open(bytes) => Self::plain(&bytes, &content_type, &treatment.masks),
            // The content is unknown, so it cannot be masked.
            Packing::Closed if treatment.masks.is_empty() => Self::Bytes(bytes.to_vec()),
            Packing::Closed => Self::LeftOut(LeftOut::NotMaskable),
        }
    }

    fn plain(bytes: &[u8], content_type: &str, masks: &Masks) -> Self {
        let text = std::str::from_utf8(bytes)
            .ok()
            .map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
        let begins = text.and_then(|text| text.trim_start().chars().next());
        let may_be_json = content_type.contains("json") || matches!(begins, Some('{' | '['));
        if let Some(text) = text.filter(|_| may_be_json)
            && let Ok(masked) = masks.json(text)
        {
            return Self::Json(masked.into_owned());
        }
        if masks.is_empty() {
            return Self::Bytes(bytes.to_vec());
        }
        if content_type.starts_with("application/x-www-form-urlencoded") && !may_be_json {
            return Self::Bytes(masks.form(bytes));
        }
        Self::LeftOut(LeftOut::NotMaskable)
    }

    /// Returns the approximate size in an event, in bytes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Json(text) => text.len(),
            Self::Bytes(bytes) => bytes.len().saturating_mul(4) / 3,
            Self::None | Self::LeftOut(_) => 0,
        }
    }

    /// Returns the reason why a body that the message had is absent.
    pub(crate) fn left_out(&self) -> Option<LeftOut> {
        match self {
            Self::LeftOut(why) => Some(*why),
            Self::None | Self::Json(_) | Self::Bytes(_) => None,
        }
    }

    /// Writes the members `body` and `transfer_encoding`.
    pub(crate) fn write(&self, object: &mut Object<'_>) {
        match self {
            Self::Json(text) => {
                object.json("body", text);
                object.text("transfer_encoding", "json");
            }
            Self::Bytes(bytes) => {
                let out = object.name(b"body");
                out.push(b'"');
                out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
                out.push(b'"');
                object.text("transfer_encoding", "base64");
            }
            Self::None | Self::LeftOut(_) => {}
        }
    }
}

enum Packing {
    None,
    Open(Vec<u8>),
    /// The body is compressed, and was not decompressed.
    Closed,
}

fn unpacked(bytes: &[u8], head: &Head, treatment: &Treatment) -> Packing {
    let limit = treatment.limit.saturating_mul(10).min(MAX_UNPACKED);
    match opened(bytes, head, limit) {
        Some(Cow::Borrowed(_)) => Packing::None,
        Some(Cow::Owned(open)) if treatment.decompress => Packing::Open(open),
        Some(Cow::Owned(_)) | None => Packing::Closed,
    }
}

/// Decompresses a body as its `content-encoding` says. Returns `None` if the encoding is
/// unsupported or the result is longer than `limit` bytes.
pub(crate) fn opened<'b>(bytes: &'b [u8], head: &Head, limit: usize) -> Option<Cow<'b, [u8]>> {
    match lower(head, "content-encoding").as_str() {
        "" | "identity" => Some(Cow::Borrowed(bytes)),
        "gzip" | "x-gzip" => gzip::gunzip(bytes, limit).map(Cow::Owned),
        "deflate" => gzip::inflate(bytes, limit).map(Cow::Owned),
        _ => None,
    }
}

/// Returns all values of a header, joined and in lower case.
fn lower(head: &Head, name: &str) -> String {
    let values: Vec<String> = head
        .values(name)
        .map(|value| String::from_utf8_lossy(value).trim().to_ascii_lowercase())
        .filter(|value| !value.is_empty())
        .collect();
    values.join(", ")
}

/// Returns `true` if `text` is JSON that an event can contain.
pub(crate) fn is_json(text: &str) -> bool {
    json::check(text).is_ok()
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
