//! The properties of a request: attributes on Envoy, namespaces on Kong.

use crate::abi::{Callback, Status};
use crate::guest::Guest;
use crate::profile::{Envoy, Host, Kong};
use crate::stream::{Stream, split};

/// The result of reading or writing a property.
pub(crate) enum Got {
    Value(Vec<u8>),
    Status(Status),
    Trap(String),
}

impl From<Option<Vec<u8>>> for Got {
    fn from(value: Option<Vec<u8>>) -> Self {
        value.map_or(Self::Status(Status::NotFound), Self::Value)
    }
}

pub(crate) fn get(g: &Guest<'_>, path: &[u8]) -> Got {
    match g.host() {
        Host::Envoy(envoy) => envoy_get(g, &envoy, path).into(),
        Host::Kong(kong) => kong_get(g, &kong, &dotted(path)),
    }
}

pub(crate) fn set(g: &Guest<'_>, path: &[u8], value: Vec<u8>) -> Got {
    match g.host() {
        Host::Envoy(_) => envoy_set(g, path, value),
        Host::Kong(kong) => kong_set(g, &kong, &dotted(path), value),
    }
}

/// Joins the segments of a path with dots, as Kong does.
pub(crate) fn dotted(path: &[u8]) -> String {
    let path: Vec<u8> = path.iter().map(|&b| if b == 0 { b'.' } else { b }).collect();
    String::from_utf8_lossy(&path).into_owned()
}

// === Envoy ===

fn envoy_set(g: &Guest<'_>, path: &[u8], value: Vec<u8>) -> Got {
    let Some((stream, _)) = g.stream() else { return Got::Status(Status::NotFound) };
    let mut worker = g.worker_mut();
    let Some(s) = worker.stream(stream) else { return Got::Status(Status::NotFound) };
    // A value that is set under several segments cannot be read back under any path.
    if !path.contains(&0) {
        s.properties.insert(path.to_vec(), value);
    }
    Got::Value(Vec::new())
}

fn envoy_get(g: &Guest<'_>, envoy: &Envoy, path: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(path).replace('\0', ".");
    let plugin = || g.data().plugins.get(&g.root()).cloned();
    match text.as_str() {
        "plugin_name" => return plugin().map(|plugin| plugin.name.into_bytes()),
        "plugin_root_id" => return plugin().map(|plugin| plugin.root_id.into_bytes()),
        "plugin_vm_id" => return Some(g.data().vm_id.clone().into_bytes()),
        "node.id" => return Some(b"node".to_vec()),
        _ => {}
    }
    let (stream, place) = g.stream()?;
    let clock = g.node().clock_ns;
    let logging = g.callback() == Callback::Log;
    let mut worker = g.worker_mut();
    let s = worker.stream(stream)?;
    if let Some(value) = s.properties.get(path) {
        return Some(value.clone());
    }
    let slot = s.slots.get(place)?;
    let (request, response) = (slot.request.map || logging, slot.response.map || logging);
    match text.split_once('.')? {
        ("request", name) => envoy_request(s, name, request, clock),
        ("response", name) => envoy_response(s, name, response),
        ("xds", "route_name") => envoy.route_name.clone().map(String::into_bytes),
        ("xds", "cluster_name") => envoy.cluster_name.clone().map(String::into_bytes),
        ("source", "address") => {
            let (address, port) = &s.given.client;
            let open = if address.contains(':') { ("[", "]") } else { ("", "") };
            Some(format!("{}{address}{}:{port}", open.0, open.1).into_bytes())
        }
        ("source", "port") => Some(number(i64::from(s.given.client.1))),
        ("destination", "address") => Some(b"192.0.2.1:8000".to_vec()),
        ("destination", "port") => Some(number(8000)),
        ("connection", "mtls") => Some(vec![0]),
        ("connection", "id") => Some(number(stream as i64)),
        _ => None,
    }
}

/// The attributes from the headers are there only while the filter has the headers in reach.
fn envoy_request(s: &Stream, name: &str, reach: bool, clock: u64) -> Option<Vec<u8>> {
    let header = |name| s.request.get(name).map(<[u8]>::to_vec).filter(|_| reach);
    let path = header(":path");
    match name {
        "path" => header(":path"),
        "url_path" => path.map(|path| split(&path).0.to_vec()),
        "query" => path.filter(|path| path.contains(&b'?')).map(|path| split(&path).1.to_vec()),
        "host" => header(":authority"),
        "scheme" => header(":scheme"),
        "method" => header(":method"),
        "referer" => header("referer"),
        "useragent" => header("user-agent"),
        "id" => header("x-request-id"),
        "protocol" => Some(b"HTTP/1.1".to_vec()),
        "time" => Some(number(s.started_ns as i64)),
        "duration" => s.finished.then(|| number((clock - s.started_ns) as i64)),
        "size" => Some(number(s.given.chunks.iter().map(Vec::len).sum::<usize>() as i64)),
        _ => header(name.strip_prefix("headers.")?),
    }
}

