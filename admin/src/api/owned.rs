//! App IDs, groups and API keys: what belongs to a consumer, under it and on its own.
//!
//! | kind    | under a consumer                | on its own   | names itself by |
//! |---------|---------------------------------|--------------|-----------------|
//! | App ID  | `/consumers/{c}/appids[/{x}]`   | `/appids`    | the App ID      |
//! | group   | `/consumers/{c}/acls[/{x}]`     | `/acls`      | the group       |
//! | API key | `/consumers/{c}/key-auth[/{x}]` | `/key-auths` | the key         |
//!
//! `{x}` is an id or, under a consumer, a name.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{Router, get};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{Answer, Refusal, json, no_content};
use super::draft::{Draft, Named};
use super::fields::{self, Fields, Given};
use super::query::Query;
use super::{App, consumers};
use crate::store::{Cursor, Filter, Kind, Owned, Tx, now, stamp};

pub(super) fn routes(kind: Kind) -> Router<App> {
    let (under, alone) = match kind {
        Kind::AppId => ("/consumers/{consumer}/appids", "/appids"),
        Kind::Acl => ("/consumers/{consumer}/acls", "/acls"),
        Kind::Key => ("/consumers/{consumer}/key-auth", "/key-auths"),
    };
    let mut collection =
        get(async move |app, Path(c): Path<String>, query| list(kind, app, Some(c), query).await)
            .post(async move |app, Path(c): Path<String>, fields| {
                create(kind, app, Some(c), fields).await
            });
    // Kong's old acl plugin, on which the App ID document is modelled, had PUT here; a key has no
    // name in a collection that could be put twice.
    if kind != Kind::Key {
        collection = collection.put(async move |app, Path(c): Path<String>, fields| {
            replace_in(kind, app, c, fields).await
        });
    }
    Router::new()
        .route(under, collection)
        .route(
            &format!("{under}/{{item}}"),
            get(async move |app, Path((c, x)): Path<(String, String)>| {
                read(kind, app, Some(c), x).await
            })
            .patch(async move |app, Path((c, x)): Path<(String, String)>, fields| {
                amend(kind, app, Some(c), x, fields).await
            })
            .put(async move |app, Path((c, x)): Path<(String, String)>, fields| {
                replace(kind, app, Some(c), x, fields).await
            })
            .delete(async move |app, Path((c, x)): Path<(String, String)>| {
                remove(kind, app, Some(c), x).await
            }),
        )
        .route(
            alone,
            get(async move |app, query| list(kind, app, None, query).await)
                .post(async move |app, fields| create(kind, app, None, fields).await),
        )
        .route(
            &format!("{alone}/{{item}}"),
            get(async move |app, Path(x): Path<String>| read(kind, app, None, x).await)
                .patch(async move |app, Path(x): Path<String>, fields| {
                    amend(kind, app, None, x, fields).await
                })
                .put(async move |app, Path(x): Path<String>, fields| {
                    replace(kind, app, None, x, fields).await
                })
                .delete(async move |app, Path(x): Path<String>| remove(kind, app, None, x).await),
        )
        .route(
            &format!("{alone}/{{item}}/consumer"),
            get(async move |app, Path(x): Path<String>| owner(kind, app, x).await),
        )
}

