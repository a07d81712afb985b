//! The description of a gateway, for Envoy and Kong alike: filters, listeners, clusters.

use super::dist;
use super::proxy::on_kong;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A filter in the chain of a listener.
#[derive(Debug, Clone)]
pub struct Filter {
    pub(super) feature: String,
    pub(super) config: String,
    pub(super) vm_id: String,
    pub(super) names_host: bool,
    pub(super) holds_headers: bool,
    pub(super) environment: Vec<(String, String)>,
    pub(super) of_the_host: Vec<String>,
    pub(super) code: Option<PathBuf>,
    pub(super) root_id: String,
    pub(super) native: Option<Value>,
    pub(super) on_the_route: Option<Value>,
}

impl Filter {
    /// A foreign Wasm module from this file.
    pub fn module(name: &str, code: &Path) -> Self {
        Self { code: Some(code.to_owned()), ..Self::new(name, &json!({})) }
    }

    /// A native filter of Envoy.
    pub fn native(typed_config: Value) -> Self {
        Self { native: Some(typed_config), ..Self::new("native", &json!({})) }
    }

    /// Gives a native filter this configuration on the listener's route.
    #[must_use]
    pub fn on_the_route(mut self, typed_config: Value) -> Self {
        self.on_the_route = Some(typed_config);
        self
    }

    /// The compiled filter of this name (`key_auth`), in a VM of its own.
    pub fn new(feature: &str, config: &Value) -> Self {
        Self {
            feature: feature.to_owned(),
            config: config.to_string(),
            vm_id: feature.to_owned(),
            names_host: true,
            holds_headers: false,
            environment: Vec::new(),
            of_the_host: Vec::new(),
            code: None,
            root_id: feature.to_owned(),
            native: None,
            on_the_route: None,
        }
    }

    /// The same filter out of the module that holds all, as Envoy's `root_id` chooses it.
    #[must_use]
    pub fn of_all(mut self) -> Self {
        self.code = Some(dist().join("gatehouse.wasm"));
        self
    }

    /// Sets Envoy's `root_id`, which is the filter's name otherwise.
    #[must_use]
    pub fn root_id(mut self, root_id: &str) -> Self {
        self.root_id = root_id.to_owned();
        self
    }

    /// Sets these bytes as the filter's configuration, JSON or not.
    #[must_use]
    pub fn raw_config(mut self, config: &str) -> Self {
        self.config = config.to_owned();
        self
    }

    /// Sets the `vm_id`. The filter shares data with every filter of an equal `vm_id`.
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

    /// Sets Envoy's option `allow_on_headers_stop_iteration`.
    #[must_use]
    pub fn holding_headers(mut self, holds: bool) -> Self {
        self.holds_headers = holds;
        self
    }

    /// Sets an environment variable in the filter's VM.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets the filter's VM see a variable of Envoy's own environment (`host_env_keys`).
    #[must_use]
    pub fn of_the_host(mut self, name: &str) -> Self {
        self.of_the_host.push(name.to_owned());
        self
    }

    /// The path of the module.
    #[track_caller]
    pub(super) fn code(&self) -> PathBuf {
        let all = std::env::var_os("GATEHOUSE_MODULE").is_some_and(|value| value == "all");
        let built = || match all && !on_kong() {
            true => dist().join("gatehouse.wasm"),
            false => dist().join(format!("filters/gatehouse_{}.wasm", self.feature)),
        };
        let code = self.code.clone().unwrap_or_else(built);
        assert!(code.is_file(), "{} is not there: run `make build`", code.display());
        code
    }
}

/// A port with a chain of filters, whose requests go to one cluster.
#[derive(Debug, Clone)]
pub struct Listener {
    /// The name by which a test asks for the address.
    pub name: &'static str,
    /// The filters, in the order in which a request passes them.
    pub filters: Vec<Filter>,
    /// The cluster of the requests that pass.
    pub cluster: &'static str,
}

