//! The admin service: owns consumers, credentials and App IDs, and feeds the gateways' caches.
//!
//! | room             | what is in it                                             |
//! |------------------|-----------------------------------------------------------|
//! | `settings.rs`    | flags and their twins in the environment, checked         |
//! | `serve.rs`       | from flags to a service, and to its orderly end           |
//! | `connections.rs` | how many, how long, with or without TLS                   |
//! | `auth.rs`        | who may come in                                           |
//! | `vault.rs`       | secrets at rest                                          |
//! | `api/`           | every path, what it reads and what it answers             |
//! | `counting/`      | what several gateways count together                      |
//! | `store/`         | what is kept, and the history of its changes              |
//! | `metrics.rs`     | numbers for Prometheus                                    |

mod api;
mod auth;
mod connections;
mod counting;
mod metrics;
mod serve;
mod settings;
mod store;
mod vault;

pub use settings::Command;

use std::process::ExitCode;

use settings::What;

/// Does what the command line says; 0 when it went well.
pub fn run(command: Command) -> ExitCode {
    let What::Serve(flags) = command.what;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(flags.log_level)
        .with_target(false)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error),
    };
    match runtime.block_on(serve::serve(&flags)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(error.as_ref()),
    }
}

/// On standard error and in plain words: it is read by whoever typed the command.
fn refuse(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("gatehouse-admin: {error}");
    ExitCode::FAILURE
}
