//! Groups, App IDs and API keys of consumers.

use admin_api::{Entity, Operation};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row};

use super::writers::{TURN, within};
use super::{Cursor, Store, Tx, storable};

/// The kinds of items, each with a table of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Acl,
    AppId,
    Key,
}

/// An item of a consumer, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) id: String,
    pub(crate) consumer_id: String,
    /// The group, the App ID, or the SHA-256 digest of the API key.
    pub(crate) value: String,
    /// A JSON list.
    pub(crate) tags: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) created_at: i64,
    /// Milliseconds since 1970, or `None` for ever.
    pub(crate) expires_at: Option<i64>,
}

/// A selection of items. An item must have every value that is not `None`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) id: Option<String>,
    pub(crate) consumer_id: Option<String>,
    pub(crate) value: Option<String>,
}

impl Kind {
    /// All kinds, in the order in which a consumer's items are deleted. Keys come first, because a
    /// change of a group adds a change for each key that still exists.
    pub(crate) const ALL: [Self; 3] = [Self::Key, Self::Acl, Self::AppId];

    /// Returns the name of the table, which is also the entity in `/changes`.
    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::Acl => "acls",
            Self::AppId => "appids",
            Self::Key => "keyauth_credentials",
        }
    }

    /// Returns the column that holds [`Owned::value`].
    const fn column(self) -> &'static str {
        match self {
            Self::Acl => "group_name",
            Self::AppId => "appid",
            Self::Key => "digest",
        }
    }

    pub(crate) const fn entity(self) -> Entity {
        match self {
            Self::Acl => Entity::Acls,
            Self::AppId => Entity::Appids,
            Self::Key => Entity::KeyauthCredentials,
        }
    }

    /// Returns the statement that lists items after a position, oldest first. `condition` is that
    /// of a [`Filter`].
    fn list(self, condition: &str) -> String {
        format!(
            "SELECT id, consumer_id, {} AS value, tags, created_at, expires_at FROM {} \
             WHERE (expires_at IS NULL OR expires_at > $1) AND (created_at, id) > ($2, $3) \
             {condition} ORDER BY created_at, id LIMIT $4",
            self.column(),
            self.table(),
        )
    }
}

impl Store {
    /// Deletes the API keys that have expired at `now`, and returns their number.
    pub(crate) async fn delete_expired(&self, now: i64) -> sqlx::Result<usize> {
        let mut total: usize = 0;
        loop {
            // Transactions are short, and a read comes before each: usually there is nothing to
            // delete, and then no other writer waits.
            let expired = async { self.read().await?.expired(now).await };
            if within(TURN, expired).await??.is_empty() {
                return Ok(total);
            }
            let deleted = self.write(async |tx| tx.delete_some_expired_keys(now).await).await?;
            total = total.saturating_add(deleted);
        }
    }
}

impl Tx {
    async fn delete_some_expired_keys(&mut self, now: i64) -> sqlx::Result<usize> {
        let some = self.expired(now).await?;
        for old in &some {
            self.delete(Kind::Key, old).await?;
        }
        Ok(some.len())
    }

    /// Returns at most `size` items that match and have not expired at `now`, after `after`, oldest
    /// first.
    pub(crate) async fn list_owned(
        &mut self,
        kind: Kind,
        filter: &Filter,
        now: i64,
        after: &Cursor,
        size: i64,
    ) -> sqlx::Result<Vec<Owned>> {
        let (condition, values) = filter.condition(kind);
        let mut query = sqlx::query::<Any>(AssertSqlSafe(kind.list(&condition)))
            .bind(now)
            .bind(after.created_at)
            .bind(after.id.clone())
            .bind(size);
        for value in values {
            query = query.bind(value);
        }
        let rows = query.fetch_all(self.connection()).await?;
        rows.iter().map(Owned::from_row).collect()
    }

    /// Returns the number of items that match and have not expired at `now`. That of all App IDs,
    /// which never expire, takes no longer with more of them.
    pub(crate) async fn count(
        &mut self,
        kind: Kind,
        filter: &Filter,
        now: i64,
    ) -> sqlx::Result<i64> {
        let (condition, values) = filter.condition(kind);
        if kind == Kind::AppId && values.is_empty() {
            return self.count_all(kind.entity()).await;
        }
        // The parameters have the numbers of `list_owned`, since `condition` begins at `$5`.
        let statement = format!(
            "SELECT count(*) FROM {} \
             WHERE (expires_at IS NULL OR expires_at > $1) AND (created_at, id) > ($2, $3) \
             AND $4 > 0 {condition}",
            kind.table()
        );
        let start = Cursor::start();
        let mut query = sqlx::query_scalar::<Any, i64>(AssertSqlSafe(statement))
            .bind(now)
            .bind(start.created_at)
            .bind(start.id)
            .bind(1_i64);
        for value in values {
            query = query.bind(value);
        }
        query.fetch_one(self.connection()).await
    }

    /// Returns the oldest item that matches and has not expired at `now`.
    pub(crate) async fn find_owned(
        &mut self,
        kind: Kind,
        filter: &Filter,
        now: i64,
    ) -> sqlx::Result<Option<Owned>> {
        if [&filter.id, &filter.consumer_id, &filter.value]
            .into_iter()
            .flatten()
            .any(|v| !storable(v))
        {
            return Ok(None);
        }
        Ok(self.list_owned(kind, filter, now, &Cursor::start(), 1).await?.pop())
    }

