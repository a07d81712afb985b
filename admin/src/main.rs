//! The command `gatehouse-admin`.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    gatehouse_admin::run(gatehouse_admin::Command::parse())
}
