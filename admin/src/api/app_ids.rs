//! App IDs: `/consumers/{c}/appids` and `/appids`, in the shape of the App ID document.

use admin_api::{APP_ID_MAX_CHARS, AppIdPage, is_app_id, is_strict_app_id};
use axum::http::StatusCode;
use axum::routing::{Router, put};
use serde_json::{Value, json};

use super::App;
use super::answer::{Answer, json};
use super::descriptor::{Descriptor, Rules};
use super::fields::{Fields, Given};
use super::named::{Named, put_in_collection};
use super::owned;
use super::query::Query;
use crate::store::{Filter, Kind, Owned, Tx, now};

pub(super) struct AppIds;

pub(super) fn routes() -> Router<App> {
    owned::routes::<AppIds>().route(AppIds::UNDER_CONSUMER, put(put_in_collection::<AppIds>))
}

impl Descriptor for AppIds {
    const UNDER_CONSUMER: &'static str = "/consumers/{consumer}/appids";
    const COLLECTION: &'static str = "/appids";
    const NAME: &'static str = "appid";
    const NAME_MAX: usize = APP_ID_MAX_CHARS;
    const CONSUMER: &'static str = "consumer_id";
    const HAS_TAGS: bool = false;

    type More = Given<i64>;

    fn more(_: &mut Fields) -> Given<i64> {
        Given::Absent
    }

    fn flaw(rules: Rules, name: &str) -> Option<&'static str> {
        if !is_app_id(name) {
            Some("may consist of letters, digits, `.`, `_` and `-`")
        } else if rules.strict_app_ids && !is_strict_app_id(name) {
            Some(
                "must be <organisation>.<app>, of lower-case letters, digits and `_`, with at \
                 least one dot",
            )
        } else {
            None
        }
    }
}

impl Named for AppIds {
    const KIND: Kind = Kind::AppId;

    fn select(query: &mut Query) -> Filter {
        let (id, consumer_id) = (query.uuid("id"), query.uuid("consumer_id"));
        // The App ID document writes `app_id` in its table of filters, and `appid` in its objects.
        let value = match [query.text("appid"), query.text("app_id")] {
            [Some(one), Some(other)] if one != other => {
                query.problem("app_id", "differs from appid");
                None
            }
            [one, other] => one.or(other),
        };
        Filter { id, consumer_id, value }
    }

    fn object(item: &Owned, _now: i64, _name: Option<&str>) -> Value {
        json!(app_id(item.clone()))
    }

    async fn answer_page(
        tx: &mut Tx,
        filter: &Filter,
        items: Vec<Owned>,
        next: Option<(String, String)>,
    ) -> Answer {
        let (next, offset) = next.unzip();
        let total = tx.count(Self::KIND, filter, now()).await?.unsigned_abs();
        let data = items.into_iter().map(app_id).collect();
        let seq = Some(tx.seq());
        Ok(json(StatusCode::OK, &AppIdPage { data, total, next, offset, seq }))
    }
}

fn app_id(item: Owned) -> admin_api::AppId {
    let Owned { id, consumer_id, value: appid, created_at, .. } = item;
    admin_api::AppId { id, appid, consumer_id, created_at: created_at.unsigned_abs() }
}
