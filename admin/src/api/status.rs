//! `/status` and `/metrics`: the health and the metrics of the service.

use admin_api::Entity;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{Router, get};
use serde_json::json;

use super::App;
use super::answer::{Answer, json};
use crate::auth::Role;
use crate::metrics::Gauges;
use crate::store::{Kind, now};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/status", get(status)).route("/metrics", get(metrics))
}

/// Answers 200 if the database can be reached, else 503. Without Redis, only `/counters` fails, so
/// the answer is still 200.
async fn status(State(app): State<App>, Extension(role): Extension<Role>) -> Answer {
    let engine = app.store.engine_name();
    let head = app.store.head().await.map(|(_, head)| head);
    let counters = json!({
        "reachable": app.counters.reachable(head.is_ok()).await,
        "engine": app.counters.engine_name(engine),
    });
    let mut body = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "role": match role {
            Role::Admin => "admin",
            Role::Gateway | Role::Visitor => "gateway",
        },
        "database": { "reachable": head.is_ok(), "engine": engine },
        "counters": counters,
    });
    match head {
        Ok(head) => {
            body["epoch"] = json!(head.epoch);
            body["seq"] = json!(head.seq);
            Ok(json(StatusCode::OK, &body))
        }
        Err(error) => {
            tracing::error!(error = %error, "the database failed");
            Ok(json(StatusCode::SERVICE_UNAVAILABLE, &body))
        }
    }
}

async fn metrics(State(app): State<App>) -> Answer {
    // Without the database, the metrics of the process are still useful.
    let gauges = gauges(&app).await.ok();
    let counters = app.counters.reachable(gauges.is_some()).await;
    let mut response = Response::new(Body::from(app.metrics.text(gauges.as_ref(), counters)));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

async fn gauges(app: &App) -> sqlx::Result<Gauges> {
    let (mut tx, head) = app.store.head().await?;
    let mut entities = vec![("consumers", tx.count_all(Entity::Consumers).await?)];
    for kind in Kind::ALL {
        entities.push((kind.table(), tx.count_all(kind.entity()).await?));
    }
    entities.push(("jwt_secrets", tx.count_all(Entity::JwtSecrets).await?));
    for table in ["sessions", "revocations", "counters"] {
        entities.push((table, tx.count_live(table, now()).await?));
    }
    Ok(Gauges { entities, seq: head.seq })
}
