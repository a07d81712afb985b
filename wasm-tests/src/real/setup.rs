//! What a gateway shall be: its filters, its listeners, its clusters. The same for every gateway.

use super::dist;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// One of our filters in a listener's chain.
#[derive(Debug, Clone)]
pub struct Filter {
    pub(super) feature: String,
    pub(super) config: String,
    pub(super) vm_id: String,
    pub(super) names_host: bool,
    pub(super) holds_headers: bool,
    pub(super) environment: Vec<(String, String)>,
    pub(super) code: Option<PathBuf>,
    pub(super) native: Option<Value>,
}

impl Filter {
    /// A module that is none of ours, from this file.
    pub fn module(name: &str, code: &Path) -> Self {
        Self { code: Some(code.to_owned()), ..Self::new(name, &json!({})) }
    }

    /// A filter of Envoy's own.
    pub fn native(typed_config: Value) -> Self {
        Self { native: Some(typed_config), ..Self::new("native", &json!({})) }
    }

    /// The filter of this feature (`key_auth`), in a VM of its own kind.
    pub fn new(feature: &str, config: &Value) -> Self {
        Self {
            feature: feature.to_owned(),
            config: config.to_string(),
            vm_id: feature.to_owned(),
            names_host: true,
            holds_headers: false,
            environment: Vec::new(),
            code: None,
            native: None,
        }
    }

    /// With these bytes as its configuration, JSON or not.
    #[must_use]
    pub fn raw_config(mut self, config: &str) -> Self {
        self.config = config.to_owned();
        self
    }

    /// Shares data with every filter of the same `vm_id`.
    #[must_use]
    pub fn vm_id(mut self, vm_id: &str) -> Self {
        self.vm_id = vm_id.to_owned();
        self
    }

    /// Leaves it to the filter to find out on which host it runs.
    #[must_use]
    pub fn without_host_name(mut self) -> Self {
        self.names_host = false;
        self
    }

    /// With Envoy's option `allow_on_headers_stop_iteration`.
    #[must_use]
    pub fn holding_headers(mut self, holds: bool) -> Self {
        self.holds_headers = holds;
        self
    }

    /// With this environment variable in its VM.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The module's file.
    #[track_caller]
    pub(super) fn code(&self) -> PathBuf {
        let built = || dist().join(format!("filters/gatehouse_{}.wasm", self.feature));
        let code = self.code.clone().unwrap_or_else(built);
        assert!(code.is_file(), "{} is not there: run `make build`", code.display());
        code
    }
}

/// A port with a chain of filters, all of whose requests go to one cluster.
#[derive(Debug, Clone)]
pub struct Listener {
    /// How a test asks for its address.
    pub name: &'static str,
    /// In the order of the request's way.
    pub filters: Vec<Filter>,
    /// Where requests go that are let through.
    pub cluster: &'static str,
}

/// What a gateway shall be.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Its listeners.
    pub listeners: Vec<Listener>,
    /// Its clusters: name and address.
    pub clusters: Vec<(&'static str, SocketAddr)>,
    /// The number of its worker threads.
    pub concurrency: u32,
    /// Whether its listeners are in a file of their own, so that `Proxy::reload` can change them (Envoy).
    pub reloadable: bool,
    /// Whether it believes nobody's `X-Forwarded-For` (`use_remote_address`; Kong's default).
    pub at_the_edge: bool,
    /// Lines of `kong.conf` that replace or follow the fixture's own.
    pub kong_conf: Vec<(String, String)>,
    /// Lua plugins of every route, on Kong.
    pub kong_plugins: Vec<Value>,
    /// More of Kong's declarative configuration, such as consumers.
    pub kong_entities: Value,
}

impl Setup {
    /// One listener named `main` with these filters before the cluster `upstream`, one worker.
    pub fn new(upstream: SocketAddr, filters: Vec<Filter>) -> Self {
        let nothing = Self {
            listeners: Vec::new(),
            clusters: Vec::new(),
            concurrency: 1,
            reloadable: false,
            at_the_edge: false,
            kong_conf: Vec::new(),
            kong_plugins: Vec::new(),
            kong_entities: Value::Null,
        };
        nothing.cluster("upstream", upstream).listener("main", filters)
    }

    /// Adds a listener before the cluster `upstream`.
    #[must_use]
    pub fn listener(mut self, name: &'static str, filters: Vec<Filter>) -> Self {
        self.listeners.push(Listener { name, filters, cluster: "upstream" });
        self
    }

    /// Adds a cluster.
    #[must_use]
    pub fn cluster(mut self, name: &'static str, address: SocketAddr) -> Self {
        self.clusters.push((name, address));
        self
    }

    /// With so many workers.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// With listeners that `Proxy::reload` can change.
    #[must_use]
    pub fn reloadable(mut self) -> Self {
        self.reloadable = true;
        self
    }

    /// Which believes nobody's `X-Forwarded-For`.
    #[must_use]
    pub fn at_the_edge(mut self) -> Self {
        self.at_the_edge = true;
        self
    }

    /// With this line in `kong.conf`, in place of the fixture's own; an empty value takes the line out.
    #[must_use]
    pub fn kong_conf(mut self, key: &str, value: &str) -> Self {
        self.kong_conf.push((key.to_owned(), value.to_owned()));
        self
    }

    /// With this Lua plugin on Kong, before all filters.
    #[must_use]
    pub fn kong_plugin(mut self, plugin: Value) -> Self {
        self.kong_plugins.push(plugin);
        self
    }

    /// With this beside the services in Kong's declarative configuration.
    #[must_use]
    pub fn kong_entities(mut self, entities: Value) -> Self {
        self.kong_entities = entities;
        self
    }
}
