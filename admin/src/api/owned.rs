//! Things that a consumer owns: one set of routes and handlers for every kind.
//!
//! | kind           | under a consumer                | on its own   | name     | module        |
//! |----------------|---------------------------------|--------------|----------|---------------|
//! | App ID         | `/consumers/{c}/appids[/{x}]`   | `/appids`    | App ID   | `app_ids.rs`  |
//! | group          | `/consumers/{c}/acls[/{x}]`     | `/acls`      | group    | `groups.rs`   |
//! | API key        | `/consumers/{c}/key-auth[/{x}]` | `/key-auths` | API key  | `api_keys.rs` |
//! | JWT credential | `/consumers/{c}/jwt[/{x}]`      | `/jwts`      | `key`    | `jwts.rs`     |
//!
//! `{x}` is an id or a name. A kind whose names are unique only within a consumer accepts a name
//! only under a consumer.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{Router, get};
use serde::Deserialize;
use serde_json::Value;

use super::answer::{Answer, Refusal, found, json, no_content};
use super::descriptor::Descriptor;
use super::draft::Draft;
use super::fields::{Fields, Given};
use super::query::Query;
use super::{App, consumers};
use crate::store::{Cursor, Filter, Tx};

/// The storage of a kind: finding, writing and printing its items.
pub(super) trait Resource: Descriptor + Sized {
    /// An item as it is stored.
    type Item: Send;

    /// Returns the position of an item in its list.
    fn position(item: &Self::Item) -> Cursor;

    fn id(item: &Self::Item) -> &str;

    fn consumer_id(item: &Self::Item) -> &str;

    /// Takes from `query` the parameters that select items.
    fn filter(query: &mut Query) -> Filter;

    /// Returns at most `size` items after `after`, oldest first.
    fn list(
        tx: &mut Tx,
        filter: &Filter,
        after: &Cursor,
        size: i64,
    ) -> impl Future<Output = sqlx::Result<Vec<Self::Item>>> + Send;

    /// Answers with a page. `next` is the address and the offset of the next page, if there is one.
    fn page(
        tx: &mut Tx,
        filter: &Filter,
        items: Vec<Self::Item>,
        next: Option<(String, String)>,
    ) -> impl Future<Output = Answer> + Send;

    /// Finds an item by its id or its name, among those of the consumer `owner` if one is given.
    fn find(
        tx: &mut Tx,
        owner: Option<&str>,
        item: &str,
    ) -> impl Future<Output = Result<Option<Self::Item>, Refusal>> + Send;

    /// Stores a new item of the consumer `owner`, and returns its JSON.
    fn insert(
        app: &App,
        tx: &mut Tx,
        owner: String,
        draft: Draft<Self>,
    ) -> impl Future<Output = Result<Value, Refusal>> + Send;

    /// Changes `old` to what `draft` says, and returns its JSON. With `whole`, a member that the
    /// draft does not give becomes as in a new item; otherwise it stays.
    fn update(
        app: &App,
        tx: &mut Tx,
        old: Self::Item,
        draft: Draft<Self>,
        whole: bool,
    ) -> impl Future<Output = Result<Value, Refusal>> + Send;

    fn delete(tx: &mut Tx, item: &Self::Item) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// The JSON of one item.
    fn shown(app: &App, item: Self::Item) -> Result<Value, Refusal>;
}

/// The parameters of a path.
#[derive(Deserialize)]
pub(super) struct Place {
    /// The id or a name of a consumer, in a path under a consumer.
    pub(super) consumer: Option<String>,
    /// The id or the name of an item, in a path of one item.
    #[serde(default)]
    item: String,
}

pub(super) fn routes<R: Resource>() -> Router<App> {
    let collection = get(list::<R>).post(create::<R>);
    let item = get(read::<R>).patch(amend::<R>).put(replace::<R>).delete(remove::<R>);
    Router::new()
        .route(R::UNDER_CONSUMER, collection.clone())
        .route(&format!("{}/{{item}}", R::UNDER_CONSUMER), item.clone())
        .route(R::COLLECTION, collection)
        .route(&format!("{}/{{item}}", R::COLLECTION), item)
        .route(&format!("{}/{{item}}/consumer", R::COLLECTION), get(owner::<R>))
}

async fn list<R: Resource>(
    State(app): State<App>,
    Path(place): Path<Place>,
    mut query: Query,
) -> Answer {
    let mut filter = R::filter(&mut query);
    let window = query.window()?;
    let mut tx = app.store.read().await?;
    if let Some(id) = consumer_of(&mut tx, &place).await? {
        // Nothing belongs to two consumers at once, and no consumer has an empty id.
        let other = filter.consumer_id.as_ref().is_some_and(|asked| *asked != id);
        filter.consumer_id = Some(if other { String::new() } else { id });
    }
    let mut items = R::list(&mut tx, &filter, &window.after, window.probe()).await?;
    let next = window.cut(&mut items, R::position);
    R::page(&mut tx, &filter, items, next).await
}

