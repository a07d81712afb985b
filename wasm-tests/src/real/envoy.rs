//! The configuration of an Envoy with the compiled filters, and the Envoy that runs it.

use super::client::RawRequest;
use super::process::Process;
use super::scratch::Scratch;
use super::setup::{Filter, Listener, Setup};
use super::wire::Message;
use super::{eventually, free_address, root};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

impl Filter {
    fn json(&self) -> Value {
        if let Some(native) = &self.native {
            return json!({"name": "native", "typed_config": native});
        }
        let code = self.code();
        let variables: serde_json::Map<_, _> =
            self.environment.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
        let host = if self.names_host { r#"{"host":"envoy"}"# } else { "" };
        let text = |value: &str| json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": value});
        json!({
            "name": format!("gatehouse_{}", self.feature),
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": {
                    "name": format!("gatehouse_{}", self.feature),
                    "root_id": self.root_id,
                    "allow_on_headers_stop_iteration": self.holds_headers,
                    "configuration": text(&self.config),
                    "vm_config": {
                        "vm_id": self.vm_id,
                        "configuration": text(host),
                        "runtime": "envoy.wasm.runtime.v8",
                        "code": {"local": {"filename": code}},
                        "environment_variables": {"key_values": variables, "host_env_keys": self.of_the_host},
                    },
                },
            },
        })
    }
}

impl Setup {
    fn json(&self, listeners_file: &Path, ports: &Ports) -> Value {
        let clusters = self.clusters.iter().map(cluster).collect::<Vec<_>>();
        let mut document =
            json!({"admin": {"address": any()}, "static_resources": {"clusters": clusters}});
        if self.reloadable {
            document["node"] = json!({"id": "test", "cluster": "test"});
            document["dynamic_resources"] =
                json!({"lds_config": {"path_config_source": {"path": listeners_file}}});
        } else {
            document["static_resources"]["listeners"] = self.listeners_json(ports).into();
        }
        document
    }

    fn listeners_json(&self, ports: &Ports) -> Vec<Value> {
        let edge = Value::from(self.at_the_edge);
        let with = |mut listener: Value| {
            let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
            manager["use_remote_address"] = edge.clone();
            if let Some(loggers) = &self.access_log {
                manager["access_log"] = loggers.clone();
            }
            for (name, member) in self.manager.as_object().into_iter().flatten() {
                manager[name] = member.clone();
            }
            listener
        };
        let address = |l: &Listener| ports.get(l.name).map_or_else(any, |port| at(*port));
        self.listeners.iter().map(|l| with(listener(l, &address(l)))).collect()
    }

    /// The listeners, as a response of the discovery service.
    fn discovery_json(&self, ports: &Ports) -> Value {
        let resources = self.listeners_json(ports).into_iter().map(|mut listener| {
            listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
            listener
        });
        json!({"version_info": "1", "resources": resources.collect::<Vec<_>>()})
    }
}

/// The ports of listeners by their names. A listener that is not among them takes any free port.
type Ports = BTreeMap<&'static str, u16>;

/// The address of any free port.
fn any() -> Value {
    at(0)
}

fn at(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

/// Returns a free port for each listener, if a second Envoy has to find the first one's sockets.
fn ports(setup: &Setup) -> Ports {
    let listeners = setup.listeners.iter().filter(|_| setup.restartable);
    listeners.map(|l| (l.name, free_address().port())).collect()
}

fn listener(listener: &Listener, address: &Value) -> Value {
    let mut filters: Vec<Value> = listener.filters.iter().map(Filter::json).collect();
    filters.push(json!({
        "name": "router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        },
    }));
    let on_the_route = listener.filters.iter().filter_map(|filter| filter.on_the_route.clone());
    let on_the_route: Map<_, _> =
        on_the_route.map(|config| ("native".to_owned(), config)).collect();
    let manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.\
                   HttpConnectionManager";
    json!({
        "name": listener.name,
        "address": address,
        "filter_chains": [{"filters": [{
            "name": "http",
            "typed_config": {
                "@type": manager,
                "stat_prefix": listener.name,
                "http_protocol_options": {"enable_trailers": true},
                // Tests send headers of 64 KiB, and 120 headers in one request.
                "max_request_headers_kb": 192,
                "common_http_protocol_options": {"max_headers_count": 300},
                "upgrade_configs": [{"upgrade_type": "websocket"}],
                "http2_protocol_options": {"allow_connect": true},
                "http_filters": filters,
                "route_config": {"virtual_hosts": [{
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{
                        "name": "elsewhere",
                        "match": {"path": "/elsewhere"},
                        "direct_response": {"status": 418},
                    }, {
                        "name": "everything",
                        "match": {"prefix": "/"},
                        "route": {"cluster": listener.cluster},
                        "typed_per_filter_config": on_the_route,
                    }],
                }]},
            },
        }]}],
    })
}

