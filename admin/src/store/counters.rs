//! Counters in the database, where there is no Redis.

use std::collections::{BTreeMap, BTreeSet};

use admin_api::{BATCH_MEMORY, Total};

use super::{Store, Tx};
use crate::counting::{Batch, CountError, Counts, totals_to_text};

impl Store {
    /// Counts a batch, and returns after the commit. A batch with an id that is remembered gets the
    /// remembered answer.
    pub(crate) async fn count(&self, batch: &Batch, now: i64) -> Result<Vec<Total>, CountError> {
        self.write_aside(async |tx| tx.count_batch(batch, now).await).await
    }
}

impl Tx {
    async fn count_batch(&mut self, batch: &Batch, now: i64) -> Result<Vec<Total>, CountError> {
        if let Some(id) = &batch.id
            && let Some(answer) = self.remembered(id, now).await?
        {
            return batch.remembered(&answer);
        }
        // Every node locks counters in the order of their names, so that no two wait for each
        // other.
        let mut added = BTreeMap::new();
        let mut looked_at = BTreeSet::new();
        for entry in &batch.entries {
            if entry.by > 0 {
                let end = added.entry(entry.counter.as_str()).or_insert(entry.expires_at);
                *end = entry.expires_at.max(*end);
            } else {
                looked_at.insert(entry.counter.as_str());
            }
            looked_at.extend(entry.previous.as_ref().map(|(name, _)| name.as_str()));
        }
        let mut before = Counts::new();
        for (name, end) in &added {
            before.insert((*name).to_owned(), self.held_counter(name, *end).await?.unsigned_abs());
        }
        for name in looked_at.into_iter().filter(|name| !added.contains_key(name)) {
            if let Some(total) = self.counter(name).await? {
                before.insert(name.to_owned(), total.unsigned_abs());
            }
        }
        let outcome = batch.decide(&before);
        for (name, total) in &outcome.changed {
            self.set_counter(name, i64::try_from(*total).unwrap_or(i64::MAX)).await?;
        }
        if let Some(id) = &batch.id {
            self.remember(id, &totals_to_text(&outcome.totals)).await?;
        }
        Ok(outcome.totals)
    }

    /// Returns the remembered answer to the batch `id`. Without one, reserves the id and returns
    /// `None`.
    async fn remembered(&mut self, id: &str, now: i64) -> sqlx::Result<Option<String>> {
        sqlx::query("DELETE FROM counter_batches WHERE id = $1 AND expires_at <= $2")
            .bind(id.to_owned())
            .bind(now)
            .execute(self.connection())
            .await?;
        let end = now.saturating_add_unsigned(BATCH_MEMORY.saturating_mul(1000));
        // A request with the same batch at the same time waits here for the commit of the other
        // one.
        let new = sqlx::query(
            "INSERT INTO counter_batches (id, answer, expires_at) VALUES ($1, '', $2) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(id.to_owned())
        .bind(end)
        .execute(self.connection())
        .await?;
        if new.rows_affected() > 0 {
            return Ok(None);
        }
        sqlx::query_scalar("SELECT answer FROM counter_batches WHERE id = $1")
            .bind(id.to_owned())
            .fetch_optional(self.connection())
            .await
    }

    /// Stores the answer to a batch whose id is reserved.
    async fn remember(&mut self, id: &str, answer: &str) -> sqlx::Result<()> {
        sqlx::query("UPDATE counter_batches SET answer = $1 WHERE id = $2")
            .bind(answer.to_owned())
            .bind(id.to_owned())
            .execute(self.connection())
            .await
            .map(drop)
    }

    /// Returns the value of a counter, and locks it until the commit. A new counter is 0. Its end
    /// moves to `expires_at` if that is later.
    async fn held_counter(&mut self, name: &str, expires_at: i64) -> sqlx::Result<i64> {
        sqlx::query_scalar(
            "INSERT INTO counters (id, total, expires_at) VALUES ($1, 0, $2) \
             ON CONFLICT (id) DO UPDATE SET expires_at = \
             CASE WHEN counters.expires_at < $2 THEN $2 ELSE counters.expires_at END \
             RETURNING total",
        )
        .bind(name.to_owned())
        .bind(expires_at)
        .fetch_one(self.connection())
        .await
    }

    async fn counter(&mut self, name: &str) -> sqlx::Result<Option<i64>> {
        sqlx::query_scalar("SELECT total FROM counters WHERE id = $1")
            .bind(name.to_owned())
            .fetch_optional(self.connection())
            .await
    }

    async fn set_counter(&mut self, name: &str, total: i64) -> sqlx::Result<()> {
        sqlx::query("UPDATE counters SET total = $1 WHERE id = $2")
            .bind(total)
            .bind(name.to_owned())
            .execute(self.connection())
            .await
            .map(drop)
    }
}
