//! The chains of a table: filters, or plugins of Kong, which the converter makes filters of.

use crate::play::Host;
use gateway_files::convert::{Kind, Options, Target, convert};
use serde_json::{Map, Value, json};
use wasm_tests::Filter;

/// The plugins that a filter mirrors.
const MIRRORED: [&str; 9] = [
    "bot-detection",
    "cors",
    "ip-restriction",
    "jwt",
    "key-auth",
    "rate-limiting",
    "request-termination",
    "request-transformer",
    "session",
];

/// Plugins of Kong's own tests that only look on.
const ONLOOKERS: [&str; 3] = ["ctx-checker", "ctx-checker-last", "dummy"];

/// The filters of a chain, or the reason why there are none.
pub enum Chain {
    Filters(Vec<(String, Value)>),
    /// The names of the plugins that Gatehouse has no filter for.
    Foreign(String),
}

/// Reads a chain of a table.
pub fn chain(part: &Value) -> Chain {
    if let Some(filters) = part["filters"].as_array() {
        let named = |filter: &Value| {
            let name = filter[0].as_str().expect("the name of a filter");
            (name.to_owned(), filter[1].clone())
        };
        return Chain::Filters(filters.iter().map(named).collect());
    }
    let plugins = part["plugins"].as_array().expect("plugins");
    let name = |plugin: &Value| plugin["name"].as_str().expect("a name").to_owned();
    let mut foreign: Vec<String> = plugins.iter().map(name).collect();
    foreign.retain(|name| !MIRRORED.contains(&&**name) && !ONLOOKERS.contains(&&**name));
    if !foreign.is_empty() {
        foreign.sort();
        foreign.dedup();
        return Chain::Foreign(foreign.join(", "));
    }
    let mut part = part.clone();
    let text = loop {
        let options = Options { to: Target::Kong, inline_secrets: true, admin: None };
        let file = declarative(&part).to_string();
        let converted = convert(&file, &options).expect("a declarative file");
        let lost = converted.notes.iter().filter(|note| note.kind == Kind::NotCarriedOver);
        let lost: Vec<String> = lost.map(|note| note.message.clone()).collect();
        if !without_refused_credential(&mut part, &lost) {
            break converted.text;
        }
    };
    let document: Value = serde_norway::from_str(&text).expect("YAML");
    let service = &document["services"][0];
    let found = [service, &service["routes"][0]]
        .into_iter()
        .find_map(|entity| entity["filter_chains"][0]["filters"].as_array().cloned());
    let filter = |filter: &Value| {
        let name = filter["name"].as_str().expect("a name");
        let name = name.strip_prefix("gatehouse_").expect("a filter of ours").to_owned();
        (name, filter["config"].clone())
    };
    Chain::Filters(found.iter().flatten().map(filter).collect())
}

/// Takes out a credential that a filter refuses, as an operator would. Returns `false` if there is
/// none. Requests with that credential are then those of a stranger.
fn without_refused_credential(part: &mut Value, notes: &[String]) -> bool {
    let named = |note: &String| {
        let (_, rest) = note.split_once("JWT credential `")?;
        Some(rest.split_once('`')?.0.to_owned())
    };
    let Some(key) = notes.iter().find_map(named) else { return false };
    let consumers = part["consumers"].as_array_mut().into_iter().flatten();
    for list in consumers.filter_map(|consumer| consumer.get_mut("jwt_secrets")?.as_array_mut()) {
        list.retain(|credential| credential["key"] != *key);
    }
    true
}

/// Adds a consumer with credentials that no request has, since a filter without any consumer is
/// taken for a mistake.
fn with_a_consumer(part: &Value) -> Value {
    let mut consumers = part["consumers"].clone();
    if let Some(list) = consumers.as_array_mut() {
        let key = json!({"key": "a key that no request has"});
        let secret = json!({"key": "an issuer that no token has", "secret": "0123456789abcdef0123456789abcdef"});
        list.push(json!({"username": "nobody at all", "keyauth_credentials": [key], "jwt_secrets": [secret]}));
    }
    consumers
}

/// Returns a declarative file with one route that has these plugins.
fn declarative(part: &Value) -> Value {
    let at = |place: &str| -> Vec<Value> {
        let plugins = part["plugins"].as_array().into_iter().flatten();
        let here = plugins.filter(|plugin| plugin["at"] == place);
        let here = here.filter(|plugin| !ONLOOKERS.iter().any(|name| plugin["name"] == *name));
        here.map(|plugin| {
            let mut plugin: Map<String, Value> = plugin.as_object().expect("a plugin").clone();
            plugin.remove("at");
            Value::Object(plugin)
        })
        .collect()
    };
    let paths = part.get("paths").cloned().unwrap_or_else(|| json!(["/"]));
    let route = json!({"name": "route", "paths": paths, "plugins": at("route")});
    let service = json!({"name": "service", "url": "http://upstream.test:80",
        "routes": [route], "plugins": at("service")});
    json!({"_format_version": "3.0", "services": [service], "plugins": at("global"),
        "consumers": with_a_consumer(part)})
}

/// Returns the compiled filters of a chain. Envoy's option for bodies is a setting of the filter too.
pub fn compiled(filters: &[(String, Value)], host: Host) -> Vec<Filter> {
    let filter = |(name, config): &(String, Value)| {
        let mut config = config.clone();
        if host == Host::Envoy && config.is_object() {
            config["allow_on_headers_stop_iteration"] = json!(true);
        }
        Filter::built(name).config(config.to_string())
    };
    filters.iter().map(filter).collect()
}

/// Returns the filter that mirrors a plugin.
pub fn mirror(plugin: &str) -> String {
    match plugin {
        "jwt" => "jwt_auth".to_owned(),
        plugin => plugin.replace('-', "_"),
    }
}
