//! Items from a file or from another admin API, stored by the rules of this API.

use admin_api::is_digest;
use serde_json::{Map, Value};

use super::answer::Refusal;
use super::api_keys::ApiKeys;
use super::app_ids::AppIds;
use super::draft::Draft;
use super::fields::{Fields, Given};
use super::groups::Groups;
use super::jwts::Jwts;
use super::owned::Resource;
use super::{App, consumers};
use crate::store::{Filter, Kind, Owned, Tx, creation_time, now};

/// The kind of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Consumer,
    Key,
    Jwt,
    Group,
    AppId,
}

/// An item to store.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) what: What,
    /// The id, the username or the custom id of the consumer that owns it; `None` for a consumer.
    pub(crate) owner: Option<String>,
    /// The members of a body of this API.
    pub(crate) body: Map<String, Value>,
}

/// The outcome of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Created,
    Changed,
    /// It is stored already.
    Unchanged,
}

/// Stores an item, unless it is stored already. A refused item has stored nothing.
pub(crate) async fn import(app: &App, tx: &mut Tx, item: Item) -> Result<Outcome, Refusal> {
    let Item { what, owner, mut body } = item;
    // Lists name the owner in each item.
    body.remove("consumer");
    body.retain(|_, value| !value.is_null());
    if what == What::Consumer {
        return consumers::import(tx, fields(&body)).await;
    }
    let owner = owner.ok_or_else(|| Refusal::field("consumer", "required field missing"))?;
    let owner = match tx.consumer(&owner).await? {
        Some(consumer) => consumer.id,
        None => return Err(Refusal::field("consumer", "does not reference an existing consumer")),
    };
    match what {
        What::Consumer => Ok(Outcome::Unchanged),
        What::Key if body.contains_key("key_digest") => digest(tx, owner, &body).await,
        What::Key => store::<ApiKeys>(app, tx, owner, body, true).await,
        What::Jwt => store::<Jwts>(app, tx, owner, body, true).await,
        What::Group => store::<Groups>(app, tx, owner, body, false).await,
        What::AppId => store::<AppIds>(app, tx, owner, body, false).await,
    }
}

/// Stores an item that a consumer owns. Its name is unique among all consumers, or among those of
/// its consumer.
async fn store<R: Resource>(
    app: &App,
    tx: &mut Tx,
    owner: String,
    body: Map<String, Value>,
    is_unique: bool,
) -> Result<Outcome, Refusal> {
    let draft = Draft::<R>::take(app.rules, fields(&body))?;
    let Given::Value(name) = &draft.name else {
        // Kong would make one up, and each run would make another one.
        return Err(Refusal::field(R::NAME, "required field missing"));
    };
    let among = (!is_unique).then_some(owner.as_str());
    let Some(old) = R::find(tx, among, name).await? else {
        R::insert(app, tx, owner, draft).await?;
        return Ok(Outcome::Created);
    };
    if R::consumer_id(&old) != owner {
        return Err(Refusal::field(R::NAME, "belongs to another consumer"));
    }
    let shown = R::shown(app, old)?;
    // The id stays as it is stored, and the rest of a time to live changes all the time.
    let stays = |name: &str| ["id", "ttl", "created_at", "updated_at"].contains(&name);
    let differs = body
        .iter()
        .any(|(name, value)| !stays(name) && shown.get(name).is_some_and(|known| known != value));
    if !differs {
        return Ok(Outcome::Unchanged);
    }
    let Some(old) = R::find(tx, among, name).await? else { return Ok(Outcome::Unchanged) };
    let draft = Draft { id: Given::Absent, ..draft };
    R::update(app, tx, old, draft, false).await?;
    Ok(Outcome::Changed)
}

/// Stores an API key of which only the digest is known, as `export` writes it.
async fn digest(tx: &mut Tx, owner: String, body: &Map<String, Value>) -> Result<Outcome, Refusal> {
    let mut fields = fields(body);
    let (id, digest, tags) = (fields.uuid("id"), fields.text("key_digest", 64), fields.tags());
    let expires_at = fields.integer("expires_at", 0..=i64::MAX);
    fields.read_only("ttl");
    fields.finish()?;
    let digest = digest.value().filter(|digest| is_digest(digest));
    let Some(digest) = digest else {
        return Err(Refusal::field("key_digest", "expected 64 lower-case hex digits"));
    };
    let filter = Filter { value: Some(digest.clone()), ..Filter::default() };
    if let Some(old) = in_force(tx, &filter).await? {
        return match old.consumer_id == owner {
            true => Ok(Outcome::Unchanged),
            false => Err(Refusal::field("key_digest", "belongs to another consumer")),
        };
    }
    let new = Owned {
        id: id.value().unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
        consumer_id: owner,
        value: digest,
        tags: tags.value(),
        created_at: creation_time(),
        expires_at: expires_at.value(),
    };
    let by_id = Filter { id: Some(new.id.clone()), ..Filter::default() };
    if in_force(tx, &by_id).await?.is_some() {
        return Err(Refusal::Taken { field: "id", value: Some(new.id) });
    }
    tx.insert(Kind::Key, &new).await?;
    Ok(Outcome::Created)
}

/// Returns the API key that `filter` finds. One that has expired is deleted instead, because its
/// row would be in the way of a new one.
async fn in_force(tx: &mut Tx, filter: &Filter) -> Result<Option<Owned>, Refusal> {
    let Some(found) = tx.find_owned(Kind::Key, filter, i64::MIN).await? else { return Ok(None) };
    if found.expires_at.is_none_or(|end| end > now()) {
        return Ok(Some(found));
    }
    tx.delete(Kind::Key, &found).await?;
    Ok(None)
}

fn fields(body: &Map<String, Value>) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in body {
        fields.add(name, value.clone());
    }
    fields
}
