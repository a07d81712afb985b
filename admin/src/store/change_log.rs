//! The log of changes, its numbers and its epoch. Its state is one row of the table `ledger`.
//!
//! `seq` numbers changes in the order of commits: every writer holds the row of `ledger` until it
//! commits, so a reader that sees a number has seen all smaller ones.
//!
//! `epoch` names the history that the numbers belong to. A reader that continues after a number
//! must learn that a backup was restored, even if the old database had counted beyond that number.
//! A database can be replaced in two ways, and each is detected in its own way:
//!
//! * While its engine is down. Therefore the epoch changes when the engine starts. SQLite's engine
//!   is this process. PostgreSQL's engine is known by its start time, and by the identity of the
//!   database and of the table `ledger`. Every reader compares them, so that all nodes agree, and
//!   so that the restart of one node changes nothing.
//! * Under a running engine (`.restore`, `TRUNCATE` and `COPY`). PostgreSQL then gives the table
//!   another identity or file. For both databases, a process also remembers the newest change that
//!   it gave to a reader, with its random mark, and looks for it the next time. If the change is
//!   not there, the history is another one.
//!
//! A new epoch costs each gateway one refill of its cache. An old epoch that is wrongly kept leaves
//! deleted keys valid. Therefore the epoch changes in case of doubt.

use admin_api::{Entity, Operation};
use sqlx::Row;
use uuid::Uuid;

use super::{Engine, Store, Tx};

/// The newest change that this process has given to a reader.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    epoch: String,
    seq: i64,
    /// The random mark of the transaction that made the change.
    mark: String,
}

/// The newest end of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: i64,
    pub(crate) epoch: String,
}

/// The answer to a reader that asks for changes.
pub(crate) enum Fetched {
    Changes(Vec<admin_api::Change>),
    /// The log does not reach back that far, or its history is another one.
    Reset,
}

/// Reads what identifies PostgreSQL's engine. The start time is in seconds, because the text of a
/// timestamp depends on a node's time zone.
const POSTGRES_ENGINE: &str = "SELECT CAST(extract(epoch FROM pg_postmaster_start_time()) AS TEXT) \
     || '/' || CAST(d.oid AS TEXT) || '/' || CAST(c.oid AS TEXT) \
     || '/' || CAST(pg_relation_filenode(c.oid) AS TEXT) \
     FROM pg_database d, pg_class c \
     WHERE d.datname = current_database() AND c.oid = CAST('ledger' AS regclass)";

impl Store {
    /// Starts a new epoch if the engine has started since the last time. It runs once, after the
    /// database is opened.
    pub(super) async fn begin_epoch(&self) -> sqlx::Result<()> {
        let mut tx = self.read().await?;
        let same_engine = match self.engine() {
            Engine::Sqlite => false,
            Engine::Postgres => tx.postgres_engine().await? == tx.engine,
        };
        let epoch = tx.epoch.clone();
        drop(tx);
        if !same_engine {
            self.renew(&epoch).await?;
        }
        Ok(())
    }

    /// Begins a transaction that reads, verifies the history, and returns its end.
    pub(crate) async fn head(&self) -> sqlx::Result<(Tx, Head)> {
        // Two attempts are enough: the first one starts a new epoch, if the history is another one.
        if let Some(found) = self.verified_head().await? {
            return Ok(found);
        }
        match self.verified_head().await? {
            Some(found) => Ok(found),
            None => Err(sqlx::Error::Protocol("the history of changes keeps changing".into())),
        }
    }

    /// Returns `None` after it has started a new epoch.
    async fn verified_head(&self) -> sqlx::Result<Option<(Tx, Head)>> {
        // This is read before the transaction begins, so that the transaction must see the change.
        let seen = self.seen.lock().map(|seen| seen.clone()).unwrap_or_default();
        let mut tx = self.read().await?;
        let epoch = tx.epoch.clone();
        let same_engine = match self.engine() {
            Engine::Sqlite => true,
            Engine::Postgres => tx.postgres_engine().await? == tx.engine,
        };
        let known = match seen {
            Some(seen) if seen.epoch == epoch => tx.mark_of(seen.seq).await? == Some(seen.mark),
            // With another epoch, another node has noticed the new history.
            Some(_) | None => true,
        };
        if !same_engine || !known {
            drop(tx);
            self.renew(&epoch).await?;
            return Ok(None);
        }
        let head = Head { seq: tx.seq, epoch };
        if let Some(mark) = tx.mark_of(head.seq).await? {
            self.remember(Seen { epoch: head.epoch.clone(), seq: head.seq, mark });
        }
        Ok(Some((tx, head)))
    }

    /// Remembers the change that a reader gets, unless a newer one of the same epoch is remembered.
    fn remember(&self, newer: Seen) {
        if let Ok(mut seen) = self.seen.lock() {
            let older = seen.as_ref().is_some_and(|s| s.epoch == newer.epoch && s.seq > newer.seq);
            if !older {
                *seen = Some(newer);
            }
        }
    }

    /// Starts a new epoch after `epoch`, unless another node has just done so.
    async fn renew(&self, epoch: &str) -> sqlx::Result<()> {
        self.write(async |tx| {
            let engine = match self.engine() {
                Engine::Sqlite => String::new(),
                Engine::Postgres => tx.postgres_engine().await?,
            };
            sqlx::query("UPDATE ledger SET epoch = $1, engine = $2 WHERE epoch = $3")
                .bind(Uuid::new_v4().simple().to_string())
                .bind(engine)
                .bind(epoch)
                .execute(tx.connection())
                .await
                .map(drop)
        })
        .await
    }
}

