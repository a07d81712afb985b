//! `/gateways`: the gateways that ask this process for changes. It is for operators.

use std::net::IpAddr;

use admin_api::{NODE_HEADER, NodeCounts, NodeReport};
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{Router, get};
use serde_json::{Value, json};

use super::App;
use super::answer::{Answer, Refusal, json};
use super::query::Query;
use crate::gateways::{Gateway, Who};
use crate::store::now;

/// The address that a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The gateway that has sent a request; nothing if the sender is not one of our filters.
pub(super) struct Sender(Option<(IpAddr, Option<NodeReport>)>);

pub(super) fn routes() -> Router<App> {
    Router::new().route("/gateways", get(list))
}

async fn list(State(app): State<App>, query: Query) -> Answer {
    query.finish()?;
    let (_, head) = app.store.head().await?;
    let gateways = app.gateways.list(now());
    let data: Vec<Value> = gateways.iter().map(|(who, it)| shown(who, it, head.seq)).collect();
    Ok(json(StatusCode::OK, &json!({ "data": data, "next": null, "seq": head.seq })))
}

fn shown(who: &Who, gateway: &Gateway, newest: i64) -> Value {
    let Gateway { version, filters, since, seen_at, minutes } = gateway;
    let minutes: Vec<Value> = minutes
        .iter()
        .map(|(minute, NodeCounts { hits, stale, misses, failures })| {
            json!({
                "minute": minute, "hits": hits, "stale": stale, "misses": misses,
                "failures": failures,
            })
        })
        .collect();
    json!({
        "id": who.id.map(|id| format!("{id:016x}")),
        "address": who.peer,
        "version": version,
        "filters": filters,
        "since": since,
        // A gateway that has asked the database that was there before may be ahead.
        "behind": since.map(|since| newest.saturating_sub(since).max(0)),
        "seen_at": seen_at,
        "minutes": minutes,
    })
}

impl Sender {
    /// Notes that the sender knows all changes up to `since`.
    pub(super) fn knows(self, app: &App, since: Option<i64>) {
        if let Some((peer, report)) = self.0 {
            app.gateways.seen(peer, report, since, now());
        }
    }
}

impl FromRequestParts<App> for Sender {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<Peer>().map(|Peer(address)| *address);
        let ours = parts.headers.get("user-agent").is_some_and(|agent| agent == "gatehouse");
        // A report that cannot be read is no reason to leave a gateway without changes.
        let report = parts.headers.get(NODE_HEADER);
        let report = report.and_then(|value| NodeReport::parse(value.as_bytes()));
        Ok(Self(peer.filter(|_| ours).map(|peer| (peer, report))))
    }
}
