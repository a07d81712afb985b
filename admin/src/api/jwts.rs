//! JWT credentials: `/consumers/{c}/jwt` and `/jwts`, in Kong's shape.
//!
//! The answer about one credential holds its secret; a list holds no secrets.

use axum::http::StatusCode;
use axum::routing::Router;
use jose::{Algorithm, Algorithms, Policy, VerifyingKey};
use serde_json::{Value, json};
use uuid::Uuid;

use super::App;
use super::answer::{Answer, Refusal, json};
use super::descriptor::Descriptor;
use super::draft::{Draft, random_key};
use super::fields::{self, Fields, Given};
use super::owned::{self, Resource, known};
use super::query::Query;
use crate::store::{Cursor, Filter, JwtSecret, Tx, creation_time};
use crate::vault::Vault;

pub(super) struct Jwts;

/// The maximum size of a secret or of a PEM, in bytes.
const MATERIAL_MAX: usize = 16_384;
const ALGORITHM_DEFAULT: &str = "HS256";

pub(super) fn routes() -> Router<App> {
    owned::routes::<Jwts>()
}

/// The part of a body that says how tokens are verified.
pub(super) struct Material {
    algorithm: Given<String>,
    secret: Given<String>,
    rsa_public_key: Given<String>,
}

/// A credential with its secret in clear.
struct Unsealed {
    stored: JwtSecret,
    secret: Option<String>,
}

impl Descriptor for Jwts {
    const UNDER_CONSUMER: &'static str = "/consumers/{consumer}/jwt";
    const COLLECTION: &'static str = "/jwts";
    const NAME: &'static str = "key";
    const NAME_MAX: usize = admin_api::KEY_MAX_CHARS;

    type More = Material;

    fn more(fields: &mut Fields) -> Material {
        let algorithm = fields.text("algorithm", 16);
        if matches!(&algorithm, Given::Value(name) if Algorithm::parse(name).is_none()) {
            let names = Algorithm::ALL.map(Algorithm::name).join(", ");
            fields.problem("algorithm", format!("expected one of: {names}"));
        }
        let secret = fields.lines("secret", MATERIAL_MAX);
        let rsa_public_key = fields.lines("rsa_public_key", MATERIAL_MAX);
        Material { algorithm, secret, rsa_public_key }
    }

    fn default_name() -> Result<String, Refusal> {
        random_key()
    }
}

impl Resource for Jwts {
    type Item = JwtSecret;

    fn position(item: &JwtSecret) -> Cursor {
        Cursor { created_at: item.created_at, id: item.id.clone() }
    }

    fn id(item: &JwtSecret) -> &str {
        &item.id
    }

    fn consumer_id(item: &JwtSecret) -> &str {
        &item.consumer_id
    }

    fn filter(_: &mut Query) -> Filter {
        Filter::default()
    }

    async fn list(
        tx: &mut Tx,
        filter: &Filter,
        after: &Cursor,
        size: i64,
    ) -> sqlx::Result<Vec<JwtSecret>> {
        tx.jwt_secrets(filter.consumer_id.as_deref(), after, size).await
    }

    async fn page(
        _: &mut Tx,
        _: &Filter,
        items: Vec<JwtSecret>,
        next: Option<(String, String)>,
    ) -> Answer {
        let data = items.iter().map(listed).collect();
        Ok(json(StatusCode::OK, &super::page(data, next)))
    }

    async fn find(
        tx: &mut Tx,
        owner: Option<&str>,
        item: &str,
    ) -> Result<Option<JwtSecret>, Refusal> {
        let by_id = match fields::uuid(item) {
            Some(id) => tx.jwt_secret_by("id", &id).await?,
            None => None,
        };
        let found = match by_id {
            Some(found) => Some(found),
            None => tx.jwt_secret_by("jwt_key", item).await?,
        };
        Ok(found.filter(|found| owner.is_none_or(|owner| found.consumer_id == owner)))
    }

    async fn insert(
        app: &App,
        tx: &mut Tx,
        owner: String,
        draft: Draft<Self>,
    ) -> Result<Value, Refusal> {
        let Material { algorithm, secret, rsa_public_key } = draft.more;
        let stored = JwtSecret {
            id: draft.id.value().unwrap_or_else(|| Uuid::new_v4().to_string()),
            consumer_id: owner,
            key: draft.name.value().map_or_else(Self::default_name, Ok)?,
            algorithm: algorithm.value().unwrap_or_else(|| ALGORITHM_DEFAULT.to_owned()),
            secret: None,
            rsa_public_key: rsa_public_key.value(),
            tags: draft.tags.value(),
            created_at: creation_time(),
        };
        let mut new = Unsealed { stored, secret: secret.value() };
        ensure_verifiable(&mut new)?;
        check(tx, &new, true).await?;
        seal(&app.vault, &mut new)?;
        tx.insert_jwt_secret(&new.stored).await?;
        Ok(shown(&new))
    }