impl Tx {
    async fn postgres_engine(&mut self) -> sqlx::Result<String> {
        sqlx::query_scalar(POSTGRES_ENGINE).fetch_one(self.connection()).await
    }

    pub(super) async fn mark_of(&mut self, seq: i64) -> sqlx::Result<Option<String>> {
        sqlx::query_scalar("SELECT mark FROM changes WHERE seq = $1")
            .bind(seq)
            .fetch_optional(self.connection())
            .await
    }

    /// Returns at most `limit` changes after the number `since`, oldest first.
    pub(crate) async fn changes(&mut self, since: i64, limit: i64) -> sqlx::Result<Fetched> {
        let oldest: Option<i64> =
            sqlx::query_scalar("SELECT min(seq) FROM changes").fetch_one(self.connection()).await?;
        let reaches_back =
            oldest.map_or(since == self.seq, |oldest| since.saturating_add(1) >= oldest);
        if since > self.seq || !reaches_back {
            return Ok(Fetched::Reset);
        }
        let rows = sqlx::query(
            "SELECT seq, entity, operation, consumer_id, name FROM changes \
             WHERE seq > $1 ORDER BY seq LIMIT $2",
        )
        .bind(since)
        .bind(limit)
        .fetch_all(self.connection())
        .await?;
        let changes = rows.iter().map(|row| {
            Ok(admin_api::Change {
                seq: row.try_get::<i64, _>("seq")?.unsigned_abs(),
                entity: entity(row.try_get("entity")?),
                operation: operation(row.try_get("operation")?),
                consumer_id: row.try_get("consumer_id")?,
                key: row.try_get("name")?,
            })
        });
        Ok(Fetched::Changes(changes.collect::<sqlx::Result<_>>()?))
    }

    /// Adds one change to the log.
    pub(super) async fn note(
        &mut self,
        entity: Entity,
        operation: Operation,
        consumer: &str,
        name: &str,
    ) -> sqlx::Result<()> {
        self.seq = self.seq.saturating_add(1);
        let (seq, mark) = (self.seq, self.mark.clone());
        sqlx::query(
            "INSERT INTO changes (seq, mark, entity, operation, consumer_id, name) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(seq)
        .bind(mark)
        .bind(entity_name(entity))
        .bind(operation_name(operation))
        .bind(consumer.to_owned())
        .bind(name.to_owned())
        .execute(self.connection())
        .await
        .map(drop)
    }

    /// Adds one change for each API key and JWT credential of `consumer`, because the answers about
    /// them are no longer true.
    pub(super) async fn note_keys(&mut self, consumer: &str) -> sqlx::Result<()> {
        let credentials = [
            (
                Entity::KeyauthCredentials,
                "INSERT INTO changes (seq, mark, entity, operation, consumer_id, name) \
                 SELECT $1 + row_number() OVER (ORDER BY created_at, id), $2, $3, $4, consumer_id, \
                 digest FROM keyauth_credentials WHERE consumer_id = $5",
            ),
            (
                Entity::JwtSecrets,
                "INSERT INTO changes (seq, mark, entity, operation, consumer_id, name) \
                 SELECT $1 + row_number() OVER (ORDER BY created_at, id), $2, $3, $4, consumer_id, \
                 jwt_key FROM jwt_secrets WHERE consumer_id = $5",
            ),
        ];
        for (entity, statement) in credentials {
            let (seq, mark) = (self.seq, self.mark.clone());
            let noted = sqlx::query(statement)
                .bind(seq)
                .bind(mark)
                .bind(entity_name(entity))
                .bind(operation_name(Operation::Update))
                .bind(consumer.to_owned())
                .execute(self.connection())
                .await?
                .rows_affected();
            self.seq = self.seq.saturating_add_unsigned(noted);
        }
        Ok(())
    }
}

const ENTITIES: [(Entity, &str); 7] = [
    (Entity::Consumers, "consumers"),
    (Entity::Acls, "acls"),
    (Entity::Appids, "appids"),
    (Entity::KeyauthCredentials, "keyauth_credentials"),
    (Entity::JwtSecrets, "jwt_secrets"),
    (Entity::Sessions, "sessions"),
    (Entity::Revocations, "revocations"),
];

const OPERATIONS: [(Operation, &str); 3] =
    [(Operation::Create, "create"), (Operation::Update, "update"), (Operation::Delete, "delete")];

pub(super) fn entity_name(entity: Entity) -> &'static str {
    ENTITIES.iter().find(|(known, _)| *known == entity).map_or("", |(_, name)| name)
}

fn entity(name: &str) -> Entity {
    ENTITIES.iter().find(|(_, known)| *known == name).map_or(Entity::Unknown, |(entity, _)| *entity)
}

pub(super) fn operation_name(operation: Operation) -> &'static str {
    OPERATIONS.iter().find(|(known, _)| *known == operation).map_or("", |(_, name)| name)
}

fn operation(name: &str) -> Operation {
    let found = OPERATIONS.iter().find(|(_, known)| *known == name);
    found.map_or(Operation::Unknown, |(operation, _)| *operation)
}