fn cluster((name, address): &(&'static str, SocketAddr)) -> Value {
    let endpoint = json!({"address": {"socket_address": {
        "address": address.ip().to_string(),
        "port_value": address.port(),
    }}});
    json!({
        "name": name,
        "type": "STATIC",
        // A busy machine must not cause a 503.
        "connect_timeout": "60s",
        // A test with 200 parked requests must not meet Envoy's own limits.
        "circuit_breakers": {"thresholds": [{
            "max_connections": 4096, "max_pending_requests": 4096, "max_requests": 4096,
        }]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    })
}

impl Envoy {
    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The processor time that Envoy has used so far, in microseconds.
    pub fn processor_time(&self) -> f64 {
        patience::processor_time(self.process.id()).as_secs_f64() * 1e6
    }
}

/// A running Envoy. It ends when this value is dropped.
pub struct Envoy {
    process: Process,
    admin: SocketAddr,
    listeners: Vec<(String, SocketAddr)>,
    ports: Ports,
    /// The number of Envoys before this one.
    epoch: u32,
    // Declared after the process, so that its files are removed last.
    scratch: Arc<Scratch>,
}

impl Envoy {
    /// Starts Envoy and waits until it serves.
    #[track_caller]
    pub fn start(setup: &Setup) -> Self {
        Self::try_start(setup).unwrap_or_else(|log| panic!("Envoy refused:\n{log}"))
    }

    /// Starts Envoy. The error is the log of an Envoy that refused its configuration.
    pub fn try_start(setup: &Setup) -> Result<Self, String> {
        Self::run(setup, Arc::new(Scratch::new("envoy")), ports(setup), 0)
    }

    /// Starts a second Envoy, which takes the sockets of this one, and waits until this one has
    /// drained and ended. The first Envoy must have been started with `Setup::restartable`.
    #[track_caller]
    pub fn hot_restart(&mut self, setup: &Setup) {
        let next = Self::run(setup, self.scratch.clone(), self.ports.clone(), self.epoch + 1);
        let next = next.unwrap_or_else(|log| panic!("the second Envoy:\n{log}"));
        let mut first = std::mem::replace(self, next);
        eventually("end of the first Envoy", || first.process.ended().then_some(()));
    }

    fn run(setup: &Setup, scratch: Arc<Scratch>, ports: Ports, epoch: u32) -> Result<Self, String> {
        let listeners = scratch.file("listeners.json", &setup.discovery_json(&ports).to_string());
        let config = scratch.file("envoy.json", &format!("{:#}", setup.json(&listeners, &ports)));
        let admin_file = scratch.path().join(format!("admin-{epoch}"));
        let mut arguments: Vec<OsString> = [
            "--config-path".into(),
            config.into_os_string(),
            "--admin-address-path".into(),
            admin_file.clone().into_os_string(),
            "--concurrency".into(),
            setup.concurrency.to_string().into(),
            // A replaced listener keeps its requests for this time; the default is ten minutes.
            "--drain-time-s".into(),
            (if setup.reloadable || setup.restartable { "1" } else { "600" }).into(),
            "--log-level".into(),
            (if setup.talkative { "trace" } else { "warning" }).into(),
            "--component-log-level".into(),
            (if setup.talkative { "misc:trace" } else { "wasm:info,misc:error" }).into(),
        ]
        .into();
        arguments.extend(hot_restart_options(setup, &scratch, epoch));
        let mut process = launch(setup, arguments, &scratch);
        let ready = eventually("Envoy that serves", || {
            if process.ended() {
                return Some(Err(process.log()));
            }
            let admin = std::fs::read_to_string(&admin_file).ok()?.parse().ok()?;
            let ready = RawRequest::get("/ready").try_send(admin).ok()?;
            (ready.status() == 200).then_some(Ok(admin))
        });
        let admin = ready?;
        let answer = RawRequest::get("/listeners?format=json").send(admin).json();
        let listeners = answer["listener_statuses"].as_array().cloned().unwrap_or_default();
        let listeners = listeners.iter().map(|status| {
            let address = &status["local_address"]["socket_address"];
            let port = address["port_value"].as_u64().and_then(|port| u16::try_from(port).ok());
            let name = status["name"].as_str().expect("a listener's name").to_owned();
            (name, SocketAddr::from(([127, 0, 0, 1], port.expect("a listener's port"))))
        });
        Ok(Self { process, admin, listeners: listeners.collect(), ports, epoch, scratch })
    }

    /// Replaces the listeners by those of `setup`, which keep their ports, and waits for the
    /// change.
    #[track_caller]
    pub fn reload(&self, setup: &Setup) {
        let taken = || self.stat("listener_manager.lds.update_success");
        let before = taken();
        // Envoy notices the moment at which a file is moved to the watched name.
        let new = self.scratch.file("new.json", &setup.discovery_json(&self.ports).to_string());
        std::fs::rename(new, self.scratch.path().join("listeners.json")).expect("a new list");
        eventually("listeners that Envoy has taken", || (taken() > before).then_some(()));
    }

    /// The address of a listener.
    #[track_caller]
    pub fn address(&self, listener: &str) -> SocketAddr {
        let found = self.listeners.iter().find(|(name, _)| name == listener);
        found.unwrap_or_else(|| panic!("no listener {listener}")).1
    }

    /// Sends a request to the listener `main`.
    #[track_caller]
    pub fn send(&self, request: &RawRequest) -> Message {
        request.send(self.address("main"))
    }

    /// The value of a counter or gauge, or 0 if Envoy does not know it.
    #[track_caller]
    pub fn stat(&self, name: &str) -> u64 {
        let answer = RawRequest::get("/stats?format=json").send(self.admin).json();
        let stats = answer["stats"].as_array().cloned().unwrap_or_default();
        let found = stats.iter().find(|stat| stat["name"] == name);
        found.and_then(|stat| stat["value"].as_u64()).unwrap_or(0)
    }

    /// Asks the administration interface.
    #[track_caller]
    pub fn administration(&self, path: &str) -> Message {
        RawRequest::get(path).send(self.admin)
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// Envoys of one base id find one another.
fn hot_restart_options(setup: &Setup, scratch: &Scratch, epoch: u32) -> Vec<OsString> {
    if !setup.restartable {
        return vec!["--disable-hot-restart".into()];
    }
    let file = scratch.path().join("base-id");
    let mut options: Vec<OsString> = vec!["--parent-shutdown-time-s".into(), "2".into()];
    options.extend(["--restart-epoch".into(), epoch.to_string().into()]);
    match epoch {
        0 => {
            options.extend(["--use-dynamic-base-id".into(), "--base-id-path".into(), file.into()]);
        }
        _ => {
            let id = std::fs::read_to_string(file).expect("the base id of the first Envoy");
            options.extend(["--base-id".into(), id.trim().into()]);
        }
    }
    options
}

fn launch(setup: &Setup, arguments: Vec<OsString>, scratch: &Scratch) -> Process {
    let mut words = setup.launcher.iter().map(OsString::from);
    let Some(first) = words.next() else {
        let environment = &setup.environment;
        return Process::with_environment("envoy", &program(), arguments, environment, scratch);
    };
    let words = words.chain([program().into_os_string()]).chain(arguments);
    Process::with_environment("envoy", Path::new(&first), words, &setup.environment, scratch)
}

fn program() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let output = Command::new(root().join("scripts/envoy")).output().expect("scripts/envoy");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    })
    .clone()
}
