//! The address of the collector, and the three calls that it supports.

use exchange::{Call, Target};
use std::rc::Rc;
use std::time::Duration;

/// Every response has the etags of the configuration and of the rules in these headers.
pub(crate) const CONFIG_TAG: &str = "x-moesif-config-etag";
pub(crate) const RULES_TAG: &str = "x-moesif-rules-tag";
pub(crate) const RETRY_AFTER: &str = "retry-after";

/// The cluster on Envoy if the settings name none.
const CLUSTER: &str = "moesif_api";

/// The collector's address in the settings, before the gateway is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The setting `collector`, unchanged.
    Named(Target),
    /// The settings `upstream` and `base_uri`, or `api_endpoint`.
    Endpoint { upstream: Option<String>, endpoint: Endpoint },
}

/// The parts of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) tls: bool,
    /// The host, and the port if the URL has one.
    pub(crate) authority: String,
    pub(crate) prefix: Vec<String>,
}

/// The collector with its target and application id.
#[derive(Debug, Clone)]
pub(crate) struct Collector {
    posts: Rc<Target>,
    gets: Rc<Target>,
    application_id: String,
    compress: bool,
}

impl Endpoint {
    /// Reads `https://host:port/path`. The default scheme is https.
    pub(crate) fn read(url: &str) -> Option<Self> {
        let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
        let (tls, rest) = match url.split_once("://") {
            None => (true, url),
            Some((_, rest)) if lower.starts_with("https:") => (true, rest),
            Some((_, rest)) if lower.starts_with("http:") => (false, rest),
            Some(_) => return None,
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = apart(authority);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_[]:".contains(&b);
        let right = !host.is_empty()
            && authority.bytes().all(plain)
            && (authority.len() == host.len() || port.is_some_and(|port| port > 0))
            && !path.contains(['?', '#']);
        let prefix =
            path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
        right.then(|| Self { tls, authority: authority.to_owned(), prefix })
    }
}

/// Separates host and port. An IPv6 address is in brackets.
fn apart(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
        _ => (authority, None),
    }
}

impl Place {
    /// Returns the target on this gateway, which is a cluster on Envoy and an address on Kong.
    pub(crate) fn target(&self, on_envoy: bool) -> Target {
        match self {
            Self::Named(target) => target.clone(),
            Self::Endpoint { upstream, endpoint } => {
                let (host, port) = apart(&endpoint.authority);
                let address = || match port {
                    Some(port) => format!("{host}:{port}"),
                    None if endpoint.tls => format!("{host}:443"),
                    None => format!("{host}:80"),
                };
                let default = || if on_envoy { CLUSTER.to_owned() } else { address() };
                Target {
                    upstream: upstream.clone().unwrap_or_else(default),
                    authority: endpoint.authority.clone(),
                    tls: endpoint.tls,
                    prefix: endpoint.prefix.clone(),
                    timeout: Duration::ZERO,
                    token: None,
                }
            }
        }
    }
}

impl Collector {
    pub(crate) fn new(
        target: Target,
        [get_timeout, post_timeout]: [Duration; 2],
        application_id: String,
        compress: bool,
    ) -> Self {
        let with = |timeout| Rc::new(Target { timeout, ..target.clone() });
        Self { posts: with(post_timeout), gets: with(get_timeout), application_id, compress }
    }

    /// Makes the call that sends a batch, which is a JSON array.
    pub(crate) fn post(&self, batch: Vec<u8>) -> (Rc<Target>, Call) {
        let mut call = self.call(&["v1", "events", "batch"]);
        call.wanted = &[CONFIG_TAG, RULES_TAG, RETRY_AFTER];
        if self.compress {
            call.headers.push(("content-encoding".into(), b"gzip".to_vec()));
            call = call.sending("POST", crate::gzip::gzip(&batch));
        } else {
            call = call.sending("POST", batch);
        }
        (Rc::clone(&self.posts), call)
    }

    /// Makes the call that fetches the application's configuration.
    pub(crate) fn config(&self) -> (Rc<Target>, Call) {
        (Rc::clone(&self.gets), Call { wanted: &[CONFIG_TAG], ..self.call(&["v1", "config"]) })
    }

    /// Makes the call that fetches the rules.
    pub(crate) fn rules(&self) -> (Rc<Target>, Call) {
        (Rc::clone(&self.gets), Call { wanted: &[RULES_TAG], ..self.call(&["v1", "rules"]) })
    }

    fn call(&self, segments: &[&str]) -> Call {
        let mut call = Call::get(segments);
        let agent = concat!("gatehouse-moesif/", env!("CARGO_PKG_VERSION"));
        call.headers.push(("user-agent".into(), agent.into()));
        call.headers.push(("x-moesif-application-id".into(), self.application_id.clone().into()));
        call
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str, upstream: Option<&str>, on_envoy: bool) -> Target {
        let endpoint = Endpoint::read(url).unwrap();
        Place::Endpoint { upstream: upstream.map(str::to_owned), endpoint }.target(on_envoy)
    }

    #[test]
    fn an_endpoint_is_an_address_on_kong_and_a_cluster_on_envoy() {
        for (url, upstream, authority, tls) in [
            ("https://api.moesif.net", "api.moesif.net:443", "api.moesif.net", true),
            ("HTTP://localhost:9500/collector/", "localhost:9500", "localhost:9500", false),
            ("http://a", "a:80", "a", false),
            ("https://[::1]:8/x", "[::1]:8", "[::1]:8", true),
            ("https://[::1]", "[::1]:443", "[::1]", true),
            ("api.moesif.net", "api.moesif.net:443", "api.moesif.net", true),
        ] {
            let kong = target(url, None, false);
            assert_eq!(
                (kong.upstream.as_str(), kong.authority.as_str(), kong.tls),
                (upstream, authority, tls)
            );
            assert_eq!(target(url, None, true).upstream, "moesif_api");
            assert_eq!(target(url, Some("outbound|443||x"), true).upstream, "outbound|443||x");
        }
        assert_eq!(target("http://localhost:9500/collector/", None, false).prefix, ["collector"]);
    }

    #[test]
    fn a_url_that_is_no_endpoint_is_refused() {
        for url in [
            "",
            "https://",
            "ftp://a",
            "https://a:x",
            "https://a:0",
            "https://a b",
            "https://u@a",
            "https://a?x",
            "https://a/?x",
        ] {
            assert_eq!(Endpoint::read(url), None, "{url}");
        }
    }

    #[test]
    fn calls_carry_the_application_id_and_their_own_timeouts() {
        let seconds = Duration::from_secs;
        let target = target("https://a/p", None, true);
        let collector = Collector::new(target, [seconds(1), seconds(5)], "app".into(), true);
        let (to, call) = collector.post(b"[1,1,1,1,1]".to_vec());
        assert_eq!((to.timeout, call.method), (seconds(5), "POST"));
        assert_eq!(call.segments, [&b"v1"[..], b"events", b"batch"]);
        assert_eq!(crate::gzip::gunzip(&call.body, 100).as_deref(), Some(&b"[1,1,1,1,1]"[..]));
        assert!(call.headers.contains(&("x-moesif-application-id".into(), b"app".to_vec())));
        assert!(call.headers.contains(&("content-encoding".into(), b"gzip".to_vec())));
        let (to, call) = collector.rules();
        assert_eq!((to.timeout, call.method, call.body.len()), (seconds(1), "GET", 0));
        assert_eq!(call.segments, [&b"v1"[..], b"rules"]);
        let plain = Collector { compress: false, ..collector };
        assert_eq!(plain.post(b"[]".to_vec()).1.body, b"[]");
    }
}
