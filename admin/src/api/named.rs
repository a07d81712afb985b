//! App IDs, groups and API keys: the kinds whose items are a name in a table of its own.

use axum::extract::{Path, State};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::App;
use super::answer::{Answer, Refusal, json};
use super::descriptor::{Descriptor, name_missing};
use super::draft::Draft;
use super::fields::{self, Fields, Given};
use super::owned::{self, Place, Resource, known, owner_of};
use super::query::Query;
use crate::store::{Cursor, Filter, Kind, Owned, Tx, creation_time, now};

/// A kind whose items are a name with a time to live in seconds, which may be absent.
pub(super) trait Named: Descriptor<More = Given<i64>> {
    const KIND: Kind;
    /// `true` if a name is unique among all consumers, and is stored as its digest and never shown.
    /// Otherwise a name is unique among those of one consumer.
    const IS_SECRET: bool = false;

    /// Takes from `query` the parameters that select items.
    fn select(_query: &mut Query) -> Filter {
        Filter::default()
    }

    /// The JSON of one item. `name` is the name in clear, if the request has set it.
    fn object(item: &Owned, now: i64, name: Option<&str>) -> Value;

    /// Answers with a page. `next` is the address and the offset of the next page, if there is one.
    fn answer_page(
        _tx: &mut Tx,
        _filter: &Filter,
        items: Vec<Owned>,
        next: Option<(String, String)>,
    ) -> impl Future<Output = Answer> + Send {
        let now = now();
        let data = items.iter().map(|item| Self::object(item, now, None)).collect();
        let answer = json(axum::http::StatusCode::OK, &super::page(data, next));
        async { Ok(answer) }
    }
}

impl<N: Named> Resource for N {
    type Item = Owned;

    fn position(item: &Owned) -> Cursor {
        Cursor { created_at: item.created_at, id: item.id.clone() }
    }

    fn id(item: &Owned) -> &str {
        &item.id
    }

    fn consumer_id(item: &Owned) -> &str {
        &item.consumer_id
    }

    fn filter(query: &mut Query) -> Filter {
        N::select(query)
    }

    async fn list(
        tx: &mut Tx,
        filter: &Filter,
        after: &Cursor,
        size: i64,
    ) -> sqlx::Result<Vec<Owned>> {
        tx.list_owned(N::KIND, filter, now(), after, size).await
    }

    async fn page(
        tx: &mut Tx,
        filter: &Filter,
        items: Vec<Owned>,
        next: Option<(String, String)>,
    ) -> Answer {
        N::answer_page(tx, filter, items, next).await
    }

    async fn find(tx: &mut Tx, owner: Option<&str>, item: &str) -> Result<Option<Owned>, Refusal> {
        let (id, now) = (fields::uuid(item), now());
        let names_one = owner.is_some() || N::IS_SECRET;
        if id.is_none() && !names_one {
            return Err(Refusal::field("id", "expected a valid UUID"));
        }
        let of_owner = Filter { consumer_id: owner.map(str::to_owned), ..Filter::default() };
        if id.is_some() {
            let filter = Filter { id, ..of_owner.clone() };
            if let Some(found) = tx.find_owned(N::KIND, &filter, now).await? {
                return Ok(Some(found));
            }
        }
        if !names_one {
            return Ok(None);
        }
        let filter = Filter { value: Some(stored::<N>(item)), ..of_owner };
        Ok(tx.find_owned(N::KIND, &filter, now).await?)
    }

    async fn insert(
        _: &App,
        tx: &mut Tx,
        owner: String,
        draft: Draft<N>,
    ) -> Result<Value, Refusal> {
        let now = creation_time();
        let name = draft.name.value().map_or_else(N::default_name, Ok)?;
        let new = Owned {
            id: draft.id.value().unwrap_or_else(|| Uuid::new_v4().to_string()),
            consumer_id: owner,
            value: stored::<N>(&name),
            tags: draft.tags.value(),
            created_at: now,
            expires_at: expiry(now, draft.more.value()),
        };
        check::<N>(tx, &new, true, now).await?;
        tx.insert(N::KIND, &new).await?;
        Ok(N::object(&new, now, Some(&name)))
    }