    pub(crate) async fn insert(&mut self, kind: Kind, new: &Owned) -> sqlx::Result<()> {
        let statement = format!(
            "INSERT INTO {} (id, consumer_id, {}, tags, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            kind.table(),
            kind.column(),
        );
        sqlx::query::<Any>(AssertSqlSafe(statement))
            .bind(new.id.clone())
            .bind(new.consumer_id.clone())
            .bind(new.value.clone())
            .bind(new.tags.clone())
            .bind(new.created_at)
            .bind(new.expires_at)
            .execute(self.connection())
            .await?;
        self.note_owned(kind, Operation::Create, new).await
    }

    pub(crate) async fn update(
        &mut self,
        kind: Kind,
        old: &Owned,
        new: &Owned,
    ) -> sqlx::Result<()> {
        let statement = format!(
            "UPDATE {} SET consumer_id = $1, {} = $2, tags = $3, expires_at = $4 WHERE id = $5",
            kind.table(),
            kind.column(),
        );
        sqlx::query::<Any>(AssertSqlSafe(statement))
            .bind(new.consumer_id.clone())
            .bind(new.value.clone())
            .bind(new.tags.clone())
            .bind(new.expires_at)
            .bind(old.id.clone())
            .execute(self.connection())
            .await?;
        if (&old.consumer_id, &old.value) != (&new.consumer_id, &new.value) {
            self.note_owned(kind, Operation::Update, old).await?;
        }
        self.note_owned(kind, Operation::Update, new).await
    }

    pub(crate) async fn delete(&mut self, kind: Kind, old: &Owned) -> sqlx::Result<()> {
        let statement = format!("DELETE FROM {} WHERE id = $1", kind.table());
        sqlx::query::<Any>(AssertSqlSafe(statement))
            .bind(old.id.clone())
            .execute(self.connection())
            .await?;
        self.note_owned(kind, Operation::Delete, old).await
    }

    /// Deletes all items of one kind of `consumer`, expired or not.
    pub(super) async fn delete_all_of(&mut self, kind: Kind, consumer: &str) -> sqlx::Result<()> {
        let filter = Filter { consumer_id: Some(consumer.to_owned()), ..Filter::default() };
        loop {
            let some = self.list_owned(kind, &filter, i64::MIN, &Cursor::start(), 1000).await?;
            if some.is_empty() {
                return Ok(());
            }
            for old in some {
                self.delete(kind, &old).await?;
            }
        }
    }

    /// Returns at most 500 API keys that have expired at `now`.
    async fn expired(&mut self, now: i64) -> sqlx::Result<Vec<Owned>> {
        let rows = sqlx::query(
            "SELECT id, consumer_id, digest AS value, tags, created_at, expires_at \
             FROM keyauth_credentials WHERE expires_at <= $1 ORDER BY expires_at LIMIT 500",
        )
        .bind(now)
        .fetch_all(self.connection())
        .await?;
        rows.iter().map(Owned::from_row).collect()
    }

    async fn note_owned(
        &mut self,
        kind: Kind,
        operation: Operation,
        it: &Owned,
    ) -> sqlx::Result<()> {
        self.note(kind.entity(), operation, &it.consumer_id, &it.value).await?;
        // The answer about each credential contains the groups of its consumer.
        if kind == Kind::Acl { self.note_keys(&it.consumer_id).await } else { Ok(()) }
    }
}

// === Filter ===

impl Filter {
    /// Returns SQL to append to a condition, and the values of its parameters from `$5` on.
    fn condition(&self, kind: Kind) -> (String, Vec<String>) {
        let (mut condition, mut values) = (String::new(), Vec::new());
        let columns =
            [("id", &self.id), ("consumer_id", &self.consumer_id), (kind.column(), &self.value)];
        for (number, (column, value)) in (5..)
            .zip(columns.into_iter().filter_map(|(column, value)| Some((column, value.clone()?))))
        {
            condition.push_str(&format!(" AND {column} = ${number}"));
            values.push(value);
        }
        (condition, values)
    }
}

// === Owned ===

impl Owned {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            consumer_id: row.try_get("consumer_id")?,
            value: row.try_get("value")?,
            tags: row.try_get("tags")?,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
        })
    }
}

// === Cursor ===

impl Cursor {
    /// The position before all items.
    pub(crate) const fn start() -> Self {
        Self { created_at: i64::MIN, id: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::plans::plan;
    use super::*;

    /// Returns how SQLite lists the items of `kind` that have a value.
    async fn plan_of(kind: Kind) -> String {
        let value = Filter { value: Some("x".to_owned()), ..Filter::default() };
        plan(&kind.list(&value.condition(kind).0)).await
    }

    /// One step of a plan reads only the rows of the page, whatever the size of a group.
    #[tokio::test]
    async fn a_page_of_a_group_or_of_an_app_id_reads_an_index_in_order() {
        assert_eq!(
            plan_of(Kind::Acl).await,
            "SEARCH acls USING INDEX acls_by_group_in_order \
             (group_name=? AND (created_at,id)>(?,?))"
        );
        assert_eq!(
            plan_of(Kind::AppId).await,
            "SEARCH appids USING INDEX appids_by_appid_in_order \
             (appid=? AND (created_at,id)>(?,?))"
        );
    }
}
