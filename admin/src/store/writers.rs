//! Writers: one at a time, and those that wait for each other share a commit.
//!
//! A commit syncs the disk, which takes longer than a write itself. So a writer that has done its
//! work while others wait leaves its transaction open, and the next one goes on in it. All of them
//! are answered after its commit.
//!
//! * A writer sees what the writers before it have done, in its own transaction too. So a refusal
//!   also waits for the commit: it may be due to a row that was not durable yet.
//! * A savepoint lies between two writers of a transaction. What a refused writer has done is taken
//!   back to it, and the numbers of its changes are free again.
//! * In case of doubt the transaction is given up, and all of its writers get an error: if it cannot
//!   be taken back to a savepoint, and if a writer is dropped, maybe in the middle of a statement, as
//!   one is that has had its turn for a minute.
//! * Whenever a transaction is left open, a task commits it that waits for its turn behind the
//!   writers that wait already. So no writer has to come, or to come to an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::AnyConnection;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use uuid::Uuid;

use super::transaction::LEDGER;
use super::{Engine, Store, Tx, shared_error};

/// The maximum number of writers in a transaction: so many get an error if it fails, and nodes wait
/// for it. PostgreSQL keeps the numbers of up to 64 savepoints at hand.
const MOST: usize = 32;

/// The time after which no other writer joins a transaction. A row of slow writers would keep the
/// first of them waiting for the last, and other nodes for all of them.
const JOINED_FOR: Duration = Duration::from_secs(1);

/// The maximum time for which a writer waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The maximum time for which a writer has its turn. PostgreSQL ends each statement before. But if
/// the network cuts a connection off without notice, no answer ever comes.
pub(super) const TURN: Duration = Duration::from_secs(60);

/// Begins a transaction on PostgreSQL. Both modes are explicit, because a server may have other
/// defaults.
const BEGIN_POSTGRES: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// The turn of the writers of this process.
#[derive(Default)]
pub(super) struct Writers {
    /// Whoever holds the lock has the turn. They get it in the order in which they ask. The lock has
    /// the transaction that the last writer has left open.
    turn: Arc<Mutex<Option<Open>>>,
    /// The number of writers that wait for their turn.
    waiting: AtomicUsize,
}

/// A transaction that writes. Dropping it rolls it back, and its writers get an error.
struct Open {
    tx: Tx,
    /// The number of the newest change when the transaction began.
    began: i64,
    /// The time when the transaction began.
    since: Instant,
    /// `true` if there is a savepoint, which lies before the last writer. The first one has none.
    has_savepoint: bool,
    /// Writers that have done their work and wait for the commit.
    done: Vec<oneshot::Sender<Outcome>>,
}

/// The outcome of a commit. Everything is durable if it is `Ok`.
type Outcome = Result<(), Arc<sqlx::Error>>;

impl Store {
    /// Waits until no other transaction writes, on any node, and does `work`. What it finds stays
    /// true until the commit, so looking for a conflict before an insert is enough.
    ///
    /// Commits if the result of `work` is `Ok`, otherwise nothing is stored. Returns the result once
    /// everything is durable that `work` has written or seen. An error of the database may come in
    /// the place of either result, and then nothing is certain.
    pub(crate) async fn write<T, E: From<sqlx::Error>>(
        &self,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        let turn = self.turn().await?;
        let done = within(TURN, self.write_in_turn(turn, work)).await?;
        let (result, outcome) = done?;
        if let Some(outcome) = outcome {
            // The sender is gone if the transaction was given up.
            let outcome = outcome.await.unwrap_or_else(|_| Err(Arc::new(given_up())));
            outcome.map_err(|error| E::from(shared_error::copy(&error)))?;
        }
        result
    }

    /// Does `work` in the turn of its writer. Returns its result with what will hold the outcome of
    /// the commit, unless nothing is to be committed.
    async fn write_in_turn<T, E: From<sqlx::Error>>(
        &self,
        mut turn: OwnedMutexGuard<Option<Open>>,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T, E>,
    ) -> sqlx::Result<(Result<T, E>, Option<oneshot::Receiver<Outcome>>)> {
        // While `work` runs, its future owns the transaction, and so gives it up if it is dropped.
        let mut open = self.opened(turn.take()).await?;
        let before = open.tx.seq;
        let result = work(&mut open.tx).await;
        if result.is_err() {
            match open.take_back(before).await {
                Some(others) => open = others,
                None => return Ok((result, None)),
            }
        }
        let outcome = open.outcome();
        let others_wait = self.writers.waiting.load(Ordering::SeqCst) > 0;
        if others_wait && open.done.len() < MOST && open.since.elapsed() < JOINED_FOR {
            if open.done.len() == 1 {
                tokio::spawn(commit_later(Arc::clone(&self.writers.turn)));
            }
            *turn = Some(open);
        } else {
            open.commit().await;
        }
        Ok((result, Some(outcome)))
    }

