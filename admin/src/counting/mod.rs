//! Counting for the gateways: in Redis where there is one, in the database otherwise.
//!
//! | room         | what is in it                                                   |
//! |--------------|-----------------------------------------------------------------|
//! | `batch.rs`   | what is to be counted, checked, and what comes out              |
//! | `redis.rs`   | counting in Redis, by `count.lua`                               |
//! | `../store/counters.rs` | counting in the database                              |

mod batch;
mod redis;

pub(crate) use batch::{Batch, Counts, Entry, read, written};
pub(crate) use redis::{BadUrl, Redis};

use admin_api::Total;

use crate::store::Store;

/// Where counts are kept.
pub(crate) enum Counters {
    Database,
    Redis(Redis),
}

/// Nothing was counted, or nobody knows whether it was.
#[derive(Debug)]
pub(crate) enum Failure {
    Database(sqlx::Error),
    Redis(::redis::RedisError),
    /// An answer that is not ours.
    Unreadable,
}

impl Counters {
    /// Counts a batch, once it is certain that it is counted.
    pub(crate) async fn count(
        &self,
        store: &Store,
        batch: &Batch,
        now: i64,
    ) -> Result<Vec<Total>, Failure> {
        match self {
            Self::Database => store.count(batch, now).await,
            Self::Redis(redis) => redis.count(batch).await,
        }
    }

    /// Whether counts can be had; `database` is whether that one can.
    pub(crate) async fn reachable(&self, database: bool) -> bool {
        match self {
            Self::Database => database,
            Self::Redis(redis) => redis.reachable().await,
        }
    }

    /// For people.
    pub(crate) const fn engine_name(&self, database: &'static str) -> &'static str {
        match self {
            Self::Database => database,
            Self::Redis(_) => "redis",
        }
    }
}

// === Failure ===

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<::redis::RedisError> for Failure {
    fn from(error: ::redis::RedisError) -> Self {
        Self::Redis(error)
    }
}