fn envoy_response(s: &Stream, name: &str, reach: bool) -> Option<Vec<u8>> {
    let response = s.response.as_ref()?;
    match name {
        "code" => Some(number(i64::from(s.response_status))),
        "code_details" if s.local => Some(s.details.clone().into_bytes()),
        "code_details" => Some(b"via_upstream".to_vec()),
        "flags" => Some(number(0)),
        "size" => s.reply.as_ref().map(|reply| number(reply.body.len() as i64)),
        _ => response.get(name.strip_prefix("headers.")?).map(<[u8]>::to_vec).filter(|_| reach),
    }
}

/// Encodes a number as Envoy does: eight bytes, little-endian.
fn number(n: i64) -> Vec<u8> {
    n.to_le_bytes().to_vec()
}

// === Kong ===

/// The readable properties below `kong.`.
const KONG_READABLE: [&str; 19] = [
    "kong.route_id",
    "kong.service_id",
    "kong.route_name",
    "kong.service_name",
    "kong.router.route",
    "kong.router.service",
    "kong.client.protocol",
    "kong.nginx.subsystem",
    "kong.node.id",
    "kong.node.memory_stats",
    "kong.version",
    "kong.request.forwarded_host",
    "kong.request.forwarded_port",
    "kong.request.forwarded_scheme",
    "kong.request.port",
    "kong.service.response.status",
    "kong.response.source",
    "kong.configuration.",
    "kong.ctx.shared.",
];

const KONG_WRITABLE: [&str; 4] = [
    "kong.response.status",
    "kong.service.target",
    "kong.service.upstream",
    "kong.service.request.scheme",
];

fn kong_get(g: &Guest<'_>, kong: &Kong, path: &str) -> Got {
    let Some((stream, _)) = g.stream() else {
        // Kong answers an error for nginx's variables ("cannot get ngx properties outside of a
        // request"). Other properties were seen to crash the worker.
        if !path.starts_with("ngx.") && path != "request.method" {
            g.violation(format!("reading property `{path}` in a root context crashes Kong"));
        }
        return Got::Status(Status::InternalFailure);
    };
    let callback = g.callback();
    let filter = g.data().filter().to_owned();
    let mut worker = g.worker_mut();
    let Some(s) = worker.stream(stream) else { return Got::Status(Status::NotFound) };
    if path.starts_with("kong.") && (callback != Callback::RequestHeaders || s.continued) {
        drop(worker);
        g.violation(behind_lua(path));
        return Got::Status(Status::InternalFailure);
    }
    if path.starts_with("kong.") {
        return kong_namespace(s, kong, path);
    }
    if path.strip_prefix("ngx.").is_some_and(|name| kong.variables.contains(name)) {
        // `set` runs before any filter: a declared variable is empty until a filter sets it.
        let value = s.properties.get(path.as_bytes()).cloned().unwrap_or_default();
        return Got::Value(value);
    }
    if path.starts_with("ngx.gatehouse_") {
        return Got::Status(Status::NotFound);
    }
    if let Some(value) = s.properties.get(path.as_bytes()) {
        return Got::Value(value.clone());
    }
    if let Some(variable) = path.strip_prefix("ngx.") {
        return ngx_variable(s, variable).into();
    }
    if path == "plugin_name" {
        return Got::Value(filter.into_bytes());
    }
    kong_attribute(s, path).into()
}

/// The text of a violation: Lua answers properties of `kong.` on a thread that exists for certain
/// only during the request-headers callback, and only before a filter has waited for a callout.
/// Elsewhere the real worker crashed a second or two later, in another place.
fn behind_lua(path: &str) -> String {
    format!(
        "property `{path}` outside of the request headers, or after a filter has waited: Kong's worker dies of it"
    )
}

/// Reads a property below `kong.`, which works in the request-headers callback alone.
fn kong_namespace(s: &Stream, kong: &Kong, path: &str) -> Got {
    let ids = matches!(path, "kong.route_id" | "kong.service_id");
    let names = matches!(path, "kong.route_name" | "kong.service_name");
    let since = ids || kong.version.has_properties();
    let known = KONG_READABLE
        .iter()
        .any(|k| if k.ends_with('.') { path.starts_with(k) } else { path == *k });
    if !since || !known || (names && kong.version < crate::profile::KongVersion::V3_9) {
        return Got::Status(Status::NotFound);
    }
    if path == "kong.response.source" {
        return Got::Trap("attempt to call field 'get_source' (a nil value)".to_owned());
    }
    let given = s.properties.get(path.as_bytes()).cloned();
    let own = match path {
        "kong.version" => Some(kong.version.text()),
        "kong.client.protocol" | "kong.request.forwarded_scheme" => Some(s.given.scheme.as_str()),
        "kong.request.forwarded_host" => Some(s.given.host.as_str()),
        "kong.request.forwarded_port" | "kong.request.port" => Some("8000"),
        "kong.nginx.subsystem" => Some("http"),
        "kong.node.id" => Some("5d1b2c3a-0000-4000-8000-000000000001"),
        "kong.route_id" => Some("aaaaaaaa-0000-4000-8000-000000000001"),
        "kong.service_id" => Some("bbbbbbbb-0000-4000-8000-000000000001"),
        "kong.route_name" => Some("route"),
        "kong.service_name" => Some("service"),
        _ => None,
    };
    given.or_else(|| own.map(|text| text.as_bytes().to_vec())).into()
}

