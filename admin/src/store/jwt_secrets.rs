//! JWT credentials, with which a consumer's tokens are verified.

use admin_api::{Entity, Operation};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row};

use super::{Cursor, Store, Tx, storable};
use crate::vault::{PLAIN, SEALED, SealError, Vault};

/// A JWT credential as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct JwtSecret {
    pub(crate) id: String,
    pub(crate) consumer_id: String,
    /// The value of the key claim in a token.
    pub(crate) key: String,
    pub(crate) algorithm: String,
    /// The secret as [`Vault::seal`] returned it.
    pub(crate) secret: Option<String>,
    /// The public key as PEM, whatever the algorithm.
    pub(crate) rsa_public_key: Option<String>,
    /// A JSON list.
    pub(crate) tags: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) created_at: i64,
}

/// The statement that lists secrets by their first six characters, which tell [`PLAIN`] from
/// [`SEALED`]. An index has just these.
const SECRETS: &str = "SELECT id, secret FROM jwt_secrets WHERE substr(secret, 1, 6) = $1 \
     AND id > $2 ORDER BY id LIMIT $3";

const COLUMNS: &str =
    "id, consumer_id, jwt_key, algorithm, secret, rsa_public_key, tags, created_at";

/// The reasons for which the stored secrets cannot be used.
pub(crate) enum SecretsError {
    Vault(SealError),
    Database(sqlx::Error),
}

impl Store {
    /// Seals the secrets that were stored without a key, and with several keys also those that
    /// another one than the first has sealed. Returns their number. It is an error if a sealed
    /// secret cannot be unsealed; of a single key, one secret is tried.
    pub(crate) async fn seal_secrets(&self, vault: &Vault) -> Result<usize, SecretsError> {
        let mut tx = self.read().await?;
        for (id, secret) in tx.secrets_like(SEALED, "", 1).await? {
            vault.unseal(&id, &secret).map_err(SecretsError::Vault)?;
        }
        drop(tx);
        let mut total: usize = 0;
        if vault.keys() > 0 {
            total = self.seal_all(vault, PLAIN).await?;
        }
        if vault.keys() > 1 {
            total = total.saturating_add(self.seal_all(vault, SEALED).await?);
        }
        Ok(total)
    }

    /// Checks that each sealed secret can be unsealed.
    pub(crate) async fn check_secrets(&self, vault: &Vault) -> Result<(), SecretsError> {
        let mut tx = self.read().await?;
        let mut after = String::new();
        loop {
            let page = tx.secrets_like(SEALED, &after, 500).await?;
            for (id, secret) in &page {
                vault.unseal(id, secret).map_err(SecretsError::Vault)?;
            }
            let Some((last, _)) = page.into_iter().last() else { return Ok(()) };
            after = last;
        }
    }

    /// Seals the secrets whose text begins with `beginning` unless the first key has done that, in
    /// transactions of 500. Returns the number of those that it sealed.
    async fn seal_all(&self, vault: &Vault, beginning: &str) -> Result<usize, SecretsError> {
        let mut total: usize = 0;
        let mut after = String::new();
        loop {
            let sealed = self.write(async |tx| tx.seal_some(vault, beginning, &after).await);
            let Some((last, count)) = sealed.await? else { return Ok(total) };
            after = last;
            total = total.saturating_add(count);
        }
    }
}

impl Tx {
    /// Does one transaction of [`Store::seal_all`], behind the id `after`. Returns the last id and
    /// the number of secrets that it sealed, or `None` if no secret is left.
    async fn seal_some(
        &mut self,
        vault: &Vault,
        beginning: &str,
        after: &str,
    ) -> Result<Option<(String, usize)>, SecretsError> {
        let page = self.secrets_like(beginning, after, 500).await?;
        let Some((last, _)) = page.last() else { return Ok(None) };
        let (last, mut count) = (last.clone(), 0_usize);
        for (id, secret) in page {
            if vault.is_current(&id, &secret) {
                continue;
            }
            let secret = vault.unseal(&id, &secret).map_err(SecretsError::Vault)?;
            let sealed = vault.seal(&id, &secret).map_err(SecretsError::Vault)?;
            sqlx::query("UPDATE jwt_secrets SET secret = $1 WHERE id = $2")
                .bind(sealed)
                .bind(id)
                .execute(self.connection())
                .await?;
            count = count.saturating_add(1);
        }
        Ok(Some((last, count)))
    }

    /// Returns at most `size` credentials of one consumer or of all, after `after`, oldest first.
    pub(crate) async fn jwt_secrets(
        &mut self,
        consumer: Option<&str>,
        after: &Cursor,
        size: i64,
    ) -> sqlx::Result<Vec<JwtSecret>> {
        let condition = if consumer.is_some() { "AND consumer_id = $4" } else { "" };
        let statement = format!(
            "SELECT {COLUMNS} FROM jwt_secrets WHERE (created_at, id) > ($1, $2) {condition} \
             ORDER BY created_at, id LIMIT $3"
        );
        let mut query = sqlx::query::<Any>(AssertSqlSafe(statement))
            .bind(after.created_at)
            .bind(after.id.clone())
            .bind(size);
        if let Some(consumer) = consumer {
            query = query.bind(consumer.to_owned());
        }
        let rows = query.fetch_all(self.connection()).await?;
        rows.iter().map(JwtSecret::from_row).collect()
    }

