//! Sessions that gateways store here, and revocations of sessions that are stored elsewhere.

use admin_api::{Entity, Metadata, Operation};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::Tx;

/// A session as it is stored.
pub(crate) struct Session {
    /// Base64 of data that a gateway has sealed.
    pub(crate) data: String,
    /// Milliseconds since 1970.
    pub(crate) expires_at: i64,
}

impl Tx {
    /// Returns the session, unless it has expired at `now`.
    pub(crate) async fn session(&mut self, id: &str, now: i64) -> sqlx::Result<Option<Session>> {
        Ok(self.stored_session(id).await?.filter(|session| session.expires_at > now))
    }

    /// Stores a session and its metadata, or replaces them. The log of changes gets an entry if
    /// gateways may have an outdated session in their caches.
    pub(crate) async fn put_session(
        &mut self,
        id: &str,
        new: &Session,
        metadata: &[Metadata],
        now: i64,
    ) -> sqlx::Result<()> {
        let old = self.stored_session(id).await?;
        let statement = match old {
            None => "INSERT INTO sessions (data, expires_at, id) VALUES ($1, $2, $3)",
            Some(_) => "UPDATE sessions SET data = $1, expires_at = $2 WHERE id = $3",
        };
        sqlx::query(statement)
            .bind(new.data.clone())
            .bind(new.expires_at)
            .bind(id.to_owned())
            .execute(self.connection())
            .await?;
        if old.is_some() {
            self.delete_metadata(id).await?;
        }
        self.put_metadata(id, metadata).await?;
        let outdated = old.is_some_and(|old| {
            old.expires_at > now && (old.data != new.data || old.expires_at > new.expires_at)
        });
        if outdated {
            self.note(Entity::Sessions, Operation::Update, "", id).await?;
        }
        Ok(())
    }

    /// Makes a session end at `expires_at` at the latest, and returns it. Returns `None` if there
    /// is no session at `now`.
    pub(crate) async fn shorten_session(
        &mut self,
        id: &str,
        expires_at: i64,
        now: i64,
    ) -> sqlx::Result<Option<Session>> {
        let Some(session) = self.session(id, now).await? else { return Ok(None) };
        if session.expires_at <= expires_at {
            return Ok(Some(session));
        }
        sqlx::query("UPDATE sessions SET expires_at = $1 WHERE id = $2")
            .bind(expires_at)
            .bind(id.to_owned())
            .execute(self.connection())
            .await?;
        self.note(Entity::Sessions, Operation::Update, "", id).await?;
        Ok(Some(Session { expires_at, ..session }))
    }

    /// Deletes a session, if it exists.
    pub(crate) async fn delete_session(&mut self, id: &str) -> sqlx::Result<()> {
        let gone = sqlx::query("DELETE FROM sessions WHERE id = $1")
            .bind(id.to_owned())
            .execute(self.connection())
            .await?
            .rows_affected();
        if gone > 0 {
            self.note(Entity::Sessions, Operation::Delete, "", id).await?;
        }
        Ok(())
    }

    /// Returns the end of a revocation, if the session is revoked at `now`.
    pub(crate) async fn revocation(&mut self, id: &str, now: i64) -> sqlx::Result<Option<i64>> {
        Ok(self.stored_revocation(id).await?.filter(|expires_at| *expires_at > now))
    }

    /// Revokes a session until `expires_at`, or until the end of an existing revocation if that is
    /// later. Returns the end.
    pub(crate) async fn revoke(
        &mut self,
        id: &str,
        expires_at: i64,
        now: i64,
    ) -> sqlx::Result<i64> {
        let old = self.stored_revocation(id).await?;
        if let Some(later) = old.filter(|old| *old >= expires_at) {
            return Ok(later);
        }
        let statement = match old {
            None => "INSERT INTO revocations (expires_at, id) VALUES ($1, $2)",
            Some(_) => "UPDATE revocations SET expires_at = $1 WHERE id = $2",
        };
        sqlx::query(statement)
            .bind(expires_at)
            .bind(id.to_owned())
            .execute(self.connection())
            .await?;
        // Gateways cache that a session is not revoked, so a new revocation is a change too.
        let operation =
            if old.is_some_and(|old| old > now) { Operation::Update } else { Operation::Create };
        self.note(Entity::Revocations, operation, "", id).await?;
        Ok(expires_at)
    }

    async fn stored_session(&mut self, id: &str) -> sqlx::Result<Option<Session>> {
        let row: Option<AnyRow> =
            sqlx::query("SELECT data, expires_at FROM sessions WHERE id = $1")
                .bind(id.to_owned())
                .fetch_optional(self.connection())
                .await?;
        let session = |row: AnyRow| {
            Ok(Session { data: row.try_get("data")?, expires_at: row.try_get("expires_at")? })
        };
        row.map(session).transpose()
    }

    async fn stored_revocation(&mut self, id: &str) -> sqlx::Result<Option<i64>> {
        sqlx::query_scalar("SELECT expires_at FROM revocations WHERE id = $1")
            .bind(id.to_owned())
            .fetch_optional(self.connection())
            .await
    }
}