    /// Does `work` in a transaction that writes only what is not in the log of changes: it must not
    /// call [`Tx::note`]. Otherwise as [`Store::write`]. On PostgreSQL, only writers of the same
    /// rows wait for it.
    pub(super) async fn write_aside<T, E: From<sqlx::Error>>(
        &self,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        // SQLite has one writer in any case.
        if self.engine() == Engine::Sqlite {
            return self.write(work).await;
        }
        let written = async {
            let inner = self.aside.begin_with(BEGIN_POSTGRES).await?;
            let mut tx = self.transaction(inner, LEDGER).await?;
            let done = work(&mut tx).await?;
            tx.commit().await?;
            Ok(done)
        };
        within(TURN, written).await?
    }

    /// Waits for the turn of a writer.
    async fn turn(&self) -> sqlx::Result<OwnedMutexGuard<Option<Open>>> {
        let _counted = Waiting::new(&self.writers.waiting);
        let turn = Arc::clone(&self.writers.turn).lock_owned();
        within(PATIENCE, turn).await
    }

    /// Prepares a transaction for one more writer: the one that was left open, or a new one.
    async fn opened(&self, left: Option<Open>) -> sqlx::Result<Open> {
        if let Some(mut open) = left {
            match open.join().await {
                Ok(()) => return Ok(open),
                // Its connection is broken, which is not this writer's fault.
                Err(error) => open.fail(error),
            }
        }
        let (begin, newest) = match self.engine() {
            Engine::Sqlite => ("BEGIN IMMEDIATE", LEDGER),
            Engine::Postgres => {
                (BEGIN_POSTGRES, "SELECT seq, epoch, engine FROM ledger FOR UPDATE")
            }
        };
        let tx = self.transaction(self.writing.begin_with(begin).await?, newest).await?;
        let since = Instant::now();
        Ok(Open { began: tx.seq, since, tx, has_savepoint: false, done: vec![] })
    }
}

/// Commits the transaction that is left open when its turn comes, if there is one.
async fn commit_later(turn: Arc<Mutex<Option<Open>>>) {
    let mut turn = turn.lock_owned().await;
    // It may be a later one than that for which this task was started. That does no harm.
    if let Some(open) = turn.take() {
        let _ = within(TURN, open.commit()).await;
    }
}

/// Waits for `work`, but no longer than `time`.
pub(super) async fn within<T>(time: Duration, work: impl Future<Output = T>) -> sqlx::Result<T> {
    tokio::time::timeout(time, work).await.map_err(|_| sqlx::Error::PoolTimedOut)
}

impl Open {
    /// Begins the part of another writer.
    async fn join(&mut self) -> sqlx::Result<()> {
        // The names of savepoints can be the same; a released one does not add to their depth.
        let statements = if self.has_savepoint {
            "RELEASE SAVEPOINT one_writer; SAVEPOINT one_writer"
        } else {
            "SAVEPOINT one_writer"
        };
        sqlx::raw_sql(statements).execute(self.connection()).await?;
        self.has_savepoint = true;
        // Each write has a mark of its own, as if it were alone in its transaction.
        self.tx.mark = Uuid::new_v4().simple().to_string();
        Ok(())
    }

    /// Takes back what the last writer has done. Returns the transaction of the others, which had
    /// the newest change `before`. Returns `None` if there are no others, or if they have failed.
    async fn take_back(mut self, before: i64) -> Option<Self> {
        if !self.has_savepoint {
            return None;
        }
        let back = sqlx::raw_sql("ROLLBACK TO SAVEPOINT one_writer");
        match back.execute(self.connection()).await {
            Ok(_) => {
                self.tx.seq = before;
                Some(self)
            }
            // Either the connection is broken, or SQLite has ended the transaction by itself, as it
            // does if the disk is full.
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    /// Returns what will hold the outcome of the commit.
    fn outcome(&mut self) -> oneshot::Receiver<Outcome> {
        let (sender, outcome) = oneshot::channel();
        self.done.push(sender);
        outcome
    }

    /// Commits, and tells all writers.
    async fn commit(self) {
        let Self { mut tx, began, done, .. } = self;
        let committed = async {
            if tx.seq != began {
                tx.end_log().await?;
            }
            tx.commit().await
        };
        let outcome = committed.await.map_err(Arc::new);
        for writer in done {
            let _ = writer.send(outcome.clone());
        }
    }

    /// Rolls back because of `error`, and tells all writers that wait for the commit.
    fn fail(self, error: sqlx::Error) {
        let error = Arc::new(error);
        for writer in self.done {
            let _ = writer.send(Err(Arc::clone(&error)));
        }
    }

    fn connection(&mut self) -> &mut AnyConnection {
        self.tx.connection()
    }
}

/// One writer that waits. Dropping it ends the waiting.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(all: &'a AtomicUsize) -> Self {
        all.fetch_add(1, Ordering::SeqCst);
        Self(all)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The error of a writer whose transaction was given up because of another one.
fn given_up() -> sqlx::Error {
    std::io::Error::other("another writer of the transaction has given it up").into()
}

#[cfg(test)]
mod tests;
