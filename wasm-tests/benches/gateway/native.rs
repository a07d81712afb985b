//! Envoy's own filters, as far as they do what a filter of this repository does.

use crate::fixture::API_KEY;
use crate::link::Link;
use crate::tokens;
use jose::Algorithm;
use serde_json::{Value, json};
use wasm_tests::real::Filter;

/// Envoy's API keys, with one key.
pub(crate) fn api_key_auth() -> Link {
    Link::native(json!({
        "@type": of("api_key_auth", "ApiKeyAuth"),
        "credentials": [{"key": API_KEY, "client": "ana"}],
        "key_sources": [{"header": "apikey"}],
    }))
}

/// Envoy's tokens, with one provider and its key. Each token is verified anew, or Envoy remembers
/// those that it has verified.
pub(crate) fn jwt_authn(algorithm: Algorithm, remembers: bool) -> Link {
    let mut provider = json!({
        "issuer": tokens::issuer(algorithm),
        "local_jwks": {"inline_string": tokens::jwks(algorithm).to_string()},
    });
    if remembers {
        provider["jwt_cache_config"] = json!({"jwt_cache_size": 1000});
    }
    Link::native(json!({
        "@type": of("jwt_authn", "JwtAuthentication"),
        "providers": {"bench": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}],
    }))
}

/// Envoy's limits, one for all requests, with the headers of the rate limit.
pub(crate) fn local_ratelimit() -> Link {
    Link::native(json!({
        "@type": of("local_ratelimit", "LocalRateLimit"),
        "stat_prefix": "bench",
        "token_bucket": {"max_tokens": 1_000_000_000, "tokens_per_fill": 1_000_000_000, "fill_interval": "1s"},
        "filter_enabled": {"default_value": {"numerator": 100}},
        "filter_enforced": {"default_value": {"numerator": 100}},
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
    }))
}

/// Envoy's access rules, which deny these networks.
pub(crate) fn rbac(networks: &[String]) -> Link {
    let ranges: Vec<Value> = networks
        .iter()
        .filter_map(|network| network.split_once('/'))
        .map(|(address, length)| (address, length.parse::<u32>().expect("a length")))
        .map(|(address, length)| json!({"address_prefix": address, "prefix_len": length}))
        .collect();
    let action = |action: &str| {
        json!({"action": {"name": "rbac", "typed_config": {
            "@type": "type.googleapis.com/envoy.config.rbac.v3.Action", "name": action, "action": action,
        }}})
    };
    let input =
        "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.SourceIPInput";
    Link::native(json!({
        "@type": of("rbac", "RBAC"),
        "matcher": {
            "matcher_tree": {
                "input": {"name": "source", "typed_config": {"@type": input}},
                "custom_match": {"name": "networks", "typed_config": {
                    "@type": "type.googleapis.com/xds.type.matcher.v3.IPMatcher",
                    "range_matchers": [{"ranges": ranges, "on_match": action("DENY")}],
                }},
            },
            "on_no_match": action("ALLOW"),
        },
    }))
}

/// Envoy's CORS, with two origins.
pub(crate) fn cors() -> Link {
    let policy = json!({
        "@type": of("cors", "CorsPolicy"),
        "allow_origin_string_match": [
            {"exact": "https://a.test"},
            {"safe_regex": {"regex": r"https://([^.]+\.)+b\.test"}},
        ],
        "allow_credentials": true,
    });
    Link::Native(Filter::native(json!({"@type": of("cors", "Cors")})).on_the_route(policy))
}

/// Envoy's changes of headers, with one that is set.
pub(crate) fn header_mutation() -> Link {
    let header = json!({"key": "x-source", "value": "gateway"});
    let change =
        json!({"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}});
    Link::native(json!({
        "@type": of("header_mutation", "HeaderMutation"),
        "mutations": {"request_mutations": [change]},
    }))
}

/// Envoy's Lua, with a script that reads one header and sets one.
pub(crate) fn lua() -> Link {
    let script = "function envoy_on_request(request) local headers = request:headers() \
                  headers:replace('x-caller', headers:get('user-agent') or '') end";
    Link::native(json!({
        "@type": of("lua", "Lua"), "default_source_code": {"inline_string": script},
    }))
}

/// The type of a filter's configuration.
pub(crate) fn of(filter: &str, message: &str) -> String {
    format!("type.googleapis.com/envoy.extensions.filters.http.{filter}.v3.{message}")
}