fn ngx_variable(s: &Stream, name: &str) -> Option<Vec<u8>> {
    let text = match name {
        "upstream_uri" => return Some(s.line.upstream.clone()),
        "request_uri" => return Some(s.line.raw.clone()),
        "uri" => return Some(s.line.uri.clone()),
        "args" => return Some(s.line.args.clone()),
        "remote_addr" => s.given.client.0.clone(),
        "remote_port" => s.given.client.1.to_string(),
        "request_id" => format!("{:032x}", s.id + 1),
        "request_method" => s.line.method.clone(),
        "scheme" => s.line.scheme.clone(),
        "host" => s.given.host.clone(),
        "nginx_version" => "1.25.3".to_owned(),
        "kong_proxy_mode" => "http".to_owned(),
        "upstream_scheme" => "http".to_owned(),
        // The status exists only if the upstream was asked.
        "upstream_status" if s.response.is_some() && !s.local => s.upstream_status.to_string(),
        _ => return None,
    };
    Some(text.into_bytes())
}

/// Envoy's attributes as nginx provides them, always as text.
fn kong_attribute(s: &Stream, path: &str) -> Option<Vec<u8>> {
    let header = |name| s.request.get(name).map(<[u8]>::to_vec);
    let ms = s.started_ns / 1_000_000;
    let text = match path {
        "request.path" => return Some(s.line.raw.clone()),
        "request.url_path" => return Some(s.line.uri.clone()),
        "request.query" => return Some(s.line.args.clone()),
        // nginx gives the name of the machine, not the host that the client asked for.
        "request.host" => "kong-7c9d".to_owned(),
        "request.scheme" => s.line.scheme.clone(),
        "request.method" => s.line.method.clone(),
        "request.protocol" if s.given.without_version => return None,
        "request.protocol" => "HTTP/1.1".to_owned(),
        "request.time" => format!("{}.{:03}", ms / 1000, ms % 1000),
        "request.duration" => "0.000".to_owned(),
        "request.useragent" => return header("user-agent"),
        "request.referer" => return header("referer"),
        "request.id" => return header("x-request-id"),
        "request.size" => return header("content-length"),
        "response.code" => s.response.as_ref().map(|_| s.response_status.to_string())?,
        "source.address" => s.given.client.0.clone(),
        "source.port" => s.given.client.1.to_string(),
        "connection.id" => s.id.to_string(),
        "connection.mtls" => "false".to_owned(),
        "plugin_root_id" => String::new(),
        _ => return header(path.strip_prefix("request.headers.")?),
    };
    Some(text.into_bytes())
}

fn kong_set(g: &Guest<'_>, kong: &Kong, path: &str, value: Vec<u8>) -> Got {
    let Some((stream, _)) = g.stream() else {
        g.violation(format!("setting property `{path}` in a root context crashes Kong"));
        return Got::Status(Status::InternalFailure);
    };
    let callback = g.callback();
    let mut worker = g.worker_mut();
    let Some(s) = worker.stream(stream) else { return Got::Status(Status::NotFound) };
    if path.starts_with("kong.") {
        if callback != Callback::RequestHeaders || s.continued {
            drop(worker);
            g.violation(behind_lua(path));
            return Got::Status(Status::InternalFailure);
        }
        let shared = path.starts_with("kong.ctx.shared.");
        if !kong.version.has_properties() || !(shared || KONG_WRITABLE.contains(&path)) {
            return Got::Trap(format!("could not set \"{path}\": unknown error"));
        }
        s.properties.insert(path.as_bytes().to_vec(), value);
        return Got::Value(Vec::new());
    }
    match path.strip_prefix("ngx.") {
        Some("args") => s.line.args = value,
        Some("upstream_uri") => s.line.upstream = value,
        Some(name) if name.starts_with("upstream_") || kong.variables.contains(name) => {
            s.properties.insert(path.as_bytes().to_vec(), value);
        }
        // Variables of nginx itself cannot be changed.
        Some(name) if ngx_variable(s, name).is_some() => {
            return Got::Status(Status::InternalFailure);
        }
        // The operator has not declared the variable.
        Some(_) => return Got::Status(Status::NotFound),
        None => return Got::Status(Status::NotFound),
    }
    Got::Value(Vec::new())
}
