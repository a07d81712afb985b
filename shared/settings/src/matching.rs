//! The setting `match`: it selects the requests that a filter handles, in place of Kong's scopes of
//! services, routes and consumers.

use crate::fields::Fields;
use crate::rule::Rule;
pub use exchange::normalise;
use exchange::{Named, Path, path_of};

/// The setting `match`. A request matches if each list contains it; an empty list contains every
/// request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    hosts: Vec<String>,
    paths: Vec<Vec<u8>>,
    methods: Vec<String>,
    routes: Vec<String>,
    services: Vec<String>,
    consumers: Vec<String>,
    not_consumers: Vec<String>,
}

/// The properties of a request that [`Match`] compares.
#[derive(Debug, Clone, Default)]
pub struct Facts<'a> {
    /// The host that the client asked for, with or without a port.
    pub host: &'a [u8],
    /// The raw request target.
    pub target: &'a [u8],
    /// The method.
    pub method: &'a [u8],
    /// The route. It must be known if [`Match::needs_route`].
    pub route: Named,
    /// The service, or the cluster on Envoy. It must be known if [`Match::needs_service`].
    pub service: Named,
    /// The names of the consumer: its id, its username, and its custom id after `custom_id:`.
    /// `None` if the request has no identity.
    pub consumer: Option<Vec<String>>,
}

/// The reason why it is unknown if a request matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    /// The path is malformed, or servers read it differently. The response is 400.
    AmbiguousPath,
    /// The settings need an identity, a route name or a service name that the request does not
    /// have. The response is 500.
    Unknown(&'static str),
}

impl Match {
    /// Reads the lists for a filter that establishes the identity: it has no lists of consumers.
    pub(crate) fn of_requests(f: &mut Fields<'_>) -> Self {
        f.object("match", Self::requests).unwrap_or_default()
    }

    /// Reads all lists.
    pub(crate) fn of_requests_and_consumers(f: &mut Fields<'_>) -> Self {
        f.object("match", |f| {
            let consumers = f.texts("consumers", Rule::TEXT).unwrap_or_default();
            let not_consumers = f.texts("not_consumers", Rule::TEXT).unwrap_or_default();
            Self { consumers, not_consumers, ..Self::requests(f) }
        })
        .unwrap_or_default()
    }

    fn requests(f: &mut Fields<'_>) -> Self {
        let mut texts = |name, rule| f.texts(name, rule).unwrap_or_default();
        let hosts = texts("hosts", HOST);
        let paths = texts("paths", MATCH_PATH);
        Self {
            hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            paths: paths.iter().filter_map(|path| normalise(path.as_bytes())).collect(),
            methods: texts("methods", Rule::METHOD),
            routes: texts("routes", Rule::TEXT),
            services: texts("services", Rule::TEXT),
            ..Self::default()
        }
    }

