//! Consumers. A name is looked up as an id first, then as a username, then as a custom id.

use admin_api::{Entity, Operation};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Cursor, Kind, Tx, storable};

/// The statement that lists all consumers after a position, oldest first.
const LIST: &str = "SELECT * FROM consumers WHERE (created_at, id) > ($1, $2) \
     ORDER BY created_at, id LIMIT $3";

/// A consumer as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Consumer {
    pub(crate) id: String,
    pub(crate) username: Option<String>,
    pub(crate) custom_id: Option<String>,
    /// A JSON list.
    pub(crate) tags: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// A kind of name by whose beginning consumers are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameKind {
    Username,
    CustomId,
}

/// A position in a list of consumers that is ordered by one kind of name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameCursor {
    /// The name with ASCII letters in lower case.
    pub(crate) name: String,
    pub(crate) id: String,
}

impl NameKind {
    /// Returns the statement that finds consumers by the beginning of a name. Its parameters are a
    /// name and an id, after which the list begins, the end of the names, and the number of rows.
    const fn statement(self) -> &'static str {
        match self {
            Self::Username => {
                "SELECT * FROM consumers WHERE (username_folded, id) > ($1, $2) \
                 AND username_folded < $3 ORDER BY username_folded, id LIMIT $4"
            }
            Self::CustomId => {
                "SELECT * FROM consumers WHERE (custom_id_folded, id) > ($1, $2) \
                 AND custom_id_folded < $3 ORDER BY custom_id_folded, id LIMIT $4"
            }
        }
    }

    /// Returns the position of a consumer that has a name of this kind.
    pub(crate) fn position(self, consumer: &Consumer) -> NameCursor {
        let name = match self {
            Self::Username => &consumer.username,
            Self::CustomId => &consumer.custom_id,
        };
        let name = name.as_deref().unwrap_or_default().to_ascii_lowercase();
        NameCursor { name, id: consumer.id.clone() }
    }
}

impl Consumer {
    /// The names of the consumer besides its id.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.username.iter().chain(&self.custom_id).map(String::as_str)
    }

    /// `true` if answers to gateways about `self` and `other` differ.
    fn differs(&self, other: &Self) -> bool {
        (&self.username, &self.custom_id) != (&other.username, &other.custom_id)
    }

    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            username: row.try_get("username")?,
            custom_id: row.try_get("custom_id")?,
            tags: row.try_get("tags")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}

