//! `/sessions/{id}` and `/revocations/{id}`: storage for the session filter of the gateways.
//!
//! An id must be a digest. The service must not see the name of a session, because whoever knows
//! the name can use the session.

use admin_api::{
    METADATA_MAX, METADATA_MAX_CHARS, Metadata, NewSession, Revocation, Session, Stale, TTL_MAX,
    Ttl, is_digest, is_metadata,
};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{Router, get};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::App;
use super::answer::{Answer, Refusal, found, json, no_content};
use super::fields::check_digest;
use super::json_body::JsonBody;
use crate::store::{self, now};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/sessions/{id}", get(read).put(keep).patch(shorten).delete(end))
        .route("/revocations/{id}", get(revocation).put(revoke))
}

async fn read(State(app): State<App>, Path(id): Path<String>) -> Answer {
    check_digest("id", &id)?;
    let (mut tx, now) = (app.store.read().await?, now());
    let session = found(tx.session(&id, now).await?, &tx)?;
    Ok(answer(session, now, tx.seq()))
}

async fn keep(
    State(app): State<App>,
    Path(id): Path<String>,
    JsonBody(new): JsonBody<NewSession>,
) -> Answer {
    check_digest("id", &id)?;
    let NewSession { data, ttl, stale, metadata } = new;
    check_ttl("ttl", ttl)?;
    check_data(&data, app.rules.session_data_max)?;
    if let Some(Stale { id: older, ttl }) = &stale {
        if !is_digest(older) || *older == id {
            return Err(Refusal::field("stale.id", "expected the id of another session"));
        }
        // With 0, the older session ends at once.
        if *ttl > 0 {
            check_ttl("stale.ttl", *ttl)?;
        }
    }
    check_metadata(&metadata)?;
    app.store
        .write(async |tx| {
            let now = now();
            let session = store::Session { data, expires_at: end_of(ttl, now) };
            tx.put_session(&id, &session, &metadata, now).await?;
            if let Some(Stale { id, ttl }) = stale {
                tx.shorten_session(&id, end_of(ttl, now), now).await?;
            }
            Ok(answer(session, now, tx.seq()))
        })
        .await
}

async fn shorten(
    State(app): State<App>,
    Path(id): Path<String>,
    JsonBody(Ttl { ttl }): JsonBody<Ttl>,
) -> Answer {
    check_digest("id", &id)?;
    check_ttl("ttl", ttl)?;
    app.store
        .write(async |tx| {
            let now = now();
            let session = found(tx.shorten_session(&id, end_of(ttl, now), now).await?, tx)?;
            Ok(answer(session, now, tx.seq()))
        })
        .await
}

async fn end(State(app): State<App>, Path(id): Path<String>) -> Answer {
    check_digest("id", &id)?;
    app.store.write(async |tx| tx.delete_session(&id).await).await?;
    Ok(no_content())
}

async fn revocation(State(app): State<App>, Path(id): Path<String>) -> Answer {
    check_digest("id", &id)?;
    let (mut tx, now) = (app.store.read().await?, now());
    let expires_at = found(tx.revocation(&id, now).await?, &tx)?;
    Ok(revoked(expires_at, now, tx.seq()))
}

async fn revoke(
    State(app): State<App>,
    Path(id): Path<String>,
    JsonBody(Ttl { ttl }): JsonBody<Ttl>,
) -> Answer {
    check_digest("id", &id)?;
    check_ttl("ttl", ttl)?;
    app.store
        .write(async |tx| {
            let now = now();
            let expires_at = tx.revoke(&id, end_of(ttl, now), now).await?;
            Ok(revoked(expires_at, now, tx.seq()))
        })
        .await
}

fn answer(
    store::Session { data, expires_at }: store::Session,
    now: i64,
    seq: u64,
) -> axum::response::Response {
    json(StatusCode::OK, &Session { data, ttl: left(expires_at, now), seq: Some(seq) })
}

fn revoked(expires_at: i64, now: i64, seq: u64) -> axum::response::Response {
    json(StatusCode::OK, &Revocation { ttl: left(expires_at, now), seq: Some(seq) })
}

/// Refuses a time to live outside 1 to [`TTL_MAX`] seconds.
fn check_ttl(name: &str, ttl: u64) -> Result<(), Refusal> {
    if (1..=TTL_MAX).contains(&ttl) {
        Ok(())
    } else {
        Err(Refusal::field(name, format!("expected seconds between 1 and {TTL_MAX}")))
    }
}

/// Refuses data that is not base64 of 1 to `max` bytes.
fn check_data(data: &str, max: usize) -> Result<(), Refusal> {
    match STANDARD.decode(data) {
        Ok(bytes) if (1..=max).contains(&bytes.len()) => Ok(()),
        Ok(_) => Err(Refusal::field("data", format!("expected 1 to {max} octets"))),
        Err(_) => Err(Refusal::field("data", "expected base64 with its padding")),
    }
}

/// Refuses metadata beyond the limits of the API.
fn check_metadata(metadata: &[Metadata]) -> Result<(), Refusal> {
    if metadata.len() > METADATA_MAX {
        return Err(Refusal::field("metadata", format!("expected at most {METADATA_MAX} entries")));
    }
    for (n, Metadata { audience, subject }) in metadata.iter().enumerate() {
        for (name, text) in [("audience", audience), ("subject", subject)] {
            if !is_metadata(text) {
                let problem = format!("expected 1 to {METADATA_MAX_CHARS} characters without NUL");
                return Err(Refusal::field(&format!("metadata[{n}].{name}"), problem));
            }
        }
    }
    Ok(())
}

/// Returns the time that is `ttl` seconds after `now`. Both times are milliseconds since 1970.
fn end_of(ttl: u64, now: i64) -> i64 {
    now.saturating_add_unsigned(ttl.saturating_mul(1000))
}

/// Returns the seconds from `now` to `expires_at`, rounded up, so that an item that has not expired
/// has at least 1. Both times are milliseconds since 1970.
pub(super) fn left(expires_at: i64, now: i64) -> u64 {
    u64::try_from(expires_at.saturating_sub(now)).unwrap_or(0).div_ceil(1000)
}
