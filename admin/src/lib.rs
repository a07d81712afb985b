//! The admin service: owns consumers, credentials and App IDs, and tells gateways about changes.
//!
//! | module             | contents                                                  |
//! |--------------------|-----------------------------------------------------------|
//! | `settings.rs`      | command-line flags, checked                               |
//! | `serve.rs`         | starting and stopping the service                         |
//! | `health.rs`        | the command `health`                                      |
//! | `connections.rs`   | limits of connections, timeouts and TLS                   |
//! | `auth.rs`          | authentication by token or by address                     |
//! | `counter_names.rs` | names under which gateways count                          |
//! | `gateways.rs`      | the gateways that ask for changes                         |
//! | `vault.rs`         | encryption of stored secrets                              |
//! | `secrets.rs`       | files with secrets, read again while the service runs     |
//! | `api/`             | the HTTP API                                              |
//! | `counting/`        | counters that several gateways share                      |
//! | `store/`           | the database and the log of its changes                   |
//! | `metrics.rs`       | metrics for Prometheus                                    |
//! | `telemetry.rs`     | traces for OpenTelemetry                                  |
//! | `files.rs`         | commands for configuration files of gateways              |
//! | `import.rs`        | consumers from files and from Kong, and back              |
//! | `fuzzing.rs`       | entries for the fuzzer of tools/fuzz-admin                |

mod api;
mod auth;
mod connections;
mod counter_names;
mod counting;
mod files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gateways;
mod health;
mod import;
mod metrics;
mod secrets;
mod serve;
mod settings;
mod store;
mod telemetry;
mod vault;

// The tests of the store use the same PostgreSQL as those of the program.
#[cfg(test)]
#[path = "../tests/service/keeper.rs"]
mod keeper;
#[cfg(test)]
#[path = "../tests/service/postgres.rs"]
mod postgres;

pub use api::ROUTES;
pub use settings::Command;

use std::process::ExitCode;

use settings::{Action, Serve};

/// Runs the command and returns the exit code of the process: 0 after success, otherwise 1, or 2 if
/// a file cannot be used at all.
pub fn run(command: Command) -> ExitCode {
    match command.action {
        Action::Serve(flags) => {
            log(&flags);
            finish(serve::serve(&flags))
        }
        Action::Health(flags) => finish(health::health(&flags)),
        Action::CheckConfig(flags) => files::check(&flags),
        Action::Convert(flags) => files::convert(&flags),
        Action::Import(flags) => import_into(&flags),
        Action::Export(flags) => export_from(&flags),
    }
}

/// Runs `work` to its end. An error is the reason for a failure of the command.
fn finish(work: impl Future<Output = Result<(), Box<dyn std::fmt::Display>>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error),
    };
    match runtime.block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(error.as_ref()),
    }
}

fn import_into(flags: &settings::Import) -> ExitCode {
    match on_a_runtime(import::import(flags)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => files::unusable(&error),
    }
}

fn export_from(flags: &settings::Export) -> ExitCode {
    let written = files::private(flags.output.as_deref())
        .and_then(|mut out| on_a_runtime(import::export(flags, &mut *out)));
    match written {
        Ok(number) => {
            eprintln!("{number} consumers");
            ExitCode::SUCCESS
        }
        Err(error) => files::unusable(&error),
    }
}

/// Runs a command that waits for a database.
fn on_a_runtime<T>(work: impl Future<Output = Result<T, import::Failure>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(work).map_err(|error| error.to_string())
}

/// Starts the log of the service on standard output.
fn log(flags: &Serve) {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(flags.log_level)
        .with_target(false)
        .init();
}

/// Prints `error` as plain text on standard error, for the person who typed the command.
fn refuse(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("gatehouse-admin: {error}");
    ExitCode::FAILURE
}
