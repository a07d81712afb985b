//! A real Envoy or Kong with the compiled filters, a real `gatehouse-admin`, and both ends of the wire.
//!
//! | room         | what is in it                                                        |
//! |--------------|----------------------------------------------------------------------|
//! | `setup.rs`   | what a gateway shall be: filters, listeners, clusters                |
//! | `proxy.rs`   | the gateway that a suite runs on: an Envoy or a Kong                 |
//! | `envoy.rs`   | a setup as Envoy's configuration, and the Envoy that runs it         |
//! | `kong_files.rs` | a setup as what Kong reads: `kong.conf`, declarative, modules     |
//! | `kong.rs`    | the Kong that runs it, by its own command line, and a look at its log |
//! | `gateway.rs` | all of it together: clients, gateway, faulty_admin, admin service, upstream |
//! | `admin.rs`   | `gatehouse-admin` on SQLite: start, stop, kill, put a database back  |
//! | `faulty_server.rs`   | stands before an admin service: counts callouts, breaks answers      |
//! | `echo.rs`    | the upstream: answers with what it received                          |
//! | `server.rs`  | an HTTP/1.1 server that does what a script says                      |
//! | `client.rs`  | an HTTP/1.1 client that sends any bytes                              |
//! | `wire.rs`    | heads and bodies, read from a connection                             |
//! | `process.rs` | a child process, ended by its own pid, with its log                  |
//! | `scratch.rs` | a directory that is gone after the test                              |
//!
//! Nothing has a fixed port, and nothing sleeps and hopes: [`eventually`] asks until it is so, and gives
//! up when nothing moves any more, however long that takes on a busy machine.

mod admin;
mod client;
mod echo;
mod envoy;
mod faulty_server;
mod gateway;
mod kong;
mod kong_files;
mod process;
mod proxy;
mod scratch;
mod server;
mod setup;
mod wire;

pub use admin::Admin;
pub use client::{Connection, Request};
pub use echo::{Echo, Received};
pub use envoy::Envoy;
pub use faulty_server::{FaultyServer, Mode};
pub use gateway::Gateway;
pub use kong::Kong;
pub use kong_files::KongFiles;
pub use proxy::{Proxy, by_gateway, on_kong};
pub use scratch::Scratch;
pub use server::{Answer, Server};
pub use setup::{Filter, Listener, Setup};
pub use wire::Message;

pub use patience::{Patience, eventually};

use std::path::PathBuf;

/// What `make build` left.
fn dist() -> PathBuf {
    let dist =
        std::env::var_os("GATEHOUSE_DIST").map_or_else(|| root().join("dist"), PathBuf::from);
    assert!(dist.is_dir(), "{} is not there: run `make build` first", dist.display());
    dist
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