    async fn update(
        app: &App,
        tx: &mut Tx,
        old: JwtSecret,
        draft: Draft<Self>,
        whole: bool,
    ) -> Result<Value, Refusal> {
        let Unsealed { mut stored, secret } = unsealed(&app.vault, old.clone())?;
        if let Given::Value(key) = draft.name {
            stored.key = key;
        }
        if let Given::Value(id) = &draft.consumer_id {
            stored.consumer_id = known::<Self>(tx, id).await?;
        }
        let algorithm = draft.more.algorithm.over(Some(stored.algorithm), whole);
        stored.algorithm = algorithm.unwrap_or_else(|| ALGORITHM_DEFAULT.to_owned());
        stored.rsa_public_key = draft.more.rsa_public_key.over(stored.rsa_public_key, whole);
        stored.tags = draft.tags.over(stored.tags, whole);
        let mut new = Unsealed { stored, secret: draft.more.secret.over(secret, whole) };
        ensure_verifiable(&mut new)?;
        check(tx, &new, false).await?;
        seal(&app.vault, &mut new)?;
        tx.update_jwt_secret(&old, &new.stored).await?;
        Ok(shown(&new))
    }

    async fn delete(tx: &mut Tx, item: &JwtSecret) -> sqlx::Result<()> {
        tx.delete_jwt_secret(item).await
    }

    fn shown(app: &App, item: JwtSecret) -> Result<Value, Refusal> {
        Ok(shown(&unsealed(&app.vault, item)?))
    }
}

/// Makes sure that a credential can verify tokens: with a secret, which is made at random if it is
/// missing, or with a public key that fits the algorithm.
fn ensure_verifiable(new: &mut Unsealed) -> Result<(), Refusal> {
    let algorithm = Algorithm::parse(&new.stored.algorithm);
    let algorithm =
        algorithm.ok_or_else(|| Refusal::field("algorithm", "required field missing"))?;
    if algorithm.is_symmetric() {
        if new.secret.is_none() {
            new.secret = Some(random_key()?);
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

/// Refuses a new or changed credential whose id or key another one has.
async fn check(tx: &mut Tx, new: &Unsealed, is_new: bool) -> Result<(), Refusal> {
    let JwtSecret { id, key, .. } = &new.stored;
    for (field, column, value) in [("id", "id", id), ("key", "jwt_key", key)] {
        let other = tx.jwt_secret_by(column, value).await?;
        if other.is_some_and(|other| is_new || other.id != *id) {
            return Err(Refusal::Taken { field, value: Some(value.clone()) });
        }
    }
    Ok(())
}

/// Puts the sealed secret into the part that is stored.
fn seal(vault: &Vault, new: &mut Unsealed) -> Result<(), Refusal> {
    let sealed = new.secret.as_ref().map(|secret| vault.seal(&new.stored.id, secret));
    new.stored.secret = sealed.transpose().map_err(|error| {
        tracing::error!(error = %error, "a secret cannot be sealed");
        Refusal::Broken
    })?;
    Ok(())
}

/// Unseals the secret of a stored credential.
fn unsealed(vault: &Vault, stored: JwtSecret) -> Result<Unsealed, Refusal> {
    let secret = stored.secret.as_ref().map(|secret| vault.unseal(&stored.id, secret));
    let secret = secret.transpose().map_err(|error| {
        tracing::error!(error = %error, "a secret cannot be opened");
        Refusal::Broken
    })?;
    Ok(Unsealed { stored, secret })
}

/// Returns the secret of a stored credential in clear, if it has one.
pub(crate) fn secret_of(vault: &Vault, stored: JwtSecret) -> Result<Option<String>, Refusal> {
    Ok(unsealed(vault, stored)?.secret)
}

/// Returns what a gateway needs to verify the tokens of a credential.
pub(super) fn jwt_key(vault: &Vault, stored: JwtSecret) -> Result<admin_api::JwtKey, Refusal> {
    let symmetric = Algorithm::parse(&stored.algorithm).is_some_and(Algorithm::is_symmetric);
    let Unsealed { stored, secret } = unsealed(vault, stored)?;
    let JwtSecret { algorithm, rsa_public_key, .. } = stored;
    Ok(if symmetric {
        admin_api::JwtKey { algorithm, secret, rsa_public_key: None }
    } else {
        admin_api::JwtKey { algorithm, secret: None, rsa_public_key }
    })
}

/// The JSON of one credential, as Kong prints it.
fn shown(it: &Unsealed) -> Value {
    let mut object = listed(&it.stored);
    if let Some(members) = object.as_object_mut() {
        members.insert("secret".to_owned(), json!(it.secret));
    }
    object
}

/// The JSON of a credential in a list, without its secret.
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
