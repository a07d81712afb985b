//! Bringing the tables up to date: under a lock, in one transaction, with each step once.

use super::open_error::OpenError;
use super::{Engine, Store};

/// The steps by version. A released step must never change; add a new one.
const STEPS: [(i64, Text); 6] = [
    (1, Text::Same(include_str!("../../migrations/0001_consumers_and_what_belongs_to_them.sql"))),
    (2, Text::Same(include_str!("../../migrations/0002_jwt_credentials.sql"))),
    (3, Text::Same(include_str!("../../migrations/0003_sessions_and_counters.sql"))),
    (4, Text::Same(include_str!("../../migrations/0004_session_metadata.sql"))),
    (
        5,
        Text::Different {
            sqlite: include_str!("../../migrations/0005_names_by_their_beginning.sqlite.sql"),
            postgres: include_str!("../../migrations/0005_names_by_their_beginning.postgres.sql"),
        },
    ),
    (6, Text::Same(include_str!("../../migrations/0006_pages_and_secrets_by_index.sql"))),
];

/// The statements of a step.
enum Text {
    /// Both databases run one text.
    Same(&'static str),
    /// The databases have no common words for it.
    Different { sqlite: &'static str, postgres: &'static str },
}

impl Text {
    const fn on(&self, engine: Engine) -> &'static str {
        match (self, engine) {
            (Self::Same(text), _)
            | (Self::Different { sqlite: text, .. }, Engine::Sqlite)
            | (Self::Different { postgres: text, .. }, Engine::Postgres) => text,
        }
    }
}

/// Takes an advisory lock. The number is arbitrary; no other program may use it in this database.
const LOCK: &str = "SELECT count(*) FROM pg_advisory_xact_lock(7246174)";

const REGISTER: &str =
    "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY, name TEXT)";

/// Runs the steps that the database does not have yet.
pub(super) async fn run(store: &Store) -> Result<(), OpenError> {
    let mut tx = match store.engine {
        // If several nodes start at once, the second one waits here and then finds all steps done.
        Engine::Sqlite => store.writing.begin_with("BEGIN IMMEDIATE").await?,
        Engine::Postgres => {
            let mut tx = store.writing.begin().await?;
            sqlx::query(LOCK).execute(&mut *tx).await?;
            tx
        }
    };
    sqlx::query(REGISTER).execute(&mut *tx).await?;
    let found: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM schema_version").fetch_one(&mut *tx).await?;
    let found = found.unwrap_or(0);
    let known = STEPS.iter().map(|(version, _)| *version).max().unwrap_or(0);
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    for (version, statements) in STEPS {
        if version > found {
            sqlx::raw_sql(statements.on(store.engine)).execute(&mut *tx).await?;
            sqlx::query("INSERT INTO schema_version (version, name) VALUES ($1, $2)")
                .bind(version)
                .bind(env!("CARGO_PKG_VERSION"))
                .execute(&mut *tx)
                .await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{NameCursor, NameKind};

    /// The names that a database holds already are found after the update as well.
    #[tokio::test]
    async fn a_database_of_the_version_before_is_brought_up_to_date() {
        sqlx::any::install_default_drivers();
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", directory.path().join("x.db").display());
        let older = sqlx::AnyPool::connect(&url).await.unwrap();
        sqlx::query(REGISTER).execute(&older).await.unwrap();
        for (version, text) in &STEPS[..4] {
            sqlx::raw_sql(text.on(Engine::Sqlite)).execute(&older).await.unwrap();
            let noted = sqlx::query("INSERT INTO schema_version (version) VALUES ($1)");
            noted.bind(*version).execute(&older).await.unwrap();
        }
        let row = "INSERT INTO consumers (id, username, created_at, updated_at) \
                   VALUES ('8e2a', 'Fiona', 1, 1)";
        sqlx::query(row).execute(&older).await.unwrap();
        older.close().await;

        let store = Store::open(&url, 100).await.unwrap();
        let start = NameCursor { name: String::new(), id: String::new() };
        let mut tx = store.read().await.unwrap();
        let found = tx.consumers_beginning(NameKind::Username, "fi", start, 10).await.unwrap();
        assert_eq!(found.len(), 1);
        drop(tx);
        store.close().await;
        // A second start finds nothing to do.
        Store::open(&url, 100).await.unwrap();
    }
}
