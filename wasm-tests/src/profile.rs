//! The gateway that the host pretends to be, and the settings of its operator.

use std::collections::{BTreeMap, BTreeSet};

/// The versions of Kong whose Wasm modules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KongVersion {
    /// 3.4.1. The configuration is a string.
    V3_4,
    /// 3.5.
    V3_5,
    /// 3.6. It has properties of the namespace `kong`.
    V3_6,
    /// 3.7. It has parallel callouts.
    V3_7,
    /// 3.8. It has metrics, and a failed callout lets the request through.
    V3_8,
    /// 3.9. A failed callout is an event for the filter.
    V3_9,
}

impl KongVersion {
    /// Every version, oldest first.
    pub const ALL: [Self; 6] =
        [Self::V3_4, Self::V3_5, Self::V3_6, Self::V3_7, Self::V3_8, Self::V3_9];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::V3_4 => "3.4.1",
            Self::V3_5 => "3.5.0",
            Self::V3_6 => "3.6.1",
            Self::V3_7 => "3.7.1",
            Self::V3_8 => "3.8.0",
            Self::V3_9 => "3.9.3",
        }
    }

    pub(crate) fn has_properties(self) -> bool {
        self >= Self::V3_6
    }

    pub(crate) fn has_metrics(self) -> bool {
        self >= Self::V3_8
    }

    pub(crate) fn has_parallel_callouts(self) -> bool {
        self >= Self::V3_7
    }

    /// Returns `true` if filters run before Kong appends `$args` to `$upstream_uri`.
    pub(crate) fn adds_the_query_later(self) -> bool {
        self < Self::V3_8
    }

    pub(crate) fn keys_by_checksum(self) -> bool {
        self >= Self::V3_8
    }
}

/// The settings of Envoy.
#[derive(Debug, Clone)]
pub(crate) struct Envoy {
    pub(crate) allow_on_headers_stop_iteration: bool,
    /// `per_connection_buffer_limit_bytes`.
    pub(crate) buffer_limit: usize,
    /// The names of the clusters that exist. With `None` every cluster exists.
    pub(crate) clusters: Option<BTreeSet<String>>,
    pub(crate) route_name: Option<String>,
    pub(crate) cluster_name: Option<String>,
}

/// The settings of Kong.
#[derive(Debug, Clone)]
pub(crate) struct Kong {
    pub(crate) version: KongVersion,
    /// The shared-data zones that the operator declared.
    pub(crate) zones: BTreeSet<String>,
    /// The variables of nginx that the operator declared (`nginx_proxy_set`).
    pub(crate) variables: BTreeSet<String>,
    /// `client_body_buffer_size`, in bytes.
    pub(crate) body_buffer: usize,
    /// `true` if a Lua plugin buffers responses, so that request callbacks do not run.
    pub(crate) lua_buffering: bool,
    /// The process id of the first worker, which seeds the worker's randomness.
    pub(crate) pid: u32,
}

#[derive(Debug, Clone)]
pub(crate) enum Host {
    Envoy(Envoy),
    Kong(Kong),
}

/// A gateway to pretend to be.
#[derive(Debug, Clone)]
pub struct Profile {
    host: Host,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) vm_configuration: Vec<u8>,
    pub(crate) start_ms: u64,
}

impl Profile {
    /// Envoy with its defaults: `allow_on_headers_stop_iteration` is off. Every cluster exists.
    pub fn envoy() -> Self {
        Self::of(Host::Envoy(Envoy {
            allow_on_headers_stop_iteration: false,
            buffer_limit: 1 << 20,
            clusters: None,
            route_name: Some("route".to_owned()),
            cluster_name: Some("service".to_owned()),
        }))
    }

    /// Kong Gateway with its defaults: no shared-data zone, 8 KiB of request body in memory.
    pub fn kong(version: KongVersion) -> Self {
        Self::of(Host::Kong(Kong {
            version,
            zones: BTreeSet::new(),
            variables: BTreeSet::new(),
            body_buffer: 8 << 10,
            lua_buffering: false,
            pid: 100,
        }))
    }

    fn of(host: Host) -> Self {
        Self {
            host,
            environment: BTreeMap::new(),
            vm_configuration: Vec::new(),
            // A day in 2026, so that times in tokens look realistic.
            start_ms: 1_780_000_000_000,
        }
    }

