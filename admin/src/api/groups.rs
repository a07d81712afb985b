//! Groups of consumers: `/consumers/{c}/acls` and `/acls`, in Kong's shape.

use admin_api::GROUP_MAX_CHARS;
use axum::routing::{Router, put};
use serde_json::{Value, json};

use super::App;
use super::descriptor::{Descriptor, Rules};
use super::fields::{Fields, Given};
use super::named::{Named, put_in_collection};
use super::owned;
use super::query::Query;
use crate::store::{Filter, Kind, Owned};

pub(super) struct Groups;

pub(super) fn routes() -> Router<App> {
    owned::routes::<Groups>().route(Groups::UNDER_CONSUMER, put(put_in_collection::<Groups>))
}

impl Descriptor for Groups {
    const UNDER_CONSUMER: &'static str = "/consumers/{consumer}/acls";
    const COLLECTION: &'static str = "/acls";
    const NAME: &'static str = "group";
    const NAME_MAX: usize = GROUP_MAX_CHARS;

    type More = Given<i64>;

    fn more(_: &mut Fields) -> Given<i64> {
        Given::Absent
    }

    fn flaw(_: Rules, name: &str) -> Option<&'static str> {
        // One header lists all groups of a consumer, separated by commas.
        name.contains(',').then_some("must not contain a comma")
    }
}

impl Named for Groups {
    const KIND: Kind = Kind::Acl;

    fn select(query: &mut Query) -> Filter {
        Filter { value: query.text("group"), ..Filter::default() }
    }

    fn object(item: &Owned, _now: i64, _name: Option<&str>) -> Value {
        json!({
            "id": item.id,
            "consumer": { "id": item.consumer_id },
            "group": item.value,
            "tags": super::stored_json(item.tags.as_deref()),
            "created_at": item.created_at,
        })
    }
}
