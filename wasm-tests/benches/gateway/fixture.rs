//! The services around Envoy: an upstream, gatehouse-admin with two consumers, and a service that
//! accepts every request.

use serde_json::{Value, json};
use std::net::SocketAddr;
use wasm_tests::real::{Admin, Answer, Message, Server};

/// The API key of the consumer `ana`.
pub(crate) const API_KEY: &str = "open-sesame";
/// The App ID of the consumer `ana`.
pub(crate) const APP_ID: &str = "org.app";

/// The API key of the consumer `eve`, who has 25 App IDs.
pub(crate) const MANY_KEY: &str = "open-many-doors";
/// The beginning of the App IDs of the consumer `eve`.
pub(crate) const MANY_APP_IDS: &str = "org.example.app";

/// The running services. They stop when this value is dropped.
pub(crate) struct Fixture {
    upstream: Server,
    admin: Admin,
    sink: Server,
}

impl Fixture {
    pub(crate) fn start() -> Self {
        Self::among(|_| ())
    }

    /// The services, with what `prepare` does to gatehouse-admin.
    pub(crate) fn among(prepare: impl FnOnce(&mut Admin)) -> Self {
        let mut admin = Admin::start();
        prepare(&mut admin);
        admin.consumer("ana", API_KEY, &[APP_ID]);
        let many: Vec<String> = (0..25).map(|n| format!("{MANY_APP_IDS}-{n}")).collect();
        admin.consumer("eve", MANY_KEY, &many.iter().map(String::as_str).collect::<Vec<_>>());
        // A request body is sent back, so that a line can measure bodies in both directions. `/who`
        // answers with the name of the caller.
        let upstream = Server::start(|request: &Message| match request.body.is_empty() {
            true if request.path() == "/who" => {
                Answer::json(200, request.header("x-consumer-username").unwrap_or_default())
            }
            true => Answer::json(200, "{}"),
            false => Answer::json(200, request.text()),
        });
        let sink = Server::start(|_: &Message| Answer::json(201, "{}"));
        Self { upstream, admin, sink }
    }

    pub(crate) fn upstream(&self) -> SocketAddr {
        self.upstream.address()
    }

    /// The clusters for callouts: `admin`, and `sink`, which answers 201 to every request.
    pub(crate) fn clusters(&self) -> [(&'static str, SocketAddr); 2] {
        [("admin", self.admin.address()), ("sink", self.sink.address())]
    }

    /// The setting `admin` of any filter.
    pub(crate) fn admin(&self) -> Value {
        json!({
            "upstream": "admin",
            "authority": self.admin.address().to_string(),
            "poll_interval": 60,
            // A busy machine must not cause a 503.
            "timeout": 60_000,
        })
    }
}
