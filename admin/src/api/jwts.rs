//! JWT credentials: `/consumers/{c}/jwt[/{x}]` and `/jwts`, in Kong's shape. `{x}` is an id or a key.
//!
//! A secret is shown with its own credential only, never in a list.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{Router, get};
use jose::{Algorithm, Algorithms, Policy, VerifyingKey};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{Answer, Refusal, json, no_content};
use super::draft::Named;
use super::fields::{self, Fields, Given};
use super::query::Query;
use super::{App, consumers};
use crate::store::{Cursor, JwtSecret, Tx, stamp};
use crate::vault::Vault;

/// Characters of a key, as of an API key.
const KEY_MAX_CHARS: usize = admin_api::KEY_MAX_CHARS;
/// Octets of a secret or a PEM.
const MATERIAL_MAX: usize = 16_384;

pub(super) fn routes() -> Router<App> {
    const UNDER: &str = "/consumers/{consumer}/jwt";
    const ALONE: &str = "/jwts";
    Router::new()
        .route(
            UNDER,
            get(async |app, Path(c): Path<String>, query| list(app, Some(c), query).await).post(
                async |app, Path(c): Path<String>, fields| create(app, Some(c), fields).await,
            ),
        )
        .route(
            &format!("{UNDER}/{{item}}"),
            get(async |app, Path((c, x)): Path<(String, String)>| read(app, Some(c), x).await)
                .patch(async |app, Path((c, x)): Path<(String, String)>, fields| {
                    amend(app, Some(c), x, fields).await
                })
                .put(async |app, Path((c, x)): Path<(String, String)>, fields| {
                    replace(app, Some(c), x, fields).await
                })
                .delete(async |app, Path((c, x)): Path<(String, String)>| {
                    remove(app, Some(c), x).await
                }),
        )
        .route(
            ALONE,
            get(async |app, query| list(app, None, query).await)
                .post(async |app, fields| create(app, None, fields).await),
        )
        .route(
            &format!("{ALONE}/{{item}}"),
            get(async |app, Path(x): Path<String>| read(app, None, x).await)
                .patch(async |app, Path(x): Path<String>, fields| amend(app, None, x, fields).await)
                .put(async |app, Path(x): Path<String>, fields| replace(app, None, x, fields).await)
                .delete(async |app, Path(x): Path<String>| remove(app, None, x).await),
        )
        .route(
            &format!("{ALONE}/{{item}}/consumer"),
            get(async |app, Path(x): Path<String>| owner(app, x).await),
        )
}

/// What a request says about a JWT credential.
struct Draft {
    id: Given<String>,
    consumer_id: Given<String>,
    key: Given<String>,
    algorithm: Given<String>,
    secret: Given<String>,
    rsa_public_key: Given<String>,
    tags: Given<String>,
}

impl Draft {
    fn take(mut fields: Fields) -> Result<Self, Refusal> {
        let algorithm = fields.text("algorithm", 16);
        if matches!(&algorithm, Given::Value(name) if Algorithm::parse(name).is_none()) {
            let names = Algorithm::ALL.map(Algorithm::name).join(", ");
            fields.problem("algorithm", format!("expected one of: {names}"));
        }
        let draft = Self {
            consumer_id: fields.consumer_id("consumer"),
            key: fields.text("key", KEY_MAX_CHARS),
            algorithm,
            secret: fields.lines("secret", MATERIAL_MAX),
            rsa_public_key: fields.lines("rsa_public_key", MATERIAL_MAX),
            tags: fields.tags(),
            id: fields.uuid("id"),
        };
        fields.finish()?;
        Ok(draft)
    }

    /// Adds what the path of a `PUT` says: an id or a key.
    fn name_by_path(&mut self, item: &str) -> Result<(), Refusal> {
        let (name, text) = match fields::uuid(item) {
            Some(id) => ("id", id),
            None => ("key", item.to_owned()),
        };
        let mut from_path = Fields::default();
        from_path.add(name, Value::String(text));
        let path = Self::take(from_path)?;
        let (own, said) = match name {
            "id" => (&mut self.id, path.id),
            _ => (&mut self.key, path.key),
        };
        if matches!(own, Given::Value(_)) && *own != said {
            return Err(Refusal::field(name, "differs from the path"));
        }
        *own = said;
        Ok(())
    }
}

/// A credential with its secret as it is.
struct Open {
    stored: JwtSecret,
    secret: Option<String>,
}

async fn list(State(app): State<App>, consumer: Option<String>, query: Query) -> Answer {
    let window = query.window()?;
    let mut tx = app.store.read().await?;
    let owner = match &consumer {
        Some(name) => Some(consumers::find(&mut tx, name).await?.id),
        None => None,
    };
    let mut page = tx.jwt_secrets(owner.as_deref(), &window.after, window.probe()).await?;
    let next = window.cut(&mut page, |it| Cursor { created_at: it.created_at, id: it.id.clone() });
    let data = page.iter().map(listed).collect();
    Ok(json(StatusCode::OK, &super::page(data, next)))
}

