//! Reading a body that a gateway sends: JSON of exactly one shape.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use super::App;
use super::answer::{Refusal, brief};
use super::body;

/// A body of type `T`.
pub(crate) struct Typed<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Typed<T> {
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

fn refusal(path: &str, error: &serde_json::Error) -> Refusal {
    if !error.is_data() {
        return Refusal::Malformed(format!(
            "Cannot parse JSON body: see line {} column {}",
            error.line(),
            error.column()
        ));
    }
    // Of serde's messages only those that quote names, not values.
    let text = error.to_string();
    let harmless = ["missing field", "unknown field", "duplicate field"];
    let problem = if harmless.iter().any(|beginning| text.starts_with(beginning)) {
        brief(&text)
    } else {
        "has another type, or is out of range".to_owned()
    };
    Refusal::field(if path == "." { "body" } else { path }, problem)
}
