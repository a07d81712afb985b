//! Planted secrets, and a search for them in all that the parts of Gatehouse write.
//!
//! | module            | contents                                                          |
//! |-------------------|-------------------------------------------------------------------|
//! | `planted.rs`      | the secrets, and the search for them in every form                |
//! | `places.rs`       | the places that were searched, as a table                         |
//! | `process.rs`      | the memory of a running process                                   |
//! | `installation.rs` | services, chains of filters, requests, and settings that are wrong |
//! | `envoy.rs`        | the installation on a real Envoy                                  |
//! | `kong.rs`         | the installation on a real Kong                                   |
//! | `memory.rs`       | the memory that filters share, on the pretend gateways            |
//! | `service.rs`      | gatehouse-admin                                                   |
//! | `commands.rs`     | the commands of gatehouse-admin beside `serve`                    |
//! | `databases.rs`    | gatehouse-admin on a PostgreSQL and a Redis with passwords        |
//! | `sources.rs`      | what a build takes from the machine that builds, and the schemas  |
//!
//! `docs/secrets.md` says what is promised, and names the places that hold a secret on purpose.

mod commands;
mod databases;
mod envoy;
mod installation;
#[path = "../../../admin/tests/service/keeper.rs"]
mod keeper;
mod kong;
mod memory;
mod places;
mod planted;
#[path = "../../../admin/tests/service/postgres.rs"]
#[expect(dead_code, reason = "the suite of gatehouse-admin needs more of it")]
mod postgres;
mod process;
#[path = "../../../admin/tests/service/redis.rs"]
#[expect(dead_code, reason = "the suite of gatehouse-admin needs more of it")]
mod redis;
mod service;
mod sources;