async fn list(
    kind: Kind,
    State(app): State<App>,
    consumer: Option<String>,
    mut query: Query,
) -> Answer {
    let mut filter = Filter::default();
    match kind {
        Kind::AppId => {
            filter.id = query.uuid("id");
            filter.consumer_id = query.uuid("consumer_id");
            // The document's table of filters says `app_id`, its objects `appid`.
            let names = [query.text("appid"), query.text("app_id")];
            filter.value = match names {
                [Some(one), Some(other)] if one != other => {
                    query.problem("app_id", "differs from appid");
                    None
                }
                [one, other] => one.or(other),
            };
        }
        Kind::Acl => filter.value = query.text("group"),
        Kind::Key => {}
    }
    let window = query.window()?;
    let mut tx = app.store.read().await?;
    if let Some(name) = consumer {
        let id = consumers::find(&mut tx, &name).await?.id;
        if filter.consumer_id.as_ref().is_some_and(|asked| *asked != id) {
            // Asked for what belongs to two consumers at once: no id is empty.
            filter.consumer_id = Some(String::new());
        } else {
            filter.consumer_id = Some(id);
        }
    }
    let now = now();
    let mut page = tx.list_owned(kind, &filter, now, &window.after, window.probe()).await?;
    let next = window.cut(&mut page, |it| Cursor { created_at: it.created_at, id: it.id.clone() });
    if kind == Kind::AppId {
        let (next, offset) = next.unzip();
        let total = tx.count(kind, &filter, now).await?.unsigned_abs();
        let data = page.into_iter().map(app_id).collect();
        let seq = Some(tx.seq());
        return Ok(json(StatusCode::OK, &admin_api::AppIdPage { data, total, next, offset, seq }));
    }
    let data = page.iter().map(|it| shown(kind, it, now, None)).collect();
    Ok(json(StatusCode::OK, &super::page(data, next)))
}

async fn create(
    kind: Kind,
    State(app): State<App>,
    consumer: Option<String>,
    fields: Fields,
) -> Answer {
    let draft = Draft::take(kind, app.rules, fields)?;
    let mut tx = app.store.write().await?;
    let consumer_id = owner_of(&mut tx, consumer.as_deref(), &draft).await?;
    insert(kind, tx, consumer_id, draft).await
}

/// `PUT` on a collection: the thing that is named is there afterwards, whether it was or not.
async fn replace_in(
    kind: Kind,
    State(app): State<App>,
    consumer: String,
    fields: Fields,
) -> Answer {
    let draft = Draft::take(kind, app.rules, fields)?;
    let mut tx = app.store.write().await?;
    let consumer_id = owner_of(&mut tx, Some(&consumer), &draft).await?;
    let mut filter = Filter { consumer_id: Some(consumer_id.clone()), ..Filter::default() };
    match (&draft.id, &draft.value) {
        (Given::Value(id), _) => filter.id = Some(id.clone()),
        (_, Given::Value(named)) => filter.value = Some(named.stored.clone()),
        _ => return Err(draft.value_missing(kind)),
    }
    match tx.find_owned(kind, &filter, now()).await? {
        Some(old) => store(kind, tx, old, draft, true).await,
        None => insert(kind, tx, consumer_id, draft).await,
    }
}

async fn read(
    kind: Kind,
    State(app): State<App>,
    consumer: Option<String>,
    item: String,
) -> Answer {
    let mut tx = app.store.read().await?;
    let found = find(kind, &mut tx, consumer.as_deref(), &item).await?;
    Ok(json(StatusCode::OK, &shown(kind, &found, now(), None)))
}

async fn amend(
    kind: Kind,
    State(app): State<App>,
    consumer: Option<String>,
    item: String,
    fields: Fields,
) -> Answer {
    if fields.is_empty() {
        return Err(Refusal::Malformed("empty body".into()));
    }
    let draft = Draft::take(kind, app.rules, fields)?;
    let mut tx = app.store.write().await?;
    let old = find(kind, &mut tx, consumer.as_deref(), &item).await?;
    store(kind, tx, old, draft, false).await
}

async fn replace(
    kind: Kind,
    State(app): State<App>,
    consumer: Option<String>,
    item: String,
    fields: Fields,
) -> Answer {
    let mut draft = Draft::take(kind, app.rules, fields)?;
    let mut tx = app.store.write().await?;
    match find(kind, &mut tx, consumer.as_deref(), &item).await {
        Ok(old) => return store(kind, tx, old, draft, true).await,
        Err(Refusal::NotFound(_)) => {}
        Err(other) => return Err(other),
    }
    draft.name_by_path(kind, app.rules, &item)?;
    let consumer_id = owner_of(&mut tx, consumer.as_deref(), &draft).await?;
    insert(kind, tx, consumer_id, draft).await
}

