//! Reading a body: JSON, form or multipart, of at most 1 MiB, within a time limit.

use axum::RequestExt;
use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::App;
use super::answer::Refusal;
use super::fields::{Fields, repeated};
use super::text;

/// The maximum size of a body, in bytes.
const LIMIT: usize = 1024 * 1024;

impl FromRequest<App> for Fields {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let (parts, bytes) = whole(request, app).await?;
        // Kong accepts `POST /consumers/{c}/key-auth` without a body.
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        match kind(&parts).as_str() {
            "application/json" => from_json(&bytes),
            "application/x-www-form-urlencoded" => from_form(&bytes),
            "multipart/form-data" => from_multipart(Request::from_parts(parts, bytes.into())).await,
            _ => Err(Refusal::UnsupportedType),
        }
    }
}

/// Waits for the whole body. The error is 413 for more than 1 MiB, and 408 after
/// [`App::body_timeout`].
pub(super) async fn whole(request: Request, app: &App) -> Result<(Parts, Bytes), Refusal> {
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > LIMIT) {
        return Err(Refusal::TooLarge);
    }
    let (parts, body) = request.into_parts();
    let whole = tokio::time::timeout(app.body_timeout, Limited::new(body, LIMIT).collect()).await;
    match whole {
        Err(_) => Err(Refusal::TooSlow),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
        Ok(Err(_)) => Err(Refusal::Malformed("the body is incomplete".into())),
        Ok(Ok(whole)) => Ok((parts, whole.to_bytes())),
    }
}

/// Returns the media type of a request, in lower case and without its parameters.
pub(super) fn kind(parts: &Parts) -> String {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase()
}

pub(super) fn from_json(bytes: &[u8]) -> Result<Fields, Refusal> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(Refusal::Malformed("Cannot parse JSON body: it is not UTF-8".into()));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = reader.deserialize_map(Members).and_then(|members| reader.end().map(|()| members));
    match read {
        Ok(Ok(fields)) => Ok(fields),
        Ok(Err(name)) => Err(repeated(&name)),
        // The message is not serde's, which would quote what was sent, and that may be a key.
        Err(error) => Err(Refusal::Malformed(format!(
            "Cannot parse JSON body: it must be an object, see line {} column {}",
            error.line(),
            error.column()
        ))),
    }
}

/// Reads the members of an object. A name that occurs twice is the error, so that no member is
/// silently dropped.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Result<Fields, String>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        let mut twice = None;
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if !fields.add(&name, value) {
                twice = Some(name);
            }
        }
        Ok(twice.map_or(Ok(fields), Err))
    }
}

pub(super) fn from_form(bytes: &[u8]) -> Result<Fields, Refusal> {
    let pairs = text::pairs(bytes)
        .map_err(|problem| Refusal::Malformed(format!("Cannot parse form body: {problem}")))?;
    let mut fields = Fields::form();
    for (name, value) in pairs {
        fields.add_text(&name, value)?;
    }
    Ok(fields)
}

pub(super) async fn from_multipart(request: Request) -> Result<Fields, Refusal> {
    let malformed = |_| Refusal::Malformed("Cannot parse multipart body".into());
    let mut parts = request
        .extract::<Multipart, _>()
        .await
        .map_err(|_| Refusal::Malformed("Cannot parse multipart body: no boundary".into()))?;
    let mut fields = Fields::form();
    while let Some(part) = parts.next_field().await.map_err(malformed)? {
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(malformed)?;
        let Ok(value) = String::from_utf8(bytes.into()) else {
            return Err(Refusal::field(&name, "must be UTF-8"));
        };
        fields.add_text(&name, value)?;
    }
    Ok(fields)
}
