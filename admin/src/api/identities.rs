//! `/identities`: the consumers behind credentials and names, for gateways.

use admin_api::{Credential, HolderPage, JWT, JwtIdentity};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{Router, get};

use super::answer::{Answer, found, json};
use super::query::Query;
use super::{App, consumers, fields, jwts};
use crate::store::now;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/identities/key-auth", get(all_keys))
        .route("/identities/key-auth/{digest}", get(by_key))
        .route("/identities/jwt/{key}", get(by_jwt_key))
        .route("/identities/consumers/{consumer}", get(by_name))
}

async fn all_keys(State(app): State<App>, query: Query) -> Answer {
    let window = query.window()?;
    let mut tx = app.store.read().await?;
    let mut page = tx.holders(now(), &window.after, window.probe()).await?;
    let (next, offset) = window.cut(&mut page, |(position, _)| position.clone()).unzip();
    let data = page.into_iter().map(|(_, holder)| holder).collect();
    let seq = Some(tx.seq());
    Ok(json(StatusCode::OK, &HolderPage { data, next, offset, seq }))
}

async fn by_key(State(app): State<App>, Path(digest): Path<String>) -> Answer {
    // A client that sends a key instead of its digest must learn of it, because the key is now in
    // the logs of whatever is in between. A 404 would hide the mistake.
    fields::check_digest("digest", &digest)?;
    let mut tx = app.store.read().await?;
    let identity = found(tx.key_identity(&digest, now()).await?, &tx)?;
    Ok(json(StatusCode::OK, &identity))
}

/// Answers with one secret, to a gateway that names its key exactly. No request lists secrets.
async fn by_jwt_key(State(app): State<App>, Path(key): Path<String>) -> Answer {
    let mut tx = app.store.read().await?;
    let (identity, secret) = found(tx.jwt_identity(&key).await?, &tx)?;
    let credential =
        Credential { id: secret.id.clone(), kind: JWT.to_owned(), identifier: secret.key.clone() };
    let jwt = jwts::jwt_key(&app.vault, secret)?;
    let admin_api::Identity { consumer, groups, seq, .. } = identity;
    Ok(json(StatusCode::OK, &JwtIdentity { consumer, groups, credential, jwt, seq }))
}

/// Answers with the consumer that has a name.
///
/// The parameter `by` says which name that is: id, username or custom_id. Without it, all of them
/// are tried, as in `/consumers/{consumer}`. That is for people: the username that a client claims
/// must not be looked up as a custom id.
async fn by_name(State(app): State<App>, Path(name): Path<String>, mut query: Query) -> Answer {
    let by = query.text("by");
    let column = match by.as_deref() {
        None => None,
        Some("id") => Some("id"),
        Some("username") => Some("username"),
        Some("custom_id") => Some("custom_id"),
        Some(_) => {
            query.problem("by", "expected one of: id, username, custom_id");
            None
        }
    };
    query.finish()?;
    let mut tx = app.store.read().await?;
    let consumer = match column {
        None => consumers::find(&mut tx, &name).await?,
        Some(column) => found(tx.consumer_called(column, &name).await?, &tx)?,
    };
    Ok(json(StatusCode::OK, &tx.consumer_identity(consumer).await?))
}
