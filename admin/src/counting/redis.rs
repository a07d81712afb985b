//! Counters in Redis: one script reads and adds, so that no other increment comes in between.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use admin_api::{BATCH_MEMORY, Total};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, Script};

use super::{Batch, CountError};

/// The maximum time to connect or to answer. A gateway waits about as long for its whole request.
const TIMEOUT: Duration = Duration::from_millis(800);

/// A Redis server. The first use connects, and so does the first use after a lost connection.
pub(crate) struct Redis {
    client: Client,
    current: Mutex<Numbered>,
    script: Script,
}

/// A connection, and the number of those before it.
#[derive(Clone)]
struct Numbered {
    number: u64,
    connection: ConnectionManager,
}

/// The error for an address that is none of Redis. It does not hold the address, which may hold a
/// password.
pub(crate) struct BadUrl;

impl Redis {
    /// Does not connect yet, because the service must start while Redis is away.
    pub(crate) fn new(url: &str) -> Result<Self, BadUrl> {
        let client = Client::open(url).map_err(|_| BadUrl)?;
        let connection = connection(&client).map_err(|_| BadUrl)?;
        let current = Mutex::new(Numbered { number: 0, connection });
        Ok(Self { client, current, script: Script::new(include_str!("count.lua")) })
    }

    fn current(&self) -> Numbered {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes another connection after `error`, which `failed` gave, if `failed` would only repeat it.
    /// The manager connects anew by itself after a failure of the network alone. A server that
    /// refuses a connection, because of the password or since it still loads its data, may accept
    /// the next one.
    fn renew(&self, failed: &Numbered, error: &RedisError) {
        if error.is_io_error() {
            return;
        }
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number == failed.number
            && let Ok(connection) = connection(&self.client)
        {
            *current = Numbered { number: failed.number.wrapping_add(1), connection };
        }
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
        let mut current = self.current();
        let answer: Result<String, _> = call.invoke_async(&mut current.connection).await;
        let answer = answer.inspect_err(|error| self.renew(&current, error))?;
        batch.remembered(&answer)
    }

    pub(super) async fn reachable(&self) -> bool {
        let mut current = self.current();
        let ping = redis::cmd("PING").query_async::<String>(&mut current.connection).await;
        ping.inspect_err(|error| self.renew(&current, error)).is_ok()
    }
}

/// Returns a connection that is made at its first use.
fn connection(client: &Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(TIMEOUT))
        .set_number_of_retries(0);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("--redis-url is not an address such as `redis://:<password>@<host>:6379/0`")
    }
}
