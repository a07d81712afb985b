//! The number of rows of a table, which takes no longer with more rows.
//!
//! A process counts the rows once, and from then on what the log of changes says of later ones. It
//! counts the rows again if the log does not reach back to the last time, or has another history.
//! Rows that come and go without a change in the log are counted again after some time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use admin_api::{Entity, Operation};
use sqlx::{Any, AssertSqlSafe};

use super::Tx;
use super::change_log::{entity_name, operation_name};

/// A number of rows up to which counting takes so little time that it is always done.
const FEW: i64 = 10_000;
/// The time for which a larger number is kept of rows that leave no change behind, in milliseconds.
const KEPT: i64 = 30_000;

/// The numbers that this process has counted, by the name of the table.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    logged: Arc<Mutex<HashMap<&'static str, Count>>>,
    /// Rows that leave no change behind: the time at which they were counted, and their number.
    others: Arc<Mutex<HashMap<&'static str, (i64, i64)>>>,
}

/// The number of rows after a change.
#[derive(Debug, Clone)]
struct Count {
    epoch: String,
    /// The number of the change, and the random mark of its transaction.
    seq: i64,
    mark: String,
    rows: i64,
}

impl Tx {
    /// Returns the number of rows of the table of an entity that leaves a change behind whenever a
    /// row is created or deleted.
    pub(crate) async fn count_all(&mut self, entity: Entity) -> sqlx::Result<i64> {
        let table = entity_name(entity);
        let mark = self.mark_of(self.seq).await?;
        let rows = match self.counted.get(table).filter(|count| count.epoch == self.epoch) {
            Some(count) if self.follows(&count).await? => {
                count.rows.saturating_add(self.created_since(entity, count.seq).await?)
            }
            _ => {
                let statement = format!("SELECT count(*) FROM {table}");
                let counting = sqlx::query_scalar::<Any, i64>(AssertSqlSafe(statement));
                counting.fetch_one(self.connection()).await?
            }
        };
        if let Some(mark) = mark {
            let count = Count { epoch: self.epoch.clone(), seq: self.seq, mark, rows };
            self.counted.put(table, count);
        }
        Ok(rows)
    }

    /// Returns `true` if the log has all changes after `count`.
    async fn follows(&mut self, count: &Count) -> sqlx::Result<bool> {
        let known = count.seq <= self.seq;
        Ok(known && self.mark_of(count.seq).await?.is_some_and(|mark| mark == count.mark))
    }

    /// Returns the number of rows that were created after the change `seq`, less those that were
    /// deleted.
    async fn created_since(&mut self, entity: Entity, seq: i64) -> sqlx::Result<i64> {
        // A consumer leaves a change for each of its names.
        let columns = match entity {
            Entity::Consumers => "DISTINCT mark, consumer_id, operation",
            _ => "operation",
        };
        let statement = format!(
            "SELECT CAST(COALESCE(SUM(CASE WHEN operation = $1 THEN 1 ELSE -1 END), 0) AS BIGINT) \
             FROM (SELECT {columns} FROM changes \
             WHERE seq > $2 AND entity = $3 AND operation IN ($1, $4)) AS later"
        );
        sqlx::query_scalar::<Any, i64>(AssertSqlSafe(statement))
            .bind(operation_name(Operation::Create))
            .bind(seq)
            .bind(entity_name(entity))
            .bind(operation_name(Operation::Delete))
            .fetch_one(self.connection())
            .await
    }
}

impl Tx {
    /// Returns the number of rows of `table` that have not expired at `now` (milliseconds since
    /// 1970). A number above 10,000 is that of the last 30 seconds.
    pub(crate) async fn count_live(&mut self, table: &'static str, now: i64) -> sqlx::Result<i64> {
        if let Some(rows) = self.counted.lately(table, now) {
            return Ok(rows);
        }
        let statement = format!("SELECT count(*) FROM {table} WHERE expires_at > $1");
        let counting = sqlx::query_scalar::<Any, i64>(AssertSqlSafe(statement)).bind(now);
        let rows = counting.fetch_one(self.connection()).await?;
        let mut others = self.counted.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.insert(table, (now, rows));
        Ok(rows)
    }
}

