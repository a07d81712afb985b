//! Answers and refusals: JSON bodies with the members and messages of Kong's Admin API.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::auth::Denied;
use crate::counting::CountError;
use crate::store::Tx;

pub(crate) type Answer = Result<Response, Refusal>;

/// The reasons for which a request is not carried out. A refused request has stored nothing.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// 400: the request cannot be parsed.
    Malformed(String),
    /// 400: each wrong field, with the problem.
    Fields(BTreeMap<String, String>),
    /// 401: the request has no right token.
    Unauthorized,
    /// 403, with the reason.
    Forbidden(&'static str),
    /// 404, with the number of the newest change at that moment if something was looked up.
    NotFound(Option<u64>),
    /// 404 for a path of other admin APIs that this one does not have.
    Elsewhere,
    /// 405: the path exists, with other methods.
    MethodNotAllowed,
    /// 408: the body did not arrive in time.
    TooSlow,
    /// 409: another item already has the value of `field`.
    Taken { field: &'static str, value: Option<String> },
    /// 413: the body is larger than 1 MiB.
    TooLarge,
    /// 415 where JSON, forms and multipart are read.
    UnsupportedType,
    /// 415 where only JSON is read.
    NotJson,
    /// 503 when the database cannot be reached, 500 otherwise.
    Database(sqlx::Error),
    /// A failure of the counters: as for the database, and 503 when Redis cannot be reached.
    Counters(CountError),
    /// 500: a bug of the service.
    Broken,
}

/// Returns at most 100 characters of a name that a client has invented, for an answer.
pub(crate) fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}

/// The maximum number of unknown names in an answer.
pub(crate) const UNKNOWN_MAX: usize = 20;

/// An answer with `body` as JSON. It may hold a new key, so nothing on the way may keep it.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let Ok(text) = serde_json::to_vec(body) else {
        return (StatusCode::INTERNAL_SERVER_ERROR, Body::empty()).into_response();
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The answer 204 without a body.
pub(crate) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Unwraps the result of a look-up in `tx`. The error is 404 with the newest change of `tx`.
pub(crate) fn found<T>(it: Option<T>, tx: &Tx) -> Result<T, Refusal> {
    it.ok_or_else(|| Refusal::NotFound(Some(tx.seq())))
}

fn message(status: StatusCode, text: &str) -> Response {
    json(status, &json!({ "message": text }))
}

// === Refusal ===

impl Refusal {
    /// The refusal in a few words, for somebody at a terminal. It never quotes a secret.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Malformed(why) => why.clone(),
            Self::Fields(problems) => {
                let all = problems.iter().map(|(name, problem)| format!("{name}: {problem}"));
                all.collect::<Vec<_>>().join("; ")
            }
            Self::Taken { field, .. } => format!("{field}: another item has this value"),
            Self::Database(error) => format!("database: {error}"),
            Self::Broken => {
                "a secret cannot be sealed or opened: check --encryption-key-file".to_owned()
            }
            other => format!("{other:?}"),
        }
    }

    /// `true` if the database, and not the item, is the reason.
    pub(crate) const fn ends_an_import(&self) -> bool {
        matches!(self, Self::Database(_) | Self::Broken)
    }

    /// The refusal of one wrong field.
    pub(crate) fn field(name: &str, problem: impl Into<String>) -> Self {
        Self::Fields(BTreeMap::from([(shortened(name), problem.into())]))
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NoToken => Self::Unauthorized,
            Denied::WebPage(why) => Self::Forbidden(why),
        }
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
            Self::Database(error) | Self::Counters(CountError::Database(error)) => database(&error),
            Self::Counters(CountError::Redis(error)) => {
                tracing::error!(error = %error, "Redis failed");
                message(StatusCode::SERVICE_UNAVAILABLE, "Redis cannot be reached")
            }
            Self::Counters(CountError::OtherBatch) => taken("id", None),
            Self::Counters(CountError::Unreadable) => {
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

/// The answer to a failure of the database: 409 for a conflict, 503 if it is away, busy, or cannot
/// be written, else 500.
fn database(error: &sqlx::Error) -> Response {
    use sqlx::Error::{Database, Io, PoolClosed, PoolTimedOut, Tls};
    // A writer looks for conflicts before it inserts, and no other writer comes in between. If an
    // index still finds one (a row written by hand meanwhile), that is not a failure of the
    // service.
    if let Database(inner) = error
        && inner.is_unique_violation()
    {
        return taken("id", None);
    }
    // The log gets the database's own message, which names tables and never values.
    tracing::error!(error = %error, "the database failed");
    let busy = |inner: &dyn sqlx::error::DatabaseError| {
        // The codes are SQLITE_BUSY and its variants, and PostgreSQL's deadlocks and timeouts. The
        // classes are PostgreSQL's for a lost, an overloaded and a starting server.
        inner.code().is_some_and(|code| {
            ["5", "261", "517", "25P03", "40001", "40P01", "55P03", "57014"]
                .contains(&code.as_ref())
                || ["08", "53", "57P"]
                    .iter()
                    .any(|class| code.len() == 5 && code.starts_with(class))
        })
    };
    if let Database(inner) = error
        && inner.code().is_some_and(|code| cannot_be_written(&code))
    {
        return message(StatusCode::SERVICE_UNAVAILABLE, "the database cannot be written");
    }
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

/// Returns `true` for the codes of a full disk, of a disk that fails, and of a file that may only
/// be read, as PostgreSQL's on a standby: PostgreSQL's 53100, 25006 and 0A000, and SQLITE_FULL,
/// SQLITE_IOERR and SQLITE_READONLY with all their variants, which are told apart by further bits.
fn cannot_be_written(code: &str) -> bool {
    let of_sqlite = if code.len() < 5 { code.parse::<u32>().ok() } else { None };
    ["53100", "25006", "0A000"].contains(&code)
        || of_sqlite.is_some_and(|code| matches!(code & 0xff, 8 | 10 | 13))
}

fn broken() -> Response {
    message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")
}

#[cfg(test)]
mod tests {
    use sqlx::Connection as _;

    use super::*;
    use crate::postgres::Postgres;

    /// PostgreSQL does so if the service was stopped in the middle, as with its whole machine.
    #[tokio::test]
    async fn a_transaction_that_postgres_ends_because_nothing_comes_is_503() {
        sqlx::any::install_default_drivers();
        let url = Postgres::shared().database();
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        let begin = "SET idle_in_transaction_session_timeout = 1; BEGIN";
        sqlx::raw_sql(begin).execute(&mut connection).await.unwrap();
        let error = loop {
            std::thread::sleep(std::time::Duration::from_millis(20));
            if let Err(error) = sqlx::raw_sql("SELECT 1").execute(&mut connection).await {
                break error;
            }
        };
        assert_eq!(database(&error).status(), StatusCode::SERVICE_UNAVAILABLE, "{error}");
    }

    /// A standby refuses a transaction that writes with 0A000, and a statement that writes with
    /// 25006.
    #[tokio::test]
    async fn a_postgres_that_is_full_or_only_a_standby_is_503() {
        sqlx::any::install_default_drivers();
        let url = Postgres::shared().database();
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        for (code, status) in [("53100", 503), ("25006", 503), ("0A000", 503), ("22012", 500)] {
            let raise = format!("DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$");
            let raise = sqlx::raw_sql(sqlx::AssertSqlSafe(raise)).execute(&mut connection);
            assert_eq!(database(&raise.await.unwrap_err()).status(), status, "{code}");
        }
    }
}
