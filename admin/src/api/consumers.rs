//! `/consumers`: the users of the APIs.

use admin_api::NAME_MAX_CHARS;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{Router, get};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{Answer, Refusal, found, json, no_content};
use super::fields::{self, Fields, Given};
use super::query::Query;
use super::{App, Outcome};
use crate::store::{Consumer, Cursor, NameCursor, NameKind, Tx, creation_time, now};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/consumers", get(list).post(create))
        .route("/consumers/{consumer}", get(read).patch(amend).put(replace).delete(remove))
}

/// The body of a request that creates or changes a consumer.
struct Draft {
    id: Given<String>,
    username: Given<String>,
    custom_id: Given<String>,
    tags: Given<String>,
}

impl Draft {
    fn take(mut fields: Fields) -> Result<Self, Refusal> {
        let draft = Self {
            id: fields.uuid("id"),
            username: fields.text("username", NAME_MAX_CHARS),
            custom_id: fields.text("custom_id", NAME_MAX_CHARS),
            tags: fields.tags(),
        };
        fields.finish()?;
        Ok(draft)
    }
}

async fn list(State(app): State<App>, mut query: Query) -> Answer {
    let names = [("username", query.text("username")), ("custom_id", query.text("custom_id"))];
    let named = names.iter().any(|(_, name)| name.is_some());
    if let Some((kind, prefix)) = beginning(&mut query, named) {
        return list_beginning(&app, query, kind, &prefix).await;
    }
    let window = query.window()?;
    let mut tx = app.store.read().await?;
    let mut page = if named {
        find_named(&mut tx, names).await?
    } else {
        tx.consumers(&window.after, window.probe()).await?
    };
    let next = window.cut(&mut page, |it| Cursor { created_at: it.created_at, id: it.id.clone() });
    let data: Vec<Value> = page.iter().map(shown).collect();
    Ok(json(StatusCode::OK, &super::page(data, next)))
}

/// Takes the parameter by which consumers are found by the beginning of a name, if there is one.
/// `named` is `true` if the query has a whole name already.
fn beginning(query: &mut Query, named: bool) -> Option<(NameKind, String)> {
    let [username, custom_id] = ["username_prefix", "custom_id_prefix"]
        .map(|parameter| Some((parameter, query.text(parameter)?)));
    for (parameter, prefix) in username.iter().chain(&custom_id) {
        if !(1..=NAME_MAX_CHARS).contains(&prefix.chars().count()) {
            query.problem(parameter, format!("expected 1 to {NAME_MAX_CHARS} characters"));
        } else if named || (username.is_some() && custom_id.is_some()) {
            query.problem(parameter, "stands alone: no other filter may be given");
        }
    }
    let username = username.map(|(_, prefix)| (NameKind::Username, prefix));
    username.or_else(|| custom_id.map(|(_, prefix)| (NameKind::CustomId, prefix)))
}

/// Answers with the consumers whose name begins with `prefix`, in the order of these names.
async fn list_beginning(app: &App, query: Query, kind: NameKind, prefix: &str) -> Answer {
    let window = query.window_by::<NameCursor>()?;
    let mut tx = app.store.read().await?;
    let mut page =
        tx.consumers_beginning(kind, prefix, window.after.clone(), window.probe()).await?;
    let next = window.cut(&mut page, |it| kind.position(it));
    let data: Vec<Value> = page.iter().map(shown).collect();
    Ok(json(StatusCode::OK, &super::page(data, next)))
}

