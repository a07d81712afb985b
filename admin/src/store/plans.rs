//! The plans by which SQLite carries statements out, for tests.

use sqlx::{Any, AssertSqlSafe, Row as _};

use super::Store;

/// Returns the plan of a statement, one step on each line.
pub(super) async fn plan(statement: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("x.db").display());
    let mut tx = Store::open(&url, 100).await.unwrap().read().await.unwrap();
    let explained = format!("EXPLAIN QUERY PLAN {statement}");
    let mut query = sqlx::query::<Any>(AssertSqlSafe(explained));
    for number in 1_i64.. {
        if !statement.contains(&format!("${number}")) {
            break;
        }
        query = query.bind(number);
    }
    let rows = query.fetch_all(tx.connection()).await.unwrap();
    let steps: Vec<String> = rows.iter().map(|row| row.try_get("detail").unwrap()).collect();
    steps.join("\n")
}
