//! The facts of a request at its headers.

use crate::abi;
use crate::host::Host;
use crate::kong::Kong;
use crate::properties::property;
use consumer::CLAIMS;
use exchange::{BodyAhead, Entities, Entity, Head, Named, Origin, Request, split_target};
use runtime::{Wanted, now};

/// Reads the request at its headers. The runtime adds the identity itself.
pub(crate) fn request(kong: &Kong<'_>, host: Host, head: Head, wanted: &Wanted) -> Request {
    let Wanted { needs, holds_headers, ends, .. } = *wanted;
    let path = head.first(":path").unwrap_or_default();
    let raw =
        (needs.raw_target && host.may_be_kong()).then(|| abi::property(&["request", "path"]).ok());
    let target = raw.flatten().filter(|raw| !raw.is_empty()).unwrap_or_else(|| path.to_vec());
    let body = match host {
        Host::Envoy if ends || !holds_headers || is_tunnel(&head) => BodyAhead::None,
        Host::Envoy => BodyAhead::Comes,
        // Kong calls the body callback for a body that is not empty, and only a length promises
        // one.
        _ => match head.text("content-length").and_then(|len| len.parse::<u64>().ok()) {
            Some(len) if len > 0 => BodyAhead::Comes,
            _ => BodyAhead::None,
        },
    };
    let body_hidden = host == Host::Envoy && body == BodyAhead::None && !ends && !is_tunnel(&head);
    // Nginx measures a body without a length itself; over HTTP/2 no header announces such a body.
    let body_may_follow = host.may_be_kong() && head.first("content-length").is_none();
    let peer = if needs.peer { peer() } else { None };
    let upstream_query = if needs.upstream_query { upstream_query(host, &target) } else { None };
    Request {
        method: head.first(":method").unwrap_or_default().to_vec(),
        target,
        now: now(),
        consumer: None,
        claims: if needs.claims { property(host, CLAIMS) } else { None },
        mark: needs.mark.and_then(|name| property(host, name)),
        origin: if needs.origin { origin(kong, host, &head) } else { Origin::default() },
        own_hop: host == Host::Envoy && peer.as_deref().is_some_and(is_loopback),
        peer,
        entities: match needs.entities || (needs.kong_entities && host.may_be_kong()) {
            true => entities(kong, host),
            false => Entities::default(),
        },
        route: if needs.route { named(kong, host, "route") } else { Named::default() },
        service: if needs.service { named(kong, host, "service") } else { Named::default() },
        body,
        body_may_follow,
        body_hidden,
        upstream_query,
        can_remove: host.can_remove(),
        can_make_body: host.may_be_kong(),
        head,
    }
}

/// Returns `true` for a request of HTTP/0.9, whose first line has no version. Nginx serves it and
/// makes no list of headers, so that the first header that a filter sets ends Kong's worker
/// (measured on 3.9.3). Only a request without headers can be one.
pub(crate) fn has_no_version(head: &Head) -> bool {
    if head.fields().any(|(name, _)| !name.starts_with(b":")) {
        return false;
    }
    let version = abi::property(&["request", "protocol"]).unwrap_or_default();
    version.is_empty() || version.starts_with(b"HTTP/0")
}

/// Returns `true` if `peer` is an address of the machine itself.
fn is_loopback(peer: &str) -> bool {
    peer.parse().is_ok_and(|address: std::net::IpAddr| address.to_canonical().is_loopback())
}

