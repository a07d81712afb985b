//! The files that Kong reads at its start: `kong.conf`, declarative configuration, modules.

use super::setup::{Filter, Setup};
use super::{dist, root};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The shared-data zone that the fixture declares and names in each filter that can use it.
const ZONE: &str = "gatehouse";

/// The files of a Kong. Ports are chosen at the start: `{port:main}` stands for one in both texts.
#[derive(Debug, Clone, Default)]
pub struct KongFiles {
    /// `kong.conf`, by key.
    pub conf: BTreeMap<String, String>,
    /// The declarative configuration, in YAML or JSON.
    pub declarative: String,
    /// Variables for Kong's environment, in addition to the test's own.
    pub environment: Vec<(String, String)>,
    /// The modules that Kong loads, by their names in its configuration.
    pub modules: BTreeMap<String, PathBuf>,
    /// The names of the ports.
    pub listeners: Vec<String>,
}

impl KongFiles {
    /// Sets a line of `kong.conf`. An empty value removes the line.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() {
            self.conf.remove(key);
        } else {
            self.conf.insert(key.to_owned(), value);
        }
    }

    /// Sets the lines that every test on one machine needs: free ports, and no network.
    pub fn on_one_machine(&mut self, workers: u32) {
        for (key, value) in [
            ("database", "off"),
            ("admin_listen", "off"),
            ("admin_gui_listen", "off"),
            ("status_listen", "127.0.0.1:{port:status}"),
            ("anonymous_reports", "off"),
            ("proxy_access_log", "off"),
            ("status_access_log", "off"),
            ("log_level", "notice"),
            // All processes descend from the test, which waits as long as one of them works.
            ("nginx_main_daemon", "off"),
            ("mem_cache_size", "16m"),
        ] {
            self.set(key, value);
        }
        self.set("nginx_worker_processes", workers.to_string());
        let listen: Vec<String> =
            self.listeners.iter().map(|name| format!("127.0.0.1:{{port:{name}}}")).collect();
        self.set("proxy_listen", listen.join(", "));
    }

    /// Installs the built filters that the declarative configuration names.
    #[track_caller]
    pub fn use_built_filters(&mut self, declarative: &str) {
        let filters = dist().join("filters");
        for entry in std::fs::read_dir(&filters).expect("the built filters").flatten() {
            let path = entry.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let is_module = path.extension().is_some_and(|suffix| suffix == "wasm");
            if is_module && declarative.contains(&format!("\"{name}\"")) {
                self.modules.insert(name, path);
            }
        }
    }

    /// The files for a setup, as the documents advise to write them.
    #[track_caller]
    pub fn of(setup: &Setup) -> Self {
        let listeners = setup.listeners.iter().map(|l| l.name.to_owned()).collect();
        let mut files = Self { listeners, ..Self::default() };
        files.on_one_machine(setup.concurrency);
        for (key, value) in [
            ("wasm", "on"),
            ("wasm_filters", "user"),
            ("nginx_wasm_shm_kv_gatehouse", "64m"),
            ("nginx_wasm_proxy_wasm_lua_resolver", "on"),
            ("nginx_http_client_body_buffer_size", "1m"),
            // Tests send headers of 64 KiB.
            ("nginx_http_large_client_header_buffers", "8 192k"),
        ] {
            files.set(key, value);
        }
        // The variables of nginx by which filters pass values to later filters.
        let conf =
            std::fs::read_to_string(root().join("kong-config/kong.conf")).expect("kong.conf");
        if let Some(line) = conf.lines().find(|line| line.starts_with("nginx_proxy_set")) {
            let (key, value) = line.split_once('=').expect("a setting");
            files.set(key.trim(), value.trim());
        }
        let filters = || setup.listeners.iter().flat_map(|listener| &listener.filters);
        for filter in filters() {
            files.modules.insert(format!("gatehouse_{}", filter.feature), filter.code());
            files.environment.extend(filter.environment.clone());
        }
        if !files.environment.is_empty() {
            let names = files.environment.iter().map(|(name, _)| name.clone());
            let names = Vec::from_iter(BTreeSet::from_iter(names));
            files.set("nginx_main_env", names.join("; env "));
        }
        if setup.listeners.len() > 1 {
            // Each chain has a port of its own, like a listener of Envoy.
            files.set("router_flavor", "expressions");
        }
        files.declarative = format!("{:#}", declarative(setup));
        for (key, value) in &setup.kong_conf {
            files.set(key, value);
        }
        files
    }
}

fn declarative(setup: &Setup) -> Value {
    let mut services: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (number, listener) in setup.listeners.iter().enumerate() {
        let name = match number {
            0 => "everything".to_owned(),
            _ => format!("everything-{}", listener.name),
        };
        let mut route = json!({"name": name, "preserve_host": true, "strip_path": false});
        if setup.listeners.len() > 1 {
            let port = format!("net.dst.port == {{port:{}}}", listener.name);
            route["expression"] = json!(port);
        } else {
            route["paths"] = json!(["/"]);
        }
        let filters: Vec<Value> =
            listener.filters.iter().map(|filter| chained(filter, &setup.clusters)).collect();
        if !filters.is_empty() {
            route["filter_chains"] =
                json!([{"name": format!("chain-{}", listener.name), "filters": filters}]);
        }
        services.entry(listener.cluster).or_default().push(route);
    }
    let services = services.into_iter().map(|(cluster, routes)| {
        let found = setup.clusters.iter().find(|(name, _)| *name == cluster);
        let address = found.unwrap_or_else(|| panic!("no cluster {cluster}")).1;
        json!({"name": cluster, "url": format!("http://{address}"), "retries": 0, "routes": routes})
    });
    let mut document = json!({
        "_format_version": "3.0",
        "services": services.collect::<Vec<_>>(),
        "plugins": setup.kong_plugins,
    });
    for (name, entities) in setup.kong_entities.as_object().into_iter().flatten() {
        document[name] = entities.clone();
    }
    document
}

fn chained(filter: &Filter, clusters: &[(&'static str, SocketAddr)]) -> Value {
    let mut config = serde_json::from_str(&filter.config).unwrap_or(json!(filter.config));
    name_addresses(&mut config, clusters);
    let remembers = ["key_auth", "app_id", "jwt_auth", "session", "rate_limiting"];
    if let Value::Object(members) = &mut config
        && remembers.contains(&filter.feature.as_str())
    {
        members.entry("shm_zone").or_insert_with(|| json!(ZONE));
    }
    json!({"name": format!("gatehouse_{}", filter.feature), "config": config})
}

/// Replaces the names of clusters by addresses, because Kong has no clusters.
fn name_addresses(value: &mut Value, clusters: &[(&'static str, SocketAddr)]) {
    let cluster = |name: &str| clusters.iter().find(|(known, _)| *known == name);
    match value {
        Value::Object(members) => {
            let members: &mut Map<String, Value> = members;
            for (key, member) in members.iter_mut() {
                match member.as_str().and_then(cluster) {
                    Some((_, address)) if key == "upstream" => *member = json!(address.to_string()),
                    _ => name_addresses(member, clusters),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| name_addresses(item, clusters)),
        _ => {}
    }
}
