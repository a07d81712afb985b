//! Tests of the commands for configuration files, with the real program.

mod check_config;
mod convert;
mod import;
mod program;

// The servers of the service's tests.
#[path = "../service/keeper.rs"]
#[allow(dead_code, reason = "a test of the commands stops no server")]
mod keeper;
#[path = "../service/postgres.rs"]
#[allow(dead_code, reason = "a test of the commands stops no server")]
mod postgres;