    async fn update(
        _: &App,
        tx: &mut Tx,
        old: Owned,
        draft: Draft<N>,
        whole: bool,
    ) -> Result<Value, Refusal> {
        let now = now();
        let mut new = old.clone();
        // An absent name stays, even with `whole`: the service cannot show a new API key again.
        let name = match draft.name {
            Given::Value(name) => Some(name),
            Given::Absent => None,
            Given::Null => return Err(name_missing::<N>()),
        };
        if let Some(name) = &name {
            new.value = stored::<N>(name);
        }
        if let Given::Value(id) = &draft.consumer_id {
            new.consumer_id = known::<N>(tx, id).await?;
        }
        new.tags = draft.tags.over(new.tags, whole);
        if whole || draft.more != Given::Absent {
            new.expires_at = expiry(now, draft.more.value());
        }
        check::<N>(tx, &new, false, now).await?;
        tx.update(N::KIND, &old, &new).await?;
        Ok(N::object(&new, now, name.as_deref()))
    }

    async fn delete(tx: &mut Tx, item: &Owned) -> sqlx::Result<()> {
        tx.delete(N::KIND, item).await
    }

    fn shown(_: &App, item: Owned) -> Result<Value, Refusal> {
        Ok(N::object(&item, now(), None))
    }
}

/// `PUT` on a collection: creates the named item, or replaces it if it exists.
///
/// Kong's former acl plugin, on which the App ID document is modelled, has this method.
pub(super) async fn put_in_collection<N: Named>(
    State(app): State<App>,
    Path(place): Path<Place>,
    fields: Fields,
) -> Answer {
    let draft = Draft::<N>::take(app.rules, fields)?;
    app.store
        .write(async |tx| {
            let owner = owner_of(tx, &place, &draft).await?;
            let mut filter = Filter { consumer_id: Some(owner.clone()), ..Filter::default() };
            match (&draft.id, &draft.name) {
                (Given::Value(id), _) => filter.id = Some(id.clone()),
                (_, Given::Value(name)) => filter.value = Some(stored::<N>(name)),
                _ => return Err(name_missing::<N>()),
            }
            match tx.find_owned(N::KIND, &filter, now()).await? {
                Some(old) => owned::update(&app, tx, old, draft, true).await,
                None => owned::insert(&app, tx, owner, draft).await,
            }
        })
        .await
}

/// Refuses a new or changed item whose id or name another item has. An expired one is deleted
/// instead.
async fn check<N: Named>(tx: &mut Tx, new: &Owned, is_new: bool, now: i64) -> Result<(), Refusal> {
    let consumer_id = (!N::IS_SECRET).then(|| new.consumer_id.clone());
    let by_id = Filter { id: Some(new.id.clone()), ..Filter::default() };
    let by_name = Filter { consumer_id, value: Some(new.value.clone()), id: None };
    let shown_name = (!N::IS_SECRET).then(|| new.value.clone());
    for (field, value, filter) in
        [("id", Some(new.id.clone()), by_id), (N::NAME, shown_name, by_name)]
    {
        let Some(other) = tx.find_owned(N::KIND, &filter, i64::MIN).await? else { continue };
        if !is_new && other.id == new.id {
            continue;
        }
        if other.expires_at.is_some_and(|end| end <= now) {
            tx.delete(N::KIND, &other).await?;
            continue;
        }
        return Err(Refusal::Taken { field, value });
    }
    Ok(())
}

/// A name as it is stored.
fn stored<N: Named>(name: &str) -> String {
    if N::IS_SECRET { digest(name) } else { name.to_owned() }
}

/// Returns the SHA-256 digest of a name in lower-case hex.
fn digest(name: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(name.as_bytes()))
}

/// The end of a time to live in seconds, as milliseconds since 1970. 0 is for ever, as in Kong.
fn expiry(now: i64, ttl: Option<i64>) -> Option<i64> {
    match ttl {
        None | Some(0) => None,
        Some(ttl) => Some(now.saturating_add(ttl.saturating_mul(1000))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_stored_as_its_sha_256_digest() {
        assert_eq!(
            digest("open_sesame"),
            "e85135e0bbd21cb76bbd8504d4f0d31dac39e392d03ef50acd588421c2a5d37f"
        );
    }
}
