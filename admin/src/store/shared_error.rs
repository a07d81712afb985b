//! A copy of an error of the database, for each of several writers.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use sqlx::error::{DatabaseError, ErrorKind};

/// The message and the code of a database's error. It is never a conflict: that is the error of one
/// writer alone.
#[derive(Debug)]
struct Copy {
    message: String,
    code: Option<String>,
}

/// Copies an error as far as answers depend on it: whether the database is away or full.
pub(super) fn copy(error: &sqlx::Error) -> sqlx::Error {
    match error {
        sqlx::Error::Database(inner) => sqlx::Error::Database(Box::new(Copy {
            message: inner.message().to_owned(),
            code: inner.code().map(Cow::into_owned),
        })),
        sqlx::Error::Io(inner) => std::io::Error::new(inner.kind(), inner.to_string()).into(),
        sqlx::Error::Tls(inner) => sqlx::Error::Tls(inner.to_string().into()),
        other => sqlx::Error::Protocol(other.to_string()),
    }
}

impl fmt::Display for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Copy {}

impl DatabaseError for Copy {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        self.code.as_deref().map(Cow::Borrowed)
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Connection as _;

    use super::*;

    #[tokio::test]
    async fn a_copy_has_the_code_of_the_database_and_is_never_a_conflict() {
        sqlx::any::install_default_drivers();
        let mut memory = sqlx::AnyConnection::connect("sqlite::memory:").await.unwrap();
        let twice = "CREATE TABLE t (id BIGINT UNIQUE); INSERT INTO t (id) VALUES (1), (1)";
        let error = sqlx::raw_sql(twice).execute(&mut memory).await.unwrap_err();
        let (sqlx::Error::Database(error), sqlx::Error::Database(copied)) = (&error, copy(&error))
        else {
            panic!("{error}");
        };
        assert!(error.is_unique_violation() && !copied.is_unique_violation());
        assert_eq!((copied.code(), copied.message()), (error.code(), error.message()));
        assert!(copied.code().is_some());
        let away = copy(&std::io::Error::from(std::io::ErrorKind::BrokenPipe).into());
        assert!(
            matches!(away, sqlx::Error::Io(why) if why.kind() == std::io::ErrorKind::BrokenPipe)
        );
    }
}
