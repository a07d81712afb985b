//! The Wasm filters in a configuration of Envoy: a bootstrap, files for LDS, or a part of one. They
//! are looked for everywhere, since they also stand in `typed_per_filter_config`.

use super::report::{Level, Part};
use super::{Found, Gateway, Handed, Named, filter_of};
use crate::documents::{Place, member, text, walk};
use base64::Engine as _;
use serde_norway::Value;

const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";

/// Returns `true` if there is a Wasm filter anywhere in `document`.
pub(super) fn has_filters(document: &Value) -> bool {
    let mut found = false;
    walk(document, &Place::default(), &mut |value, _| {
        found |= plugin(value, &Place::default()).is_some();
        !found
    });
    found
}

pub(super) fn filters(document: &Value, part: &mut Part<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    let mut named = None;
    walk(document, &Place::default(), &mut |value, place| {
        // The name of the HTTP filter stands beside its `typed_config`.
        if let (Some(name), Some(_)) =
            (text(value, &["name"]), member(value, &["typed_config", "typedConfig"]))
        {
            named = Some(name);
        }
        let Some((config, place)) = plugin(value, place) else { return true };
        one(config, &place, named.take(), part, &mut all);
        false
    });
    all
}

/// Returns the `PluginConfig` of a Wasm filter, and its place. The filter may be wrapped in a
/// `TypedStruct`.
fn plugin<'a>(value: &'a Value, place: &Place) -> Option<(&'a Value, Place)> {
    let is_wasm = |name| text(value, &[name]).is_some_and(|url| url.ends_with(WASM));
    if is_wasm("@type") {
        return Some((value.get("config")?, place.member("config")));
    }
    let (name, _) = member(value, &["type_url", "typeUrl"])?;
    is_wasm(name).then_some(())?;
    let inner = value.get("value")?.get("config")?;
    Some((inner, place.member("value").member("config")))
}

fn one(
    config: &Value,
    place: &Place,
    named: Option<&str>,
    part: &mut Part<'_>,
    all: &mut Vec<Found>,
) {
    let vm = member(config, &["vm_config", "vmConfig"]).map(|(_, vm)| vm);
    let code = vm.and_then(|vm| vm.get("code"));
    let file = code.and_then(|code| text(code.get("local")?, &["filename"]));
    let uri = code.and_then(|code| {
        let remote = code.get("remote")?;
        text(member(remote, &["http_uri", "httpUri"])?.1, &["uri"])
    });
    let root = text(config, &["root_id", "rootId"]);
    let entry = match filter_of(file.or(uri), root, &[text(config, &["name"]), named]) {
        Named::Foreign => return,
        Named::Unknown => {
            let found = root.or(file).or(uri).unwrap_or_default();
            return super::kong::unknown(&place.member("root_id"), found, part);
        }
        Named::Filter(entry) => entry,
    };
    let at = |names: &[&'static str]| member(config, names);
    let (settings, settings_place) = match at(&["configuration"]) {
        None => (Vec::new(), place.member("configuration")),
        Some((name, value)) => match document(value) {
            Ok((settings, inner)) => (settings, place.member(name).below(inner)),
            Err(message) => {
                return part.add(Level::Error, &place.member(name), Some(entry.name), message);
            }
        },
    };
    let open =
        at(&["fail_open", "failOpen"]).is_some_and(|(_, value)| value.as_bool() == Some(true));
    let policy = at(&["failure_policy", "failurePolicy"]).and_then(|(_, value)| value.as_str());
    if entry.name != "moesif" && (open || policy == Some("FAIL_OPEN")) {
        let message = "found a filter that is skipped when it fails, expected `failure_policy: FAIL_RELOAD`: \
                       requests would pass unjudged";
        part.add(Level::Warning, place, Some(entry.name), message);
    }
    let option = at(&["allow_on_headers_stop_iteration", "allowOnHeadersStopIteration"]);
    let option = option.is_some_and(|(_, value)| value.as_bool() == Some(true));
    if !option && holds_headers(&settings) {
        let message = "found true, which the plugin's own configuration does not have: write \
                       `allow_on_headers_stop_iteration: true` beside `configuration` too";
        let place = settings_place.member("allow_on_headers_stop_iteration");
        part.add(Level::Error, &place, Some(entry.name), message);
    }
    let (handed, says_host) = environment(vm);
    if !says_host && vm.is_none_or(|vm| vm.get("configuration").is_none()) {
        let message = "found no `configuration` in `vm_config`, expected the StringValue '{\"host\":\"envoy\"}': \
                       the filter does not know that it runs on Envoy, so that wrong settings are not rejected";
        part.add(Level::Warning, place, Some(entry.name), message);
    }
    let gateway = Gateway::Envoy;
    all.push(Found { gateway, place: settings_place, filter: entry, settings, handed });
}

/// Returns `true` if the settings say that the option for bodies is set.
pub(super) fn holds_headers(settings: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(settings)
        .is_ok_and(|settings| settings["allow_on_headers_stop_iteration"] == true)
}

/// Returns the settings in `configuration`, and the place in it where they are.
fn document(value: &Value) -> Result<(Vec<u8>, &'static str), String> {
    let json = |value: &Value| serde_json::to_vec(value).map_err(|error| error.to_string());
    let Some(kind) = text(value, &["@type"]) else {
        return Err("found no `@type`, expected type.googleapis.com/google.protobuf.Struct with the settings in \
                    `value`"
            .to_owned());
    };
    let inner = value.get("value").unwrap_or(&Value::Null);
    let kind = kind.rsplit(['.', '/']).next().unwrap_or_default();
    match (kind, inner) {
        ("Struct" | "StringValue" | "TypedStruct", Value::Null) => Ok((Vec::new(), "value")),
        ("Struct" | "TypedStruct", Value::Mapping(_)) => Ok((json(inner)?, "value")),
        ("StringValue", Value::String(text)) => Ok((text.clone().into_bytes(), "value")),
        ("BytesValue", Value::String(text)) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            let bytes = bytes.map_err(|_| "found something else, expected base64".to_owned())?;
            Ok((bytes, "value"))
        }
        ("Struct", _) => {
            Err("found another `value`, expected an object with the settings".to_owned())
        }
        _ => Err(format!("found the type {kind}, expected google.protobuf.Struct or StringValue")),
    }
}

/// Returns the variables that Envoy hands over, and whether one of them names the gateway.
fn environment(vm: Option<&Value>) -> (Handed, bool) {
    let names = ["environment_variables", "environmentVariables"];
    let variables = vm.and_then(|vm| member(vm, &names)).map(|(_, value)| value);
    let mut all = Vec::new();
    let keys = variables.and_then(|value| member(value, &["host_env_keys", "hostEnvKeys"]));
    for key in keys.and_then(|(_, value)| value.as_sequence()).into_iter().flatten() {
        all.extend(key.as_str().map(|key| (key.to_owned(), None)));
    }
    let values = variables.and_then(|value| member(value, &["key_values", "keyValues"]));
    for (key, value) in values.and_then(|(_, value)| value.as_mapping()).into_iter().flatten() {
        if let (Some(key), Some(value)) = (key.as_str(), value.as_str()) {
            all.push((key.to_owned(), Some(value.to_owned())));
        }
    }
    let says_host = all.iter().any(|(key, _)| key == "GATEHOUSE_HOST");
    (Handed::Some(all, "`vm_config.environment_variables.host_env_keys`"), says_host)
}
