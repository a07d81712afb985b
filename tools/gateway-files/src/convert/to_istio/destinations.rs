//! The destinations of the gateway's calls: services of Kubernetes, and hosts that a ServiceEntry
//! makes known. A DestinationRule says how the gateway calls each.

use super::{Names, one, resource};
use crate::convert::Admin;
use crate::convert::distinct::Distinct;
use crate::convert::notes::Notes;
use crate::convert::to_envoy::duration;
use crate::convert::upstreams::{Endpoint, Tls, Upstream, location};
use crate::convert::values::{list, map, put, text};
use crate::documents::Place;
use serde_norway::{Mapping, Value};
use std::net::IpAddr;

/// The secret with the certificate of gatehouse-admin's authority.
pub(super) const AUTHORITY: &str = "gatehouse-admin-ca";

/// The domain of the hosts that this file makes up, each for one service of Kong.
const MADE_UP: &str = "kong.internal";

/// A host and port, as a VirtualService names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) host: String,
    pub(super) port: u16,
}

/// One port of a host, and how it is called.
struct Port {
    number: u16,
    policy: Mapping,
}

/// A host that is called. It has one DestinationRule, however many services are there.
struct Host {
    name: String,
    ports: Vec<Port>,
    /// The spec of its ServiceEntry, if it is no service of Kubernetes.
    entry: Option<Mapping>,
}

/// All hosts that are called.
#[derive(Default)]
pub(super) struct Destinations {
    hosts: Vec<Host>,
    names: Names,
}

/// Returns Istio's name of the cluster with which a filter calls a host, for which
/// [`Destinations::called_by_filters`] writes the resources.
pub(in crate::convert) fn cluster(name: &str, host: &str, port: u16) -> String {
    format!("outbound|{port}||{}", called(name, host))
}

/// Returns the host under which Istio knows one that filters call: a service of Kubernetes by its
/// whole name, and an address by `name`.
fn called(name: &str, host: &str) -> String {
    kubernetes(host).unwrap_or_else(|| match address(host).is_some() || !host.contains('.') {
        true => format!("{name}.{MADE_UP}"),
        false => host.to_owned(),
    })
}

/// Returns the whole name of a service of Kubernetes.
fn kubernetes(host: &str) -> Option<String> {
    if host.ends_with(".svc.cluster.local") {
        return Some(host.to_owned());
    }
    host.ends_with(".svc").then(|| format!("{host}.cluster.local"))
}

