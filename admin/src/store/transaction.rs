//! Transactions: each reads at one point in time. `writers.rs` has the order of those that write.

use sqlx::{Any, AnyConnection, Row as _, Transaction};
use uuid::Uuid;

use super::counted::Counted;
use super::{Engine, Store};

/// Reads the number of the newest change, its epoch, and the identity of PostgreSQL's engine.
pub(super) const LEDGER: &str = "SELECT seq, epoch, engine FROM ledger";

/// Removes changes up to a number from the log. Without the lower bound, PostgreSQL would expect as
/// many of them as there were when it last looked at the table, and read all of it for each write.
const TRIM: &str = "DELETE FROM changes WHERE seq <= $1 AND seq >= (SELECT min(seq) FROM changes)";

/// A transaction that knows the newest change at its point in time.
///
/// A transaction that is dropped without [`Tx::commit`] changes nothing. [`Store::write`] commits.
pub(crate) struct Tx {
    inner: Transaction<'static, Any>,
    /// The number of the newest change, including those of this transaction.
    pub(super) seq: i64,
    /// A random text that distinguishes the changes of this write from changes with the same
    /// numbers in another history.
    pub(super) mark: String,
    /// The number of changes that the log keeps.
    history: i64,
    /// The history that `seq` belongs to, when the transaction began.
    pub(super) epoch: String,
    /// The stored identity of PostgreSQL's engine; empty on SQLite.
    pub(super) engine: String,
    pub(super) counted: Counted,
}

impl Store {
    /// Begins a transaction that reads the present state. Later reads of it see no other writes.
    pub(crate) async fn read(&self) -> sqlx::Result<Tx> {
        let inner = match self.engine() {
            // In WAL mode, the first read of a transaction fixes the state that it sees.
            Engine::Sqlite => self.readers.begin().await?,
            Engine::Postgres => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                self.readers.begin_with(begin).await?
            }
        };
        self.transaction(inner, LEDGER).await
    }

    /// Completes a transaction. The statement `newest` reads the columns of [`LEDGER`].
    pub(super) async fn transaction(
        &self,
        mut inner: Transaction<'static, Any>,
        newest: &'static str,
    ) -> sqlx::Result<Tx> {
        let row = sqlx::query(newest).fetch_one(&mut *inner).await?;
        let seq = row.try_get("seq")?;
        let (epoch, engine) = (row.try_get("epoch")?, row.try_get("engine")?);
        let mark = Uuid::new_v4().simple().to_string();
        let counted = self.counted.clone();
        Ok(Tx { inner, seq, mark, history: self.history, epoch, engine, counted })
    }
}

impl Tx {
    /// Returns the number of the newest change, including those of this transaction.
    pub(crate) const fn seq(&self) -> u64 {
        self.seq.unsigned_abs()
    }

    pub(super) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }

    /// Deletes everything but the log of changes, for the fuzzer's next input.
    #[cfg(feature = "fuzzing")]
    pub(crate) async fn forget_everything(&mut self) -> sqlx::Result<()> {
        let all = "DELETE FROM acls; DELETE FROM appids; DELETE FROM keyauth_credentials; \
                   DELETE FROM jwt_secrets; DELETE FROM consumers; DELETE FROM session_metadata; \
                   DELETE FROM sessions; DELETE FROM revocations; DELETE FROM counters; \
                   DELETE FROM counter_batches";
        sqlx::raw_sql(all).execute(self.connection()).await.map(drop)
    }

    /// Stores the number of the newest change, and removes changes from the log beyond its length.
    pub(super) async fn end_log(&mut self) -> sqlx::Result<()> {
        let seq = self.seq;
        let newest = sqlx::query("UPDATE ledger SET seq = $1").bind(seq);
        newest.execute(self.connection()).await?;
        let oldest = seq.saturating_sub(self.history);
        sqlx::query(TRIM).bind(oldest).execute(self.connection()).await.map(drop)
    }

    /// Commits. Everything is durable when this returns.
    pub(super) async fn commit(self) -> sqlx::Result<()> {
        self.inner.commit().await
    }
}
