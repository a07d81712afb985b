//! The HTTP API: its paths, and the roles that may use them.
//!
//! | module          | contents                                                       |
//! |-----------------|----------------------------------------------------------------|
//! | `middleware.rs` | host, origin, token and path of every request                  |
//! | `consumers.rs`  | `/consumers`                                                   |
//! | `descriptor.rs` | what tells the kinds of those things apart                     |
//! | `owned.rs`      | routes and handlers for the things that a consumer owns        |
//! | `draft.rs`      | the body that creates or changes one of those                  |
//! | `named.rs`      | storage for those that are a name: App IDs, groups, API keys   |
//! | `app_ids.rs`    | `/appids`                                                      |
//! | `groups.rs`     | `/acls`                                                        |
//! | `api_keys.rs`   | `/key-auths`                                                   |
//! | `jwts.rs`       | `/jwts`                                                        |
//! | `changes.rs`    | `/changes`                                                     |
//! | `identities.rs` | `/identities`                                                  |
//! | `sessions.rs`   | `/sessions/{id}`, `/revocations`                               |
//! | `subjects.rs`   | `/sessions?subject=`                                           |
//! | `counters.rs`   | `/counters`                                                    |
//! | `gateways.rs`   | `/gateways`                                                    |
//! | `usage.rs`      | `GET /counters`                                                |
//! | `ui.rs`         | `/ui`, the page for operators                                  |
//! | `status.rs`     | `/status`, `/metrics`                                          |
//! | `body.rs`       | reading a body: JSON, form or multipart                        |
//! | `json_body.rs`  | reading the JSON that a gateway sends, of exactly one shape    |
//! | `fields.rs`     | the fields of a body, each checked                             |
//! | `query.rs`      | the parameters of a query, pages of a list                     |
//! | `table.rs`      | the table of all routes                                        |
//! | `text.rs`       | percent-encoding                                               |
//! | `answer.rs`     | answers and refusals                                           |
//! | `import.rs`     | items that come from a file, by the same rules                 |
//! | `fuzzing.rs`    | entries for the fuzzer                                         |

mod answer;
mod api_keys;
mod app_ids;
mod body;
mod changes;
mod consumers;
mod counters;
mod descriptor;
mod draft;
mod fields;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gateways;
mod groups;
mod identities;
mod import;
mod json_body;
mod jwts;
mod middleware;
mod named;
mod owned;
mod query;
mod sessions;
mod status;
mod subjects;
mod table;
mod text;
mod ui;
mod usage;

pub(crate) use answer::Refusal;
pub(crate) use descriptor::Rules;
pub(crate) use import::{Item, Outcome, What, import};
pub(crate) use jwts::secret_of;
pub(crate) use middleware::Middleware;
pub use table::ROUTES;
pub(crate) use text::query;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::routing::{Router, any};
use serde_json::{Value, json};

use crate::auth::Auth;
use crate::counting::Counters;
use crate::gateways::Gateways;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::vault::Vault;

/// The state that every handler shares.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) store: Arc<Store>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) rules: Rules,
    pub(crate) vault: Arc<Vault>,
    pub(crate) gateways: Arc<Gateways>,
    pub(crate) auth: Arc<Auth>,
    /// The maximum time for a whole body to arrive.
    pub(crate) body_timeout: Duration,
}

/// The routes that a gateway may read. All others need the admin's token.
const GATEWAY_READS: [&str; 12] = [
    "/changes",
    "/gateways",
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

/// The routes that a gateway may write.
const GATEWAY_WRITES: [&str; 3] = ["/sessions/{id}", "/revocations/{id}", "/counters"];

/// Routes of other admin APIs for what Gatehouse configures in the gateway's own files.
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

/// Returns the routes of the API and, with `ui`, of the page for operators. Requests come through
/// [`Middleware`].
pub(crate) fn router(app: App, ui: bool) -> Router {
    let mut router = api_routes();
    if ui {
        router = router.merge(ui::routes());
    }
    for path in ELSEWHERE {
        router = router.route(path, any(async || Refusal::Elsewhere));
    }
    router
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .route_layer(axum::middleware::from_fn(middleware::authorise))
        .fallback(async |_: Request| Refusal::NotFound(None))
        .with_state(app)
}

/// Returns the routes of the API itself. [`ROUTES`] is their table.
fn api_routes() -> Router<App> {
    Router::new()
        .merge(consumers::routes())
        .merge(app_ids::routes())
        .merge(groups::routes())
        .merge(api_keys::routes())
        .merge(jwts::routes())
        .merge(changes::routes())
        .merge(identities::routes())
        .merge(sessions::routes())
        .merge(subjects::routes())
        .merge(counters::routes())
        .merge(usage::routes())
        .merge(gateways::routes())
        .merge(status::routes())
}

/// A page in the form of Kong's Admin API. `next` is the address and the offset of the next page,
/// if there is one.
fn page(data: Vec<Value>, next: Option<(String, String)>) -> Value {
    match next {
        Some((next, offset)) => json!({ "data": data, "next": next, "offset": offset }),
        None => json!({ "data": data, "next": null }),
    }
}

/// Parses JSON that was stored as text. Returns `null` without a text.
fn stored_json(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}
