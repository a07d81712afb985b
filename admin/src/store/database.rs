//! Opening SQLite or PostgreSQL so that a commit is durable.

use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AnyPool, Connection as _};

use super::counted::Counted;
use super::open_error::OpenError;
use super::writers::{Writers, within};
use super::{Engine, Store, migrations};

/// The settings of a SQLite connection. With `synchronous = FULL`, SQLite syncs its log before a
/// commit returns; without it, a power cut may lose acknowledged writes.
const SQLITE_SESSION: &str = "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON; \
     PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL;";

/// The settings of a PostgreSQL connection. A server with `synchronous_commit = off` would
/// acknowledge writes that it may lose.
const POSTGRES_SESSION: &str = "SET application_name = 'gatehouse-admin'; \
     SET statement_timeout = '30s'; SET lock_timeout = '20s'; \
     SET idle_in_transaction_session_timeout = '60s'; \
     SELECT set_config('synchronous_commit', 'on', false) \
     WHERE current_setting('synchronous_commit') = 'off';";

/// The maximum time for which a connection that is free may take to answer.
const ANSWER: Duration = Duration::from_secs(3);

impl Store {
    /// Opens the database at `url` and brings its tables up to date. A missing SQLite file is
    /// created. The log keeps the newest `history` changes.
    pub(crate) async fn open(url: &str, history: i64) -> Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        let (engine, url) = known(url)?;
        let (readers, writing) = match engine {
            Engine::Sqlite => (4, 1),
            // One writes, and another may still be rolled back.
            Engine::Postgres => (8, 2),
        };
        let readers = pool(&url, engine, readers).await?;
        let writing = pool(&url, engine, writing).await?;
        let aside = match engine {
            Engine::Sqlite => writing.clone(),
            Engine::Postgres => pool(&url, engine, 6).await?,
        };
        let writers = Writers::default();
        let (seen, counted) = (Mutex::new(None), Counted::default());
        let store = Self { engine, readers, writing, aside, writers, history, seen, counted };
        migrations::run(&store).await?;
        store.begin_epoch().await?;
        Ok(store)
    }

    /// Waits for statements under way and closes all connections.
    pub(crate) async fn close(&self) {
        self.writing.close().await;
        self.aside.close().await;
        self.readers.close().await;
    }

    /// Returns the name of the database's kind, for people.
    pub(crate) const fn engine_name(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
        }
    }

    pub(super) const fn engine(&self) -> Engine {
        self.engine
    }
}

/// Returns the kind of the database at `url`. It is an error if SQLite has no usable file.
fn known(url: &str) -> Result<(Engine, String), OpenError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok((Engine::Postgres, url.to_owned()));
    }
    if !url.starts_with("sqlite:") {
        return Err(OpenError::Url("must start with `sqlite:` or `postgres://`".into()));
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| OpenError::Url("is not a SQLite URL such as `sqlite:gatehouse.db`".into()))?;
    let file = options.get_filename();
    if url.contains(":memory:") || url.contains("mode=memory") || file.as_os_str().is_empty() {
        return Err(OpenError::Url("must name a file: memory forgets what it acknowledged".into()));
    }
    private(file).map_err(|error| {
        OpenError::Url(format!("names a file that cannot be created or opened: {error}"))
    })?;
    Ok((Engine::Sqlite, url.to_owned()))
}

/// Creates the file with access for its owner only. SQLite gives the log beside it the permissions
/// of the file.
fn private(file: &std::path::Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

async fn pool(url: &str, engine: Engine, size: u32) -> Result<AnyPool, sqlx::Error> {
    let session = match engine {
        Engine::Sqlite => SQLITE_SESSION,
        Engine::Postgres => POSTGRES_SESSION,
    };
    let options = AnyPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .after_connect(move |connection: &mut AnyConnection, _| {
            Box::pin(async move { begin_session(connection, session).await })
        })
        .before_acquire(|connection, _| {
            // SQLite ends a transaction by itself if the disk is full or fails. sqlx then cannot
            // roll it back, takes it for open, and begins no other one: such a connection is
            // closed. The pool has waited for a rollback that is under way.
            let usable = !connection.is_in_transaction();
            Box::pin(async move { if usable { answers(connection).await } else { Ok(false) } })
        });
    let options = match engine {
        Engine::Sqlite => options,
        Engine::Postgres => options.after_release(|connection, _| Box::pin(answers(connection))),
    };
    options.connect(url).await
}

/// Returns an error if the database does not answer at once, as if the network has cut the
/// connection off without notice. The pool's own tests would wait for ever.
async fn answers(connection: &mut AnyConnection) -> sqlx::Result<bool> {
    within(ANSWER, connection.ping()).await?.map(|()| true)
}

async fn begin_session(connection: &mut AnyConnection, session: &'static str) -> sqlx::Result<()> {
    sqlx::raw_sql(session).execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_commit_on_sqlite_is_on_disk_when_it_returns() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("x.db").display());
        let store = Store::open(&url, 100).await.unwrap();
        for pool in [&store.readers, &store.writing] {
            let pragma = async |name: &'static str| {
                sqlx::query_scalar::<_, i64>(name).fetch_one(pool).await.unwrap()
            };
            // 2 is FULL.
            assert_eq!(pragma("PRAGMA synchronous").await, 2);
            assert_eq!(pragma("PRAGMA foreign_keys").await, 1);
            let mode: String =
                sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.unwrap();
            assert_eq!(mode, "wal");
        }
    }
}
