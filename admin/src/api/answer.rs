//! What goes back: complete JSON with its length, in the words of Kong's Admin API.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::counting::Failure;
use crate::store::Tx;

pub(crate) type Answer = Result<Response, Refusal>;

/// Why a request is not carried out. Nothing was stored.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// 400: the request cannot be read at all.
    Malformed(String),
    /// 400: each field that is wrong, and why.
    Fields(BTreeMap<String, String>),
    Unauthorized,
    Forbidden(&'static str),
    /// 404, with the newest change at the moment of looking where something was looked up.
    NotFound(Option<u64>),
    /// 404 for what other admin APIs have and this one has not.
    Elsewhere,
    MethodNotAllowed,
    /// 408: the body did not arrive in time.
    TooSlow,
    /// 409: another one already has this `field`.
    Taken {
        field: &'static str,
        value: Option<String>,
    },
    TooLarge,
    UnsupportedType,
    /// 415 where only JSON is read.
    NotJson,
    /// 503 when the database cannot be reached, 500 otherwise.
    Database(sqlx::Error),
    /// The same for what is counted; 503 when Redis cannot be asked.
    Counters(Failure),
    /// 500: a mistake of ours.
    Broken,
}

/// How much of a name that anybody can invent an answer repeats.
pub(crate) fn brief(name: &str) -> String {
    name.chars().take(100).collect()
}

/// How many unknown names an answer repeats.
pub(crate) const UNKNOWN_MAX: usize = 20;

/// `body` as an answer.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let Ok(text) = serde_json::to_vec(body) else {
        return (StatusCode::INTERNAL_SERVER_ERROR, Body::empty()).into_response();
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// 204: done, nothing to say.
pub(crate) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Returns what was looked up in `tx`. The error is 404 with the newest change at that moment.
pub(crate) fn found<T>(it: Option<T>, tx: &Tx) -> Result<T, Refusal> {
    it.ok_or_else(|| Refusal::NotFound(Some(tx.seq())))
}

fn message(status: StatusCode, text: &str) -> Response {
    json(status, &json!({ "message": text }))
}

// === Refusal ===

impl Refusal {
    /// One wrong field.
    pub(crate) fn field(name: &str, problem: impl Into<String>) -> Self {
        Self::Fields(BTreeMap::from([(brief(name), problem.into())]))
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Malformed(problem) => message(StatusCode::BAD_REQUEST, &problem),
            Self::Fields(fields) => schema_violation(&fields),
            Self::Unauthorized => {
                let mut response = message(StatusCode::UNAUTHORIZED, "Unauthorized");
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                response
            }
            Self::Forbidden(why) => message(StatusCode::FORBIDDEN, why),
            Self::NotFound(seq) => {
                let body = admin_api::NotFound { message: "Not found".into(), seq };
                json(StatusCode::NOT_FOUND, &body)
            }
            Self::Elsewhere => message(
                StatusCode::NOT_FOUND,
                "Not found: services, routes and plugins are configured in the gateway itself, see \
                 kong-config/ and envoy-config/",
            ),
            Self::MethodNotAllowed => message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
            Self::TooSlow => {
                let mut response =
                    message(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time");
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                response
            }
            Self::Taken { field, value } => taken(field, value),
            Self::TooLarge => {
                message(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB")
            }
            Self::UnsupportedType => message(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Content-Type must be application/json, application/x-www-form-urlencoded or \
                 multipart/form-data",
            ),
            Self::NotJson => {
                message(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json")
            }
            Self::Database(error) | Self::Counters(Failure::Database(error)) => database(&error),
            Self::Counters(Failure::Redis(error)) => {
                tracing::error!(error = %error, "Redis failed");
                message(StatusCode::SERVICE_UNAVAILABLE, "Redis cannot be reached")
            }
            Self::Counters(Failure::Unreadable) => {
                tracing::error!("what is remembered of a batch is not one of ours");
                broken()
            }
            Self::Broken => broken(),
        }
    }
}

fn schema_violation(fields: &BTreeMap<String, String>) -> Response {
    let problems: Vec<String> =
        fields.iter().map(|(name, problem)| format!("{name}: {problem}")).collect();
    let body = json!({
        "code": 2,
        "name": "schema violation",
        "message": format!("schema violation ({})", problems.join("; ")),
        "fields": fields,
    });
    json(StatusCode::BAD_REQUEST, &body)
}

fn taken(field: &'static str, value: Option<String>) -> Response {
    let shown = value.map_or_else(|| field.to_owned(), |value| format!("{field}={value:?}"));
    let body = json!({
        "code": 5,
        "name": "unique constraint violation",
        "message": format!("UNIQUE violation detected on '{{{shown}}}'"),
        "fields": { field: "already exists" },
    });
    json(StatusCode::CONFLICT, &body)
}

fn database(error: &sqlx::Error) -> Response {
    use sqlx::Error::{Database, Io, PoolClosed, PoolTimedOut, Tls};
    // Writers look before they insert, and nobody writes in between. Should an index nevertheless
    // say no (a row written by hand meanwhile), it is still not our failure.
    if let Database(inner) = error
        && inner.is_unique_violation()
    {
        return taken("id", None);
    }
    // Only the database's own message: it names tables, never values.
    tracing::error!(error = %error, "the database failed");
    let busy = |inner: &dyn sqlx::error::DatabaseError| {
        // SQLITE_BUSY and its kin; PostgreSQL's deadlocks and timeouts, and its classes for a lost, starting or
        // overrun server.
        inner.code().is_some_and(|code| {
            ["5", "261", "517", "40001", "40P01", "55P03", "57014"].contains(&code.as_ref())
                || ["08", "53", "57P"]
                    .iter()
                    .any(|class| code.len() == 5 && code.starts_with(class))
        })
    };
    let away = match error {
        Io(_) | Tls(_) | PoolTimedOut | PoolClosed => true,
        Database(inner) => busy(inner.as_ref()),
        _ => false,
    };
    if away {
        message(StatusCode::SERVICE_UNAVAILABLE, "the database cannot be reached")
    } else {
        broken()
    }
}

fn broken() -> Response {
    message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")
}
