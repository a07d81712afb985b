//! Tests of the commands for configuration files, with the real program.

mod check_config;
mod convert;
mod import;
mod program;
