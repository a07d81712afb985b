//! The real program, asked over real connections.
//!
//! | room               | what is in it                                           |
//! |--------------------|---------------------------------------------------------|
//! | `program.rs`       | starting and stopping the program                       |
//! | `postgres.rs`      | a PostgreSQL server of our own, in a temporary directory|
//! | `redis.rs`         | a Redis server of our own, likewise                     |
//! | `client.rs`        | a client that checks how each answer is framed          |
//! | everything else    | the rules, one subject per file                         |
//!
//! Rules of the API are tested on SQLite and on PostgreSQL alike: [`on_both_databases`].

mod client;
mod postgres;
mod program;
mod redis;

mod app_ids;
mod bad_input;
mod changes;
mod consumers;
mod counters;
mod durability;
mod epoch;
mod groups;
mod hostile;
mod identities;
mod jwts;
mod keys;
mod limits;
mod nodes;
mod operations;
mod peers;
mod security;
mod sessions;
mod sessions_of_subjects;

/// Makes each rule a test on each database.
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
