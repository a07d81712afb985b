//! Counters in Redis: one script reads and adds, so that no other increment comes in between.

use std::fmt;
use std::time::Duration;

use admin_api::{BATCH_MEMORY, Total};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Script};

use super::{Batch, CountError, totals_from_text};

/// The maximum time to connect or to answer. A gateway waits about as long for its whole request.
const TIMEOUT: Duration = Duration::from_millis(800);

/// A Redis server. The first use connects, and so does the first use after a lost connection.
pub(crate) struct Redis {
    connection: ConnectionManager,
    script: Script,
}

/// The error for an address that is none of Redis. It does not hold the address, which may hold a
/// password.
pub(crate) struct BadUrl;

impl Redis {
    /// Does not connect yet, because the service must start while Redis is away.
    pub(crate) fn new(url: &str) -> Result<Self, BadUrl> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT))
            .set_number_of_retries(0);
        let client = Client::open(url).map_err(|_| BadUrl)?;
        let connection =
            ConnectionManager::new_lazy_with_config(client, config).map_err(|_| BadUrl)?;
        Ok(Self { connection, script: Script::new(include_str!("count.lua")) })
    }

    pub(super) async fn count(&self, batch: &Batch) -> Result<Vec<Total>, CountError> {
        let counter = |name: &str| format!("gatehouse:counter:{name}");
        let id = batch.id.as_ref().map(|id| format!("gatehouse:batch:{id}"));
        let mut call = self.script.prepare_invoke();
        call.key(id.unwrap_or_default());
        call.arg(u8::from(batch.all_or_nothing)).arg(BATCH_MEMORY);
        for entry in &batch.entries {
            let (before, share) = match &entry.previous {
                Some((name, share)) => (counter(name), *share),
                None => (String::new(), 0),
            };
            call.key(counter(&entry.counter)).key(before);
            let limit = entry.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
            call.arg(entry.by).arg(limit).arg(share).arg(entry.expires_at);
        }
        let answer: String = call.invoke_async(&mut self.connection.clone()).await?;
        totals_from_text(&answer, batch.entries.len()).ok_or(CountError::Unreadable)
    }

    pub(super) async fn reachable(&self) -> bool {
        let ping = redis::cmd("PING").query_async::<String>(&mut self.connection.clone()).await;
        ping.is_ok()
    }
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("--redis-url is not an address such as `redis://:<password>@<host>:6379/0`")
    }
}
