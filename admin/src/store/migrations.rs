//! Bringing the tables up to date: under a lock, in one transaction, with each step once.

use super::open_error::OpenError;
use super::{Engine, Store};

/// The steps by version. A released step must never change; add a new one.
const STEPS: [(i64, Text); 5] = [
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
        Engine::Sqlite => store.writers.begin_with("BEGIN IMMEDIATE").await?,
        Engine::Postgres => {
            let mut tx = store.writers.begin().await?;
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
