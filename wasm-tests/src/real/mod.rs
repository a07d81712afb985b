//! A real Envoy with the compiled filters, a real `gatehouse-admin`, and both ends of the wire.
//!
//! | room         | what is in it                                                        |
//! |--------------|----------------------------------------------------------------------|
//! | `envoy.rs`   | a configuration with our filters, and the Envoy that runs it         |
//! | `gateway.rs` | all of it together: clients, Envoy, front, admin service, upstream       |
//! | `admin.rs`   | `gatehouse-admin` on SQLite: start, stop, kill, put a database back  |
//! | `front.rs`   | stands before an admin service: counts callouts, breaks answers      |
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
mod front;
mod gateway;
mod process;
mod scratch;
mod server;
mod wire;

pub use admin::Admin;
pub use client::{Connection, Request};
pub use echo::{Echo, Received};
pub use envoy::{Envoy, Filter, Listener, Setup};
pub use front::{Front, Mode};
pub use gateway::Gateway;
pub use scratch::Scratch;
pub use server::{Answer, Server};
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