    /// Finds the credential whose `column` (`id` or `jwt_key`) is exactly `value`.
    pub(crate) async fn jwt_secret_by(
        &mut self,
        column: &'static str,
        value: &str,
    ) -> sqlx::Result<Option<JwtSecret>> {
        if !storable(value) {
            return Ok(None);
        }
        let statement = format!("SELECT {COLUMNS} FROM jwt_secrets WHERE {column} = $1");
        let row = sqlx::query::<Any>(AssertSqlSafe(statement)).bind(value.to_owned());
        let row = row.fetch_optional(self.connection()).await?;
        row.as_ref().map(JwtSecret::from_row).transpose()
    }

    pub(crate) async fn insert_jwt_secret(&mut self, new: &JwtSecret) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO jwt_secrets (consumer_id, jwt_key, algorithm, secret, rsa_public_key, tags, \
             id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(new.consumer_id.clone())
        .bind(new.key.clone())
        .bind(new.algorithm.clone())
        .bind(new.secret.clone())
        .bind(new.rsa_public_key.clone())
        .bind(new.tags.clone())
        .bind(new.id.clone())
        .bind(new.created_at)
        .execute(self.connection())
        .await?;
        self.note(Entity::JwtSecrets, Operation::Create, &new.consumer_id, &new.key).await
    }

    pub(crate) async fn update_jwt_secret(
        &mut self,
        old: &JwtSecret,
        new: &JwtSecret,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "UPDATE jwt_secrets SET consumer_id = $1, jwt_key = $2, algorithm = $3, secret = $4, \
             rsa_public_key = $5, tags = $6 WHERE id = $7",
        )
        .bind(new.consumer_id.clone())
        .bind(new.key.clone())
        .bind(new.algorithm.clone())
        .bind(new.secret.clone())
        .bind(new.rsa_public_key.clone())
        .bind(new.tags.clone())
        .bind(old.id.clone())
        .execute(self.connection())
        .await?;
        if (&old.consumer_id, &old.key) != (&new.consumer_id, &new.key) {
            self.note(Entity::JwtSecrets, Operation::Update, &old.consumer_id, &old.key).await?;
        }
        self.note(Entity::JwtSecrets, Operation::Update, &new.consumer_id, &new.key).await
    }

    pub(crate) async fn delete_jwt_secret(&mut self, old: &JwtSecret) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM jwt_secrets WHERE id = $1")
            .bind(old.id.clone())
            .execute(self.connection())
            .await?;
        self.note(Entity::JwtSecrets, Operation::Delete, &old.consumer_id, &old.key).await
    }

    /// Deletes all JWT credentials of `consumer`.
    pub(super) async fn delete_jwt_secrets_of(&mut self, consumer: &str) -> sqlx::Result<()> {
        loop {
            let some = self.jwt_secrets(Some(consumer), &Cursor::start(), 1000).await?;
            if some.is_empty() {
                return Ok(());
            }
            for old in some {
                self.delete_jwt_secret(&old).await?;
            }
        }
    }

    /// Returns the ids and the stored secrets of at most `limit` credentials whose stored secret
    /// begins with `beginning`, which is [`PLAIN`] or [`SEALED`].
    async fn secrets_like(
        &mut self,
        beginning: &str,
        after: &str,
        limit: i64,
    ) -> sqlx::Result<Vec<(String, String)>> {
        let rows = sqlx::query(SECRETS)
            .bind(beginning.chars().take(6).collect::<String>())
            .bind(after)
            .bind(limit)
            .fetch_all(self.connection())
            .await?;
        rows.iter().map(|row| Ok((row.try_get("id")?, row.try_get("secret")?))).collect()
    }
}

impl JwtSecret {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            consumer_id: row.try_get("consumer_id")?,
            key: row.try_get("jwt_key")?,
            algorithm: row.try_get("algorithm")?,
            secret: row.try_get("secret")?,
            rsa_public_key: row.try_get("rsa_public_key")?,
            tags: row.try_get("tags")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

impl From<sqlx::Error> for SecretsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl std::fmt::Display for SecretsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Vault(error) => error.fmt(f),
            Self::Database(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::plans::plan;
    use super::*;

    /// A start looks for sealed secrets. Without an index it would read all of them if none is.
    #[tokio::test]
    async fn secrets_that_begin_alike_are_found_by_an_index() {
        assert_eq!(
            plan(SECRETS).await,
            "SEARCH jwt_secrets USING INDEX jwt_secrets_by_beginning (<expr>=? AND id>?)"
        );
        // The index has six characters of each.
        assert!(PLAIN.len() == 6 && SEALED.len() >= 6 && !SEALED.starts_with(PLAIN));
    }
}
