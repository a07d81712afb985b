//! The gateways on which rules are tested, and the requests and refusals of tests.

use serde_json::{Value, json};
use wasm_tests::{Filter, KongVersion, Profile, Proxy, Request, Response, Stream, merged};

/// The destination of gatehouse-admin: a cluster on Envoy, an address on Kong.
pub const ADMIN: &str = "admin.test:8001";

/// The shared-data zone that the operators of some Kongs declare.
pub const ZONE: &str = "gatehouse";

/// A service that answers the callouts of filters.
pub trait Service {
    /// Answers every callout of this gateway from now on.
    fn serve(&self, proxy: &Proxy);
}

/// A gateway with the settings of its operator.
#[derive(Clone)]
pub struct Gateway {
    pub name: &'static str,
    pub profile: Profile,
    /// Kong: the setting `shm_zone` of every filter.
    pub zone: Option<&'static str>,
}

impl Gateway {
    pub fn envoy() -> Self {
        Self { name: "Envoy", profile: Profile::envoy(), zone: None }
    }

    /// An Envoy with `allow_on_headers_stop_iteration`.
    pub fn envoy_holding() -> Self {
        let profile = Profile::envoy().allow_on_headers_stop_iteration(true);
        Self { name: "Envoy that holds headers", profile, zone: None }
    }

    pub fn kong() -> Self {
        Self::kong_of(KongVersion::V3_9)
    }

    pub fn kong_of(version: KongVersion) -> Self {
        let name = match version {
            KongVersion::V3_4 => "Kong 3.4",
            KongVersion::V3_5 => "Kong 3.5",
            KongVersion::V3_6 => "Kong 3.6",
            KongVersion::V3_7 => "Kong 3.7",
            KongVersion::V3_8 => "Kong 3.8",
            KongVersion::V3_9 => "Kong 3.9",
        };
        Self { name, profile: declaring(version), zone: None }
    }

    /// A Kong with shared data.
    pub fn kong_sharing() -> Self {
        Self {
            name: "Kong 3.9 with shared data",
            profile: declaring(KongVersion::V3_9).zone(ZONE),
            zone: Some(ZONE),
        }
    }

    /// Every kind of gateway on which a request may wait for a callout.
    pub fn all() -> Vec<Self> {
        vec![Self::envoy(), Self::envoy_holding(), Self::kong(), Self::kong_sharing()]
    }

    /// The gateways whose workers share data.
    pub fn sharing() -> Vec<Self> {
        vec![Self::envoy(), Self::kong_sharing()]
    }

    /// One Envoy and one Kong, for rules that depend on nothing else.
    pub fn both() -> Vec<Self> {
        vec![Self::envoy(), Self::kong()]
    }

    /// The gateways on which a filter gets a request's body before its headers go on.
    pub fn giving_bodies() -> Vec<Self> {
        vec![Self::envoy_holding(), Self::kong()]
    }

    pub fn is_kong(&self) -> bool {
        self.profile.is_kong()
    }

    /// The path of the property that carries the identity.
    pub fn identity(&self) -> &'static str {
        if self.is_kong() { "ngx.gatehouse_consumer" } else { "gatehouse_consumer" }
    }

    /// Changes the profile of the gateway.
    pub fn with(mut self, change: impl FnOnce(Profile) -> Profile) -> Self {
        self.profile = change(self.profile);
        self
    }

    /// A filter with these settings.
    pub fn filter(&self, feature: &str, settings: Value) -> Filter {
        let settings = match self.zone {
            Some(zone) if settings.get("admin").is_some() => {
                merged(settings, json!({"shm_zone": zone}))
            }
            _ => settings,
        };
        Filter::built(feature).config(settings.to_string())
    }

    /// Starts the gateway with a chain of filters, and lets `service` answer their callouts.
    pub fn serving(&self, service: &impl Service, filters: &[(&str, Value)]) -> Proxy {
        let proxy = self.start(filters);
        service.serve(&proxy);
        proxy
    }

    /// Starts the gateway with a chain of filters.
    pub fn start(&self, filters: &[(&str, Value)]) -> Proxy {
        let filters =
            filters.iter().map(|(feature, settings)| self.filter(feature, settings.clone()));
        Proxy::new(self.profile.clone(), filters.collect::<Vec<_>>())
    }
}

/// A Kong whose operator has added the line for filters to kong.conf.
fn declaring(version: KongVersion) -> Profile {
    Profile::kong(version).all_variables()
}

/// The settings `more` and the address of gatehouse-admin.
pub fn asking(more: Value) -> Value {
    merged(json!({"admin": {"upstream": ADMIN}}), more)
}

/// The status and message of a refusal.
#[track_caller]
pub fn refusal(stream: &Stream) -> (u16, String) {
    let reply = stream.refused();
    (reply.status, message(&reply))
}

/// The `message` of a JSON body.
#[track_caller]
pub fn message(reply: &Response) -> String {
    let document = reply.document();
    document["message"].as_str().unwrap_or_else(|| panic!("no message in {document}")).to_owned()
}

/// Checks that a header does not reach the upstream. Envoy removes it; Kong, which cannot, empties
/// it.
#[track_caller]
pub fn taken_out(gateway: &Gateway, stream: &Stream, name: &str) {
    let found = stream.forwarded().headers_named(name);
    let expected: &[&str] = if gateway.is_kong() { &[""] } else { &[] };
    assert_eq!(found, expected, "{}: {name}", gateway.name);
}

/// A request with an API key in the header `apikey`.
pub fn with_key(key: impl AsRef<[u8]>) -> Request {
    Request::get("/").header("apikey", key)
}

/// A request of a consumer that an earlier filter, or Lua, has identified.
pub fn identified(gateway: &Gateway, consumer: &str) -> Request {
    Request::get("/").property(gateway.identity(), json!({"id": consumer}).to_string())
}

/// Prepares every worker for a test: a first request lets it find out its host, and a first poll of
/// `/changes` drops what it cached before.
pub fn settled(workers: &[&Proxy]) {
    for worker in workers {
        worker.send(Request::get("/"));
    }
    workers[0].advance(std::time::Duration::from_secs(5));
}
