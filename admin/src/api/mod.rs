//! The HTTP API: every path, and who may use it.
//!
//! | room            | what is in it                                              |
//! |-----------------|------------------------------------------------------------|
//! | `middleware.rs` | what every request passes: host, origin, token, path       |
//! | `consumers.rs`  | `/consumers`                                               |
//! | `owned.rs`      | App IDs, groups and API keys                               |
//! | `jwts.rs`       | JWT credentials                                            |
//! | `draft.rs`      | what a request says about one of these                     |
//! | `changes.rs`    | `/changes`                                                 |
//! | `identities.rs` | `/identities`                                              |
//! | `sessions.rs`   | `/sessions/{id}`, `/revocations`                           |
//! | `subjects.rs`   | `/sessions?subject=`                                       |
//! | `counters.rs`   | `/counters`                                                |
//! | `status.rs`     | `/status`, `/metrics`                                      |
//! | `body.rs`       | reading JSON, forms and multipart                          |
//! | `typed.rs`      | reading JSON of one shape, from a gateway                  |
//! | `fields.rs`     | the fields of a body, each checked                         |
//! | `query.rs`      | the parameters of a query, pages of a list                 |
//! | `text.rs`       | percent-encoding                                           |
//! | `answer.rs`     | what goes back                                             |

mod answer;
mod body;
mod changes;
mod consumers;
mod counters;
mod draft;
mod fields;
mod identities;
mod jwts;
mod middleware;
mod owned;
mod query;
mod sessions;
mod status;
mod subjects;
mod text;
mod typed;

pub(crate) use answer::Refusal;
pub(crate) use draft::Rules;
pub(crate) use middleware::Middleware;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::routing::{Router, any};
use serde_json::{Value, json};

use crate::counting::Counters;
use crate::metrics::Metrics;
use crate::store::{Kind, Store};
use crate::vault::Vault;

/// What every handler can reach.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) store: Arc<Store>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) rules: Rules,
    pub(crate) vault: Arc<Vault>,
    /// How long a body may take to arrive.
    pub(crate) body_timeout: Duration,
}

/// What the gateway's token opens for reading. Everything else needs the admin's.
const GATEWAY_READS: [&str; 11] = [
    "/changes",
    "/identities/key-auth",
    "/identities/key-auth/{digest}",
    "/identities/jwt/{key}",
    "/identities/consumers/{consumer}",
    "/consumers/{consumer}/appids",
    "/appids",
    "/sessions/{id}",
    "/revocations/{id}",
    "/status",
    "/metrics",
];

/// What the gateway's token opens for writing.
const GATEWAY_WRITES: [&str; 3] = ["/sessions/{id}", "/revocations/{id}", "/counters"];

/// Other admin APIs configure these; here the gateway's own files do.
const ELSEWHERE: [&str; 8] = [
    "/services",
    "/services/{*rest}",
    "/routes",
    "/routes/{*rest}",
    "/plugins",
    "/plugins/{*rest}",
    "/apis",
    "/apis/{*rest}",
];

pub(crate) fn router(app: App) -> Router {
    let mut router = Router::new()
        .merge(consumers::routes())
        .merge(owned::routes(Kind::AppId))
        .merge(owned::routes(Kind::Acl))
        .merge(owned::routes(Kind::Key))
        .merge(jwts::routes())
        .merge(changes::routes())
        .merge(identities::routes())
        .merge(sessions::routes())
        .merge(subjects::routes())
        .merge(counters::routes())
        .merge(status::routes());
    for path in ELSEWHERE {
        router = router.route(path, any(async || Refusal::Elsewhere));
    }
    router
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .route_layer(axum::middleware::from_fn(middleware::authorise))
        .fallback(async |_: Request| Refusal::NotFound(None))
        .with_state(app)
}

/// A page in the form of Kong's Admin API.
fn page(data: Vec<Value>, next: Option<(String, String)>) -> Value {
    match next {
        Some((next, offset)) => json!({ "data": data, "next": next, "offset": offset }),
        None => json!({ "data": data, "next": null }),
    }
}

/// JSON that was stored as text.
fn stored_json(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}
