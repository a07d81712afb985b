//! Faults of everything around the filters: what was done, and what was lost.
//!
//! Each test is a row of the table in docs/faults.md, or several. `make faults` runs the long form
//! of all rows and renders the table; `make test` runs the short form of the same code.
//!
//! | module         | contents                                                       |
//! |----------------|----------------------------------------------------------------|
//! | `table.rs`     | the rows, and their verdict                                    |
//! | `load.rs`      | clients that know what each answer has to be                   |
//! | `bed.rs`       | a gateway, the service, and the network between them           |
//! | `service.rs`   | the service is killed, hangs, is slow, has an older database   |
//! | `lies.rs`      | answers that the service never gives                           |
//! | `databases.rs` | PostgreSQL and Redis are killed                                |
//! | `disk.rs`      | the disk is full                                               |
//! | `events.rs`    | the collector of events fails                                  |
//! | `gateways.rs`  | the gateway is restarted, given new listeners, has workers     |
//! | `clock.rs`     | clocks jump                                                    |
//!
//! On Kong (`GATEHOUSE_GATEWAY=kong`) the same rows stand for a Kong.

mod bed;
mod clock;
#[path = "../real_moesif/collector.rs"]
#[expect(dead_code, reason = "the suite of moesif needs more of it")]
mod collector;
mod databases;
mod disk;
mod events;
mod gateways;
#[path = "../../../admin/tests/service/keeper.rs"]
mod keeper;
mod lies;
mod load;
#[path = "../../../admin/tests/service/postgres.rs"]
#[expect(dead_code, reason = "the suite of gatehouse-admin needs more of it")]
mod postgres;
#[path = "../../../admin/tests/service/redis.rs"]
#[expect(dead_code, reason = "the suite of gatehouse-admin needs more of it")]
mod redis;
mod service;
mod table;
