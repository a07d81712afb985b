//! Counters that gateways share: in Redis if one is given, otherwise in the database.
//!
//! | module                 | contents                                              |
//! |------------------------|-------------------------------------------------------|
//! | `batch.rs`             | a checked batch of increments, and its outcome        |
//! | `redis.rs`             | counters in Redis, by the script `count.lua`          |
//! | `../store/counters.rs` | counters in the database                              |

mod batch;
mod redis;

#[cfg(feature = "fuzzing")]
pub(crate) use batch::totals_from_text;
pub(crate) use batch::{Batch, Counts, Entry, totals_to_text};
pub(crate) use redis::{BadUrl, Redis};

use admin_api::Total;

use crate::store::Store;

/// The place where counters are kept.
pub(crate) enum Counters {
    Database,
    Redis(Box<Redis>),
}

/// The reasons for which a batch has no answer. It may have been counted or not.
#[derive(Debug)]
pub(crate) enum CountError {
    Database(sqlx::Error),
    Redis(::redis::RedisError),
    /// A remembered answer that this service has not written.
    Unreadable,
    /// The id is that of a batch with another number of increments. Nothing is counted.
    OtherBatch,
}

impl Counters {
    /// Counts a batch, and returns once that is certain.
    pub(crate) async fn count(
        &self,
        store: &Store,
        batch: &Batch,
        now: i64,
    ) -> Result<Vec<Total>, CountError> {
        match self {
            Self::Database => store.count(batch, now).await,
            Self::Redis(redis) => redis.count(batch).await,
        }
    }

    /// `true` if counters can be reached. `database` is `true` if the database can be.
    pub(crate) async fn reachable(&self, database: bool) -> bool {
        match self {
            Self::Database => database,
            Self::Redis(redis) => redis.reachable().await,
        }
    }

    /// Returns the name of the place, for people. `database` is the name of the database.
    pub(crate) const fn engine_name(&self, database: &'static str) -> &'static str {
        match self {
            Self::Database => database,
            Self::Redis(_) => "redis",
        }
    }
}

// === CountError ===

impl From<sqlx::Error> for CountError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<::redis::RedisError> for CountError {
    fn from(error: ::redis::RedisError) -> Self {
        Self::Redis(error)
    }
}
