//! API keys: `/consumers/{c}/key-auth` and `/key-auths`, in Kong's shape.
//!
//! The service stores only the SHA-256 digest of a key. The key in clear appears only in the answer
//! to the request that sets it.

use admin_api::KEY_MAX_CHARS;
use axum::routing::Router;
use serde_json::{Value, json};

use super::App;
use super::answer::Refusal;
use super::descriptor::Descriptor;
use super::draft::random_key;
use super::fields::{Fields, Given};
use super::named::Named;
use super::owned;
use super::sessions::left;
use crate::store::{Kind, Owned};

pub(super) struct ApiKeys;

/// The maximum time to live, in seconds, as in Kong.
const TTL_MAX: i64 = 100_000_000;

pub(super) fn routes() -> Router<App> {
    owned::routes::<ApiKeys>()
}

impl Descriptor for ApiKeys {
    const UNDER_CONSUMER: &'static str = "/consumers/{consumer}/key-auth";
    const COLLECTION: &'static str = "/key-auths";
    const NAME: &'static str = "key";
    const NAME_MAX: usize = KEY_MAX_CHARS;

    type More = Given<i64>;

    fn more(fields: &mut Fields) -> Given<i64> {
        fields.read_only("key_digest");
        fields.integer("ttl", 0..=TTL_MAX)
    }

    fn default_name() -> Result<String, Refusal> {
        random_key()
    }
}

impl Named for ApiKeys {
    const KIND: Kind = Kind::Key;
    const IS_SECRET: bool = true;

    fn object(item: &Owned, now: i64, name: Option<&str>) -> Value {
        let mut object = json!({
            "id": item.id,
            "consumer": { "id": item.consumer_id },
            "key_digest": item.value,
            "ttl": item.expires_at.map(|end| left(end, now)),
            "tags": super::stored_json(item.tags.as_deref()),
            "created_at": item.created_at,
        });
        if let (Some(key), Some(members)) = (name, object.as_object_mut()) {
            members.insert("key".to_owned(), Value::String(key.to_owned()));
        }
        object
    }
}
