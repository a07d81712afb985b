//! The database: SQLite in one file, or PostgreSQL for several nodes.
//!
//! | module           | contents                                                    |
//! |------------------|-------------------------------------------------------------|
//! | `database.rs`    | opening either database so that a commit is durable         |
//! | `open_error.rs`  | the reasons for which a database cannot be used             |
//! | `migrations.rs`  | bringing its tables up to date                              |
//! | `transaction.rs` | transactions: reading at one point in time                  |
//! | `writers.rs`     | the order of transactions that write, and their commits     |
//! | `shared_error.rs`| a copy of an error, for each of several writers             |
//! | `change_log.rs`  | the log of changes, its numbers and its epoch               |
//! | `counted.rs`     | the number of rows of a table                               |
//! | `consumers.rs`   | consumers                                                   |
//! | `owned.rs`       | groups, App IDs and API keys of consumers                   |
//! | `jwt_secrets.rs` | JWT credentials of consumers                                |
//! | `identities.rs`  | the consumers behind credentials and names                  |
//! | `sessions.rs`    | sessions and revocations, for gateways                      |
//! | `subjects.rs`    | the subjects of sessions, for operators                     |
//! | `counters.rs`    | counters, where there is no Redis                           |
//! | `expiry.rs`      | deleting expired rows                                       |
//!
//! SQLite and PostgreSQL run one text of each statement.

mod change_log;
mod consumers;
mod counted;
mod counters;
mod database;
mod expiry;
mod identities;
mod jwt_secrets;
mod migrations;
mod open_error;
mod owned;
#[cfg(test)]
mod plans;
mod sessions;
mod shared_error;
mod subjects;
mod transaction;
mod writers;

pub(crate) use change_log::Fetched;
pub(crate) use consumers::{Consumer, NameCursor, NameKind};
pub(crate) use jwt_secrets::JwtSecret;
pub(crate) use owned::{Filter, Kind, Owned};
pub(crate) use sessions::Session;
pub(crate) use subjects::{MetadataEntry, SubjectFilter};
pub(crate) use transaction::Tx;

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::AnyPool;

/// The kind of the database, where that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// An open database with current tables.
pub(crate) struct Store {
    engine: Engine,
    readers: AnyPool,
    /// The connections of writers: on SQLite a single one.
    writing: AnyPool,
    /// On PostgreSQL, the connections of [`Store::write_aside`], where batches that count alike wait
    /// for each other. They would leave none for other writers.
    aside: AnyPool,
    /// Writers wait here in order. Waiting for the lock of SQLite's file has no order.
    writers: writers::Writers,
    /// The number of changes that the log keeps.
    history: i64,
    /// The newest change that this process has given to a reader; see `change_log.rs`.
    seen: Mutex<Option<change_log::Seen>>,
    counted: counted::Counted,
}

/// A position in a list that is ordered by age: that of an item, between those of its neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Milliseconds since 1970.
    pub(crate) created_at: i64,
    pub(crate) id: String,
}

/// Returns the time in milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// Returns the time of creation for a new item, in milliseconds since 1970.
///
/// That is [`now`], or a later time if this process has created another item in the same
/// millisecond: lists are ordered by age, and must grow at their end.
pub(crate) fn creation_time() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = now();
    let later = |last: i64| Some(now.max(last.saturating_add(1)));
    // The closure always returns a value, so the result is always the previous time.
    let last = LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later).unwrap_or_default();
    now.max(last.saturating_add(1))
}

/// `true` if a row can hold `text`. PostgreSQL refuses a NUL even in a query.
fn storable(text: &str) -> bool {
    !text.contains('\0')
}
