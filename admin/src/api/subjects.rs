//! `/sessions?subject=`: lists and ends all sessions of a subject. It is for operators.

use admin_api::{METADATA_MAX_CHARS, is_metadata};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{Router, get};
use serde_json::{Value, json};

use super::App;
use super::answer::{Answer, json, no_content};
use super::query::Query;
use super::sessions::left;
use crate::store::{Cursor, MetadataEntry, SubjectFilter, now};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/sessions", get(list).delete(end))
}

async fn list(State(app): State<App>, mut query: Query) -> Answer {
    let filter = filter_of(&mut query);
    let window = query.window()?;
    let (mut tx, now) = (app.store.read().await?, now());
    let mut page = tx.sessions_of(&filter, now, &window.after, window.probe()).await?;
    let next = window.cut(&mut page, |it| Cursor { created_at: it.created_at, id: it.id.clone() });
    let data = page.into_iter().map(|noted| shown(noted, now)).collect();
    Ok(json(StatusCode::OK, &super::page(data, next)))
}

async fn end(State(app): State<App>, mut query: Query) -> Answer {
    let filter = filter_of(&mut query);
    query.finish()?;
    app.store.write(async |tx| tx.end_sessions_of(&filter).await).await?;
    Ok(no_content())
}

/// Takes the subject and the audience from the query. A subject is needed, so that a script with an
/// empty variable ends nobody's sessions instead of everybody's.
fn filter_of(query: &mut Query) -> SubjectFilter {
    let mut named = |name| {
        let text = query.text(name);
        if text.as_deref().is_some_and(|text| !is_metadata(text)) {
            query.problem(name, format!("expected 1 to {METADATA_MAX_CHARS} characters"));
        }
        text
    };
    let (subject, audience) = (named("subject"), named("audience"));
    if subject.is_none() {
        query.problem("subject", "required field missing");
    }
    SubjectFilter { subject: subject.unwrap_or_default(), audience }
}

fn shown(
    MetadataEntry { session_id, audience, subject, expires_at, .. }: MetadataEntry,
    now: i64,
) -> Value {
    let ttl = left(expires_at, now);
    json!({ "id": session_id, "audience": audience, "subject": subject, "ttl": ttl })
}