/// The description of a gateway.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The listeners.
    pub listeners: Vec<Listener>,
    /// The names and addresses of the clusters.
    pub clusters: Vec<(&'static str, SocketAddr)>,
    /// The number of workers.
    pub concurrency: u32,
    /// `true` if `Proxy::reload` can change the listeners of an Envoy, which are then in a file of
    /// their own.
    pub reloadable: bool,
    /// `true` if the gateway trusts no `X-Forwarded-For` (`use_remote_address`; Kong's default).
    pub at_the_edge: bool,
    /// The access log of an Envoy.
    pub access_log: Option<Value>,
    /// Members of the configuration of an Envoy's connection managers that replace the fixture's.
    pub manager: Value,
    /// `true` if `Envoy::hot_restart` can put a second Envoy in the place of the first. The ports of
    /// the listeners are then chosen in advance.
    pub restartable: bool,
    /// A command that becomes the Envoy which follows it, such as `env`, or nothing.
    pub launcher: Vec<String>,
    /// `true` if an Envoy logs at its most talkative level.
    pub talkative: bool,
    /// The environment of an Envoy.
    pub environment: Vec<(String, String)>,
    /// Lines of `kong.conf` that replace or follow the fixture's own.
    pub kong_conf: Vec<(String, String)>,
    /// Lua plugins of every route on Kong.
    pub kong_plugins: Vec<Value>,
    /// More of Kong's declarative configuration, such as consumers.
    pub kong_entities: Value,
}

impl Setup {
    /// One worker with a listener `main`, which has these filters and leads to the cluster
    /// `upstream`.
    pub fn new(upstream: SocketAddr, filters: Vec<Filter>) -> Self {
        let nothing = Self {
            listeners: Vec::new(),
            clusters: Vec::new(),
            concurrency: 1,
            reloadable: false,
            at_the_edge: false,
            access_log: None,
            manager: Value::Null,
            restartable: false,
            launcher: Vec::new(),
            talkative: false,
            environment: Vec::new(),
            kong_conf: Vec::new(),
            kong_plugins: Vec::new(),
            kong_entities: Value::Null,
        };
        nothing.cluster("upstream", upstream).listener("main", filters)
    }

    /// Adds a listener that leads to the cluster `upstream`.
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

    /// Sets the number of workers.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Makes the listeners changeable by `Proxy::reload`.
    #[must_use]
    pub fn reloadable(mut self) -> Self {
        self.reloadable = true;
        self
    }

    /// Makes the gateway trust no `X-Forwarded-For`.
    #[must_use]
    pub fn at_the_edge(mut self) -> Self {
        self.at_the_edge = true;
        self
    }

    /// Makes an Envoy write this access log.
    #[must_use]
    pub fn access_log(mut self, loggers: Value) -> Self {
        self.access_log = Some(loggers);
        self
    }

    /// Gives the connection managers of an Envoy these members.
    #[must_use]
    pub fn manager(mut self, members: Value) -> Self {
        self.manager = members;
        self
    }

    /// Makes it possible to put a second Envoy in the place of the first.
    #[must_use]
    pub fn restartable(mut self) -> Self {
        self.restartable = true;
        self
    }

    /// Starts an Envoy by this command, whose first word is the path of a program.
    #[must_use]
    pub fn launched_by(mut self, launcher: &[&str]) -> Self {
        self.launcher = launcher.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Makes an Envoy log at its most talkative level.
    #[must_use]
    pub fn talkative(mut self) -> Self {
        self.talkative = true;
        self
    }

    /// Sets a variable in the environment of an Envoy.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a line of `kong.conf`. An empty value removes the fixture's line.
    #[must_use]
    pub fn kong_conf(mut self, key: &str, value: &str) -> Self {
        self.kong_conf.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Adds a Lua plugin on Kong, which runs before all filters.
    #[must_use]
    pub fn kong_plugin(mut self, plugin: Value) -> Self {
        self.kong_plugins.push(plugin);
        self
    }

    /// Adds `entities` to Kong's declarative configuration.
    #[must_use]
    pub fn kong_entities(mut self, entities: Value) -> Self {
        self.kong_entities = entities;
        self
    }
}