async fn create(State(app): State<App>, consumer: Option<String>, fields: Fields) -> Answer {
    let draft = Draft::take(fields)?;
    let mut tx = app.store.write().await?;
    let consumer_id = owner_of(&mut tx, consumer.as_deref(), &draft).await?;
    insert(&app, tx, consumer_id, draft).await
}

async fn read(State(app): State<App>, consumer: Option<String>, item: String) -> Answer {
    let mut tx = app.store.read().await?;
    let found = find(&mut tx, consumer.as_deref(), &item).await?;
    Ok(json(StatusCode::OK, &shown(&opened(&app.vault, found)?)))
}

async fn amend(
    State(app): State<App>,
    consumer: Option<String>,
    item: String,
    fields: Fields,
) -> Answer {
    if fields.is_empty() {
        return Err(Refusal::Malformed("empty body".into()));
    }
    let draft = Draft::take(fields)?;
    let mut tx = app.store.write().await?;
    let old = find(&mut tx, consumer.as_deref(), &item).await?;
    store(&app, tx, old, draft, false).await
}

async fn replace(
    State(app): State<App>,
    consumer: Option<String>,
    item: String,
    fields: Fields,
) -> Answer {
    let mut draft = Draft::take(fields)?;
    let mut tx = app.store.write().await?;
    match find(&mut tx, consumer.as_deref(), &item).await {
        Ok(old) => return store(&app, tx, old, draft, true).await,
        Err(Refusal::NotFound(_)) => {}
        Err(other) => return Err(other),
    }
    draft.name_by_path(&item)?;
    let consumer_id = owner_of(&mut tx, consumer.as_deref(), &draft).await?;
    insert(&app, tx, consumer_id, draft).await
}

async fn remove(State(app): State<App>, consumer: Option<String>, item: String) -> Answer {
    let mut tx = app.store.write().await?;
    let old = find(&mut tx, consumer.as_deref(), &item).await?;
    tx.delete_jwt_secret(&old).await?;
    tx.commit().await?;
    Ok(no_content())
}

/// The consumer that a credential belongs to.
async fn owner(State(app): State<App>, item: String) -> Answer {
    let mut tx = app.store.read().await?;
    let found = find(&mut tx, None, &item).await?;
    let consumer = consumers::find(&mut tx, &found.consumer_id).await?;
    Ok(json(StatusCode::OK, &consumers::shown(&consumer)))
}

/// By id, then by key; another consumer's is not found.
async fn find(tx: &mut Tx, consumer: Option<&str>, item: &str) -> Result<JwtSecret, Refusal> {
    let owner = match consumer {
        Some(name) => Some(consumers::find(tx, name).await?.id),
        None => None,
    };
    let by_id = match fields::uuid(item) {
        Some(id) => tx.jwt_secret_by("id", &id).await?,
        None => None,
    };
    let found = match by_id {
        Some(found) => Some(found),
        None => tx.jwt_secret_by("jwt_key", item).await?,
    };
    let found = found.filter(|found| owner.is_none_or(|owner| found.consumer_id == owner));
    found.ok_or_else(|| Refusal::NotFound(Some(tx.seq())))
}

/// The consumer of something new: from the path, from the body, or both if they agree.
async fn owner_of(tx: &mut Tx, path: Option<&str>, draft: &Draft) -> Result<String, Refusal> {
    const FIELD: &str = "consumer.id";
    let from_path = match path {
        Some(name) => Some(consumers::find(tx, name).await?.id),
        None => None,
    };
    match (from_path, &draft.consumer_id) {
        (Some(id), Given::Value(other)) if id != *other => {
            Err(Refusal::field(FIELD, "is not the consumer of the path"))
        }
        (Some(id), _) => Ok(id),
        (None, Given::Value(id)) => known(tx, id).await,
        (None, _) => Err(Refusal::field(FIELD, "required field missing")),
    }
}

async fn known(tx: &mut Tx, id: &str) -> Result<String, Refusal> {
    match tx.consumer_by("id", id).await? {
        Some(consumer) => Ok(consumer.id),
        None => Err(Refusal::field("consumer.id", "does not reference an existing consumer")),
    }
}

async fn insert(app: &App, mut tx: Tx, consumer_id: String, draft: Draft) -> Answer {
    let made = || Ok::<_, Refusal>(Named::random_key()?.shown);
    let stored = JwtSecret {
        id: draft.id.value().unwrap_or_else(|| Uuid::new_v4().to_string()),
        consumer_id,
        key: draft.key.value().map_or_else(made, Ok)?,
        algorithm: draft.algorithm.value().unwrap_or_else(|| "HS256".to_owned()),
        secret: None,
        rsa_public_key: draft.rsa_public_key.value(),
        tags: draft.tags.value(),
        created_at: stamp(),
    };
    let mut new = Open { stored, secret: draft.secret.value() };
    complete(&mut new)?;
    check(&mut tx, &new, true).await?;
    seal(&app.vault, &mut new)?;
    tx.insert_jwt_secret(&new.stored).await?;
    tx.commit().await?;
    Ok(json(StatusCode::CREATED, &shown(&new)))
}

