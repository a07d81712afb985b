//! Reading the JSON body that a gateway sends, which has exactly one shape.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use super::App;
use super::answer::{Refusal, shortened};
use super::body;

/// A JSON body of the type `T`.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let (parts, bytes) = body::whole(request, app).await?;
        if body::kind(&parts) != "application/json" {
            return Err(Refusal::NotJson);
        }
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            refusal(&path, error.inner())
        })?;
        reader.end().map_err(|error| refusal(".", &error))?;
        Ok(Self(value))
    }
}

/// The refusal of a body that serde cannot read at `path`.
fn refusal(path: &str, error: &serde_json::Error) -> Refusal {
    if !error.is_data() {
        return Refusal::Malformed(format!(
            "Cannot parse JSON body: see line {} column {}",
            error.line(),
            error.column()
        ));
    }
    // Only these messages of serde quote no values, which may be secret.
    let text = error.to_string();
    let harmless = ["missing field", "unknown field", "duplicate field"];
    let problem = if harmless.iter().any(|beginning| text.starts_with(beginning)) {
        shortened(&text)
    } else {
        "has another type, or is out of range".to_owned()
    };
    Refusal::field(if path == "." { "body" } else { path }, problem)
}