    /// Returns `true` if every request matches, because all lists are empty.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        let Self { hosts, paths, methods, routes, services, consumers, not_consumers } = self;
        let lists = [hosts, methods, routes, services, consumers, not_consumers];
        paths.is_empty() && lists.iter().all(|list| list.is_empty())
    }

    /// Returns `true` if [`Self::covers`] needs the raw path.
    #[must_use]
    pub fn needs_path(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Returns `true` if [`Self::covers`] needs the route.
    #[must_use]
    pub fn needs_route(&self) -> bool {
        !self.routes.is_empty()
    }

    /// Returns `true` if [`Self::covers`] needs the service.
    #[must_use]
    pub fn needs_service(&self) -> bool {
        !self.services.is_empty()
    }

    /// Returns `true` if [`Self::covers`] needs the consumer.
    #[must_use]
    pub fn needs_consumer(&self) -> bool {
        !self.consumers.is_empty() || !self.not_consumers.is_empty()
    }

    /// Returns `true` if the filter handles the request.
    ///
    /// # Errors
    /// [`Unmatched`], if that is unknown. The gateway then refuses the request; the filter never
    /// skips it.
    pub fn covers(&self, facts: &Facts<'_>) -> Result<bool, Unmatched> {
        // Some servers take `post` for `POST`, and a client of HTTP/2 can send it through Envoy.
        let method_hit = |m: &String| m.as_bytes().eq_ignore_ascii_case(facts.method);
        if !self.methods.is_empty() && !self.methods.iter().any(method_hit) {
            return Ok(false);
        }
        if !self.hosts.is_empty() && !self.hosts.iter().any(|host| host_hit(host, facts.host)) {
            return Ok(false);
        }
        if !self.paths.is_empty() {
            let path = Path::read(path_of(facts.target)).ok_or(Unmatched::AmbiguousPath)?;
            if !self.paths.iter().any(|prefix| path.is_below(prefix)) {
                return Ok(false);
            }
        }
        for (list, named, what) in
            [(&self.routes, &facts.route, "route"), (&self.services, &facts.service, "service")]
        {
            if !list.is_empty() {
                let known: Vec<&String> = named.id.iter().chain(&named.name).collect();
                if known.is_empty() {
                    return Err(Unmatched::Unknown(what));
                }
                if !list.iter().any(|wanted| known.contains(&wanted)) {
                    return Ok(false);
                }
            }
        }
        if self.needs_consumer() {
            let names = facts.consumer.as_ref().ok_or(Unmatched::Unknown("consumer"))?;
            let hit = |list: &[String]| list.iter().any(|wanted| names.contains(wanted));
            let wanted = self.consumers.is_empty() || hit(&self.consumers);
            return Ok(wanted && !hit(&self.not_consumers));
        }
        Ok(true)
    }
}

const HOST: Rule = Rule {
    what: "a host name, or `*.` and a domain, without port",
    pattern: Some(r"^(\*\.)?[A-Za-z0-9_.-]+$|^\[[0-9A-Fa-f:.]+\]$"),
    max: 255,
    check: |text| {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        let address = |b: u8| b.is_ascii_hexdigit() || b":.".contains(&b);
        match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inside) => !inside.is_empty() && inside.bytes().all(address),
            None => !name.is_empty() && name.bytes().all(plain),
        }
    },
};

/// A path that all servers read alike.
const MATCH_PATH: Rule = Rule {
    what: "a path that starts with `/`, without escapes, parameters, empty or dot segments",
    pattern: Some(r"^(/(?!\.{1,2}(/|$))[^/%;\\?#\x00-\x1f\x7f]+)+/?$|^/$"),
    max: 4096,
    check: |text| {
        let inner = text.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        let plain = |segment: &str| {
            !segment.is_empty()
                && segment != "."
                && segment != ".."
                && !segment.bytes().any(|b| b"%;\\?#".contains(&b) || b.is_ascii_control())
        };
        text == "/" || inner.is_some_and(|inner| inner.split('/').all(plain))
    },
};

/// Compares a host with an entry of the list. `*.example.com` covers every name below
/// `example.com`, but not `example.com`.
fn host_hit(wanted: &str, host: &[u8]) -> bool {
    let host = without_port(host).to_ascii_lowercase();
    let host = host.strip_suffix(b".").unwrap_or(&host);
    match wanted.strip_prefix('*') {
        Some(domain) => host.len() > domain.len() && host.ends_with(domain.as_bytes()),
        None => host == wanted.as_bytes(),
    }
}