async fn remove(
    kind: Kind,
    State(app): State<App>,
    consumer: Option<String>,
    item: String,
) -> Answer {
    let mut tx = app.store.write().await?;
    let old = find(kind, &mut tx, consumer.as_deref(), &item).await?;
    tx.delete(kind, &old).await?;
    tx.commit().await?;
    Ok(no_content())
}

/// The consumer that something belongs to.
async fn owner(kind: Kind, State(app): State<App>, item: String) -> Answer {
    let mut tx = app.store.read().await?;
    let found = find(kind, &mut tx, None, &item).await?;
    let consumer = consumers::find(&mut tx, &found.consumer_id).await?;
    Ok(json(StatusCode::OK, &consumers::shown(&consumer)))
}

/// By id, then under a consumer by name; another consumer's is not found.
async fn find(
    kind: Kind,
    tx: &mut Tx,
    consumer: Option<&str>,
    item: &str,
) -> Result<Owned, Refusal> {
    let consumer_id = match consumer {
        Some(name) => Some(consumers::find(tx, name).await?.id),
        None => None,
    };
    let id = fields::uuid(item);
    // Only an API key says by its name alone which one it is.
    if id.is_none() && consumer.is_none() && kind != Kind::Key {
        return Err(Refusal::field("id", "expected a valid UUID"));
    }
    let now = now();
    if id.is_some() {
        let filter = Filter { id, consumer_id: consumer_id.clone(), value: None };
        if let Some(found) = tx.find_owned(kind, &filter, now).await? {
            return Ok(found);
        }
    }
    if consumer_id.is_some() || kind == Kind::Key {
        let value = Some(Named::of(kind, item.to_owned()).stored);
        let filter = Filter { id: None, consumer_id, value };
        if let Some(found) = tx.find_owned(kind, &filter, now).await? {
            return Ok(found);
        }
    }
    Err(Refusal::NotFound(Some(tx.seq())))
}

/// The consumer of something new: from the path, from the body, or both if they agree.
async fn owner_of(tx: &mut Tx, path: Option<&str>, draft: &Draft) -> Result<String, Refusal> {
    let from_path = match path {
        Some(name) => Some(consumers::find(tx, name).await?.id),
        None => None,
    };
    match (from_path, &draft.consumer_id) {
        (Some(id), Given::Value(other)) if id != *other => {
            Err(Refusal::field(draft.consumer_field, "is not the consumer of the path"))
        }
        (Some(id), _) => Ok(id),
        (None, Given::Value(id)) => known(tx, id, draft.consumer_field).await,
        (None, _) => Err(Refusal::field(draft.consumer_field, "required field missing")),
    }
}

async fn known(tx: &mut Tx, id: &str, field: &'static str) -> Result<String, Refusal> {
    match tx.consumer_by("id", id).await? {
        Some(consumer) => Ok(consumer.id),
        None => Err(Refusal::field(field, "does not reference an existing consumer")),
    }
}

async fn insert(kind: Kind, mut tx: Tx, consumer_id: String, draft: Draft) -> Answer {
    let now = stamp();
    let named = match draft.value {
        Given::Value(named) => named,
        Given::Absent | Given::Null if kind == Kind::Key => Named::random_key()?,
        Given::Absent | Given::Null => return Err(draft.value_missing(kind)),
    };
    let Named { stored, shown: text } = named;
    let new = Owned {
        id: match draft.id {
            Given::Value(id) => id,
            Given::Absent | Given::Null => Uuid::new_v4().to_string(),
        },
        consumer_id,
        value: stored,
        tags: draft.tags.value(),
        created_at: now,
        expires_at: draft.ttl.value().and_then(|ttl| expiry(now, ttl)),
    };
    check(kind, &mut tx, &new, true, now, &text).await?;
    tx.insert(kind, &new).await?;
    tx.commit().await?;
    Ok(json(StatusCode::CREATED, &shown(kind, &new, now, Some(&text))))
}

