//! The services around Envoy: an upstream, an admin service with one consumer, and a service that takes anything.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use wasm_tests::real::{Admin, Answer, Message, Scratch, Server};

/// A filter that does nothing: what any Wasm filter costs.
const EMPTY: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "_initialize"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_delete") (param i32)))"#;

/// What `ana` has.
pub(crate) const API_KEY: &str = "open-sesame";
pub(crate) const APP_ID: &str = "org.app";

/// They run until this value is dropped.
pub(crate) struct Bed {
    upstream: Server,
    admin: Admin,
    sink: Server,
    scratch: Scratch,
}

impl Bed {
    pub(crate) fn start() -> Self {
        let scratch = Scratch::new("bench");
        let text = wat::parse_str(EMPTY).expect("valid text");
        std::fs::write(scratch.path().join("empty.wasm"), text).expect("a file");
        let admin = Admin::start();
        admin.consumer("ana", API_KEY, &[APP_ID]);
        // What has a body gets it back, so that a line can have bodies each way.
        let upstream = Server::start(|request: &Message| match request.body.is_empty() {
            true => Answer::json(200, "{}"),
            false => Answer::json(200, request.text()),
        });
        let sink = Server::start(|_: &Message| Answer::json(201, "{}"));
        Self { upstream, admin, sink, scratch }
    }

    pub(crate) fn upstream(&self) -> SocketAddr {
        self.upstream.address()
    }

    /// The names by which a filter may call somebody: `admin`, and `sink`, which answers 201 to everything.
    pub(crate) fn clusters(&self) -> [(&'static str, SocketAddr); 2] {
        [("admin", self.admin.address()), ("sink", self.sink.address())]
    }

    /// The setting `admin` of any filter.
    pub(crate) fn admin(&self) -> Value {
        json!({"upstream": "admin", "authority": self.admin.address().to_string(), "poll_interval": 60})
    }

    pub(crate) fn empty_filter(&self) -> PathBuf {
        self.scratch.path().join("empty.wasm")
    }
}
