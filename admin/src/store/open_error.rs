//! The reasons for which a database cannot be used.

use std::fmt;

/// The reasons for which a database cannot be used.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The URL is wrong or names no usable file.
    Url(String),
    /// The tables are of a newer version, `found`, than the newest that this program knows.
    Newer { found: i64, known: i64 },
    /// The database returns an error.
    Database(sqlx::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(problem) => write!(f, "--database-url {problem}"),
            Self::Newer { found, known } => write!(
                f,
                "the database was used by a newer gatehouse-admin: it is at version {found}, this \
                 program knows {known}"
            ),
            Self::Database(error) => write!(f, "the database cannot be opened: {error}"),
        }
    }
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
