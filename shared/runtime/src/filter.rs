//! The description that a filter gives of itself.

use crate::platform::Capabilities;
use cache::Source;
use consumer::{Admitted, Owned};
use exchange::{Request, Started, Worker};
use serde_json::{Value, json};
use settings::{Common, Env, Fields, Invalid};
use std::rc::Rc;
use std::time::Duration;

/// A filter: its settings, the source of its entities, and its decision about each request.
pub trait Filter: 'static {
    /// The filter's name with underscores, for example `key_auth` in `gatehouse_key_auth.wasm`.
    const NAME: &'static str;

    /// The number of the filter's entries in shared data. It belongs to this filter for ever: the
    /// number of a removed filter is not used again.
    const ID: u8;

    /// The checked settings.
    type Config: 'static;

    /// Reads the settings, and by the same calls describes them for the schema.
    fn settings(fields: &mut Fields<'_>) -> Self::Config;

    /// The settings that every filter has.
    fn common(config: &Self::Config) -> &Common;

    /// The request headers that the filter owns. A header that a client sends under one of these
    /// names never reaches the upstream. This function has no default, so that no filter leaves it
    /// out.
    fn owned(config: &Self::Config) -> Owned;

    /// The facts of each request that the filter needs besides the headers.
    fn needs(_config: &Self::Config) -> Needs {
        Needs::default()
    }

    /// The properties that the filter leaves for later filters or for its own later events, and
    /// that it cannot do without. A filter that may refuse a request from the answer to a callout
    /// leaves [`consumer::PROPERTY`]: this property carries the mark of a refusal, by which later
    /// filters on Kong know that they have to stand down.
    ///
    /// On Kong each property is a variable of nginx with this name, which the operator declares in
    /// kong.conf. The filter refuses every request with 500 while one of them is not declared.
    fn leaves(config: &Self::Config) -> Vec<&'static str>;

    /// The setting that makes the filter judge a request by its body, if one does: its path, and
    /// the beginning of the message, for example `found true`. Envoy gives a body in time only
    /// where the operator says `allow_on_headers_stop_iteration`: without that option the runtime
    /// refuses such settings there.
    fn body_setting(_config: &Self::Config) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Checks the settings against the abilities of the gateway.
    ///
    /// # Errors
    /// The path of a setting that does not work on this gateway, and what to do.
    fn check_host(_config: &Self::Config, _able: Capabilities) -> Result<(), Invalid> {
        Ok(())
    }

    /// Messages to the operator about settings that work. They are logged when the settings are
    /// loaded, and hold no secret.
    fn warnings(_config: &Self::Config) -> Vec<String> {
        Vec::new()
    }

    /// The source of the filter's entities, if the filter looks any up.
    fn source(_config: &Rc<Self::Config>) -> Option<Box<dyn Source>> {
        None
    }

    /// The settings that an entry of the cache depends on besides the admin target, in any
    /// encoding. Configurations that differ in them share no entry.
    fn depends(_config: &Self::Config) -> Vec<u8> {
        Vec::new()
    }

    /// The filter's own work besides its requests, if there is any. The worker and the flows share
    /// the configuration, and nothing else.
    fn worker(_config: &Rc<Self::Config>) -> Option<Box<dyn Worker>> {
        None
    }

    /// The interval at which the worker is asked for calls, from 100 ms to 10 s.
    fn period(_config: &Self::Config) -> Duration {
        Duration::from_secs(1)
    }

    /// Returns `true` if the filter leaves `request` alone for a reason that is not in `match`. The
    /// runtime calls this function before the gate, so that the filter sees requests here that it
    /// does not judge.
    fn ignores(_config: &Self::Config, _request: &Request) -> bool {
        false
    }

    /// Judges a request that passed the gate. The result holds the first step, and a flow where
    /// later events may follow.
    fn start(config: &Rc<Self::Config>, request: Admitted) -> Started;
}

/// The facts that a filter needs of each request besides its headers. Each one costs a host call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// The request target as the client sent it. (Kong decodes `:path`.)
    pub raw_target: bool,
    /// The id and the name of the route.
    pub route: bool,
    /// The id and the name of the service (Kong) or cluster (Envoy).
    pub service: bool,
    /// The verified claims of a token.
    pub claims: bool,
    /// The address of the client's connection.
    pub peer: bool,
    /// The scheme, host and port as the client named them.
    pub origin: bool,
    /// The property that an earlier filter left under this name.
    pub mark: Option<&'static str>,
    /// The identity and the claims once more at the response, as later filters have left them.
    pub at_response: bool,
    /// The route and the service as objects.
    pub entities: bool,
    /// The route and the service as objects on Kong only. Envoy would write its metadata out, which
    /// costs much and says little.
    pub kong_entities: bool,
    /// The query as the upstream will get it, after the edits of earlier filters.
    pub upstream_query: bool,
    /// Neither the filter nor its `match` looks at the identity. The runtime then does not read the
    /// identity where a gateway lets it do so; see [`Needs::without_identity`].
    pub no_identity: bool,
}

impl Needs {
    /// The facts that the setting `match` needs.
    #[must_use]
    pub fn of(common: &Common) -> Self {
        Self {
            raw_target: common.matching.needs_path(),
            route: common.matching.needs_route(),
            service: common.matching.needs_service(),
            ..Self::default()
        }
    }

    /// These facts for a filter that asks nothing about the caller, and owns no identity header.
    /// Its `match` may still ask.
    #[must_use]
    pub fn without_identity(self, common: &Common) -> Self {
        Self { no_identity: !common.matching.needs_consumer(), ..self }
    }
}

/// The name of the filter `F`, and the content of its `.meta.json`: the schema that Kong checks a
/// configuration against.
#[must_use]
pub fn meta<F: Filter>() -> (&'static str, Value) {
    (F::NAME, json!({ "config_schema": settings::schema(F::settings) }))
}

/// Checks a document of settings as the filter `F` does on a gateway with these abilities. Returns
/// what the filter would tell the operator about settings that work.
///
/// # Errors
/// [`Invalid`], with every problem of the document, or with the first setting that does not work on
/// the gateway.
pub fn check<F: Filter>(
    document: &[u8],
    env: Env<'_>,
    able: Capabilities,
) -> Result<Vec<String>, Invalid> {
    let config = settings::read(document, env, F::settings)?;
    check_gateway::<F>(&config, able)?;
    Ok(F::warnings(&config))
}

/// Checks settings against the abilities of the gateway.
pub(crate) fn check_gateway<F: Filter>(
    config: &F::Config,
    able: Capabilities,
) -> Result<(), Invalid> {
    check_common(F::common(config), able)?;
    check_body(F::body_setting(config), F::common(config), able)?;
    F::check_host(config, able)
}

/// Checks that Envoy gives the body in time to a filter whose `setting` judges by it.
fn check_body(
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

/// Checks the common settings against the abilities of the gateway.
fn check_common(common: &Common, able: Capabilities) -> Result<(), Invalid> {
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

/// Returns `true` if Kong can call `upstream`: `host:port`, `[v6]:port` or `host`. A callout to
/// anything else traps there.
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
