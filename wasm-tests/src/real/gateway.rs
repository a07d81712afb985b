//! A complete installation: a proxy with filters, gatehouse-admin behind a `FaultyServer`, and an
//! upstream.

use super::admin::Admin;
use super::client::RawRequest;
use super::echo::Echo;
use super::eventually;
use super::faulty_server::FaultyServer;
use super::proxy::Proxy;
use super::setup::{Filter, Setup};
use super::wire::Message;
use serde_json::{Value, json};

/// A proxy to which a test sends requests, and the services behind it.
pub struct Gateway {
    /// The proxy.
    pub envoy: Proxy,
    /// The server between the proxy and gatehouse-admin, by which a test damages responses.
    pub faulty_admin: FaultyServer,
    /// gatehouse-admin.
    pub admin: Admin,
    /// The upstream.
    pub echo: Echo,
}

impl Gateway {
    /// Starts one worker with these filters. `filters` is given the value of their setting `admin`.
    #[track_caller]
    pub fn start(filters: impl FnOnce(&Value) -> Vec<Filter>) -> Self {
        Self::with(1, |_| (), filters)
    }

    /// Like [`Gateway::start`], with several workers, each of which has VMs of its own. `prepare`
    /// fills gatehouse-admin before any filter polls it.
    #[track_caller]
    pub fn with(
        workers: u32,
        prepare: impl FnOnce(&Admin),
        filters: impl FnOnce(&Value) -> Vec<Filter>,
    ) -> Self {
        let (echo, admin) = (Echo::start(), Admin::start());
        prepare(&admin);
        let faulty_admin = FaultyServer::before(admin.address());
        let settings = json!({
            "upstream": "admin",
            // Without tokens the service answers only to its own name.
            "authority": admin.address().to_string(),
            // A busy machine must not cause a 503.
            "timeout": 60_000,
            "poll_interval": 1,
        });
        let setup = Setup::new(echo.address(), filters(&settings))
            .cluster("admin", faulty_admin.address())
            .concurrency(workers);
        let envoy = Proxy::start(&setup);
        Self { envoy, faulty_admin, admin, echo }
    }

    /// Creates a consumer with an API key and App IDs, and returns its id.
    #[track_caller]
    pub fn consumer(&self, name: &str, key: &str, app_ids: &[&str]) -> String {
        self.admin.consumer(name, key, app_ids)
    }

    /// The number of callouts that were not polls of `/changes`.
    pub fn lookups(&self) -> usize {
        self.faulty_admin.requests().len() - self.faulty_admin.count("/changes")
    }

    /// Sends these requests until the filters need no more callouts for them. A starting filter
    /// drops answers that are older than its first poll of `/changes`.
    #[track_caller]
    pub fn settle(&self, requests: &[RawRequest]) {
        eventually("requests that need no lookup", || {
            let (before, polls) = (self.lookups(), self.faulty_admin.count("/changes"));
            eventually("list of changes", || {
                requests.iter().for_each(|request| drop(self.send(request)));
                (self.faulty_admin.count("/changes") >= polls + 4).then_some(())
            });
            (self.lookups() == before).then_some(())
        });
    }

    /// Sends a request to the listener `main`.
    #[track_caller]
    pub fn send(&self, request: &RawRequest) -> Message {
        self.envoy.send(request)
    }

    /// The status and message for a request that the filters must refuse.
    #[track_caller]
    pub fn refused(&self, request: &RawRequest) -> Refusal {
        let before = self.echo.count();
        let answer = self.send(request);
        assert_eq!(self.echo.count(), before, "it reached the upstream: {}", answer.text());
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        (answer.status(), message)
    }

    /// The request as the upstream received it. Panics if the filters refuse it.
    #[track_caller]
    pub fn passed(&self, request: &RawRequest) -> Message {
        let before = self.echo.count();
        let answer = self.send(request);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(self.echo.count(), before + 1, "answered without the upstream");
        self.echo.last()
    }
}

/// A status and a message.
type Refusal = (u16, String);