impl Tx {
    /// Finds the consumer that has `name` as its id, its username or its custom id.
    pub(crate) async fn consumer(&mut self, name: &str) -> sqlx::Result<Option<Consumer>> {
        for column in ["id", "username", "custom_id"] {
            if let Some(found) = self.consumer_called(column, name).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Finds the consumer whose `column` (`id`, `username` or `custom_id`) is `name`, as a client
    /// has written it: an id may be in upper case, and no row is found for a NUL.
    pub(crate) async fn consumer_called(
        &mut self,
        column: &'static str,
        name: &str,
    ) -> sqlx::Result<Option<Consumer>> {
        if !storable(name) {
            return Ok(None);
        }
        match column {
            "id" => self.consumer_by(column, &name.to_ascii_lowercase()).await,
            _ => self.consumer_by(column, name).await,
        }
    }

    /// Finds the consumer whose `column` (`id`, `username` or `custom_id`) is exactly `value`.
    pub(crate) async fn consumer_by(
        &mut self,
        column: &'static str,
        value: &str,
    ) -> sqlx::Result<Option<Consumer>> {
        let statement = match column {
            "id" => "SELECT * FROM consumers WHERE id = $1",
            "username" => "SELECT * FROM consumers WHERE username = $1",
            _ => "SELECT * FROM consumers WHERE custom_id = $1",
        };
        let row = sqlx::query(statement).bind(value.to_owned());
        let row = row.fetch_optional(self.connection()).await?;
        row.as_ref().map(Consumer::from_row).transpose()
    }

    /// Returns at most `size` consumers after `after`, oldest first.
    pub(crate) async fn consumers(
        &mut self,
        after: &Cursor,
        size: i64,
    ) -> sqlx::Result<Vec<Consumer>> {
        let rows = sqlx::query(LIST)
            .bind(after.created_at)
            .bind(after.id.clone())
            .bind(size)
            .fetch_all(self.connection())
            .await?;
        rows.iter().map(Consumer::from_row).collect()
    }

    /// Returns at most `size` consumers after `after` whose name of one kind begins with `prefix`,
    /// in the order of these names. ASCII letters match in either case.
    pub(crate) async fn consumers_beginning(
        &mut self,
        kind: NameKind,
        prefix: &str,
        after: NameCursor,
        size: i64,
    ) -> sqlx::Result<Vec<Consumer>> {
        let prefix = prefix.to_ascii_lowercase();
        // No name holds the last character of Unicode, which is no character for exchange.
        let end = format!("{prefix}\u{10ffff}");
        let after = if after.name < prefix {
            NameCursor { name: prefix, id: String::new() }
        } else {
            after
        };
        let rows = sqlx::query(kind.statement())
            .bind(after.name)
            .bind(after.id)
            .bind(end)
            .bind(size)
            .fetch_all(self.connection())
            .await?;
        rows.iter().map(Consumer::from_row).collect()
    }

    pub(crate) async fn insert_consumer(&mut self, new: &Consumer) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO consumers (id, username, custom_id, tags, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(new.id.clone())
        .bind(new.username.clone())
        .bind(new.custom_id.clone())
        .bind(new.tags.clone())
        .bind(new.created_at)
        .bind(new.updated_at)
        .execute(self.connection())
        .await?;
        self.note_names(Operation::Create, [new, new]).await
    }

    pub(crate) async fn update_consumer(
        &mut self,
        old: &Consumer,
        new: &Consumer,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "UPDATE consumers SET username = $1, custom_id = $2, tags = $3, updated_at = $4 \
             WHERE id = $5",
        )
        .bind(new.username.clone())
        .bind(new.custom_id.clone())
        .bind(new.tags.clone())
        .bind(new.updated_at)
        .bind(old.id.clone())
        .execute(self.connection())
        .await?;
        self.note_names(Operation::Update, [old, new]).await?;
        if new.differs(old) {
            self.note_keys(&old.id).await?;
        }
        Ok(())
    }

    /// Deletes a consumer and everything that belongs to it.
    pub(crate) async fn delete_consumer(&mut self, old: &Consumer) -> sqlx::Result<()> {
        self.delete_jwt_secrets_of(&old.id).await?;
        for kind in Kind::ALL {
            self.delete_all_of(kind, &old.id).await?;
        }
        sqlx::query("DELETE FROM consumers WHERE id = $1")
            .bind(old.id.clone())
            .execute(self.connection())
            .await?;
        self.note_names(Operation::Delete, [old, old]).await
    }

    /// Adds one change for each name that the consumer had or has.
    async fn note_names(
        &mut self,
        operation: Operation,
        [old, new]: [&Consumer; 2],
    ) -> sqlx::Result<()> {
        let mut names: Vec<&str> = old.names().chain(new.names()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            self.note(Entity::Consumers, operation, &new.id, name).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::plans::plan;
    use super::*;

    /// One step of a plan reads only the rows of the page, whatever the number of consumers.
    #[tokio::test]
    async fn lists_of_consumers_read_an_index_in_order_and_only_their_page() {
        for (statement, step) in [
            (LIST, "SEARCH consumers USING INDEX consumers_in_order ((created_at,id)>(?,?))"),
            (
                NameKind::Username.statement(),
                "SEARCH consumers USING INDEX consumers_by_username \
                 ((username_folded,id)>(?,?) AND username_folded<?)",
            ),
            (
                NameKind::CustomId.statement(),
                "SEARCH consumers USING INDEX consumers_by_custom_id \
                 ((custom_id_folded,id)>(?,?) AND custom_id_folded<?)",
            ),
        ] {
            assert_eq!(plan(statement).await, step);
        }
        let sorted =
            plan("SELECT * FROM consumers WHERE (tags, id) > ($1, $2) ORDER BY tags LIMIT $3");
        assert!(sorted.await.contains("SCAN"), "the plan would show a list without an index");
    }
}