    /// Returns `true` for a Kong.
    pub fn is_kong(&self) -> bool {
        matches!(self.host, Host::Kong(_))
    }

    /// Envoy: sets the option `allow_on_headers_stop_iteration` of the filter.
    pub fn allow_on_headers_stop_iteration(self, on: bool) -> Self {
        self.with_envoy(|envoy| envoy.allow_on_headers_stop_iteration = on)
    }

    /// Envoy: limits the clusters to these. Envoy refuses a callout to another one at once.
    pub fn clusters(self, names: &[&str]) -> Self {
        let names = names.iter().map(|&n| n.to_owned()).collect();
        self.with_envoy(|envoy| envoy.clusters = Some(names))
    }

    /// Envoy: sets the number of body bytes that Envoy keeps while a filter pauses. Beyond it Envoy
    /// answers 413.
    pub fn buffer_limit(self, bytes: usize) -> Self {
        self.with_envoy(|envoy| envoy.buffer_limit = bytes)
    }

    /// Envoy: sets the name of the route, or removes it.
    pub fn route_name(self, name: Option<&str>) -> Self {
        let name = name.map(str::to_owned);
        self.with_envoy(|envoy| envoy.route_name = name)
    }

    /// Envoy: sets the cluster of the route, or removes it.
    pub fn cluster_name(self, name: Option<&str>) -> Self {
        let name = name.map(str::to_owned);
        self.with_envoy(|envoy| envoy.cluster_name = name)
    }

    /// Kong: declares a shared-data zone. The zone `*` takes every key that names no other zone.
    pub fn zone(self, name: &str) -> Self {
        let name = name.to_owned();
        self.with_kong(|kong| {
            kong.zones.insert(name);
        })
    }

    /// Kong: declares variables of nginx, as `nginx_proxy_set = $name ""` in kong.conf does.
    pub fn variables(self, names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned());
        self.with_kong(|kong| kong.variables.extend(names))
    }

    /// Kong: declares all variables that kong-config/kong.conf asks an operator for.
    pub fn all_variables(self) -> Self {
        self.variables(&[
            "gatehouse_consumer",
            "gatehouse_claims",
            "gatehouse_session",
            "gatehouse_moesif",
            "gatehouse_kong",
            "gatehouse_refusal",
            "gatehouse_debug",
        ])
    }

    /// Kong: sets `client_body_buffer_size`. A body of known length may be a quarter larger.
    pub fn body_buffer(self, bytes: usize) -> Self {
        self.with_kong(|kong| kong.body_buffer = bytes)
    }

    /// Kong: lets a Lua plugin buffer responses, so that filters miss every request callback.
    pub fn lua_buffering(self) -> Self {
        self.with_kong(|kong| kong.lua_buffering = true)
    }

    /// Kong: sets the process id of the first worker. Containers tend to have equal ones.
    pub fn pid(self, pid: u32) -> Self {
        self.with_kong(|kong| kong.pid = pid)
    }

    /// Sets an environment variable that the operator lets filters read.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Envoy: sets `vm_config.configuration`. Kong has none.
    pub fn vm_configuration(mut self, bytes: impl AsRef<[u8]>) -> Self {
        assert!(!self.is_kong(), "Kong gives a filter no VM configuration");
        self.vm_configuration = bytes.as_ref().to_vec();
        self
    }

    /// Sets the clock at the start of the gateway, in milliseconds since 1970.
    pub fn start_ms(mut self, ms: u64) -> Self {
        self.start_ms = ms;
        self
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn kong_settings(&self) -> Option<&Kong> {
        match &self.host {
            Host::Kong(kong) => Some(kong),
            Host::Envoy(_) => None,
        }
    }

    fn with_envoy(mut self, change: impl FnOnce(&mut Envoy)) -> Self {
        match &mut self.host {
            Host::Envoy(envoy) => change(envoy),
            Host::Kong(_) => panic!("this is a setting of Envoy, and the profile is Kong"),
        }
        self
    }

    fn with_kong(mut self, change: impl FnOnce(&mut Kong)) -> Self {
        match &mut self.host {
            Host::Kong(kong) => change(kong),
            Host::Envoy(_) => panic!("this is a setting of Kong, and the profile is Envoy"),
        }
        self
    }
}
