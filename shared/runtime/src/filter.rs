//! What a filter tells this crate about itself.

use crate::platform::Capabilities;
use cache::Source;
use consumer::{Admitted, Owned};
use exchange::{Request, Started, Worker};
use serde_json::{Value, json};
use settings::{Common, Fields, Invalid};
use std::rc::Rc;
use std::time::Duration;

/// A filter: settings, where its entities come from, and a state machine for each request.
pub trait Filter: 'static {
    /// `key_auth`, as in `gatehouse_key_auth.wasm`.
    const NAME: &'static str;

    /// Tells the filters' entries in shared data apart. Never used again for another filter.
    const ID: u8;

    /// The checked settings.
    type Config: 'static;

    /// Reads and describes the settings.
    fn settings(fields: &mut Fields<'_>) -> Self::Config;

    /// The settings that every filter has.
    fn common(config: &Self::Config) -> &Common;

    /// The request headers that are the filter's own: what a client sends under their names never reaches the
    /// upstream. It has no default, so that no filter leaves it out.
    fn owned(config: &Self::Config) -> Owned;

    /// What the filter wants to know of each request.
    fn needs(_config: &Self::Config) -> Needs {
        Needs::default()
    }

    /// The properties that the filter leaves for later filters or for its own later callbacks, and cannot do
    /// without. A filter that may
    /// refuse a request from the answer to a callout leaves [`consumer::PROPERTY`]: it carries the mark of a
    /// refusal, by which later filters on Kong know that they have to stand down.
    ///
    /// On Kong each is a variable of nginx of the same name, which the operator declares in kong.conf. The filter
    /// refuses every request with 500 while one of them is not declared.
    fn leaves(config: &Self::Config) -> Vec<&'static str>;

    /// The setting that makes the filter judge a request by its body, if one does: its path, and the
    /// beginning of the message, for example `found true`. Envoy gives a body in time only where the
    /// operator says `allow_on_headers_stop_iteration`: without that option the runtime refuses such
    /// settings there.
    fn body_setting(_config: &Self::Config) -> Option<(&'static str, &'static str)> {
        None
    }

    /// What of the settings does not work on this gateway.
    ///
    /// # Errors
    /// With the setting's path.
    fn check_host(_config: &Self::Config, _able: Capabilities) -> Result<(), Invalid> {
        Ok(())
    }

    /// What an operator should know of settings that work. It is logged when they are loaded, and holds no secret.
    fn warnings(_config: &Self::Config) -> Vec<String> {
        Vec::new()
    }

    /// Where the filter's entities come from, if it looks any up.
    fn source(_config: &Rc<Self::Config>) -> Option<Box<dyn Source>> {
        None
    }

    /// What answers in the cache depend on besides the admin target: settings that, when they differ, must
    /// not share an entry.
    fn depends(_config: &Self::Config) -> Vec<u8> {
        Vec::new()
    }

    /// What the filter does besides its requests, if anything. What it shares with the flows lies in the
    /// configuration.
    fn worker(_config: &Rc<Self::Config>) -> Option<Box<dyn Worker>> {
        None
    }

    /// How often the background looks for work, in a range from 100 ms to 10 s.
    fn period(_config: &Self::Config) -> Duration {
        Duration::from_secs(1)
    }

    /// Returns `true` if the filter leaves `request` alone for a reason that is not in `match`. The
    /// runtime calls this function before the gate, so that the filter sees requests here that it
    /// does not judge.
    fn ignores(_config: &Self::Config, _request: &Request) -> bool {
        false
    }

    /// Judges a request that passed the gate: the first step, and a flow if other events may follow.
    fn start(config: &Rc<Self::Config>, request: Admitted) -> Started;
}

/// What a filter wants to know of each request besides its headers. Each costs a host call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// The target as the client sent it (Kong decodes `:path`).
    pub raw_target: bool,
    /// Id and name of the route.
    pub route: bool,
    /// Id and name of the service or cluster.
    pub service: bool,
    /// The verified claims of a token.
    pub claims: bool,
    /// The address of the client's connection.
    pub peer: bool,
    /// Scheme, host and port as the client named them.
    pub origin: bool,
    /// What an earlier filter published under this name.
    pub mark: Option<&'static str>,
    /// The identity and the claims once more with the response, when later filters have had their say.
    pub at_response: bool,
    /// Route and service as objects.
    pub entities: bool,
    /// The same on Kong only: Envoy writes its metadata out for that, which costs much and says little.
    pub kong_entities: bool,
    /// The query as the upstream will get it: an earlier filter may have taken something out.
    pub upstream_query: bool,
}

impl Needs {
    /// What `match` needs.
    #[must_use]
    pub fn of(common: &Common) -> Self {
        Self {
            raw_target: common.matching.needs_path(),
            route: common.matching.needs_route(),
            service: common.matching.needs_service(),
            ..Self::default()
        }
    }
}

/// Kong's `<filter>.meta.json`: the schema that it checks a configuration against.
#[must_use]
pub fn meta<F: Filter>() -> (&'static str, Value) {
    (F::NAME, json!({ "config_schema": settings::schema(F::settings) }))
}

/// Checks that Envoy gives the body in time to a filter whose `setting` judges by it.
pub(crate) fn check_body(
    setting: Option<(&'static str, &'static str)>,
    common: &Common,
    able: Capabilities,
) -> Result<(), Invalid> {
    match setting {
        Some((setting, found)) if able.pauses_for_body && !common.holds_headers => {
            Err(Invalid::one(
                setting,
                format!(
                    "{found} without `allow_on_headers_stop_iteration`, expected that to be true here and in the \
                 plugin's own configuration: otherwise Envoy gives the body only after the headers have left"
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// What is wrong with the common settings on this gateway.
pub(crate) fn check_common(common: &Common, able: Capabilities) -> Result<(), Invalid> {
    if common.trust_consumer_headers && able.known && !able.has_plugins {
        return Err(Invalid::one(
            "trust_consumer_headers",
            "found true on Envoy, expected false: no Lua plugin has set these headers there",
        ));
    }
    if able.calls_addresses {
        let upstream = common.admin.as_ref().map(|admin| admin.target.upstream.as_str());
        if upstream.is_some_and(|upstream| !is_address(upstream)) {
            return Err(Invalid::one(
                "admin.upstream",
                "found a name that Kong cannot call, expected `host:port`",
            ));
        }
    }
    if able.needs_zone && common.cache.mode == settings::Mode::Full && common.shm_zone.is_none() {
        return Err(Invalid::one(
            "cache.mode",
            "found \"full\" without `shm_zone` on Kong, expected the name of a declared zone",
        ));
    }
    Ok(())
}

/// Whether Kong can call it: `host:port`, `[v6]:port` or `host`. A call to anything else traps there.
#[must_use]
pub fn is_address(upstream: &str) -> bool {
    let (host, port) = match upstream.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, Some(port)),
        _ => (upstream, None),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host_ok = match bracketed {
        Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(plain),
    };
    host_ok && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kong_calls_addresses_and_nothing_else() {
        for good in ["admin:8001", "127.0.0.1:8001", "[::1]:8001", "admin.svc", "a_b:1"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "admin:",
            ":8001",
            "admin:0",
            "admin:65536",
            "outbound|8001||admin",
            "::1",
            "a b:1",
            "[x]:1",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
