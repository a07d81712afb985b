//! Deleting expired rows. Readers ignore an expired row that is not deleted yet.

use sqlx::{Any, AssertSqlSafe};

use super::writers::{TURN, within};
use super::{Engine, Store, Tx};

/// The tables whose rows expire without an entry in the log of changes: gateways know the time.
const TABLES: [&str; 4] = ["sessions", "revocations", "counters", "counter_batches"];

/// The maximum number of rows in one transaction, so that other writers do not wait for long.
const BATCH: i64 = 500;

impl Store {
    /// Deletes the rows that have expired at `now`. Returns the number for each table with any.
    pub(crate) async fn sweep(&self, now: i64) -> sqlx::Result<Vec<(&'static str, u64)>> {
        // A batch may count on with an expired counter. Waiting for one that locks its counters in
        // another order would never end.
        let lock = match self.engine() {
            Engine::Sqlite => "",
            Engine::Postgres => "FOR UPDATE SKIP LOCKED",
        };
        let mut removed = vec![];
        for table in TABLES {
            let mut total: u64 = 0;
            // A read comes before each transaction: usually there is nothing to delete, and then no
            // other writer waits.
            while within(TURN, async { self.read().await?.any_expired(table, now).await }).await?? {
                let delete = async |tx: &mut Tx| tx.delete_some_expired(table, lock, now).await;
                let some = self.write(delete).await?;
                // Other transactions have locked the expired rows that are left. The next sweep
                // deletes them.
                if some == 0 {
                    break;
                }
                total = total.saturating_add(some);
            }
            if total > 0 {
                removed.push((table, total));
            }
        }
        Ok(removed)
    }
}

impl Tx {
    async fn any_expired(&mut self, table: &'static str, now: i64) -> sqlx::Result<bool> {
        let statement = format!("SELECT 1 FROM {table} WHERE expires_at <= $1 LIMIT 1");
        let found = sqlx::query::<Any>(AssertSqlSafe(statement)).bind(now);
        Ok(found.fetch_optional(self.connection()).await?.is_some())
    }

    /// Deletes some expired rows. `lock` says how the database chooses among locked ones.
    async fn delete_some_expired(
        &mut self,
        table: &'static str,
        lock: &'static str,
        now: i64,
    ) -> sqlx::Result<u64> {
        // The outer condition is needed, because a counter may have been prolonged since the inner
        // one was true.
        let statement = format!(
            "DELETE FROM {table} WHERE expires_at <= $1 AND id IN \
             (SELECT id FROM {table} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 {lock})"
        );
        let done = sqlx::query::<Any>(AssertSqlSafe(statement)).bind(now).bind(BATCH);
        Ok(done.execute(self.connection()).await?.rows_affected())
    }
}
