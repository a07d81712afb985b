//! A complete installation: a proxy with filters, gatehouse-admin behind a `FaultyServer`, and an
//! upstream.

use super::admin::Admin;
use super::client::Request;
use super::echo::Echo;
use super::eventually;
use super::faulty_server::FaultyServer;
use super::proxy::Proxy;
use super::setup::{Filter, Setup};
use super::wire::Message;
use serde_json::{Value, json};

/// What a test sends requests to, and everything behind it.
pub struct Gateway {
    /// The proxy.
    pub envoy: Proxy,
    /// The server between the proxy and the admin service, by which a test damages answers.
    pub faulty_admin: FaultyServer,
    /// The admin service.
    pub admin: Admin,
    /// The upstream.
    pub echo: Echo,
}

impl Gateway {
    /// One worker with these filters; `filters` is given the value of their setting `admin`.
    #[track_caller]
    pub fn start(filters: impl FnOnce(&Value) -> Vec<Filter>) -> Self {
        Self::with(1, |_| (), filters)
    }

    /// The same with several workers, each with VMs of its own, and with what `prepare` puts into
    /// the admin service before any filter asks it for changes.
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
            // Without tokens the service answers to its own name only.
            "authority": admin.address().to_string(),
            // A busy machine is no reason for a 503.
            "timeout": 60_000,
            "poll_interval": 1,
        });
        let setup = Setup::new(echo.address(), filters(&settings))
            .cluster("admin", faulty_admin.address())
            .concurrency(workers);
        let envoy = Proxy::start(&setup);
        Self { envoy, faulty_admin, admin, echo }
    }

    /// Creates a consumer with an API key and App IDs, and gives its id.
    #[track_caller]
    pub fn consumer(&self, name: &str, key: &str, app_ids: &[&str]) -> String {
        self.admin.consumer(name, key, app_ids)
    }

    /// How many callouts were more than the regular look for changes.
    pub fn lookups(&self) -> usize {
        self.faulty_admin.requests().len() - self.faulty_admin.count("/changes")
    }

    /// Sends these requests until the filters know all that they need: a filter that starts forgets what
    /// it was told before it saw the list of changes.
    #[track_caller]
    pub fn settle(&self, requests: &[Request]) {
        eventually("requests that need no lookup", || {
            let (before, polls) = (self.lookups(), self.faulty_admin.count("/changes"));
            eventually("list of changes", || {
                requests.iter().for_each(|request| drop(self.send(request)));
                (self.faulty_admin.count("/changes") >= polls + 4).then_some(())
            });
            (self.lookups() == before).then_some(())
        });
    }

    /// Sends a request.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Message {
        self.envoy.send(request)
    }

    /// The answer to a request that the filters must not let through.
    #[track_caller]
    pub fn refused(&self, request: &Request) -> Refusal {
        let before = self.echo.count();
        let answer = self.send(request);
        assert_eq!(self.echo.count(), before, "it reached the upstream: {}", answer.text());
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        (answer.status(), message)
    }

    /// The request as it reached the upstream, which the filters must let through.
    #[track_caller]
    pub fn passed(&self, request: &Request) -> Message {
        let before = self.echo.count();
        let answer = self.send(request);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(self.echo.count(), before + 1, "answered without the upstream");
        self.echo.last()
    }
}

/// Status and message.
type Refusal = (u16, String);
