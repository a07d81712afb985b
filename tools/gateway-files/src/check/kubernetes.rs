//! The filters in Kubernetes resources: Istio's WasmPlugin and EnvoyFilter, Envoy Gateway's
//! EnvoyExtensionPolicy and EnvoyPatchPolicy, and Kong's KongPlugin.

use super::envoy::holds_headers;
use super::report::{Level, Part};
use super::{Found, Gateway, Handed, Named, filter_of};
use crate::documents::{Place, member, text};
use serde_norway::Value;

pub(super) fn filters(document: &Value, part: &mut Part<'_>) -> Vec<Found> {
    let kind = text(document, &["kind"]).unwrap_or_default();
    let name = document.get("metadata").and_then(|metadata| text(metadata, &["name"]));
    if let (Some(label), Some(name)) = (&mut part.label, name) {
        *label = format!("{label} ({kind} {name})");
    }
    let spec = document.get("spec");
    match (kind, spec) {
        ("WasmPlugin", Some(spec)) => wasm_plugin(spec, name, part).into_iter().collect(),
        ("EnvoyExtensionPolicy", Some(spec)) => extension_policy(spec, part),
        ("KongPlugin" | "KongClusterPlugin", _) => {
            kong_plugin(document, part).into_iter().collect()
        }
        ("List", _) => list(document, part),
        // EnvoyFilter, EnvoyPatchPolicy: Envoy's own words, anywhere.
        _ => super::envoy::filters(document, part),
    }
}

fn list(document: &Value, part: &mut Part<'_>) -> Vec<Found> {
    let items = document.get("items").and_then(Value::as_sequence);
    let label = part.label.clone().unwrap_or_default();
    let mut all = Vec::new();
    for (number, item) in items.into_iter().flatten().enumerate() {
        part.label = Some(format!("{label}items[{number}]"));
        all.extend(filters(item, part));
    }
    all
}

fn wasm_plugin(spec: &Value, name: Option<&str>, part: &mut Part<'_>) -> Option<Found> {
    let place = Place::default().member("spec");
    let (module, root) = (text(spec, &["url"]), text(spec, &["pluginName"]));
    let at = place.member(if root.is_some() { "pluginName" } else { "url" });
    let entry = entry(module, root, name, &at, part)?;
    let config = spec.get("pluginConfig").unwrap_or(&Value::Null);
    let strategy = text(spec, &["failStrategy"]).unwrap_or("FAIL_CLOSE");
    fails_open(strategy == "FAIL_OPEN", entry.name, &place.member("failStrategy"), part);
    let mut all = Vec::new();
    let env = spec.get("vmConfig").and_then(|vm| vm.get("env")).and_then(Value::as_sequence);
    for variable in env.into_iter().flatten() {
        let value = text(variable, &["value"]).map(str::to_owned);
        let inline = text(variable, &["valueFrom"]) != Some("HOST");
        let value = inline.then(|| value.unwrap_or_default());
        all.extend(text(variable, &["name"]).map(|name| (name.to_owned(), value)));
    }
    if !all.iter().any(|(name, _)| name == "GATEHOUSE_HOST") {
        let message = "found no variable `GATEHOUSE_HOST`, expected the value envoy: the filter does not know that \
                       it runs on Envoy, so that wrong settings are not rejected";
        part.add(Level::Warning, &place.member("vmConfig"), Some(entry.name), message);
    }
    let handed = Handed::Some(all, "`spec.vmConfig.env`, with `valueFrom: HOST`");
    Some(found(entry, config, place.member("pluginConfig"), handed, "a WasmPlugin", part))
}

fn extension_policy(spec: &Value, part: &mut Part<'_>) -> Vec<Found> {
    let place = Place::default().member("spec").member("wasm");
    let mut all = Vec::new();
    let plugins = spec.get("wasm").and_then(Value::as_sequence);
    for (number, plugin) in plugins.into_iter().flatten().enumerate() {
        let place = place.item(number);
        let url = |kind: &str| text(plugin.get("code")?.get(kind)?, &["url"]);
        let module = url("image").or(url("http"));
        let root = text(plugin, &["rootID"]);
        let at = place.member("rootID");
        let Some(entry) = entry(module, root, text(plugin, &["name"]), &at, part) else { continue };
        let open = plugin.get("failOpen").and_then(Value::as_bool) == Some(true);
        fails_open(open, entry.name, &place.member("failOpen"), part);
        let keys = plugin.get("env").and_then(|env| member(env, &["hostKeys"]));
        let keys = keys.and_then(|(_, keys)| keys.as_sequence()).into_iter().flatten();
        let keys = keys.filter_map(Value::as_str).map(|key| (key.to_owned(), None)).collect();
        let handed = Handed::Some(keys, "`env.hostKeys`");
        let config = plugin.get("config").unwrap_or(&Value::Null);
        let place = place.member("config");
        all.push(found(entry, config, place, handed, "an EnvoyExtensionPolicy", part));
    }
    all
}

fn kong_plugin(document: &Value, part: &mut Part<'_>) -> Option<Found> {
    let place = Place::default().member("config");
    let name = text(document, &["plugin"]);
    let filter = entry(None, None, name, &Place::default().member("plugin"), part)?;
    let settings = json(document.get("config").unwrap_or(&Value::Null));
    Some(Found { gateway: Gateway::Kong, place, filter, settings, handed: Handed::All })
}

fn entry(
    module: Option<&str>,
    root: Option<&str>,
    name: Option<&str>,
    place: &Place,
    part: &mut Part<'_>,
) -> Option<&'static all_filters::Entry> {
    match filter_of(module, root, &[name]) {
        Named::Filter(entry) => Some(entry),
        Named::Foreign => None,
        Named::Unknown => {
            super::kong::unknown(place, root.or(module).or(name).unwrap_or_default(), part);
            None
        }
    }
}

fn found(
    filter: &'static all_filters::Entry,
    config: &Value,
    place: Place,
    handed: Handed,
    resource: &str,
    part: &mut Part<'_>,
) -> Found {
    let settings = json(config);
    if holds_headers(&settings) {
        let place = place.member("allow_on_headers_stop_iteration");
        let message = format!(
            "found true, which {resource} cannot tell Envoy, expected an EnvoyFilter or a patch"
        );
        part.add(Level::Error, &place, Some(filter.name), message);
    }
    Found { gateway: Gateway::Envoy, place, filter, settings, handed }
}

fn fails_open(open: bool, filter: &'static str, place: &Place, part: &mut Part<'_>) {
    if open && filter != "moesif" {
        let message = "found a filter that is skipped when it fails, expected it to fail closed: requests would pass \
                       unjudged";
        part.add(Level::Warning, place, Some(filter), message);
    }
}

fn json(config: &Value) -> Vec<u8> {
    if config.is_null() { Vec::new() } else { serde_json::to_vec(config).unwrap_or_default() }
}
