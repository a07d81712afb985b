//! A real Envoy or Kong with the compiled filters, a real gatehouse-admin, a client and an
//! upstream.
//!
//! | module             | contents                                                              |
//! |--------------------|-----------------------------------------------------------------------|
//! | `setup.rs`         | the description of a gateway: filters, listeners, clusters            |
//! | `proxy.rs`         | the gateway that a suite runs on: an Envoy or a Kong                  |
//! | `envoy.rs`         | a setup as Envoy's configuration, and the Envoy that runs it          |
//! | `kong_files.rs`    | a setup as `kong.conf`, declarative configuration and modules         |
//! | `kong.rs`          | the Kong that runs it, by its own command line, and its log           |
//! | `gateway.rs`       | a complete installation: gateway, gatehouse-admin, upstream           |
//! | `admin.rs`         | gatehouse-admin on SQLite: start, stop, kill, restore a database      |
//! | `faulty_server.rs` | a server before another one that counts requests, damages responses   |
//! | `link.rs`          | a network between two programs that a test can cut                    |
//! | `echo.rs`          | the upstream, which answers with the request that it received         |
//! | `server.rs`        | an HTTP/1.1 server that answers by a closure                          |
//! | `client.rs`        | an HTTP/1.1 client that sends any bytes                               |
//! | `wire.rs`          | heads and bodies, read from a connection                              |
//! | `process.rs`       | a child process with its log, ended by its pid                        |
//! | `scratch.rs`       | a directory that is removed after the test                            |
//!
//! No port is fixed, and no test sleeps for a verdict: [`eventually`] asks until a condition holds.
//! It gives up when nothing makes progress any more, however long that takes on a busy machine.

mod admin;
mod client;
mod echo;
mod envoy;
mod faulty_server;
mod gateway;
mod h2;
mod hpack;
mod kong;
mod kong_files;
mod link;
mod process;
mod proxy;
mod scratch;
mod server;
mod setup;
mod wire;

pub use admin::{Admin, DATABASE, service};
pub use client::{Connection, RawRequest};
pub use echo::{Echo, Received};
pub use envoy::Envoy;
pub use faulty_server::{FaultyServer, Mode, forward};
pub use gateway::Gateway;
pub use h2::{Frame, Http2, Request as Http2Request, Response as Http2Response};
pub use kong::Kong;
pub use kong_files::KongFiles;
pub use link::Link;
pub use proxy::{Proxy, by_gateway, on_kong};
pub use scratch::Scratch;
pub use server::{Answer, Server};
pub use setup::{Filter, Listener, Setup};
pub use wire::Message;

pub use patience::{Patience, eventually};

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

/// The directory that `make build` filled.
fn dist() -> PathBuf {
    let dist =
        std::env::var_os("GATEHOUSE_DIST").map_or_else(|| root().join("dist"), PathBuf::from);
    assert!(dist.is_dir(), "{} is not there: run `make build` first", dist.display());
    dist
}

/// Returns an address whose port nothing uses. The system does not give it out again so soon.
fn free_address() -> SocketAddr {
    let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    address.expect("a free port")
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