/// Returns `true` if a request on Envoy becomes a tunnel: a CONNECT, or an upgrade that has no body
/// of its own.
///
/// The frames of the tunnel follow such a head, and the client sends none before it has its
/// response (envoyproxy/envoy#47048 shows this deadlock in another filter). An extended CONNECT of
/// HTTP/2 comes to filters as an upgrade. Measured on Envoy 1.40: Envoy forwards an upgrade without
/// `transfer-encoding`, and nothing behind its head before the upstream has agreed. So no upstream
/// reads a body without a length there. With a length an upstream could, so that filters have to
/// see it.
fn is_tunnel(head: &Head) -> bool {
    if head.first(":method") == Some(b"CONNECT") {
        return true;
    }
    let mut options = head.values("connection").flat_map(|value| value.split(|b| *b == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
        && head.first("upgrade").is_some()
        && head.values("content-length").all(|length| length.trim_ascii() == b"0")
        && head.first("transfer-encoding").is_none()
}

/// Reads the query as the upstream will get it. `None` where the host does not tell.
fn upstream_query(host: Host, target: &[u8]) -> Option<Vec<u8>> {
    let query = |target: &[u8]| split_target(target).1.map(<[u8]>::to_vec);
    match host {
        // The upstream gets `:path`, with the edits of earlier filters.
        Host::Envoy => Some(query(target).unwrap_or_default()),
        // `set_query` in `edits.rs` writes this variable.
        Host::Kong(version) if version >= Some((3, 8)) => {
            let uri = abi::property(&["ngx", "upstream_uri"]).ok().filter(|uri| !uri.is_empty())?;
            Some(query(&uri).unwrap_or_default())
        }
        // Nginx leaves this variable unset where there is no query.
        Host::Kong(_) | Host::Unknown => Some(abi::property(&["ngx", "args"]).unwrap_or_default()),
    }
}

/// Reads the address of the client's connection: `ip:port` on Envoy, the address alone on Kong.
fn peer() -> Option<String> {
    let text = String::from_utf8(abi::property(&["source", "address"]).ok()?).ok()?;
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        return Some(address.ip().to_string());
    }
    text.parse::<std::net::IpAddr>().ok().map(|address| address.to_string())
}

fn entities(kong: &Kong<'_>, host: Host) -> Entities {
    let read = |path: &[&str]| abi::property(path).ok().filter(|value| !value.is_empty());
    match host {
        Host::Envoy => {
            let metadata = |path: &[&str]| read(path).map_or(Entity::Unknown, Entity::Metadata);
            Entities {
                route: metadata(&["xds", "route_metadata"]),
                service: metadata(&["xds", "cluster_metadata"]),
            }
        }
        Host::Kong(version) if version >= Some((3, 6)) => {
            let json = |name| {
                kong.read(name).map_or(Entity::Unknown, |json| Entity::Json(json.into_bytes()))
            };
            Entities { route: json("router.route"), service: json("router.service") }
        }
        Host::Kong(_) | Host::Unknown => Entities::default(),
    }
}

/// Reads the id and the name of the route or service (on Envoy: the cluster).
fn named(kong: &Kong<'_>, host: Host, what: &str) -> Named {
    let text = |value: Result<Vec<u8>, abi::Status>| {
        String::from_utf8(value.ok().filter(|value| !value.is_empty())?).ok()
    };
    match host {
        Host::Envoy => {
            let name = if what == "route" { "route_name" } else { "cluster_name" };
            Named { id: None, name: text(abi::property(&["xds", name])) }
        }
        Host::Kong(version) => {
            let id = kong.read(&format!("{what}_id"));
            let name =
                if version >= Some((3, 9)) { kong.read(&format!("{what}_name")) } else { None };
            // Before 3.9 only the entity itself holds the name.
            let entity = || {
                let json = kong.read(&format!("router.{what}"))?;
                let entity: serde_json::Value = serde_json::from_slice(json.as_bytes()).ok()?;
                entity.get("name")?.as_str().map(str::to_owned)
            };
            let name = if version >= Some((3, 6)) { name.or_else(entity) } else { None };
            Named { id, name }
        }
        Host::Unknown => Named::default(),
    }
}

/// Reads the scheme, host and port that the client sent the request to.
fn origin(kong: &Kong<'_>, host: Host, head: &Head) -> Origin {
    let text = |value: Result<Vec<u8>, abi::Status>| {
        String::from_utf8(value.ok().filter(|value| !value.is_empty())?).ok()
    };
    if let Host::Kong(version) = host
        && version >= Some((3, 6))
    {
        let forwarded = |what| kong.read(&format!("request.forwarded_{what}"));
        return Origin {
            scheme: forwarded("scheme"),
            host: forwarded("host"),
            port: forwarded("port").and_then(|port| port.parse().ok()),
        };
    }
    // Envoy overwrites `x-forwarded-proto` of clients that it does not trust. On Kong `:authority`
    // is the name of nginx's server.
    let (scheme, authority) = match host {
        Host::Envoy => {
            let scheme = head.text("x-forwarded-proto").or_else(|| head.text(":scheme"));
            (scheme.map(str::to_owned), head.text(":authority"))
        }
        Host::Kong(_) | Host::Unknown => {
            (text(abi::property(&["request", "scheme"])), head.text("host"))
        }
    };
    let (name, port) = authority.map_or((None, None), host_and_port);
    Origin { scheme, host: name, port }
}

/// Splits `example.com:8000` or `[::1]:8000` into host and port.
fn host_and_port(authority: &str) -> (Option<String>, Option<u16>) {
    let known = |name: &str| Some(name).filter(|name| !name.is_empty()).map(str::to_owned);
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (known(name), port.parse().ok()),
        _ => (known(authority), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_and_a_connect_have_no_body_to_wait_for_and_a_framed_body_is_one() {
        let of = |method: &str, fields: &[(&str, &str)]| {
            let all = std::iter::once((":method", method)).chain(fields.iter().copied());
            is_tunnel(&all.collect())
        };
        let (upgrade, to) = (("connection", "upgrade"), ("upgrade", "websocket"));
        let length = |value| ("content-length", value);
        assert!(of("CONNECT", &[]) && of("CONNECT", &[(":protocol", "websocket")]));
        assert!(of("GET", &[("Connection", "keep-alive , UPGRADE"), to, length("0")]));
        assert!(of("POST", &[("connection", "a"), upgrade, to]));
        for fields in [
            &[][..],
            &[to, length("0")],
            &[upgrade, length("0")],
            &[("connection", "upgraded"), to, length("0")],
            &[upgrade, to, length("5")],
            &[upgrade, to, length("0"), length("5")],
            &[upgrade, to, length("0"), ("transfer-encoding", "chunked")],
        ] {
            assert!(!of("POST", fields), "{fields:?}");
        }
    }

    #[test]
    fn a_port_is_told_from_an_address() {
        let apart = |text| host_and_port(text);
        assert_eq!(apart("a.example:81"), (Some("a.example".into()), Some(81)));
        assert_eq!(apart("a.example"), (Some("a.example".into()), None));
        assert_eq!(apart("[::1]:81"), (Some("[::1]".into()), Some(81)));
        assert_eq!(apart("[::1]"), (Some("[::1]".into()), None));
        assert_eq!(apart("a.example:x"), (Some("a.example".into()), None));
        assert_eq!(apart(""), (None, None));
    }
}