/// Returns the one consumer that has all these names, or nothing.
async fn find_named(
    tx: &mut Tx,
    names: [(&'static str, Option<String>); 2],
) -> Result<Vec<Consumer>, Refusal> {
    let mut found: Option<Consumer> = None;
    for (column, name) in names {
        let Some(name) = name else { continue };
        let Some(next) = tx.consumer_by(column, &name).await? else { return Ok(vec![]) };
        if found.as_ref().is_some_and(|found| found.id != next.id) {
            return Ok(vec![]);
        }
        found = Some(next);
    }
    Ok(found.into_iter().collect())
}

async fn create(State(app): State<App>, fields: Fields) -> Answer {
    let draft = Draft::take(fields)?;
    app.store.write(async |tx| insert(tx, &new_consumer(draft)).await).await
}

async fn read(State(app): State<App>, Path(name): Path<String>) -> Answer {
    let mut tx = app.store.read().await?;
    let found = find(&mut tx, &name).await?;
    Ok(json(StatusCode::OK, &shown(&found)))
}

async fn amend(State(app): State<App>, Path(name): Path<String>, fields: Fields) -> Answer {
    let draft = Draft::take(fields.not_empty()?)?;
    app.store
        .write(async |tx| {
            let old = find(tx, &name).await?;
            draft.id.must_stay(&old.id)?;
            let new = old.clone();
            let new = Consumer {
                username: draft.username.over(new.username, false),
                custom_id: draft.custom_id.over(new.custom_id, false),
                tags: draft.tags.over(new.tags, false),
                updated_at: now(),
                ..new
            };
            store(tx, &old, &new).await
        })
        .await
}

async fn replace(State(app): State<App>, Path(name): Path<String>, fields: Fields) -> Answer {
    let draft = Draft::take(fields)?;
    app.store.write(async |tx| put(tx, name, draft).await).await
}

/// Replaces the consumer that has this id or name, or creates it.
async fn put(tx: &mut Tx, name: String, mut draft: Draft) -> Answer {
    if let Some(old) = tx.consumer(&name).await? {
        // `PUT /consumers/ana` renames ana if the body has another username, and else keeps it.
        if draft.username == Given::Absent && old.username.as_ref() == Some(&name) {
            draft.username = Given::Value(name);
        }
        draft.id.must_stay(&old.id)?;
        let new =
            Consumer { id: old.id.clone(), created_at: old.created_at, ..new_consumer(draft) };
        return store(tx, &old, &new).await;
    }
    // The name in the path goes through the same checks as one in the body.
    let mut from_path = Fields::default();
    let target = match fields::uuid(&name) {
        Some(id) => {
            from_path.add("id", Value::String(id));
            &mut draft.id
        }
        None => {
            from_path.add("username", Value::String(name));
            &mut draft.username
        }
    };
    let named = Draft::take(from_path)?;
    let named = if named.id == Given::Absent { named.username } else { named.id };
    if !matches!(target, Given::Absent) && *target != named {
        return Err(Refusal::Malformed("the path and the body name different consumers".into()));
    }
    *target = named;
    insert(tx, &new_consumer(draft)).await
}

async fn remove(State(app): State<App>, Path(name): Path<String>) -> Answer {
    app.store
        .write(async |tx| {
            let old = find(tx, &name).await?;
            tx.delete_consumer(&old).await?;
            Ok(no_content())
        })
        .await
}

/// Stores a consumer from a file, unless it is stored already. One with the same id, or else with
/// the same username or custom id, gets the names and tags that the file gives it.
pub(super) async fn import(tx: &mut Tx, mut fields: Fields) -> Result<Outcome, Refusal> {
    fields.read_only("type");
    let draft = Draft::take(fields)?;
    let mut old = None;
    for (column, given) in
        [("id", &draft.id), ("username", &draft.username), ("custom_id", &draft.custom_id)]
    {
        if let (None, Given::Value(name)) = (&old, given) {
            old = tx.consumer_by(column, name).await?;
        }
    }
    let Some(old) = old else {
        let new = new_consumer(draft);
        if new.username.is_none() && new.custom_id.is_none() {
            check(tx, None, &new).await?;
        }
        tx.insert_consumer(&new).await?;
        return Ok(Outcome::Created);
    };
    let new = Consumer {
        username: draft.username.over(old.username.clone(), false),
        custom_id: draft.custom_id.over(old.custom_id.clone(), false),
        tags: draft.tags.over(old.tags.clone(), false),
        ..old.clone()
    };
    if new == old {
        return Ok(Outcome::Unchanged);
    }
    let new = Consumer { updated_at: now(), ..new };
    check(tx, Some(&old), &new).await?;
    tx.update_consumer(&old, &new).await?;
    Ok(Outcome::Changed)
}

/// Returns the consumer that has this id or name. The error is 404.
pub(super) async fn find(tx: &mut Tx, name: &str) -> Result<Consumer, Refusal> {
    found(tx.consumer(name).await?, tx)
}

async fn insert(tx: &mut Tx, new: &Consumer) -> Answer {
    check(tx, None, new).await?;
    tx.insert_consumer(new).await?;
    Ok(json(StatusCode::CREATED, &shown(new)))
}

async fn store(tx: &mut Tx, old: &Consumer, new: &Consumer) -> Answer {
    check(tx, Some(old), new).await?;
    tx.update_consumer(old, new).await?;
    Ok(json(StatusCode::OK, &shown(new)))
}

/// Refuses a consumer without a name, or with an id or a name that another one has. `old` is `None`
/// for a new consumer.
async fn check(tx: &mut Tx, old: Option<&Consumer>, new: &Consumer) -> Result<(), Refusal> {
    if new.username.is_none() && new.custom_id.is_none() {
        let problem = "at least one of these fields must be non-empty: 'custom_id', 'username'";
        return Err(Refusal::field("@entity", problem));
    }
    let id = if old.is_none() { Some(&new.id) } else { None };
    let names =
        [("id", id), ("username", new.username.as_ref()), ("custom_id", new.custom_id.as_ref())];
    for (field, value) in names {
        let Some(value) = value else { continue };
        let other = tx.consumer_by(field, value).await?;
        if other.is_some_and(|other| old.is_none_or(|old| old.id != other.id)) {
            return Err(Refusal::Taken { field, value: Some(value.clone()) });
        }
    }
    Ok(())
}

/// A new consumer with what the draft gives. The turn of its writer has begun, so that nothing with
/// a later time of creation is stored before it.
fn new_consumer(draft: Draft) -> Consumer {
    let Draft { id, username, custom_id, tags } = draft;
    let now = creation_time();
    Consumer {
        id: id.value().unwrap_or_else(|| Uuid::new_v4().to_string()),
        username: username.value(),
        custom_id: custom_id.value(),
        tags: tags.value(),
        created_at: now,
        updated_at: now,
    }
}

/// The JSON of a consumer: as the requirement document prints it, with Kong's other members.
pub(super) fn shown(it: &Consumer) -> Value {
    json!({
        "id": it.id,
        "username": it.username,
        "custom_id": it.custom_id,
        "tags": super::stored_json(it.tags.as_deref()),
        "created_at": it.created_at,
        "updated_at": it.updated_at,
    })
}
