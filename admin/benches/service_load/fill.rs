//! Fills a database whose tables the service has made: in bulk, since nobody waits for millions of
//! requests. The tables, their indexes and the rows are those that the service would have left.

use std::fmt::Write as _;

use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::data::{Data, Table, Value};

/// The number of rows in one statement.
const BATCH: u64 = 500;

/// Fills the empty database at `url`.
pub(crate) async fn fill(url: &str, data: &Data) {
    if url.starts_with("sqlite:") {
        fill_sqlite(url, data).await;
    } else {
        fill_postgres(url, data).await;
    }
}

/// The statements that make the indexes again which no constraint needs. They are made after the
/// rows, which takes a fraction of the time.
const SQLITE_INDEXES: &str =
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL";
const POSTGRES_INDEXES: &str = "SELECT CAST(indexname AS TEXT) AS name, indexdef AS sql \
     FROM pg_indexes WHERE schemaname = 'public' \
     AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = indexname)";

async fn fill_sqlite(url: &str, data: &Data) {
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    let run = async |connection: &mut SqliteConnection, statement: String| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(connection).await.unwrap();
    };
    // If this is interrupted, the file is thrown away.
    let quick = "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; \
                 PRAGMA foreign_keys = OFF; PRAGMA cache_size = -1000000; BEGIN";
    run(&mut connection, quick.into()).await;
    let indexes = sqlx::query(SQLITE_INDEXES).fetch_all(&mut connection).await.unwrap();
    for index in &indexes {
        run(&mut connection, format!("DROP INDEX {}", index.get::<String, _>("name"))).await;
    }
    for (table, rows) in all(data) {
        for begin in (0..rows).step_by(usize::try_from(BATCH).unwrap()) {
            let mut statement = format!("INSERT INTO {} ({}) VALUES ", table.name, table.columns);
            for n in begin..rows.min(begin + BATCH) {
                let values = (table.row)(data, n);
                let values: Vec<String> = values.iter().map(literal).collect();
                let comma = if n == begin { "" } else { "," };
                write!(statement, "{comma}({})", values.join(",")).unwrap();
            }
            run(&mut connection, statement).await;
        }
    }
    run(&mut connection, format!("UPDATE ledger SET seq = {}", data.seq())).await;
    for index in &indexes {
        run(&mut connection, index.get("sql")).await;
    }
    run(&mut connection, "COMMIT".into()).await;
    connection.close().await.unwrap();
}

async fn fill_postgres(url: &str, data: &Data) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let run = async |connection: &mut PgConnection, statement: String| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(connection).await.unwrap();
    };
    let quick = "SET maintenance_work_mem = '256MB'; SET session_replication_role = replica";
    run(&mut connection, quick.into()).await;
    let indexes = sqlx::query(POSTGRES_INDEXES).fetch_all(&mut connection).await.unwrap();
    for index in &indexes {
        run(&mut connection, format!("DROP INDEX {}", index.get::<String, _>("name"))).await;
    }
    for (table, rows) in all(data) {
        let statement = format!("COPY {} ({}) FROM STDIN", table.name, table.columns);
        let mut copy = connection.copy_in_raw(&statement).await.unwrap();
        for begin in (0..rows).step_by(usize::try_from(BATCH).unwrap()) {
            let mut lines = String::new();
            for n in begin..rows.min(begin + BATCH) {
                let values = (table.row)(data, n);
                let values: Vec<String> = values.iter().map(plain).collect();
                writeln!(lines, "{}", values.join("\t")).unwrap();
            }
            copy.send(lines.as_bytes()).await.unwrap();
        }
        assert_eq!(copy.finish().await.unwrap(), rows);
    }
    run(&mut connection, format!("UPDATE ledger SET seq = {}", data.seq())).await;
    for index in &indexes {
        run(&mut connection, index.get("sql")).await;
    }
    // The server does this by itself within minutes.
    run(&mut connection, "VACUUM ANALYZE".into()).await;
    run(&mut connection, "CHECKPOINT".into()).await;
    connection.close().await.unwrap();
}

/// Returns every table with its number of rows.
fn all(data: &Data) -> impl Iterator<Item = (Table, u64)> {
    data.tables().into_iter().chain([(Data::changes(), data.logged())])
}

/// No text of the data needs an escape.
fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("'{text}'"),
        Value::Number(number) => number.to_string(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
    }
}
