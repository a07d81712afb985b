//! Tests of the real program over real connections.
//!
//! | module          | contents                                                    |
//! |-----------------|-------------------------------------------------------------|
//! | `program.rs`    | starting and stopping the program                           |
//! | `keeper.rs`     | a server process that a test can stop and start             |
//! | `postgres.rs`   | a PostgreSQL server for the tests                           |
//! | `redis.rs`      | a Redis server for the tests                                |
//! | `client.rs`     | a client that checks the framing of each answer             |
//! | other modules   | the rules, one subject for each module                      |
//!
//! [`on_both_databases`] tests a rule of the API on SQLite and on PostgreSQL.

mod client;
mod keeper;
mod postgres;
mod program;
mod redis;

mod app_ids;
mod backups;
mod bad_input;
mod changes;
mod consumers;
mod counters;
mod counters_kept;
mod durability;
mod epoch;
mod full_disk;
mod gateways;
mod groups;
mod health;
mod hostile;
mod identities;
mod jwts;
mod keys;
mod limits;
mod nodes;
mod operations;
mod peers;
mod plans;
mod prefixes;
mod rotation;
mod security;
mod sessions;
mod sessions_of_subjects;
mod telemetry;
mod ui;
mod usage;
mod versions;

/// Makes a test of each rule on each database.
macro_rules! on_both_databases {
    ($($rule:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $rule() { super::$rule(&crate::program::Program::on_sqlite()) })*
        }
        mod postgres {
            $(#[test] fn $rule() { super::$rule(&crate::program::Program::on_postgres()) })*
        }
    };
}
pub(crate) use on_both_databases;
