//! Reading at one point in time, writing one after another.

use sqlx::{Any, AnyConnection, Transaction};
use uuid::Uuid;

use super::{Engine, Store};

/// A transaction that knows the newest change at its point in time.
///
/// Dropped without [`Tx::commit`], it changes nothing.
pub(crate) struct Tx {
    inner: Transaction<'static, Any>,
    /// The newest change, those of this transaction included.
    pub(super) seq: i64,
    /// The newest change when the transaction began.
    began: i64,
    /// Random: tells the changes of this transaction from those of another history.
    pub(super) mark: String,
    history: i64,
}

impl Store {
    /// Looks at the database as it is now: later reads of the transaction see the same state.
    pub(crate) async fn read(&self) -> sqlx::Result<Tx> {
        let inner = match self.engine() {
            // In WAL mode the first read fixes the state.
            Engine::Sqlite => self.readers.begin().await?,
            Engine::Postgres => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                self.readers.begin_with(begin).await?
            }
        };
        self.transaction(inner, "SELECT seq FROM ledger").await
    }

    /// Waits until nobody else writes, on any node. What this transaction finds stays true until it
    /// commits, so a look before an insert is enough.
    pub(crate) async fn write(&self) -> sqlx::Result<Tx> {
        let (inner, newest) = match self.engine() {
            Engine::Sqlite => {
                (self.writers.begin_with("BEGIN IMMEDIATE").await?, "SELECT seq FROM ledger")
            }
            Engine::Postgres => {
                // Said in full: a server may have been given another default.
                let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
                (self.writers.begin_with(begin).await?, "SELECT seq FROM ledger FOR UPDATE")
            }
        };
        self.transaction(inner, newest).await
    }

    /// Writes what the history says nothing about. On PostgreSQL nobody waits for it but those who want the same
    /// rows; the transaction must not note a change.
    pub(super) async fn write_aside(&self) -> sqlx::Result<Tx> {
        let begin = match self.engine() {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        };
        let inner = self.writers.begin_with(begin).await?;
        self.transaction(inner, "SELECT seq FROM ledger").await
    }

    async fn transaction(
        &self,
        mut inner: Transaction<'static, Any>,
        newest: &'static str,
    ) -> sqlx::Result<Tx> {
        let seq: i64 = sqlx::query_scalar(newest).fetch_one(&mut *inner).await?;
        let mark = Uuid::new_v4().simple().to_string();
        Ok(Tx { inner, seq, began: seq, mark, history: self.history })
    }
}

impl Tx {
    /// The newest change at this point in time.
    pub(crate) const fn seq(&self) -> u64 {
        self.seq.unsigned_abs()
    }

    pub(super) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }

    /// Returns when everything is durable.
    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        if self.seq != self.began {
            sqlx::query("UPDATE ledger SET seq = $1")
                .bind(self.seq)
                .execute(&mut *self.inner)
                .await?;
            sqlx::query("DELETE FROM changes WHERE seq <= $1")
                .bind(self.seq.saturating_sub(self.history))
                .execute(&mut *self.inner)
                .await?;
        }
        self.inner.commit().await
    }
}