/// Reads an address. `localhost` counts as one.
fn address(host: &str) -> Option<IpAddr> {
    if host == "localhost" {
        return Some(IpAddr::from([127, 0, 0, 1]));
    }
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

impl Destinations {
    /// Adds Kong's services, and returns where each of them is.
    pub(super) fn services(
        &mut self,
        upstreams: &[Upstream],
        notes: &mut Notes,
    ) -> Vec<Destination> {
        upstreams.iter().map(|upstream| self.service(upstream, notes)).collect()
    }

    fn service(&mut self, upstream: &Upstream, notes: &mut Notes) -> Destination {
        let policy = policy(upstream);
        tell_loopback(&upstream.endpoints, &upstream.place, notes);
        let single = match &upstream.endpoints[..] {
            [endpoint] if !upstream.has_targets => Some(endpoint),
            _ => None,
        };
        if let Some(endpoint) = single {
            let whole = kubernetes(&endpoint.host).or_else(|| {
                let is_label = !endpoint.host.contains('.') && address(&endpoint.host).is_none();
                let whole = format!("{}.default.svc.cluster.local", endpoint.host);
                is_label.then(|| {
                    let what = format!("{} is taken for the service {whole}", endpoint.host);
                    notes.differs(&upstream.place, what);
                    whole
                })
            });
            if let Some(host) = whole {
                return self.add(host, endpoint.port, policy, &upstream.place, notes);
            }
        }
        let host = format!("{}.{MADE_UP}", self.names.of(&upstream.name));
        let port = upstream.endpoints.first().map_or(80, |endpoint| endpoint.port);
        if upstream.endpoints.is_empty() {
            notes.lost(&upstream.place, "found no target with a weight: requests get 503");
        }
        let protocol = match (upstream.grpc, upstream.tls.is_some()) {
            (true, _) => "GRPC",
            (false, true) => "HTTPS",
            (false, false) => "HTTP",
        };
        let entry = entry(&host, port, protocol, &upstream.endpoints);
        let ports = vec![Port { number: port, policy }];
        self.hosts.push(Host { name: host.clone(), ports, entry: Some(entry) });
        Destination { host, port }
    }

    /// Adds a port of a service of Kubernetes. Two of Kong's services may be at one.
    fn add(
        &mut self,
        host: String,
        port: u16,
        policy: Mapping,
        place: &Place,
        notes: &mut Notes,
    ) -> Destination {
        let destination = Destination { host: host.clone(), port };
        let new = Port { number: port, policy };
        let Some(known) = self.hosts.iter_mut().find(|known| known.name == host) else {
            self.hosts.push(Host { name: host, ports: vec![new], entry: None });
            return destination;
        };
        match known.ports.iter().find(|known| known.number == port) {
            None => known.ports.push(new),
            Some(known) if known.policy != new.policy => {
                let why = "another service of this file is at the same host and port, and its time limits and TLS \
                           count for both";
                notes.lost(place, why);
            }
            Some(_) => {}
        }
        destination
    }

    /// Adds gatehouse-admin and the collectors of moesif.
    pub(super) fn called_by_filters(
        &mut self,
        admin: Option<&Admin>,
        filters: &[Distinct],
        notes: &mut Notes,
    ) {
        if let Some(Admin { host, port, tls }) = admin {
            self.called_by_filter("gatehouse-admin", host, *port, *tls, notes);
        }
        for filter in filters.iter().filter(|filter| filter.filter.name == "moesif") {
            let (host, port, tls) = collector(&filter.filter.config);
            self.called_by_filter("moesif", &host, port, tls, notes);
        }
    }

    fn called_by_filter(
        &mut self,
        name: &str,
        host: &str,
        port: u16,
        tls: bool,
        notes: &mut Notes,
    ) {
        let place = Place::default();
        let endpoint = Endpoint::new(host, port, 1);
        tell_loopback(std::slice::from_ref(&endpoint), &place, notes);
        let mut policy = connection(5000);
        if tls {
            let mut tls = tls_of(&Tls { host: host.to_owned(), verify: true });
            if kubernetes(host).is_some() {
                // No public authority signs such a name.
                put(&mut tls, "credentialName", AUTHORITY);
            }
            put(&mut policy, "tls", Value::Mapping(tls));
        }
        let known = called(name, host);
        if kubernetes(host).is_some() || self.hosts.iter().any(|other| other.name == known) {
            self.add(known, port, policy, &place, notes);
            return;
        }
        let protocol = if tls { "HTTPS" } else { "HTTP" };
        let entry = entry(&known, port, protocol, &[endpoint]);
        let ports = vec![Port { number: port, policy }];
        self.hosts.push(Host { name: known, ports, entry: Some(entry) });
    }

    /// Returns `true` if the gateway needs the certificate of an authority.
    pub(super) fn needs_authority(&self) -> bool {
        let needs = |port: &Port| {
            port.policy.get("tls").is_some_and(|tls| tls.get("credentialName").is_some())
        };
        self.hosts.iter().flat_map(|host| &host.ports).any(needs)
    }

    /// Returns the ServiceEntry and the DestinationRule of each host.
    pub(super) fn resources(&self) -> Vec<Value> {
        let mut names = Names::default();
        let mut all = Vec::new();
        for host in &self.hosts {
            let label = match host.name.strip_suffix(&format!(".{MADE_UP}")) {
                Some(own) => own,
                None => host.name.strip_suffix(".svc.cluster.local").unwrap_or(&host.name),
            };
            let name = format!("gatehouse-{}", names.of(label));
            if let Some(entry) = &host.entry {
                all.push(resource(NETWORKING, "ServiceEntry", &name, entry.clone()));
            }
            all.push(resource(NETWORKING, "DestinationRule", &name, rule(host)));
        }
        all
    }
}

pub(super) const NETWORKING: &str = "networking.istio.io/v1";

/// Returns host, port and TLS of moesif's collector.
pub(in crate::convert) fn collector(config: &Mapping) -> (String, u16, bool) {
    let url = text(config, "api_endpoint").unwrap_or("https://api.moesif.net");
    let at = location(&map([("url", url.into())]));
    (at.host, at.port, at.tls)
}

fn tell_loopback(endpoints: &[Endpoint], place: &Place, notes: &mut Notes) {
    let own = |endpoint: &&Endpoint| address(&endpoint.host).is_some_and(|ip| ip.is_loopback());
    if let Some(endpoint) = endpoints.iter().find(own) {
        let what = format!(
            "{}:{} is the gateway's own pod there: write the address of the service",
            endpoint.host, endpoint.port
        );
        notes.differs(place, what);
    }
}

fn connection(timeout: u64) -> Mapping {
    let tcp = map([("connectTimeout", duration(timeout).into())]);
    map([("connectionPool", Value::Mapping(map([("tcp", Value::Mapping(tcp))])))])
}

fn policy(upstream: &Upstream) -> Mapping {
    let mut policy = connection(upstream.connect_timeout);
    let simple = if upstream.least_requests { "LEAST_REQUEST" } else { "ROUND_ROBIN" };
    put(&mut policy, "loadBalancer", Value::Mapping(map([("simple", simple.into())])));
    if let Some(tls) = &upstream.tls {
        put(&mut policy, "tls", Value::Mapping(tls_of(tls)));
    }
    policy
}

fn tls_of(tls: &Tls) -> Mapping {
    let mut all = map([("mode", "SIMPLE".into()), ("sni", tls.host.as_str().into())]);
    match tls.verify {
        true => put(&mut all, "subjectAltNames", one(tls.host.as_str().into())),
        false => put(&mut all, "insecureSkipVerify", true),
    }
    all
}

fn rule(host: &Host) -> Mapping {
    // Others in the mesh that call the host are left alone.
    let mut spec = map([("host", host.name.as_str().into()), ("exportTo", one(".".into()))]);
    let policy = match (&host.entry, &host.ports[..]) {
        (Some(_), [port]) => port.policy.clone(),
        _ => {
            let each = host.ports.iter().map(|port| {
                let number = map([("number", port.number.into())]);
                let mut all = map([("port", Value::Mapping(number))]);
                all.extend(port.policy.clone());
                Value::Mapping(all)
            });
            map([("portLevelSettings", Value::Sequence(each.collect()))])
        }
    };
    put(&mut spec, "trafficPolicy", Value::Mapping(policy));
    spec
}

fn entry(host: &str, port: u16, protocol: &str, endpoints: &[Endpoint]) -> Mapping {
    let name = protocol.to_ascii_lowercase();
    let ports = map([
        ("number", port.into()),
        ("name", name.as_str().into()),
        ("protocol", protocol.into()),
    ]);
    let fixed = endpoints.iter().all(|endpoint| address(&endpoint.host).is_some());
    let mut spec = map([
        ("hosts", list(&[host.to_owned()])),
        ("exportTo", one(".".into())),
        ("location", "MESH_EXTERNAL".into()),
        ("resolution", if fixed { "STATIC" } else { "DNS" }.into()),
        ("ports", one(Value::Mapping(ports))),
    ]);
    if matches!(endpoints, [own] if own.host == host) {
        return spec;
    }
    let each = endpoints.iter().map(|endpoint| {
        let at = address(&endpoint.host).map_or_else(|| endpoint.host.clone(), |ip| ip.to_string());
        let own = map([(name.as_str(), endpoint.port.into())]);
        let mut all = map([("address", at.into()), ("ports", Value::Mapping(own))]);
        if endpoints.len() > 1 {
            put(&mut all, "weight", endpoint.weight);
        }
        Value::Mapping(all)
    });
    put(&mut spec, "endpoints", Value::Sequence(each.collect()));
    spec
}
