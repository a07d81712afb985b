//! The consumers behind API keys, JWT credentials and names.

use admin_api::{Credential, Holder, Identity, KEY_AUTH};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Consumer, Cursor, JwtSecret, Tx};

impl Tx {
    /// Returns the consumer of the API key with this digest, unless the key has expired at `now`.
    pub(crate) async fn key_identity(
        &mut self,
        digest: &str,
        now: i64,
    ) -> sqlx::Result<Option<Identity>> {
        let row = sqlx::query(
            "SELECT k.id AS credential_id, k.digest, k.created_at, k.expires_at, \
             c.id, c.username, c.custom_id \
             FROM keyauth_credentials k JOIN consumers c ON c.id = k.consumer_id \
             WHERE k.digest = $1 AND (k.expires_at IS NULL OR k.expires_at > $2)",
        )
        .bind(digest.to_owned())
        .bind(now)
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let Holder { digest, consumer, credential, expires_at, .. } = holder_from(&row)?;
        let groups = self.groups(&consumer.id).await?;
        Ok(Some(Identity {
            consumer,
            groups,
            credential: Some(credential),
            digest: Some(digest),
            expires_at,
            seq: Some(self.seq()),
        }))
    }

    /// Returns the consumer of the JWT credential with this key, and the credential as it is
    /// stored.
    pub(crate) async fn jwt_identity(
        &mut self,
        key: &str,
    ) -> sqlx::Result<Option<(Identity, JwtSecret)>> {
        let Some(secret) = self.jwt_secret_by("jwt_key", key).await? else { return Ok(None) };
        let Some(consumer) = self.consumer_by("id", &secret.consumer_id).await? else {
            return Ok(None);
        };
        Ok(Some((self.consumer_identity(consumer).await?, secret)))
    }

    /// Returns what a gateway needs to know about a consumer.
    pub(crate) async fn consumer_identity(&mut self, consumer: Consumer) -> sqlx::Result<Identity> {
        let groups = self.groups(&consumer.id).await?;
        let Consumer { id, username, custom_id, .. } = consumer;
        Ok(Identity {
            consumer: admin_api::Consumer { id, username, custom_id },
            groups,
            credential: None,
            digest: None,
            expires_at: None,
            seq: Some(self.seq()),
        })
    }

    /// Returns at most `size` API keys that have not expired at `now`, after `after`, oldest first,
    /// with the position of each.
    pub(crate) async fn holders(
        &mut self,
        now: i64,
        after: &Cursor,
        size: i64,
    ) -> sqlx::Result<Vec<(Cursor, Holder)>> {
        let rows = sqlx::query(
            "SELECT k.id AS credential_id, k.digest, k.created_at, k.expires_at, \
             c.id, c.username, c.custom_id \
             FROM keyauth_credentials k JOIN consumers c ON c.id = k.consumer_id \
             WHERE (k.created_at, k.id) > ($1, $2) AND (k.expires_at IS NULL OR k.expires_at > $3) \
             ORDER BY k.created_at, k.id LIMIT $4",
        )
        .bind(after.created_at)
        .bind(after.id.clone())
        .bind(now)
        .bind(size)
        .fetch_all(self.connection())
        .await?;
        let mut page = Vec::with_capacity(rows.len());
        for row in &rows {
            let id = row.try_get("credential_id")?;
            page.push((Cursor { created_at: row.try_get("created_at")?, id }, holder_from(row)?));
        }
        self.add_groups(now, after, size, &mut page).await?;
        Ok(page)
    }

    /// Adds the groups of each consumer to a page, with one statement for all of them.
    ///
    /// The statement selects the page again. With its first and last position as bounds instead,
    /// PostgreSQL would expect a quarter of all keys between them, and read all groups.
    async fn add_groups(
        &mut self,
        now: i64,
        after: &Cursor,
        size: i64,
        page: &mut [(Cursor, Holder)],
    ) -> sqlx::Result<()> {
        let rows = sqlx::query(
            "SELECT consumer_id, group_name FROM acls WHERE consumer_id IN \
             (SELECT k.consumer_id FROM keyauth_credentials k WHERE (k.created_at, k.id) > ($1, $2) \
             AND (k.expires_at IS NULL OR k.expires_at > $3) ORDER BY k.created_at, k.id LIMIT $4)",
        )
        .bind(after.created_at)
        .bind(after.id.clone())
        .bind(now)
        .bind(size)
        .fetch_all(self.connection())
        .await?;
        let mut groups = std::collections::HashMap::<String, Vec<String>>::new();
        for row in &rows {
            groups.entry(row.try_get("consumer_id")?).or_default().push(row.try_get("group_name")?);
        }
        groups.values_mut().for_each(|groups| groups.sort_unstable());
        for (_, holder) in page {
            holder.groups = groups.get(&holder.consumer.id).cloned().unwrap_or_default();
        }
        Ok(())
    }

    /// Returns the groups of a consumer, sorted.
    async fn groups(&mut self, consumer: &str) -> sqlx::Result<Vec<String>> {
        // They are sorted here, because the order of text depends on the database and its locale.
        let mut groups: Vec<String> =
            sqlx::query_scalar("SELECT group_name FROM acls WHERE consumer_id = $1")
                .bind(consumer.to_owned())
                .fetch_all(self.connection())
                .await?;
        groups.sort_unstable();
        Ok(groups)
    }
}

fn holder_from(row: &AnyRow) -> sqlx::Result<Holder> {
    let id: String = row.try_get("credential_id")?;
    let expires_at: Option<i64> = row.try_get("expires_at")?;
    Ok(Holder {
        digest: row.try_get("digest")?,
        consumer: admin_api::Consumer {
            id: row.try_get("id")?,
            username: row.try_get("username")?,
            custom_id: row.try_get("custom_id")?,
        },
        groups: Vec::new(),
        credential: Credential { identifier: id.clone(), id, kind: KEY_AUTH.to_owned() },
        expires_at: expires_at.map(i64::unsigned_abs),
    })
}
