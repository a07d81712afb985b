//! Everything that is kept: SQLite in one file, or PostgreSQL for several nodes.
//!
//! | room            | what is in it                                               |
//! |-----------------|-------------------------------------------------------------|
//! | `database.rs`   | opening either database so that a commit is durable         |
//! | `migrations.rs` | bringing its tables up to date                              |
//! | `transaction.rs`| reading at one point in time, writing one after another     |
//! | `change_log.rs` | the history of changes, its numbers and its epoch           |
//! | `consumers.rs`  | consumers                                                   |
//! | `owned.rs`      | what belongs to a consumer: groups, App IDs, API keys       |
//! | `jwt_secrets.rs`| JWT credentials                                             |
//! | `identities.rs` | who an API key or a name belongs to                         |
//! | `sessions.rs`   | sessions and revocations, for the gateways                  |
//! | `subjects.rs`   | whom sessions are for, for an operator                      |
//! | `counters.rs`   | counting, where there is no Redis                           |
//! | `expiry.rs`     | removing what has expired                                   |
//!
//! The statements are the same text for both databases.

mod change_log;
mod consumers;
mod counters;
mod database;
mod expiry;
mod identities;
mod jwt_secrets;
mod migrations;
mod owned;
mod sessions;
mod subjects;
mod transaction;

pub(crate) use change_log::Fetched;
pub(crate) use consumers::Consumer;
pub(crate) use jwt_secrets::JwtSecret;
pub(crate) use owned::{Filter, Kind, Owned};
pub(crate) use sessions::Session;
pub(crate) use subjects::{Noted, Who};
pub(crate) use transaction::Tx;

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::AnyPool;

/// Which database it is, where that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// An open database, up to date.
pub(crate) struct Store {
    engine: Engine,
    readers: AnyPool,
    /// On SQLite a single connection: writers wait here, in order, rather than for the file's lock.
    writers: AnyPool,
    /// How many changes are kept.
    history: i64,
    /// The newest change that was ever handed out; see `change_log.rs`.
    seen: Mutex<Option<change_log::Seen>>,
}

/// A position in a list that is ordered by age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) created_at: i64,
    pub(crate) id: String,
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// When something new was created: [`now`], but later than anything else that this process has created, so that
/// lists, which are ordered by age, grow at their end.
pub(crate) fn stamp() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = now();
    let later = |last: i64| Some(now.max(last.saturating_add(1)));
    // The closure always gives a value, so this always is the one before.
    let last = LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later).unwrap_or_default();
    now.max(last.saturating_add(1))
}

/// Whether any row can hold `text`: PostgreSQL refuses a NUL even in a question.
fn storable(text: &str) -> bool {
    !text.contains('\0')
}