fn without_port(host: &[u8]) -> &[u8] {
    match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) if !host.ends_with(b"]") => host.get(..colon).unwrap_or(host),
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    fn matching(json: &str) -> Match {
        read(
            format!(r#"{{"match":{json}}}"#).as_bytes(),
            &|_| None,
            Match::of_requests_and_consumers,
        )
        .unwrap()
    }

    fn get<'a>(host: &'a str, target: &'a str) -> Facts<'a> {
        Facts {
            host: host.as_bytes(),
            target: target.as_bytes(),
            method: b"GET",
            ..Facts::default()
        }
    }

    #[test]
    fn without_lists_every_request_matches() {
        assert_eq!(matching("{}").covers(&get("", "%")), Ok(true));
    }

    #[test]
    fn every_list_needs_a_hit() {
        let m = matching(r#"{"hosts":["a.test","*.b.test"],"paths":["/api/"],"methods":["GET"]}"#);
        for (host, target, expected) in [
            ("a.test", "/api", true),
            ("A.TEST:8000", "/api/x?y", true),
            ("x.b.test.", "/api/", true),
            ("b.test", "/api", false),
            ("xb.test", "/api", false),
            ("a.test", "/apix", false),
            ("a.test", "/x/api", false),
            ("a.test", "/x/../api/y", true),
            ("a.test", "//%61pi//y", true),
            ("a.test", "/api/../x", true),
            ("a.test", "/api;v=1/x", true),
            ("a.test", "/api%3Bv=1", true),
            ("a.test", "/API", false),
            ("a.test", "/api.json", false),
        ] {
            assert_eq!(m.covers(&get(host, target)), Ok(expected), "{host}{target}");
        }
        for (method, expected) in [("get", true), ("Get", true), ("POST", false), ("GETS", false)] {
            let facts = Facts { method: method.as_bytes(), ..get("a.test", "/api") };
            assert_eq!(m.covers(&facts), Ok(expected), "{method}");
        }
    }

    #[test]
    fn a_path_that_servers_read_differently_is_not_judged() {
        let m = matching(r#"{"paths":["/api"]}"#);
        for target in [
            "/api%2fx",
            "/api%5Cx",
            "/a\\pi",
            "/%",
            "/%4",
            "/%zz",
            "/a%00",
            "/../api",
            "*",
            "",
            "api",
            "/%2561pi",
            "/x%252f..%252fapi",
            "/%c1%a1pi",
            "/x/..;/api",
        ] {
            assert_eq!(m.covers(&get("a", target)), Err(Unmatched::AmbiguousPath), "{target}");
        }
    }

    #[test]
    fn a_criterion_that_cannot_be_evaluated_is_an_error() {
        assert_eq!(
            matching(r#"{"routes":["r"]}"#).covers(&get("a", "/")),
            Err(Unmatched::Unknown("route"))
        );
        assert_eq!(
            matching(r#"{"services":["r"]}"#).covers(&get("a", "/")),
            Err(Unmatched::Unknown("service"))
        );
        for list in ["consumers", "not_consumers"] {
            let m = matching(&format!(r#"{{"{list}":["ana"]}}"#));
            assert_eq!(m.covers(&get("a", "/")), Err(Unmatched::Unknown("consumer")));
        }
    }

    #[test]
    fn routes_match_by_id_or_name() {
        let m = matching(r#"{"routes":["r1"]}"#);
        let facts = |id: Option<&str>, name: Option<&str>| Facts {
            route: Named { id: id.map(str::to_owned), name: name.map(str::to_owned) },
            ..get("a", "/")
        };
        assert_eq!(m.covers(&facts(Some("r1"), None)), Ok(true));
        assert_eq!(m.covers(&facts(Some("x"), Some("r1"))), Ok(true));
        assert_eq!(m.covers(&facts(Some("x"), None)), Ok(false));
    }

    #[test]
    fn consumers_are_wanted_or_excluded() {
        let ana = || Facts {
            consumer: Some(vec!["1".into(), "ana".into(), "custom_id:7".into()]),
            ..get("a", "/")
        };
        assert_eq!(matching(r#"{"consumers":["ana"]}"#).covers(&ana()), Ok(true));
        assert_eq!(matching(r#"{"consumers":["custom_id:7"]}"#).covers(&ana()), Ok(true));
        assert_eq!(matching(r#"{"consumers":["7"]}"#).covers(&ana()), Ok(false));
        assert_eq!(matching(r#"{"not_consumers":["1"]}"#).covers(&ana()), Ok(false));
        assert_eq!(
            matching(r#"{"consumers":["ana"],"not_consumers":["bob"]}"#).covers(&ana()),
            Ok(true)
        );
    }
}
