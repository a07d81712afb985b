//! The history of changes, its numbers and its epoch.
//!
//! `seq` counts changes in the order of commits: every writer holds the ledger's row until it
//! commits, so whoever sees a number sees all smaller ones.
//!
//! `epoch` names the history that the numbers belong to. A reader that remembers `since` must be told
//! when a backup was put back, even when the old database has meanwhile counted past that number. A
//! database can be exchanged unnoticed only
//!
//! * while its engine is down. So the epoch changes when the engine starts: SQLite's engine is this
//!   process; PostgreSQL's is known by its start time and by the identity of the database and of the
//!   ledger's table, which every reader compares, so that all nodes agree and the restart of one node
//!   changes nothing;
//! * or under a running engine (`.restore`, `TRUNCATE` and `COPY`). PostgreSQL then gives the ledger
//!   another table or file. For both, a process remembers the newest change that it handed out, with
//!   its random mark, and looks for it the next time: if it is not there, this is another history.
//!
//! A new epoch costs the gateways one refill of their caches, an old one trusted by mistake would
//! leave deleted keys valid. Hence in doubt it changes.

use admin_api::{Entity, Operation};
use sqlx::Row;
use uuid::Uuid;

use super::{Engine, Store, Tx};

/// What a process remembers of the history that it handed out.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    epoch: String,
    seq: i64,
    mark: String,
}

/// The end of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: i64,
    pub(crate) epoch: String,
}

/// What a reader gets who asks for what changed.
pub(crate) enum Fetched {
    Changes(Vec<admin_api::Change>),
    /// The history does not reach back that far, or it is another one.
    Reset,
}

/// Started at, in seconds: text of a timestamp would depend on a node's time zone.
const POSTGRES_ENGINE: &str = "SELECT CAST(extract(epoch FROM pg_postmaster_start_time()) AS TEXT) \
     || '/' || CAST(d.oid AS TEXT) || '/' || CAST(c.oid AS TEXT) \
     || '/' || CAST(pg_relation_filenode(c.oid) AS TEXT) \
     FROM pg_database d, pg_class c \
     WHERE d.datname = current_database() AND c.oid = CAST('ledger' AS regclass)";

impl Store {
    /// Called once when the database was opened.
    pub(super) async fn arrive(&self) -> sqlx::Result<()> {
        let mut tx = self.read().await?;
        let (epoch, stored) = tx.epoch_and_engine().await?;
        let same_engine = match self.engine() {
            Engine::Sqlite => false,
            Engine::Postgres => tx.postgres_engine().await? == stored,
        };
        drop(tx);
        if !same_engine {
            self.renew(&epoch).await?;
        }
        Ok(())
    }

    /// Opens a reading transaction on a history that was verified, and tells where it ends.
    pub(crate) async fn head(&self) -> sqlx::Result<(Tx, Head)> {
        // Twice at most: a history that was found to be new is trusted.
        if let Some(found) = self.verified_head().await? {
            return Ok(found);
        }
        match self.verified_head().await? {
            Some(found) => Ok(found),
            None => Err(sqlx::Error::Protocol("the history of changes keeps changing".into())),
        }
    }

    async fn verified_head(&self) -> sqlx::Result<Option<(Tx, Head)>> {
        // Taken before the transaction begins, so that its snapshot must contain it.
        let seen = self.seen.lock().map(|seen| seen.clone()).unwrap_or_default();
        let mut tx = self.read().await?;
        let (epoch, stored) = tx.epoch_and_engine().await?;
        let same_engine = match self.engine() {
            Engine::Sqlite => true,
            Engine::Postgres => tx.postgres_engine().await? == stored,
        };
        let known = match seen {
            Some(seen) if seen.epoch == epoch => tx.mark_of(seen.seq).await? == Some(seen.mark),
            // Another node has noticed and changed the epoch.
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

    fn remember(&self, newer: Seen) {
        if let Ok(mut seen) = self.seen.lock() {
            let older = seen.as_ref().is_some_and(|s| s.epoch == newer.epoch && s.seq > newer.seq);
            if !older {
                *seen = Some(newer);
            }
        }
    }

    /// Starts a new epoch, unless somebody else has just done so.
    async fn renew(&self, epoch: &str) -> sqlx::Result<()> {
        let mut tx = self.write().await?;
        let engine = match self.engine() {
            Engine::Sqlite => String::new(),
            Engine::Postgres => tx.postgres_engine().await?,
        };
        sqlx::query("UPDATE ledger SET epoch = $1, engine = $2 WHERE epoch = $3")
            .bind(Uuid::new_v4().simple().to_string())
            .bind(engine)
            .bind(epoch)
            .execute(tx.connection())
            .await?;
        tx.commit().await
    }
}

impl Tx {
    async fn epoch_and_engine(&mut self) -> sqlx::Result<(String, String)> {
        let row =
            sqlx::query("SELECT epoch, engine FROM ledger").fetch_one(self.connection()).await?;
        Ok((row.try_get("epoch")?, row.try_get("engine")?))
    }

    async fn postgres_engine(&mut self) -> sqlx::Result<String> {
        sqlx::query_scalar(POSTGRES_ENGINE).fetch_one(self.connection()).await
    }

    async fn mark_of(&mut self, seq: i64) -> sqlx::Result<Option<String>> {
        sqlx::query_scalar("SELECT mark FROM changes WHERE seq = $1")
            .bind(seq)
            .fetch_optional(self.connection())
            .await
    }

    /// The changes after `since`, oldest first.
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

    /// Writes down one change.
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

    /// Writes down that what a gateway knows about each credential of `consumer` is no longer true.
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