impl Counted {
    /// Returns a large number of rows that was counted not long before `now`.
    fn lately(&self, table: &str, now: i64) -> Option<i64> {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, rows) = others.get(table).copied()?;
        let recent = (at..at.saturating_add(KEPT)).contains(&now);
        (rows > FEW && recent).then_some(rows)
    }

    fn get(&self, table: &str) -> Option<Count> {
        self.logged.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned()
    }

    /// Keeps a number, unless a newer one of the same epoch is kept.
    fn put(&self, table: &'static str, newer: Count) {
        let mut all = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let older = |kept: &Count| kept.epoch == newer.epoch && kept.seq > newer.seq;
        if !all.get(table).is_some_and(older) {
            all.insert(table, newer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Consumer, Kind, Owned, Store};
    use super::*;

    /// A database whose log keeps `history` changes.
    async fn store(history: i64) -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("x.db").display());
        let store = Store::open(&url, history).await.unwrap();
        (directory, store)
    }

    fn consumer(number: usize) -> Consumer {
        Consumer {
            id: format!("id-{number}"),
            username: Some(format!("name-{number}")),
            custom_id: Some(format!("custom-{number}")),
            tags: None,
            created_at: 1,
            updated_at: 1,
        }
    }

    fn app_id(number: usize) -> Owned {
        Owned {
            id: format!("app-{number}"),
            consumer_id: format!("id-{number}"),
            value: format!("app.{number}"),
            tags: None,
            created_at: 1,
            expires_at: None,
        }
    }

    /// Creates a consumer with an App ID.
    async fn create(store: &Store, number: usize) {
        let both = store.write(async |tx| {
            tx.insert_consumer(&consumer(number)).await?;
            tx.insert(Kind::AppId, &app_id(number)).await
        });
        both.await.unwrap();
    }

    async fn counts(store: &Store) -> (i64, i64) {
        let mut tx = store.read().await.unwrap();
        let consumers = tx.count_all(Entity::Consumers).await.unwrap();
        (consumers, tx.count_all(Entity::Appids).await.unwrap())
    }

    /// Adds a row behind the back of the service, which only another counting can find.
    async fn add_unnoticed(store: &Store, number: usize) {
        let row = "INSERT INTO consumers (id, username, created_at, updated_at) \
                   VALUES ($1, $1, 1, 1)";
        let row = sqlx::query(row).bind(format!("unnoticed-{number}"));
        store.write(async |tx| row.execute(tx.connection()).await).await.unwrap();
    }

    #[tokio::test]
    async fn numbers_of_rows_follow_the_log_and_the_rows_are_counted_once() {
        let (_directory, store) = store(100).await;
        assert_eq!(counts(&store).await, (0, 0));
        create(&store, 1).await;
        assert_eq!(counts(&store).await, (1, 1));
        add_unnoticed(&store, 1).await;
        create(&store, 2).await;
        assert_eq!(counts(&store).await, (2, 2), "the rows are not counted again");

        // A consumer of two names is one row; a change of a name is none.
        let renamed = Consumer { username: Some("other".into()), ..consumer(1) };
        let both = store.write(async |tx| {
            tx.update_consumer(&consumer(1), &renamed).await?;
            tx.delete_consumer(&consumer(2)).await
        });
        both.await.unwrap();
        assert_eq!(counts(&store).await, (1, 1));
    }

    #[tokio::test]
    async fn rows_are_counted_again_where_the_log_does_not_reach_back() {
        let (_directory, store) = store(4).await;
        create(&store, 1).await;
        assert_eq!(counts(&store).await, (1, 1));
        add_unnoticed(&store, 1).await;
        for number in 2..5 {
            create(&store, number).await;
        }
        assert_eq!(counts(&store).await, (5, 4));
    }

    #[tokio::test]
    async fn many_rows_without_changes_are_counted_every_30_seconds_and_few_always() {
        let (_directory, store) = store(100).await;
        let add = async |first: i64, last: i64| {
            let rows = "INSERT INTO revocations (id, expires_at) WITH RECURSIVE n (i) AS \
                        (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2) \
                        SELECT CAST(i AS TEXT), 90000 FROM n";
            let rows = sqlx::query(rows).bind(first).bind(last);
            store.write(async |tx| rows.execute(tx.connection()).await).await.unwrap();
        };
        let count = async |now: i64| {
            store.read().await.unwrap().count_live("revocations", now).await.unwrap()
        };
        add(1, 10_000).await;
        assert_eq!(count(0).await, 10_000);
        add(10_001, 10_001).await;
        assert_eq!(count(0).await, 10_001);
        add(10_002, 10_002).await;
        assert_eq!(count(29_999).await, 10_001);
        assert_eq!(count(30_000).await, 10_002);
        assert_eq!(count(90_000).await, 0, "all have expired");
    }

    #[tokio::test]
    async fn rows_are_counted_again_in_another_history() {
        let (_directory, store) = store(100).await;
        create(&store, 1).await;
        assert_eq!(counts(&store).await, (1, 1));
        for (number, statement) in
            [(2, "UPDATE ledger SET epoch = 'another'"), (3, "UPDATE changes SET mark = 'another'")]
        {
            add_unnoticed(&store, number).await;
            let done =
                store.write(async |tx| sqlx::query(statement).execute(tx.connection()).await);
            done.await.unwrap();
            assert_eq!(counts(&store).await.0, i64::try_from(number).unwrap(), "{statement}");
        }
    }
}
