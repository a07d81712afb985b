//! Kong's plugins that no filter replaces, and what becomes of their routes where Kong is not there
//! any more.

use super::kong_file::{KongFile, Plugin};
use super::{plugins, scopes};
use crate::documents::Place;
use std::collections::BTreeSet;

/// Plugins that only look on, or that work on the response: it makes no difference that they run
/// before the filters.
pub(super) const BYSTANDERS: [&str; 17] = [
    "acme",
    "correlation-id",
    "datadog",
    "file-log",
    "http-log",
    "kafka-log",
    "loggly",
    "opentelemetry",
    "prometheus",
    "request-size-limiting",
    "response-transformer",
    "statsd",
    "syslog",
    "tcp-log",
    "udp-log",
    "websocket-size-limit",
    "zipkin",
];

/// Plugins that answer a request themselves. They would do so before any filter has judged it.
pub(super) const ANSWER: [&str; 5] = [
    "proxy-cache",
    "proxy-cache-advanced",
    "graphql-proxy-cache-advanced",
    "mocking",
    "ai-semantic-cache",
];

/// Plugins that authenticate.
pub(super) const AUTHENTICATE: [&str; 9] = [
    "basic-auth",
    "hmac-auth",
    "ldap-auth",
    "ldap-auth-advanced",
    "oauth2",
    "oauth2-introspection",
    "openid-connect",
    "mtls-auth",
    "key-auth-enc",
];

/// Other plugins that keep nobody out: they limit, choose an upstream, or change an answer.
const HARMLESS: [&str; 20] = [
    "aws-lambda",
    "azure-functions",
    "canary",
    "confluent",
    "degraphql",
    "exit-transformer",
    "forward-proxy",
    "graphql-rate-limiting-advanced",
    "grpc-gateway",
    "grpc-web",
    "kafka-upstream",
    "openwhisk",
    "rate-limiting-advanced",
    "response-ratelimiting",
    "response-transformer-advanced",
    "route-by-header",
    "route-transformer-advanced",
    "service-protection",
    "upstream-oauth",
    "upstream-timeout",
];

/// The treatment of a route on Envoy, where no plugin of Kong's keeps strangers out any more.
pub(super) const CLOSED: &str = ": its routes answer 503 until this is done by hand";

/// Returns `true` if Kong's plugin may keep somebody out. So may every plugin of which nothing is
/// known here, such as an operator's own.
pub(super) fn guards(name: &str) -> bool {
    ![&BYSTANDERS[..], &ANSWER, &HARMLESS].iter().any(|list| list.contains(&name))
}

/// Returns `true` if the route has a plugin that may keep somebody out and that Envoy lacks.
pub(super) fn is_closed(file: &KongFile, route: usize, stays: &BTreeSet<Place>) -> bool {
    let service = file.routes.get(route).and_then(|route| route.service);
    file.plugins.iter().enumerate().any(|(number, plugin)| {
        let name = plugin.name.as_str();
        let is_lost = !plugins::is_known(name) || stays.contains(&plugin.place);
        let applies = || match plugin.for_group {
            true => is_here(plugin, route, service),
            false => scopes::applied(file, route, &[name]).iter().any(|one| one.plugin == number),
        };
        plugin.enabled && is_lost && guards(name) && applies()
    })
}

/// Returns `true` if Kong runs the plugin on the route for some consumer.
fn is_here(plugin: &Plugin, route: usize, service: Option<usize>) -> bool {
    plugin.route.is_none_or(|own| own == route)
        && plugin.service.is_none_or(|own| Some(own) == service)
}

/// Returns `true` if Kong's own plugin is left out although no filter does what it does.
pub(super) fn is_left_out(name: &str) -> bool {
    ANSWER.contains(&name) || name.starts_with("ai-")
}

#[cfg(test)]
mod tests {
    use crate::convert::{Options, Target, convert};

    /// Returns `true` if the one route of a file with this plugin answers 503 on an Envoy.
    fn closes(plugin: &str) -> bool {
        let text = format!(
            "_format_version: '3.0'
services: [{{ name: s, url: 'http://h', routes: [{{ name: r, paths: [/] }}], plugins: [{{ {plugin} }}] }}]
"
        );
        let closed = |to| {
            let options = Options { to, inline_secrets: true, admin: None };
            convert(&text, &options).unwrap().text.contains("status_code: 503")
        };
        let closed = [Target::Envoy, Target::Istio].map(closed);
        assert_eq!(closed[0], closed[1], "{plugin}");
        closed[0]
    }

    #[test]
    fn a_plugin_that_may_keep_somebody_out_closes_its_routes_and_so_does_an_unknown_one() {
        for name in ["basic-auth", "saml", "pre-function", "json-threat-protection", "our-own-auth"]
        {
            assert!(closes(&format!("name: {name}")), "{name}");
            assert!(!closes(&format!("name: {name}, enabled: false")), "{name}");
        }
        for name in ["prometheus", "proxy-cache", "rate-limiting-advanced", "aws-lambda"] {
            assert!(!closes(&format!("name: {name}")), "{name}");
        }
    }

    #[test]
    fn what_is_for_a_consumer_group_is_not_taken_for_everybody() {
        let deny = "config: { deny: [192.0.2.1] }";
        assert!(!closes(&format!("name: ip-restriction, {deny}")));
        assert!(closes(&format!("name: ip-restriction, consumer_group: gold, {deny}")));
        // The limit of a group does not come before that of all others.
        let text = "_format_version: '3.0'
services: [{ name: s, url: 'http://h', routes: [{ name: r, paths: [/] }] }]
plugins:
- { name: rate-limiting, consumer_group: gold, config: { minute: 1000, policy: local } }
- { name: rate-limiting, config: { minute: 5, policy: local } }
";
        for to in [Target::Kong, Target::Envoy] {
            let converted =
                convert(text, &Options { to, inline_secrets: true, admin: None }).unwrap();
            let filters = converted.text.split("namespace: kong.").count() - 1;
            assert!(filters == 1 && converted.text.contains("minute: 5\n"), "{}", converted.text);
            let told = converted.notes.iter().any(|note| note.message.contains("consumer group"));
            assert!(told, "{:#?}", converted.notes);
        }
    }
}