/// Changes what the draft names; with `whole`, what it does not name is as in something new.
async fn store(app: &App, mut tx: Tx, old: JwtSecret, draft: Draft, whole: bool) -> Answer {
    if matches!(&draft.id, Given::Value(id) if *id != old.id) {
        return Err(Refusal::field("id", "cannot be changed"));
    }
    let Open { mut stored, mut secret } = opened(&app.vault, old.clone())?;
    if let Given::Value(key) = draft.key {
        stored.key = key;
    }
    if let Given::Value(id) = &draft.consumer_id {
        stored.consumer_id = known(&mut tx, id).await?;
    }
    if whole || draft.algorithm != Given::Absent {
        stored.algorithm = draft.algorithm.value().unwrap_or_else(|| "HS256".to_owned());
    }
    if whole || draft.secret != Given::Absent {
        secret = draft.secret.value();
    }
    if whole || draft.rsa_public_key != Given::Absent {
        stored.rsa_public_key = draft.rsa_public_key.value();
    }
    if whole || draft.tags != Given::Absent {
        stored.tags = draft.tags.value();
    }
    let mut new = Open { stored, secret };
    complete(&mut new)?;
    check(&mut tx, &new, false).await?;
    seal(&app.vault, &mut new)?;
    tx.update_jwt_secret(&old, &new.stored).await?;
    tx.commit().await?;
    Ok(json(StatusCode::OK, &shown(&new)))
}

/// A credential can verify tokens: with a secret, which is made if it is missing, or with a key that fits.
fn complete(new: &mut Open) -> Result<(), Refusal> {
    let algorithm = Algorithm::parse(&new.stored.algorithm);
    let algorithm =
        algorithm.ok_or_else(|| Refusal::field("algorithm", "required field missing"))?;
    if algorithm.is_symmetric() {
        if new.secret.is_none() {
            new.secret = Some(Named::random_key()?.shown);
        }
        return Ok(());
    }
    let Some(pem) = &new.stored.rsa_public_key else {
        return Err(Refusal::field("rsa_public_key", "required field missing"));
    };
    match VerifyingKey::from_pem(pem, Algorithms::of(&[algorithm]), Policy::INLINE) {
        Ok(_) => Ok(()),
        Err(why) => Err(Refusal::field("rsa_public_key", format!("invalid key: {why}"))),
    }
}

/// An id and a key may exist once.
async fn check(tx: &mut Tx, new: &Open, is_new: bool) -> Result<(), Refusal> {
    let JwtSecret { id, key, .. } = &new.stored;
    for (field, column, value) in [("id", "id", id), ("key", "jwt_key", key)] {
        let other = tx.jwt_secret_by(column, value).await?;
        if other.is_some_and(|other| is_new || other.id != *id) {
            return Err(Refusal::Taken { field, value: Some(value.clone()) });
        }
    }
    Ok(())
}

fn seal(vault: &Vault, new: &mut Open) -> Result<(), Refusal> {
    let sealed = new.secret.as_ref().map(|secret| vault.seal(&new.stored.id, secret));
    new.stored.secret = sealed.transpose().map_err(|error| {
        tracing::error!(error = %error, "a secret cannot be sealed");
        Refusal::Broken
    })?;
    Ok(())
}

fn opened(vault: &Vault, stored: JwtSecret) -> Result<Open, Refusal> {
    let secret = stored.secret.as_ref().map(|secret| vault.unseal(&stored.id, secret));
    let secret = secret.transpose().map_err(|error| {
        tracing::error!(error = %error, "a secret cannot be opened");
        Refusal::Broken
    })?;
    Ok(Open { stored, secret })
}

/// What verifies the tokens of a credential, for a gateway.
pub(super) fn material(vault: &Vault, stored: JwtSecret) -> Result<admin_api::JwtKey, Refusal> {
    let symmetric = Algorithm::parse(&stored.algorithm).is_some_and(Algorithm::is_symmetric);
    let Open { stored, secret } = opened(vault, stored)?;
    let JwtSecret { algorithm, rsa_public_key, .. } = stored;
    Ok(if symmetric {
        admin_api::JwtKey { algorithm, secret, rsa_public_key: None }
    } else {
        admin_api::JwtKey { algorithm, secret: None, rsa_public_key }
    })
}

/// As Kong prints it.
fn shown(it: &Open) -> Value {
    let mut object = listed(&it.stored);
    if let Some(members) = object.as_object_mut() {
        members.insert("secret".to_owned(), json!(it.secret));
    }
    object
}

/// The same without the secret.
fn listed(it: &JwtSecret) -> Value {
    json!({
        "id": it.id,
        "consumer": { "id": it.consumer_id },
        "key": it.key,
        "algorithm": it.algorithm,
        "rsa_public_key": it.rsa_public_key,
        "tags": super::stored_json(it.tags.as_deref()),
        "created_at": it.created_at,
    })
}
