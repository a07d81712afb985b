//! The subjects of sessions, as far as gateways have stored them.

use admin_api::{Entity, Metadata, Operation};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row};
use uuid::Uuid;

use super::change_log::{entity_name, operation_name};
use super::{Cursor, Tx, creation_time};

/// A selection of sessions.
pub(crate) struct SubjectFilter {
    pub(crate) subject: String,
    /// Selects only sessions for this audience.
    pub(crate) audience: Option<String>,
}

/// One entry of a session's metadata.
pub(crate) struct MetadataEntry {
    /// The id of the entry; a session has one for each audience.
    pub(crate) id: String,
    pub(crate) session_id: String,
    pub(crate) audience: String,
    pub(crate) subject: String,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
}

impl SubjectFilter {
    /// Returns an SQL condition on an entry, and the values of its parameters from `$first` on.
    fn condition(&self, first: u8) -> (String, Vec<String>) {
        let subject = format!("subject = ${first}");
        match &self.audience {
            None => (subject, vec![self.subject.clone()]),
            Some(audience) => (
                format!("{subject} AND audience = ${}", first.saturating_add(1)),
                vec![self.subject.clone(), audience.clone()],
            ),
        }
    }
}

impl Tx {
    /// Stores the metadata of a new session.
    pub(super) async fn put_metadata(
        &mut self,
        session: &str,
        metadata: &[Metadata],
    ) -> sqlx::Result<()> {
        for Metadata { audience, subject } in metadata {
            sqlx::query(
                "INSERT INTO session_metadata (id, session_id, audience, subject, created_at) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(Uuid::new_v4().to_string())
            .bind(session.to_owned())
            .bind(audience.clone())
            .bind(subject.clone())
            .bind(creation_time())
            .execute(self.connection())
            .await?;
        }
        Ok(())
    }

    /// Deletes the metadata of a session.
    pub(super) async fn delete_metadata(&mut self, session: &str) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM session_metadata WHERE session_id = $1")
            .bind(session.to_owned())
            .execute(self.connection())
            .await
            .map(drop)
    }

    /// Returns at most `size` entries of sessions that have not expired at `now`, after `after`,
    /// oldest first.
    pub(crate) async fn sessions_of(
        &mut self,
        filter: &SubjectFilter,
        now: i64,
        after: &Cursor,
        size: i64,
    ) -> sqlx::Result<Vec<MetadataEntry>> {
        let (condition, values) = filter.condition(5);
        let statement = format!(
            "SELECT m.id, m.session_id, m.audience, m.subject, m.created_at, s.expires_at \
             FROM session_metadata m JOIN sessions s ON s.id = m.session_id \
             WHERE s.expires_at > $1 AND (m.created_at, m.id) > ($2, $3) AND {condition} \
             ORDER BY m.created_at, m.id LIMIT $4"
        );
        let mut query = sqlx::query::<Any>(AssertSqlSafe(statement))
            .bind(now)
            .bind(after.created_at)
            .bind(after.id.clone())
            .bind(size);
        for value in values {
            query = query.bind(value);
        }
        let rows = query.fetch_all(self.connection()).await?;
        rows.iter().map(MetadataEntry::from_row).collect()
    }

    /// Deletes the selected sessions, with a change in the log for each.
    pub(crate) async fn end_sessions_of(&mut self, filter: &SubjectFilter) -> sqlx::Result<()> {
        let (condition, values) = filter.condition(5);
        let statement = format!(
            "INSERT INTO changes (seq, mark, entity, operation, consumer_id, name) \
             SELECT $1 + row_number() OVER (ORDER BY id), $2, $3, $4, '', id FROM sessions \
             WHERE id IN (SELECT session_id FROM session_metadata WHERE {condition})"
        );
        let mut query = sqlx::query::<Any>(AssertSqlSafe(statement))
            .bind(self.seq)
            .bind(self.mark.clone())
            .bind(entity_name(Entity::Sessions))
            .bind(operation_name(Operation::Delete));
        for value in values {
            query = query.bind(value);
        }
        let noted = query.execute(self.connection()).await?.rows_affected();
        self.seq = self.seq.saturating_add_unsigned(noted);

        let (condition, values) = filter.condition(1);
        let statement = format!(
            "DELETE FROM sessions \
             WHERE id IN (SELECT session_id FROM session_metadata WHERE {condition})"
        );
        let mut query = sqlx::query::<Any>(AssertSqlSafe(statement));
        for value in values {
            query = query.bind(value);
        }
        query.execute(self.connection()).await.map(drop)
    }
}

impl MetadataEntry {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            session_id: row.try_get("session_id")?,
            audience: row.try_get("audience")?,
            subject: row.try_get("subject")?,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
        })
    }
}