/// Changes what the draft names; with `whole`, what it does not name is as in something new.
async fn store(kind: Kind, mut tx: Tx, old: Owned, draft: Draft, whole: bool) -> Answer {
    let now = now();
    let mut new = old.clone();
    let mut key = None;
    if matches!(&draft.id, Given::Value(id) if *id != old.id) {
        return Err(Refusal::field("id", "cannot be changed"));
    }
    match draft.value {
        Given::Value(Named { stored, shown }) => {
            new.value = stored;
            key = Some(shown);
        }
        // A key that is not named stays: it could not be told again.
        Given::Absent => {}
        Given::Null => return Err(draft.value_missing(kind)),
    }
    if let Given::Value(id) = &draft.consumer_id {
        new.consumer_id = known(&mut tx, id, draft.consumer_field).await?;
    }
    if whole || draft.tags != Given::Absent {
        new.tags = draft.tags.value();
    }
    if whole || draft.ttl != Given::Absent {
        new.expires_at = draft.ttl.value().and_then(|ttl| expiry(now, ttl));
    }
    check(kind, &mut tx, &new, false, now, key.as_deref().unwrap_or_default()).await?;
    tx.update(kind, &old, &new).await?;
    tx.commit().await?;
    Ok(json(StatusCode::OK, &shown(kind, &new, now, key.as_deref())))
}

/// An id and a name may exist once. What has expired makes room.
async fn check(
    kind: Kind,
    tx: &mut Tx,
    new: &Owned,
    is_new: bool,
    now: i64,
    text: &str,
) -> Result<(), Refusal> {
    let consumer_id = (kind != Kind::Key).then(|| new.consumer_id.clone());
    let by_id = Filter { id: Some(new.id.clone()), ..Filter::default() };
    let by_name = Filter { consumer_id, value: Some(new.value.clone()), id: None };
    for (field, filter) in [("id", by_id), (field(kind), by_name)] {
        let Some(other) = tx.find_owned(kind, &filter, i64::MIN).await? else { continue };
        if !is_new && other.id == new.id {
            continue;
        }
        if other.expires_at.is_some_and(|end| end <= now) {
            tx.delete(kind, &other).await?;
            continue;
        }
        let value = match (field, kind) {
            ("id", _) => Some(new.id.clone()),
            (_, Kind::Key) => None,
            (_, Kind::Acl | Kind::AppId) => Some(text.to_owned()),
        };
        return Err(Refusal::Taken { field, value });
    }
    Ok(())
}

/// The member that holds the name.
pub(super) const fn field(kind: Kind) -> &'static str {
    match kind {
        Kind::Acl => "group",
        Kind::AppId => "appid",
        Kind::Key => "key",
    }
}

/// Kong's `ttl`: seconds to live, 0 for ever.
const fn expiry(now: i64, ttl: i64) -> Option<i64> {
    if ttl == 0 { None } else { Some(now.saturating_add(ttl.saturating_mul(1000))) }
}

fn app_id(it: Owned) -> admin_api::AppId {
    let created_at = it.created_at.unsigned_abs();
    admin_api::AppId { id: it.id, appid: it.value, consumer_id: it.consumer_id, created_at }
}

/// As the requirement document (App IDs) and Kong (the others) print it. The key itself appears only
/// in the answer to the call that set it.
fn shown(kind: Kind, it: &Owned, now: i64, key: Option<&str>) -> Value {
    let tags = super::stored_json(it.tags.as_deref());
    match kind {
        Kind::AppId => json!(app_id(it.clone())),
        Kind::Acl => json!({
            "id": it.id,
            "consumer": { "id": it.consumer_id },
            "group": it.value,
            "tags": tags,
            "created_at": it.created_at,
        }),
        Kind::Key => {
            let left = it.expires_at.map(|end| end.saturating_sub(now).max(0));
            let mut object = json!({
                "id": it.id,
                "consumer": { "id": it.consumer_id },
                "key_digest": it.value,
                "ttl": left.map(|left| left.saturating_add(999).saturating_div(1000)),
                "tags": tags,
                "created_at": it.created_at,
            });
            if let (Some(key), Some(members)) = (key, object.as_object_mut()) {
                members.insert("key".to_owned(), Value::String(key.to_owned()));
            }
            object
        }
    }
}