async fn create<R: Resource>(
    State(app): State<App>,
    Path(place): Path<Place>,
    fields: Fields,
) -> Answer {
    let draft = Draft::<R>::take(app.rules, fields)?;
    app.store
        .write(async |tx| {
            let owner = owner_of(tx, &place, &draft).await?;
            insert(&app, tx, owner, draft).await
        })
        .await
}

async fn read<R: Resource>(State(app): State<App>, Path(place): Path<Place>) -> Answer {
    let mut tx = app.store.read().await?;
    let item = find::<R>(&mut tx, &place).await?;
    Ok(json(StatusCode::OK, &R::shown(&app, item)?))
}

async fn amend<R: Resource>(
    State(app): State<App>,
    Path(place): Path<Place>,
    fields: Fields,
) -> Answer {
    let draft = Draft::<R>::take(app.rules, fields.not_empty()?)?;
    app.store
        .write(async |tx| {
            let old = find::<R>(tx, &place).await?;
            update(&app, tx, old, draft, false).await
        })
        .await
}

async fn replace<R: Resource>(
    State(app): State<App>,
    Path(place): Path<Place>,
    fields: Fields,
) -> Answer {
    let mut draft = Draft::<R>::take(app.rules, fields)?;
    app.store
        .write(async |tx| {
            match find::<R>(tx, &place).await {
                Ok(old) => return update(&app, tx, old, draft, true).await,
                Err(Refusal::NotFound(_)) => {}
                Err(other) => return Err(other),
            }
            draft.name_by_path(app.rules, &place.item)?;
            let owner = owner_of(tx, &place, &draft).await?;
            insert(&app, tx, owner, draft).await
        })
        .await
}

async fn remove<R: Resource>(State(app): State<App>, Path(place): Path<Place>) -> Answer {
    app.store
        .write(async |tx| {
            let old = find::<R>(tx, &place).await?;
            R::delete(tx, &old).await?;
            Ok(no_content())
        })
        .await
}

/// Answers with the consumer that owns an item.
async fn owner<R: Resource>(State(app): State<App>, Path(place): Path<Place>) -> Answer {
    let mut tx = app.store.read().await?;
    let item = find::<R>(&mut tx, &place).await?;
    let consumer = consumers::find(&mut tx, R::consumer_id(&item)).await?;
    Ok(json(StatusCode::OK, &consumers::shown(&consumer)))
}

/// Finds the item of a path. An item of another consumer than the path's is not found.
async fn find<R: Resource>(tx: &mut Tx, place: &Place) -> Result<R::Item, Refusal> {
    let owner = consumer_of(tx, place).await?;
    let item = R::find(tx, owner.as_deref(), &place.item).await?;
    found(item, tx)
}

/// Returns the id of the consumer that a path names, if it names one.
async fn consumer_of(tx: &mut Tx, place: &Place) -> Result<Option<String>, Refusal> {
    match &place.consumer {
        Some(name) => Ok(Some(consumers::find(tx, name).await?.id)),
        None => Ok(None),
    }
}

/// Returns the id of the consumer of a new item. The path names it, or the body, or both of them
/// the same one.
pub(super) async fn owner_of<D: Descriptor>(
    tx: &mut Tx,
    place: &Place,
    draft: &Draft<D>,
) -> Result<String, Refusal> {
    match (consumer_of(tx, place).await?, &draft.consumer_id) {
        (Some(id), Given::Value(other)) if id != *other => {
            Err(Refusal::field(D::CONSUMER, "is not the consumer of the path"))
        }
        (Some(id), _) => Ok(id),
        (None, Given::Value(id)) => known::<D>(tx, id).await,
        (None, _) => Err(Refusal::field(D::CONSUMER, "required field missing")),
    }
}

/// Returns `id` if a consumer has it. The error names the member of the body.
pub(super) async fn known<D: Descriptor>(tx: &mut Tx, id: &str) -> Result<String, Refusal> {
    match tx.consumer_by("id", id).await? {
        Some(consumer) => Ok(consumer.id),
        None => Err(Refusal::field(D::CONSUMER, "does not reference an existing consumer")),
    }
}

pub(super) async fn insert<R: Resource>(
    app: &App,
    tx: &mut Tx,
    owner: String,
    draft: Draft<R>,
) -> Answer {
    let object = R::insert(app, tx, owner, draft).await?;
    Ok(json(StatusCode::CREATED, &object))
}

pub(super) async fn update<R: Resource>(
    app: &App,
    tx: &mut Tx,
    old: R::Item,
    draft: Draft<R>,
    whole: bool,
) -> Answer {
    draft.id.must_stay(R::id(&old))?;
    let object = R::update(app, tx, old, draft, whole).await?;
    Ok(json(StatusCode::OK, &object))
}
