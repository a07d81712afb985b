//! `/counters`: counters that several gateways share.

use admin_api::{
    BATCH_ID_MAX, BATCH_MAX, COUNTER_KEY_MAX, INCREMENT_MAX, Increment, Increments, Previous,
    SHARE_WHOLE, Totals, WINDOW_MAX,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{Router, post};

use super::App;
use super::answer::{Answer, Refusal, json};
use super::json_body::JsonBody;
use crate::counting::{Batch, Entry};
use crate::store::now;

/// The maximum time that a gateway's clock may be ahead, in seconds.
const AHEAD: u64 = 3600;

/// The time that a counter outlives its window, in seconds: clocks differ, and batches come late.
const GRACE: u64 = 60;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/counters", post(count))
}

async fn count(State(app): State<App>, JsonBody(increments): JsonBody<Increments>) -> Answer {
    let now = now();
    let batch = check(increments, now.unsigned_abs() / 1000)?;
    match app.counters.count(&app.store, &batch, now).await {
        Ok(totals) => {
            app.metrics.counted(&totals);
            Ok(json(StatusCode::OK, &Totals { totals }))
        }
        Err(failure) => Err(Refusal::Counters(failure)),
    }
}

/// Checks a batch. `now` is in seconds since 1970.
fn check(increments: Increments, now: u64) -> Result<Batch, Refusal> {
    let Increments { increments, all_or_nothing, id } = increments;
    if !(1..=BATCH_MAX).contains(&increments.len()) {
        return Err(Refusal::field("increments", format!("expected 1 to {BATCH_MAX}")));
    }
    if id.as_ref().is_some_and(|id| !is_plain_text(id, BATCH_ID_MAX)) {
        return Err(Refusal::field("id", text_expected(BATCH_ID_MAX)));
    }
    let entries = increments.into_iter().enumerate().map(|(n, increment)| {
        entry(increment, now).map_err(|(field, problem)| {
            Refusal::field(&format!("increments[{n}].{field}"), problem)
        })
    });
    Ok(Batch { entries: entries.collect::<Result<_, _>>()?, all_or_nothing, id })
}

/// Checks one increment. The error names a member and the problem.
fn entry(increment: Increment, now: u64) -> Result<Entry, (&'static str, String)> {
    let Increment { key, window_start, window, by, limit, previous } = increment;
    if !is_plain_text(&key, COUNTER_KEY_MAX) {
        return Err(("key", text_expected(COUNTER_KEY_MAX)));
    }
    if window_start > now.saturating_add(AHEAD) {
        return Err(("window_start", "lies in the future".into()));
    }
    check_range(window, 1, WINDOW_MAX).map_err(|problem| ("window", problem))?;
    check_range(by, 0, INCREMENT_MAX).map_err(|problem| ("by", problem))?;
    let end = window_start.saturating_add(window).max(now);
    // With a sliding window, the next window still reads the counter of this one.
    let kept = if previous.is_some() { window } else { 0 };
    let seconds = end.saturating_add(kept).saturating_add(GRACE);
    let expires_at = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
    let previous = previous.map(|Previous { window_start, window, share }| {
        check_range(window, 1, WINDOW_MAX).map_err(|problem| ("previous.window", problem))?;
        check_range(share, 0, SHARE_WHOLE).map_err(|problem| ("previous.share", problem))?;
        Ok((counter_name(&key, window_start, window), share))
    });
    let previous = previous.transpose()?;
    Ok(Entry { counter: counter_name(&key, window_start, window), by, limit, previous, expires_at })
}

/// The name under which a counter is stored.
pub(super) fn counter_name(key: &str, window_start: u64, window: u64) -> String {
    format!("{window}:{window_start}:{key}")
}

/// `true` if `text` has 1 to `max` bytes and no control characters.
fn is_plain_text(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn text_expected(max: usize) -> String {
    format!("expected 1 to {max} octets of text without control characters")
}

fn check_range(number: u64, least: u64, most: u64) -> Result<(), String> {
    if (least..=most).contains(&number) {
        Ok(())
    } else {
        Err(format!("expected a number between {least} and {most}"))
    }
}
