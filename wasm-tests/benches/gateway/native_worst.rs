//! Envoy's own filters in the settings that come nearest to the costliest cases of ours.

use crate::link::Link;
use crate::native::of;
use serde_json::{Value, json};
use wasm_tests::real::Filter;

/// Names that bots give themselves, as many as bot_detection has rules.
const BOTS: [&str; 35] = [
    "apachebench",
    "archiver",
    "baidu",
    "bingbot",
    "bytespider",
    "ccbot",
    "chatgpt",
    "claudebot",
    "cohere-ai",
    "curl",
    "diffbot",
    "duckduckbot",
    "facebookexternalhit",
    "gaisbot",
    "googlebot",
    "gptbot",
    "grub",
    "gulliver",
    "heritrix",
    "imagesift",
    "jeeves",
    "larbin",
    "megaindex",
    "mj12bot",
    "msnbot",
    "nutch",
    "omgili",
    "perplexity",
    "petalbot",
    "scrapy",
    "seznam",
    "slurp",
    "sogou",
    "teoma",
    "yandex",
];

/// Envoy's access rules, which deny user agents by expressions. Envoy's default allows no longer
/// ones than these, of five names each.
pub(crate) fn rbac_bots() -> Link {
    let expressions = BOTS.chunks(5).map(|names| format!("(?i).*({}).*", names.join("|")));
    let principals: Vec<Value> = expressions
        .map(
            |regex| json!({"name": "user-agent", "string_match": {"safe_regex": {"regex": regex}}}),
        )
        .map(|header| json!({"header": header}))
        .collect();
    Link::native(json!({
        "@type": of("rbac", "RBAC"),
        "rules": {"action": "DENY", "policies": {"bots": {
            "permissions": [{"any": true}], "principals": principals,
        }}},
    }))
}

/// Envoy's Lua, with a script that looks for each name.
pub(crate) fn lua_bots() -> Link {
    let names: Vec<String> = BOTS.iter().map(|name| format!("'{name}'")).collect();
    let script = format!(
        "local bots = {{{}}} \
         function envoy_on_request(request) \
           local agent = string.lower(request:headers():get('user-agent') or '') \
           for _, bot in ipairs(bots) do \
             if string.find(agent, bot, 1, true) then request:respond({{[':status'] = '403'}}, 'Forbidden') return end \
           end \
         end",
        names.join(",")
    );
    Link::native(json!({
        "@type": of("lua", "Lua"), "default_source_code": {"inline_string": script},
    }))
}

/// Envoy's Lua, with a script that ends requests with the header `x-maintenance`.
pub(crate) fn lua_termination() -> Link {
    let script = "function envoy_on_request(request) if request:headers():get('x-maintenance') then \
                  request:respond({[':status'] = '503'}, 'Service unavailable') end end";
    Link::native(json!({
        "@type": of("lua", "Lua"), "default_source_code": {"inline_string": script},
    }))
}

/// Envoy's limits, with a bucket for each value of the header `x-caller`.
pub(crate) fn local_ratelimit() -> Link {
    let bucket = json!({
        "max_tokens": 1_000_000, "tokens_per_fill": 1_000_000, "fill_interval": "1s",
    });
    Link::native(json!({
        "@type": of("local_ratelimit", "LocalRateLimit"),
        "stat_prefix": "bench",
        "token_bucket": bucket,
        "filter_enabled": {"default_value": {"numerator": 100}},
        "filter_enforced": {"default_value": {"numerator": 100}},
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "max_dynamic_descriptors": 20_000,
        "rate_limits": [{"actions": [
            {"request_headers": {"header_name": "x-caller", "descriptor_key": "caller"}},
        ]}],
        "descriptors": [{"entries": [{"key": "caller"}], "token_bucket": bucket}],
    }))
}

/// Envoy's CORS, with these expressions.
pub(crate) fn cors(origins: &[String]) -> Link {
    let matches: Vec<Value> =
        origins.iter().map(|origin| json!({"safe_regex": {"regex": origin}})).collect();
    let policy = json!({
        "@type": of("cors", "CorsPolicy"),
        "allow_origin_string_match": matches, "allow_credentials": true,
    });
    Link::Native(Filter::native(json!({"@type": of("cors", "Cors")})).on_the_route(policy))
}

/// Envoy's changes of headers, five of them with values of the request. It changes no body.
pub(crate) fn mutations() -> Link {
    let set = |name: &str, value: &str| {
        json!({"append": {
            "header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }})
    };
    Link::native(json!({
        "@type": of("header_mutation", "HeaderMutation"),
        "mutations": {
            "request_mutations": [
                {"remove": "x-debug"},
                set("x-new", "%REQ(X-OLD)%"),
                {"remove": "x-old"},
                set("x-note", "%REQ(X-NOTE)%"),
                set("x-trail", "gateway"),
            ],
            "query_parameter_mutations": [{"remove": "trace"}],
        },
    }))
}
