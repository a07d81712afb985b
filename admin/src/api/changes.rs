//! `/changes`: the log of changes, by which gateways drop outdated cache entries.

use admin_api::ChangesPage;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{Router, get};

use super::App;
use super::answer::{Answer, json};
use super::gateways::Sender;
use super::query::Query;
use crate::store::Fetched;

/// The number of changes in an answer, unless the query gives another.
const LIMIT_DEFAULT: i64 = 1000;
/// The maximum number of changes in an answer.
const LIMIT_MAX: i64 = 10_000;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/changes", get(list))
}

async fn list(State(app): State<App>, sender: Sender, mut query: Query) -> Answer {
    let since = query.integer("since", 0, i64::MAX);
    let limit = query.integer("limit", 1, LIMIT_MAX).unwrap_or(LIMIT_DEFAULT);
    let epoch = query.text("epoch");
    query.finish()?;

    let (mut tx, head) = app.store.head().await?;
    // With another epoch, a gateway knows of no change of this database.
    sender.knows(&app, since.filter(|_| epoch.as_ref().is_none_or(|epoch| *epoch == head.epoch)));
    let fetched = match since {
        None => Fetched::Changes(vec![]),
        Some(_) if epoch.is_some_and(|epoch| epoch != head.epoch) => Fetched::Reset,
        Some(since) => tx.changes(since, limit).await?,
    };
    let (data, reset) = match fetched {
        Fetched::Changes(data) => (data, false),
        Fetched::Reset => (vec![], true),
    };
    let end = head.seq.unsigned_abs();
    let next = data.last().map_or(end, |last| last.seq);
    let page = ChangesPage { data, next, epoch: head.epoch, reset, seq: Some(end) };
    Ok(json(StatusCode::OK, &page))
}
